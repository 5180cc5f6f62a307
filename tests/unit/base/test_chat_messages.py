"""Conversations as OpenAI writes them."""

from __future__ import annotations

from typing import Any

import pytest

from batch_llm import FilePart, ImagePart, InputError, TextPart
from batch_llm.base.chat_messages import chat_dicts, read_chat


def said(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def image(**fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": fields}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "t"}, TextPart("t")),
        (image(url="https://e.org/a.png"), ImagePart(url="https://e.org/a.png")),
        (
            {"type": "image_url", "image_url": "https://e.org/a.png"},
            ImagePart(url="https://e.org/a.png"),
        ),
        (image(url="data:image/png;base64,QUI="), ImagePart(data=b"AB", media_type="image/png")),
        (
            file(file_data="data:application/pdf;base64,QUI=", filename="a.pdf"),
            FilePart(data=b"AB", media_type="application/pdf", name="a.pdf"),
        ),
        (file(file_data="data:text/plain,a%20b"), FilePart(data=b"a b", media_type="text/plain")),
        (
            file(file_url="https://e.org/a", media_type="application/pdf"),
            FilePart(url="https://e.org/a", media_type="application/pdf"),
        ),
    ],
)
def test_parts_are_read(part: dict[str, Any], expected: object) -> None:
    assert read_chat(said(part)).turns[0].parts == (expected,)


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        ({"role": "tool", "content": "x"}, r"messages\[0\].role"),
        ({"role": "user", "content": ""}, r"messages\[0\].content is empty"),
        ({"role": "user", "content": None}, "a text, or a list of parts"),
        ({"role": "user", "content": []}, "at least one"),
        ({"role": "user", "content": "x", "name": "Al"}, "'name'"),
        ({"content": "x"}, "not None"),
        (said({"type": "audio"})[0], r"messages\[0\].content\[0\].type"),
        (said("x")[0], r"content\[0\].type"),
        (said({"type": "text", "text": ""})[0], r"content\[0\].text is a text"),
        (said(image(url="https://e.org", detail="high"))[0], "'detail'"),
        (said(image())[0], "has no url"),
        (said(image(url=7))[0], "not a int"),
        (said(image(url="data:image/png;base64,?"))[0], "cannot be read"),
        (said(image(url="data:,x"))[0], "what it holds"),
        (said({"type": "image_url"})[0], "is a dictionary"),
        (said(file(file_id="file-7"))[0], "'file_id'"),
        (said(file(filename="a.pdf"))[0], "exactly one"),
        (said(file(file_data="QUI="))[0], "data:application/pdf;base64"),
        ({"role": "system", "content": [image(url="https://e.org")]}, "more than text"),
    ],
)
def test_what_no_lane_carries_is_refused_in_its_place(turn: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_chat([turn])


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([7], r"messages\[0\] is a dictionary or a Message"),
        ([{"role": "user", "content": b"x"}], r"messages\[0\].content is a bytes"),
        (said(image(url=b"x")), r"messages\[0\].content\[0\].image_url.url is a bytes"),
        ({"role": "user"}, "a list of turns"),
    ],
)
def test_what_is_no_conversation_is_refused(messages: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        chat_dicts(messages)


def test_what_is_kept_is_a_copy() -> None:
    given = said({"type": "text", "text": "t"})
    kept = chat_dicts(given)
    assert kept == given
    assert kept[0]["content"] is not given[0]["content"]
