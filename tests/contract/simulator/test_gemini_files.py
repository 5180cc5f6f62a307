"""Files, with Google's SDK as the judge."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from google.genai import errors, types
from tests.contract.simulator.gemini_sdk import (
    KEY,
    MODEL,
    client_of,
    fault,
    fields_of,
    raw,
    unknown_names,
)
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from pathlib import Path

# google-genai subclasses aiohttp's session, which aiohttp warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

UPLOAD = "POST /upload/{version}/files"
LIST = "GET /{version}/files"
GET = "GET /{version}/files/{id}"
DELETE = "DELETE /{version}/files/{id}"
DOWNLOAD = "GET /{version}/files/{id}:download"
PIECE = 8 * 1024**2
CONTENT = b'{"key": "a", "request": {"contents": [{"parts": [{"text": "hello"}]}]}}\n'


def upload(simulator: Simulator, content: bytes = CONTENT, **config: Any) -> types.File:
    config.setdefault("mime_type", "application/jsonl")
    with client_of(simulator) as client:
        return client.files.upload(
            file=io.BytesIO(content), config=types.UploadFileConfig(**config)
        )


def start(simulator: Simulator, file: object = None, **headers: str) -> httpx2.Response:
    """Begin an upload without the SDK."""
    return raw(
        simulator,
        "POST",
        "/upload/v1beta/files",
        headers={
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            **headers,
        },
        json={"file": {} if file is None else file},
    )


def go_on(
    simulator: Simulator, url: str, command: str, offset: int = 0, content: bytes = b""
) -> httpx2.Response:
    """Send a piece as the SDK does: the address alone says whose upload it is."""
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
    return raw(simulator, "POST", url, key=None, headers=headers, content=content)


# --- what is set ---------------------------------------------------------------------------

# google.genai.types.File: what its descriptions say of each field. `download_uri` is "only set
# for downloadable (generated) files", `error` "if File processing failed", `video_metadata` for
# a video; `display_name` is the client's.
ALWAYS = {
    "name",
    "mime_type",
    "size_bytes",
    "create_time",
    "update_time",
    "expiration_time",
    "sha256_hash",
    "uri",
    "state",
    "source",
}


@covers("gemini", UPLOAD, "files.upload")
@covers("gemini", GET, "files.get")
def test_an_uploaded_file_has_the_fields_that_the_sdk_documents(simulator: Simulator) -> None:
    simulator.set_speed(0.001)
    with client_of(simulator) as client:
        file = client.files.upload(
            file=io.BytesIO(CONTENT), config={"mime_type": "text/plain", "display_name": "Mine"}
        )
        assert fields_of(file).keys() == ALWAYS | {"display_name"}
        assert file.name is not None
        assert file.name.startswith("files/")
        assert file.display_name == "Mine"
        assert file.mime_type == "text/plain"
        assert file.size_bytes == len(CONTENT)
        digest = hashlib.sha256(CONTENT).hexdigest().encode()
        assert file.sha256_hash == base64.b64encode(digest).decode()
        assert file.uri == f"{simulator.gemini_base_url}/v1/{file.name}"
        assert file.state is types.FileState.ACTIVE
        assert file.source is types.FileSource.UPLOADED
        assert file.create_time is not None
        assert file.create_time.timestamp() == pytest.approx(simulator.now(), abs=1)
        assert file.update_time == file.create_time
        assert file.expiration_time is not None
        assert (file.expiration_time - file.create_time).total_seconds() == 48 * 3600
        again = client.files.get(name=file.name)
    assert fields_of(again) == fields_of(file)


def test_nothing_is_sent_that_the_sdk_does_not_know(simulator: Simulator) -> None:
    file = upload(simulator)
    sent = raw(simulator, "GET", f"/v1beta/{file.name}").json()
    assert unknown_names(sent, types.File) == set()
    assert sent["sizeBytes"] == str(len(CONTENT)), "an int64 is a text in Google's JSON"


def test_a_file_without_a_display_name_has_none(simulator: Simulator) -> None:
    assert fields_of(upload(simulator)).keys() == ALWAYS


def test_a_video_is_processed_before_it_is_active(simulator: Simulator) -> None:
    simulator.set_speed(0.001)
    file = upload(simulator, b"moving pictures", mime_type="video/mp4")
    assert file.state is types.FileState.PROCESSING
    assert file.name is not None
    simulator.advance(11)
    with client_of(simulator) as client:
        ready = client.files.get(name=file.name)
    assert ready.state is types.FileState.ACTIVE
    assert ready.update_time is not None
    assert ready.create_time is not None
    assert ready.update_time > ready.create_time


# --- uploads by the SDK --------------------------------------------------------------------


@covers("gemini", UPLOAD, "files.upload")
def test_a_file_is_uploaded_from_a_path_in_several_pieces(
    simulator: Simulator, tmp_path: Path
) -> None:
    content = b"x" * (2 * PIECE + 5)
    path = tmp_path / "lines.jsonl"
    path.write_bytes(content)
    with client_of(simulator) as client:
        file = client.files.upload(file=path, config={"mime_type": "application/jsonl"})
    assert file.size_bytes == len(content)
    digest = hashlib.sha256(content).hexdigest().encode()
    assert file.sha256_hash == base64.b64encode(digest).decode()


@covers("gemini", UPLOAD, "files.upload")
@covers("gemini", GET, "files.get")
@covers("gemini", LIST, "files.list")
@covers("gemini", DELETE, "files.delete")
async def test_the_async_client_does_the_same(simulator: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(CONTENT)
    async with client_of(simulator).aio as client:
        file = await client.files.upload(file=path, config={"mime_type": "application/jsonl"})
        assert fields_of(file).keys() == ALWAYS
        assert file.name is not None
        assert fields_of(await client.files.get(name=file.name)) == fields_of(file)
        assert [one.name async for one in await client.files.list()] == [file.name]
        deleted = await client.files.delete(name=file.name)
        assert fields_of(deleted).keys() == {"sdk_http_response"}
        with pytest.raises(errors.ClientError) as caught:
            await client.files.get(name=file.name)
        assert caught.value.code == 403


# The SDK hands pieces of 8 MiB to aiohttp, which would rather read them itself.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_the_async_client_uploads_in_several_pieces(simulator: Simulator) -> None:
    async with client_of(simulator).aio as client:
        file = await client.files.upload(
            file=io.BytesIO(b"x" * (PIECE + 1)), config={"mime_type": "text/plain"}
        )
    assert file.size_bytes == PIECE + 1


def test_an_empty_file_can_be_uploaded(simulator: Simulator) -> None:
    assert fields_of(upload(simulator, b""))["size_bytes"] == 0


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_every_version_of_the_api_takes_files(simulator: Simulator, version: str) -> None:
    with client_of(simulator, api_version=version) as client:
        file = client.files.upload(file=io.BytesIO(b"x"), config={"mime_type": "text/plain"})
    assert file.uri == f"{simulator.gemini_base_url}/{version}/{file.name}"


def test_the_books_know_what_was_made(simulator: Simulator) -> None:
    names = [upload(simulator, content).name for content in (b"one", b"two", b"one")]
    made = simulator.books.creates("file")
    assert [creation.name for creation in made] == names
    ((first, second),) = simulator.books.repeated_creates("file")
    assert [first.name, second.name] == [names[0], names[2]]


# --- names ---------------------------------------------------------------------------------


def test_a_client_can_choose_the_name(simulator: Simulator) -> None:
    assert upload(simulator, name="my-lines-1").name == "files/my-lines-1"


def test_a_name_that_is_taken_is_refused_in_googles_words(simulator: Simulator) -> None:
    upload(simulator, name="twice")
    with pytest.raises(errors.ClientError) as caught:
        upload(simulator, name="twice")
    assert (caught.value.code, caught.value.status) == (409, "ALREADY_EXISTS")
    assert caught.value.message == "Requested entity already exists"


def test_a_name_that_is_deleted_can_be_given_again(simulator: Simulator) -> None:
    upload(simulator, name="twice")
    with client_of(simulator) as client:
        client.files.delete(name="files/twice")
    assert upload(simulator, name="twice").name == "files/twice"


def test_a_name_is_taken_for_other_keys_too(simulator: Simulator) -> None:
    upload(simulator, name="mine")
    with client_of(simulator, "other") as client, pytest.raises(errors.ClientError) as caught:
        client.files.upload(
            file=io.BytesIO(b"x"), config={"mime_type": "text/plain", "name": "mine"}
        )
    assert caught.value.code == 409


@pytest.mark.parametrize("name", ["Upper", "a" * 41, "-a", "a-", "a_b", "a/b", "ä"])
def test_a_name_that_is_none_is_refused(simulator: Simulator, name: str) -> None:
    with pytest.raises(errors.ClientError) as caught:
        upload(simulator, name=name)
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


def test_the_longest_name_is_taken(simulator: Simulator) -> None:
    assert upload(simulator, name="a" * 40).name == "files/" + "a" * 40


def test_a_display_name_has_512_characters_at_most(simulator: Simulator) -> None:
    assert upload(simulator, display_name="n" * 512).display_name == "n" * 512
    with pytest.raises(errors.ClientError) as caught:
        upload(simulator, display_name="n" * 513)
    assert caught.value.code == 400
    assert "512" in str(caught.value.message)


# --- the resumable protocol ----------------------------------------------------------------


def test_an_upload_can_be_asked_how_far_it_is_and_be_gone_on_with(simulator: Simulator) -> None:
    url = start(simulator).headers["X-Goog-Upload-URL"]
    first = go_on(simulator, url, "upload", 0, b"a" * PIECE)
    assert first.headers["X-Goog-Upload-Status"] == "active"
    asked = go_on(simulator, url, "query")
    assert asked.headers["X-Goog-Upload-Status"] == "active"
    assert asked.headers["X-Goog-Upload-Size-Received"] == str(PIECE)
    last = go_on(simulator, url, "upload, finalize", PIECE, b"b")
    assert last.headers["X-Goog-Upload-Status"] == "final"
    assert last.json()["file"]["sizeBytes"] == str(PIECE + 1)
    again = go_on(simulator, url, "query")
    assert again.headers["X-Goog-Upload-Status"] == "final"
    assert again.json() == last.json()


def test_an_upload_can_be_ended_without_a_last_piece(simulator: Simulator) -> None:
    url = start(simulator).headers["X-Goog-Upload-URL"]
    go_on(simulator, url, "upload", 0, b"a" * PIECE)
    assert go_on(simulator, url, "finalize").json()["file"]["sizeBytes"] == str(PIECE)


def test_the_start_says_where_the_upload_goes_on(simulator: Simulator) -> None:
    headers = start(simulator).headers
    assert headers["X-Goog-Upload-Status"] == "active"
    assert headers["X-Goog-Upload-URL"].startswith(
        f"{simulator.gemini_base_url}/upload/v1beta/files?upload_id="
    )
    assert headers["X-Goog-Upload-Chunk-Granularity"] == str(PIECE)


def test_both_spellings_tell_of_the_file(simulator: Simulator) -> None:
    for told in (
        {"displayName": "N", "mimeType": "text/x-mine"},
        {"display_name": "N", "mime_type": "text/x-mine"},
    ):
        url = start(simulator, told).headers["X-Goog-Upload-URL"]
        file = go_on(simulator, url, "upload, finalize", 0, b"x").json()["file"]
        assert (file["displayName"], file["mimeType"]) == ("N", "text/x-mine")


def test_the_header_tells_the_type_where_the_body_does_not(simulator: Simulator) -> None:
    started = start(simulator, **{"X-Goog-Upload-Header-Content-Type": "text/x-mine"})
    url = started.headers["X-Goog-Upload-URL"]
    file = go_on(simulator, url, "upload, finalize", 0, b"x").json()["file"]
    assert file["mimeType"] == "text/x-mine"


def refused(response: httpx2.Response, status: int = 400) -> str:
    assert response.status_code == status
    assert response.headers["X-Goog-Upload-Status"] == "final", "or the SDK would try again"
    error = response.json()["error"]
    assert error["code"] == status
    return str(error["message"])


def test_a_piece_at_a_wrong_place_is_refused(simulator: Simulator) -> None:
    url = start(simulator).headers["X-Goog-Upload-URL"]
    assert "0 bytes were received" in refused(go_on(simulator, url, "upload", 5, b"x" * PIECE))


def test_a_piece_of_an_odd_size_is_refused_unless_it_is_the_last(simulator: Simulator) -> None:
    url = start(simulator).headers["X-Goog-Upload-URL"]
    assert str(PIECE) in refused(go_on(simulator, url, "upload", 0, b"x"))


def test_a_file_of_another_size_than_announced_is_refused(simulator: Simulator) -> None:
    started = start(simulator, **{"X-Goog-Upload-Header-Content-Length": "7"})
    url = started.headers["X-Goog-Upload-URL"]
    assert "7 bytes" in refused(go_on(simulator, url, "upload, finalize", 0, b"x"))
    assert "files" not in raw(simulator, "GET", "/v1beta/files").json()


def test_a_file_of_more_than_two_gigabytes_is_refused_at_once(simulator: Simulator) -> None:
    size = str(2 * 1024**3 + 1)
    assert size in refused(start(simulator, **{"X-Goog-Upload-Header-Content-Length": size}))


@pytest.mark.parametrize("size", ["many", "-1", "9" * 500])
def test_a_size_that_is_no_number_is_refused(simulator: Simulator, size: str) -> None:
    refused(start(simulator, **{"X-Goog-Upload-Header-Content-Length": size}))


@pytest.mark.parametrize("command", ["", "upload", "dance", "start, dance", "query, upload"])
def test_a_command_that_is_none_is_refused(simulator: Simulator, command: str) -> None:
    url = start(simulator).headers["X-Goog-Upload-URL"]
    refused(go_on(simulator, url, command, 3, b"x"))


def test_an_upload_ends_once(simulator: Simulator) -> None:
    url = start(simulator).headers["X-Goog-Upload-URL"]
    go_on(simulator, url, "upload, finalize", 0, b"x")
    assert "final already" in refused(go_on(simulator, url, "upload, finalize", 1, b"y"))


def test_a_cancelled_upload_is_gone(simulator: Simulator) -> None:
    url = start(simulator).headers["X-Goog-Upload-URL"]
    assert go_on(simulator, url, "cancel").headers["X-Goog-Upload-Status"] == "cancelled"
    assert (
        raw(simulator, "POST", url, headers={"X-Goog-Upload-Command": "query"}).status_code == 400
    )


def test_an_upload_needs_a_key_or_an_address_that_stands_for_one(simulator: Simulator) -> None:
    url = f"{simulator.gemini_base_url}/upload/v1beta/files?upload_id=unknown"
    assert go_on(simulator, url, "upload", 0, b"x").status_code == 403


def test_of_two_uploads_to_one_name_the_second_to_end_is_refused(simulator: Simulator) -> None:
    urls = [start(simulator, {"name": "files/one"}).headers["X-Goog-Upload-URL"] for _ in range(2)]
    assert go_on(simulator, urls[0], "upload, finalize", 0, b"x").status_code == 200
    refused(go_on(simulator, urls[1], "upload, finalize", 0, b"y"), 409)


@pytest.mark.parametrize(
    "body", [b"{", b"[" * 100_000, b"[]", b'{"file": 3}', b"\xff", b'{"file": {"name": 3}}']
)
def test_a_description_that_cannot_be_read_is_refused(simulator: Simulator, body: bytes) -> None:
    response = raw(
        simulator,
        "POST",
        "/upload/v1beta/files",
        headers={"X-Goog-Upload-Command": "start"},
        content=body,
    )
    refused(response)


def test_an_upload_without_a_description_is_taken(simulator: Simulator) -> None:
    response = raw(
        simulator, "POST", "/upload/v1beta/files", headers={"X-Goog-Upload-Command": "start"}
    )
    url = response.headers["X-Goog-Upload-URL"]
    file = go_on(simulator, url, "upload, finalize", 0, b"x").json()["file"]
    assert file["mimeType"] == "application/octet-stream"


# --- lists ---------------------------------------------------------------------------------


@covers("gemini", LIST, "files.list")
def test_a_list_is_paged_newest_first(simulator: Simulator) -> None:
    names = [upload(simulator, name=f"f{number}").name for number in range(5)]
    with client_of(simulator) as client:
        pager = client.files.list(config={"page_size": 2})
        assert [file.name for file in pager.page] == [names[4], names[3]]
        assert [file.name for file in client.files.list(config={"page_size": 2})] == names[::-1]
        assert [file.name for file in client.files.list()] == names[::-1]


def test_a_page_holds_10_files_unless_another_size_is_asked_for(simulator: Simulator) -> None:
    for _ in range(11):
        upload(simulator, b"x")
    sent = raw(simulator, "GET", "/v1beta/files").json()
    assert len(sent["files"]) == 10
    rest = raw(simulator, "GET", f"/v1beta/files?pageToken={sent['nextPageToken']}").json()
    assert len(rest["files"]) == 1
    assert "nextPageToken" not in rest
    assert len(raw(simulator, "GET", "/v1beta/files?pageSize=5000").json()["files"]) == 11


def test_a_token_holds_its_place_though_files_come_and_go(simulator: Simulator) -> None:
    for number in range(4):
        upload(simulator, name=f"f{number}")
    first = raw(simulator, "GET", "/v1beta/files?pageSize=2").json()
    with client_of(simulator) as client:
        client.files.delete(name="f2")
    upload(simulator, name="new")
    second = raw(simulator, "GET", f"/v1beta/files?pageToken={first['nextPageToken']}").json()
    assert [file["name"] for file in second["files"]] == ["files/f1", "files/f0"]


@pytest.mark.parametrize("query", ["pageSize=-1", "pageSize=x", "pageToken=x", "pageToken=%C3%A4"])
def test_a_page_that_is_none_is_refused(simulator: Simulator, query: str) -> None:
    response = raw(simulator, "GET", f"/v1beta/files?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_an_empty_list_has_no_fields(simulator: Simulator) -> None:
    assert raw(simulator, "GET", "/v1beta/files").json() == {}


def test_a_stale_list_leaves_out_what_was_made_a_moment_ago(simulator: Simulator) -> None:
    simulator.set_speed(0.001)
    upload(simulator, name="old")
    simulator.advance(100)
    upload(simulator, name="new")
    simulator.add_fault(fault("stale_list", operation="files.list", seconds=60))
    with client_of(simulator) as client:
        assert [file.name for file in client.files.list()] == ["files/old"]
        simulator.advance(61)
        assert [file.name for file in client.files.list()] == ["files/new", "files/old"]


# --- whose files, and how long -------------------------------------------------------------


def test_a_key_does_not_see_the_files_of_another(simulator: Simulator) -> None:
    file = upload(simulator, name="mine")
    assert file.name is not None
    with client_of(simulator, "other") as client:
        assert list(client.files.list()) == []
        with pytest.raises(errors.ClientError) as caught:
            client.files.get(name=file.name)
        assert caught.value.message == (
            "You do not have permission to access the File mine or it may not exist."
        )
        assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")


@covers("gemini", DELETE, "files.delete")
def test_a_file_is_deleted_once(simulator: Simulator) -> None:
    upload(simulator, name="mine")
    with client_of(simulator) as client:
        assert fields_of(client.files.delete(name="mine")).keys() == {"sdk_http_response"}
        with pytest.raises(errors.ClientError) as caught:
            client.files.delete(name="mine")
    assert caught.value.code == 403


def test_a_file_vanishes_after_48_hours(simulator: Simulator) -> None:
    simulator.set_speed(0.001)
    file = upload(simulator, name="mine")
    assert file.name is not None
    simulator.advance(48 * 3600 - 10)
    with client_of(simulator) as client:
        assert client.files.get(name=file.name).name == file.name
        simulator.advance(20)
        with pytest.raises(errors.ClientError) as caught:
            client.files.get(name=file.name)
        assert caught.value.code == 403
        assert list(client.files.list()) == []
    assert upload(simulator, name="mine").name == file.name


# --- downloads -----------------------------------------------------------------------------


@covers("gemini", DOWNLOAD, "files.download")
def test_results_can_be_downloaded_to_memory_and_to_disk(
    simulator: Simulator, tmp_path: Path
) -> None:
    file = upload(simulator)
    with client_of(simulator) as client:
        job = client.batches.create(model=MODEL, src=str(file.name))
        while not job.done:
            job = client.batches.get(name=str(job.name))
        assert job.dest is not None
        name = str(job.dest.file_name)
        generated = client.files.get(name=name)
        assert fields_of(generated).keys() == ALWAYS | {"download_uri"}
        assert generated.source is types.FileSource.GENERATED
        uri = f"{simulator.gemini_base_url}/v1/{name}:download?alt=media"
        assert generated.download_uri == uri
        content = client.files.download(file=generated)
        assert client.files.download(file=name) == content
        assert len(content) == generated.size_bytes
        path = tmp_path / "results.jsonl"
        client.files.download(file=name, destination=path)
        assert path.read_bytes() == content
    elsewhere = raw(simulator, "GET", f"/download/v1beta/{name}:download?alt=media")
    assert elsewhere.content == content


@covers("gemini", DOWNLOAD, "files.download")
async def test_the_async_client_downloads(simulator: Simulator) -> None:
    async with client_of(simulator).aio as client:
        file = await client.files.upload(
            file=io.BytesIO(CONTENT), config={"mime_type": "application/jsonl"}
        )
        job = await client.batches.create(model=MODEL, src=str(file.name))
        while not job.done:
            job = await client.batches.get(name=str(job.name))
        assert job.dest is not None
        content = await client.files.download(file=str(job.dest.file_name))
    assert b"hello" in content


def test_an_uploaded_file_cannot_be_downloaded(simulator: Simulator) -> None:
    file = upload(simulator, name="mine")
    with client_of(simulator) as client:
        with pytest.raises(ValueError, match="Only generated files"):
            client.files.download(file=file)
        with pytest.raises(errors.ClientError) as caught:
            client.files.download(file="files/mine")
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert "Only generated files" in str(caught.value.message)


def test_a_download_of_nothing_is_refused(simulator: Simulator) -> None:
    with client_of(simulator) as client, pytest.raises(errors.ClientError) as caught:
        client.files.download(file="files/nothing")
    assert caught.value.code == 403


def test_a_download_asks_for_the_media(simulator: Simulator) -> None:
    upload(simulator, name="mine")
    response = raw(simulator, "GET", "/v1beta/files/mine:download")
    assert response.status_code == 400
    assert "alt=media" in response.json()["error"]["message"]


# --- faults --------------------------------------------------------------------------------


def test_an_upload_whose_answer_is_lost_is_made_all_the_same(simulator: Simulator) -> None:
    url = start(simulator, {"name": "files/mine"}).headers["X-Goog-Upload-URL"]
    simulator.add_fault(fault("dropped", operation="files.upload", key=KEY, times=1))
    with pytest.raises(httpx2.TransportError):
        go_on(simulator, url, "upload, finalize", 0, b"x")
    asked = go_on(simulator, url, "query")
    assert asked.headers["X-Goog-Upload-Status"] == "final"
    assert asked.json()["file"]["name"] == "files/mine"


@pytest.mark.parametrize(("status", "kind"), [(503, errors.ServerError), (429, errors.ClientError)])
def test_a_file_request_can_fail(
    simulator: Simulator, status: int, kind: type[errors.APIError]
) -> None:
    simulator.add_fault(fault("status", status=status, operation="files.list"))
    with client_of(simulator) as client, pytest.raises(kind) as caught:
        client.files.list()
    assert caught.value.code == status
