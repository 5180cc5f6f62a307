from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.exceptions import ConfigurationError
from batch_llm.llm_strategies.gemini.cache_label import CacheLabel, content_digest

DIGEST = content_digest("content")
TAGS = st.dictionaries(st.text(max_size=40), st.text(max_size=40), max_size=9)


@given(TAGS)
def test_a_label_fits_its_own_name_which_is_never_too_long(tags: dict[str, str]) -> None:
    label = CacheLabel(DIGEST, tags)
    assert len(label.encode()) <= 128
    assert label.fits(label.encode())


@given(TAGS, st.data())
def test_a_cache_with_more_tags_fits(tags: dict[str, str], data: st.DataObject) -> None:
    kept = data.draw(st.sets(st.sampled_from(sorted(tags)))) if tags else set()
    required = {key: tags[key] for key in kept}
    assert CacheLabel(DIGEST, required).fits(CacheLabel(DIGEST, tags).encode())


@given(TAGS, st.text(max_size=40), st.text(max_size=40))
def test_a_cache_that_lacks_a_tag_does_not(tags: dict[str, str], key: str, value: str) -> None:
    required = {**tags, key: value}
    fits = CacheLabel(DIGEST, required).fits(CacheLabel(DIGEST, tags).encode())
    assert fits == (tags.get(key) == value)


def test_the_name_can_be_read() -> None:
    name = CacheLabel(DIGEST, {"version": "1", "customer": "acme & co", "é": "~"}).encode()
    assert name == f"batch-llm/1 {DIGEST} customer=acme%20&%20co version=1 é=%7E"


def test_no_other_name_fits() -> None:
    label = CacheLabel(DIGEST, {})
    other = content_digest("other content")
    for name in (None, "", "my cache", f"batch-llm/2 {DIGEST}", f"batch-llm/1 {other}", DIGEST):
        assert not label.fits(name)


def test_too_many_tags_are_refused() -> None:
    tags = {f"a key {number}": "a value" * 9 for number in range(10)}
    with pytest.raises(ConfigurationError, match="10 tags"):
        CacheLabel(DIGEST, tags).encode()


def test_the_digest_is_that_of_the_content() -> None:
    same = [
        content_digest(["a", {"x": 1, "y": b"\x00"}]),
        content_digest(("a", {"y": b"\x00", "x": 1})),
    ]
    others = [
        content_digest(["a", {"x": 1, "y": b"\x01"}]),
        content_digest(["a", {"x": "1", "y": b"\x00"}]),
        content_digest("a", {"x": 1, "y": b"\x00"}, None),
        content_digest(["a", "b"]),
        content_digest(["ab"]),
        content_digest("\ud800"),
    ]
    assert same[0] == same[1]
    assert len({same[0], *others}) == 1 + len(others)


def test_the_digest_is_the_same_in_another_process() -> None:
    code = (
        "from batch_llm.llm_strategies.gemini.cache_label import content_digest\n"
        "print(content_digest({'b': ['é'], 'a': 1.5}))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert other.stdout.strip() == content_digest({"b": ["é"], "a": 1.5})


def test_objects_of_the_sdk() -> None:
    types = pytest.importorskip("google.genai.types")
    content = types.Content(role="user", parts=[types.Part(text="a")])
    assert content_digest(content) == content_digest(content.model_copy(deep=True))
    assert content_digest(content) != content_digest(types.Content(parts=[types.Part(text="b")]))
    pictures = [
        types.Part.from_bytes(data=data, mime_type="image/png") for data in (b"\xff\x00", b"\xff")
    ]
    assert content_digest(pictures[0]) != content_digest(pictures[1])
    processing = types.File(uri="files/1", mime_type="text/plain", state="PROCESSING")
    active = types.File(uri="files/1", mime_type="text/plain", state="ACTIVE")
    assert content_digest(processing) == content_digest(active)


def test_a_picture() -> None:
    def picture(pixels: bytes) -> SimpleNamespace:
        return SimpleNamespace(mode="RGB", size=(1, 1), tobytes=lambda: pixels)

    assert content_digest(picture(b"abc")) == content_digest(picture(b"abc"))
    assert content_digest(picture(b"abc")) != content_digest(picture(b"abd"))


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="function cannot be cached"):
        content_digest(["a", picture_maker])


def picture_maker() -> None:
    """Stands for a tool."""
