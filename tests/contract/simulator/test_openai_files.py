"""Files, with OpenAI's SDK as the judge."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any

import pytest
from openai import (
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    OpenAI,
)
from tests.contract.simulator.openai_sdk import async_client_of, client_of
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openai.types import FileObject

    from batch_llm.testing.simulator import Simulator

LINE = b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n'
DAY = 24 * 3_600
CUT_SHORT = (
    b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf of it'
)


@pytest.fixture
def client(simulator: Simulator) -> Iterator[OpenAI]:
    with client_of(simulator) as client:
        yield client


def upload(
    client: OpenAI, name: str = "in.jsonl", content: bytes = LINE, **more: Any
) -> FileObject:
    return client.files.create(file=(name, content), purpose=more.pop("purpose", "batch"), **more)


# What is set of each kind of file, all fields of the SDK's `FileObject` (openai 3.54,
# types/file_object.py). That batch files expire after 30 days and others never is from the
# docstring of `FileCreateParams.expires_after`; None is what the API sends as null.
ANY_ID, ANY_TIME = object(), object()
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "batch": (
        {"purpose": "batch"},
        {"purpose": "batch", "filename": "in.jsonl", "expires_at": 30 * DAY},
    ),
    "user_data": (
        {"purpose": "user_data"},
        {"purpose": "user_data", "filename": "in.jsonl", "expires_at": None},
    ),
    "named life": (
        {"purpose": "batch", "expires_after": {"anchor": "created_at", "seconds": 3_600}},
        {"purpose": "batch", "filename": "in.jsonl", "expires_at": 3_600},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@covers("openai", "POST /files", "files.create")
@covers("openai", "GET /files/{id}", "files.retrieve")
def test_each_field_of_a_file(simulator: Simulator, client: OpenAI, kind: str) -> None:
    asked, expected = KINDS[kind]
    before = int(simulator.now())
    file = upload(client, **asked)
    life = expected["expires_at"]
    assert file.model_extra == {}
    assert file.model_dump(warnings=False) == {
        "id": file.id,
        "object": "file",
        "bytes": len(LINE),
        "created_at": file.created_at,
        "status": "processed",
        "status_details": None,
        **expected,
        "expires_at": None if life is None else file.created_at + life,
    }
    assert file.id.startswith("file-")
    assert len(file.id) == len("file-") + 22
    assert before <= file.created_at <= simulator.now()
    assert client.files.retrieve(file.id) == file


@covers("openai", "POST /files", "files.create")
@covers("openai", "GET /files/{id}", "files.retrieve")
@covers("openai", "GET /files", "files.list")
@covers("openai", "GET /files/{id}/content", "files.content")
@covers("openai", "DELETE /files/{id}", "files.delete")
async def test_a_file_from_upload_to_deletion_async(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        file = await client.files.create(file=('ü "1".jsonl', LINE), purpose="batch")
        found = await client.files.retrieve(file.id)
        assert (found.bytes, found.filename) == (len(LINE), "ü %221%22.jsonl")
        assert [found.id async for found in client.files.list()] == [file.id]
        assert (await client.files.content(file.id)).content == LINE
        deleted = await client.files.delete(file.id)
        assert deleted.model_dump() == {"id": file.id, "deleted": True, "object": "file"}
        with pytest.raises(NotFoundError):
            await client.files.content(file.id)


@covers("openai", "GET /files/{id}", "files.wait_for_processing")
def test_a_file_is_processed_at_once(client: OpenAI) -> None:
    assert client.files.wait_for_processing(upload(client).id).status == "processed"


@covers("openai", "GET /files/{id}", "files.wait_for_processing")
async def test_a_file_is_processed_at_once_async(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        file = await client.files.create(file=("in.jsonl", LINE), purpose="batch")
        assert (await client.files.wait_for_processing(file.id)).status == "processed"


def test_a_file_comes_in_whatever_way_the_sdk_takes_it(client: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(LINE)
    with path.open("rb") as opened:
        files = [
            client.files.create(file=path, purpose="batch"),
            client.files.create(file=opened, purpose="batch"),
            client.files.create(file=("lines.jsonl", LINE, "application/jsonl"), purpose="batch"),
        ]
    assert {(file.filename, file.bytes) for file in files} == {("lines.jsonl", len(LINE))}
    # The SDK calls bytes "upload", which is no name of a batch's file.
    with pytest.raises(BadRequestError, match="Invalid file format"):
        client.files.create(file=LINE, purpose="batch")


@covers("openai", "GET /files/{id}/content", "files.content")
def test_content_comes_back_byte_by_byte(client: OpenAI) -> None:
    content = LINE + bytes(range(256)) * 5_000 + b"\r\n--not-a-boundary\r\n"
    file = upload(client, content=content)
    got = client.files.content(file.id)
    assert got.content == content
    assert got.response.headers["content-type"] == "application/octet-stream"
    with client.files.with_streaming_response.content(file.id) as streamed:
        assert b"".join(streamed.iter_bytes()) == content


@covers("openai", "DELETE /files/{id}", "files.delete")
def test_a_deleted_file_is_gone(client: OpenAI) -> None:
    file = upload(client)
    assert client.files.delete(file.id).deleted
    for look in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(NotFoundError) as caught:
            look(file.id)
        assert caught.value.body == {
            "message": f"No such File object: {file.id}",
            "type": "invalid_request_error",
            "param": "id",
            "code": None,
        }
    assert client.files.list().data == []


def test_another_key_sees_nothing(simulator: Simulator, client: OpenAI) -> None:
    file = upload(client)
    other = client.with_options(api_key="two")
    assert other.files.list().data == []
    with pytest.raises(NotFoundError):
        other.files.retrieve(file.id)


def test_files_vanish_when_they_expire(simulator: Simulator, client: OpenAI) -> None:
    short = upload(client, expires_after={"anchor": "created_at", "seconds": 3_600 * 24})
    kept = upload(client, purpose="user_data")
    assert client.files.retrieve(short.id).id == short.id
    simulator.advance(DAY)
    with pytest.raises(NotFoundError):
        client.files.content(short.id)
    assert [file.id for file in client.files.list()] == [kept.id]


@covers("openai", "GET /files", "files.list")
def test_pages_of_files(client: OpenAI) -> None:
    files = [upload(client, purpose="user_data").id for _ in range(5)]
    batch = upload(client).id
    assert [file.id for file in client.files.list(limit=2)] == [batch, *reversed(files)]
    assert [file.id for file in client.files.list(limit=2, order="asc")] == [*files, batch]
    assert [file.id for file in client.files.list(purpose="batch")] == [batch]
    page = client.files.list(limit=2)
    assert page.has_more
    assert page.model_extra is not None
    assert page.model_extra["first_id"] == batch
    assert page.model_extra["last_id"] == files[-1]
    last = client.files.list(after=files[0])
    assert last.data == []
    assert not last.has_more


@pytest.mark.parametrize(
    ("asked", "code", "param", "status"),
    [
        ({"limit": 0}, "integer_below_min_value", "limit", 400),
        ({"limit": 10_001}, "integer_above_max_value", "limit", 400),
        ({"limit": "many"}, "invalid_type", "limit", 400),
        ({"limit": "9" * 5_000}, "invalid_type", "limit", 400),
        ({"order": "up"}, "invalid_value", "order", 400),
        ({"after": "file-none"}, None, "id", 404),
    ],
)
def test_wrong_pages(
    client: OpenAI, asked: dict[str, Any], code: str, param: str, status: int
) -> None:
    with pytest.raises(APIStatusError) as caught:
        client.files.list(**asked)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.status_code == status


@pytest.mark.parametrize(
    ("asked", "code", "param", "message"),
    [
        ({"name": "in.txt"}, None, None, "Must be .jsonl"),
        ({"content": b"not json\n"}, None, None, "Must be .jsonl"),
        ({"content": b"[1]\n"}, None, None, "Must be .jsonl"),
        ({"content": b'{"a": "\xff"}\n'}, None, None, "Must be .jsonl"),
        ({"content": b""}, None, None, "Must be .jsonl"),
        ({"content": b"", "purpose": "user_data"}, None, "file", "empty"),
        ({"purpose": "mine"}, "invalid_value", "purpose", "'assistants'"),
        (
            {"expires_after": {"anchor": "now", "seconds": 3_600}},
            "invalid_value",
            "expires_after.anchor",
            "'created_at'",
        ),
        (
            {"expires_after": {"anchor": "created_at", "seconds": 3_599}},
            "integer_below_min_value",
            "expires_after.seconds",
            ">= 3600",
        ),
        (
            {"expires_after": {"anchor": "created_at", "seconds": 2_592_001}},
            "integer_above_max_value",
            "expires_after.seconds",
            "<= 2592000",
        ),
        (
            {"expires_after": {"anchor": "created_at"}},
            "missing_required_parameter",
            "expires_after.seconds",
            "expires_after.seconds",
        ),
    ],
)
def test_wrong_uploads(
    client: OpenAI, asked: dict[str, Any], code: str | None, param: str | None, message: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        upload(client, **asked)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert message in caught.value.message
    assert client.files.list().data == []


@pytest.mark.parametrize("purpose", ["assistants", "vision", "user_data"])
def test_files_for_openais_own_tools_cannot_be_downloaded(client: OpenAI, purpose: str) -> None:
    file = upload(client, purpose=purpose)
    with pytest.raises(BadRequestError, match=f"files of purpose: {purpose}"):
        client.files.content(file.id)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"nothing of a form"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("multipart/form-data; boundary=x", CUT_SHORT),
        ("multipart/form-data; boundary=" + "x" * 300, b""),
        ("multipart/form-data; boundary=x\xfc", b"--x"),
    ],
)
def test_what_is_no_form_is_refused(simulator: Simulator, content_type: str, body: bytes) -> None:
    connection = http.client.HTTPConnection(*simulator.address)
    headers = {"Authorization": "Bearer one", "Content-Type": content_type}
    connection.request("POST", "/openai/v1/files", body, headers)
    response = connection.getresponse()
    answered = response.read()
    connection.close()
    assert response.status == 400, answered
    assert b'"type":"invalid_request_error"' in answered


# --- faults --------------------------------------------------------------------------------


def test_a_stale_list_leaves_out_what_is_new(simulator: Simulator, client: OpenAI) -> None:
    old = upload(client).id
    simulator.advance(DAY)
    new = upload(client).id
    number = simulator.add_fault(
        Fault(kind=FaultKind.STALE_LIST, operation="files.list", seconds=DAY / 2)
    )
    assert [file.id for file in client.files.list()] == [old]
    assert client.files.retrieve(new).id == new
    simulator.remove_fault(number)
    assert [file.id for file in client.files.list()] == [new, old]


def test_a_page_goes_on_where_the_list_lags_behind(simulator: Simulator, client: OpenAI) -> None:
    old = upload(client).id
    simulator.advance(DAY)
    new = upload(client).id
    simulator.add_fault(Fault(kind=FaultKind.STALE_LIST, operation="files.list", seconds=DAY / 2))
    assert [file.id for file in client.files.list(after=new)] == [old]


def test_a_download_that_fails_can_be_tried_again(simulator: Simulator, client: OpenAI) -> None:
    file = upload(client)
    simulator.add_fault(
        Fault(kind=FaultKind.STATUS, status=503, operation="files.content", times=1)
    )
    with pytest.raises(InternalServerError):
        client.files.content(file.id)
    assert client.files.content(file.id).content == LINE


def test_an_upload_that_hangs(simulator: Simulator, client: OpenAI) -> None:
    simulator.set_speed(1)
    simulator.add_fault(Fault(kind=FaultKind.HANG, operation="files.create", seconds=60, times=1))
    with pytest.raises(APITimeoutError):
        upload(client.with_options(timeout=0.05))
    simulator.set_speed(10_000)
    assert client.files.list().data == []
