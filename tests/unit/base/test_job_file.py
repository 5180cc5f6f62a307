"""Files of jobs: known by what they hold, refused by their path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batch_llm import Batch, FilePart, ImagePart, InputError, Job, JobError, TextPart
from batch_llm.base.job_file import check_file, file_part, media_type_of

PNG = b"\x89PNG\r\n\x1a\n..."


def written(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", b"x", "text/plain"),
        ("a.MD", b"x", "text/plain"),
        ("a.pdf", b"%PDF-1.7", "application/pdf"),
        ("a.pdf", b"\n\n%PDF-1.7", "application/pdf"),
        ("noname", b"%PDF-1.7", "application/pdf"),
        ("a.png", PNG, "image/png"),
        ("a.jpg", PNG, "image/png"),
        ("a", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("a", b"GIF89a", "image/gif"),
        ("a", b"RIFF....WEBPVP8 ", "image/webp"),
    ],
)
def test_a_file_is_what_it_holds(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    assert media_type_of(written(tmp_path, name, data)) == expected


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.docx", b"PK\x03\x04", "no type that models read"),
        ("a", b"text", "no type that models read"),
        ("a.pdf", b"<html>", "holds something else"),
        ("a.png", b"%!PS", "holds something else"),
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n", "nothing but white space"),
        ("a.txt", b"caf\xe9", r"UTF-8 \(byte 3\)"),
    ],
)
def test_what_models_do_not_read_is_refused_by_its_path(
    tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        file_part(written(tmp_path, name, data), as_document=False)
    assert repr(str(tmp_path / name)) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"), [("gone.txt", "cannot be read: No such file"), (".", "is a directory")]
)
def test_what_cannot_be_read_is_refused_with_the_systems_reason(
    tmp_path: Path, name: str, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        media_type_of(tmp_path / name)
    with pytest.raises(InputError, match="null byte"):
        media_type_of(Path("a\0b"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
def test_a_pipe_is_refused_and_nobody_waits_for_its_other_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    for look in (media_type_of, check_file):
        with pytest.raises(InputError, match=r"is a pipe\. Give a regular file"):
            look(tmp_path / "pipe.txt")
    job = Job("a", file=tmp_path / "pipe.txt", prompt="p", model="m")
    for read in (job.check_file, job.file_digest, job.to_request):
        with pytest.raises(JobError, match=r"Job 'a': file .*pipe\.txt' is a pipe"):
            read()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a system without devices as files")
def test_a_device_is_refused_and_not_read_without_an_end() -> None:
    with pytest.raises(InputError, match="'/dev/zero' is a device"):
        check_file(Path("/dev/zero"))


def test_texts_lose_their_byte_order_mark_and_are_documents_where_they_are_cited(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "a.txt", b"\xef\xbb\xbfcaf\xc3\xa9")
    assert file_part(path, as_document=False) == TextPart("café")
    assert file_part(path, as_document=True) == FilePart(
        data="café".encode(), media_type="text/plain", name="a.txt"
    )


def test_pdfs_are_documents_and_images_are_images(tmp_path: Path) -> None:
    pdf, png = written(tmp_path, "a.pdf", b"%PDF-1"), written(tmp_path, "a.png", PNG)
    for as_document in (True, False):
        assert file_part(pdf, as_document=as_document) == FilePart(
            data=b"%PDF-1", media_type="application/pdf", name="a.pdf"
        )
        assert file_part(png, as_document=as_document) == ImagePart(
            data=PNG, media_type="image/png"
        )


MIB = 1024 * 1024


@pytest.mark.parametrize("data", [b"caf\xe9", b"caf\xc3", b"x" * (MIB - 2) + b"\xe9x"])
def test_a_text_that_is_no_utf8_is_refused_before_it_is_sent(tmp_path: Path, data: bytes) -> None:
    path = written(tmp_path, "a.txt", data)
    with pytest.raises(JobError, match="is no text in UTF-8") as caught:
        Batch().add_job("a", file=path, prompt="p", model="gpt-4o-mini")
    assert caught.value.field == "file"


@pytest.mark.parametrize("data", ["ü".encode(), b"x" * (MIB - 1) + "ü".encode()])
def test_a_character_that_the_end_of_the_check_cuts_is_no_fault(
    tmp_path: Path, data: bytes
) -> None:
    check_file(written(tmp_path, "a.txt", data))
