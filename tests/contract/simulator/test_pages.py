"""Lists of all lengths, in pages of all sizes: above all those that are a multiple of the page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
from tests.contract.simulator import anthropic_sdk, gemini_sdk, openai_sdk
from tests.contract.simulator.gemini_batches import create, frozen, raw_inline
from tests.contract.simulator.openai_batches import line, submit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch_llm.testing.simulator import Simulator

COUNT: Final = 4
"""Things in a list that a test makes: two pages of two."""
_MOST_PAGES: Final = 100


@dataclass(frozen=True)
class Listing:
    """One list of a provider's.

    Attributes:
        path: where it is.
        make: makes a thing in it, by its number, and returns its id; None where all is there.
        whole: the list as the SDK iterates over it, in pages of a size.
    """

    path: str
    make: Callable[[Simulator, int], str] | None
    whole: Callable[[Simulator, int], list[str | None]]


def filled(simulator: Simulator, listing: Listing, count: int = COUNT) -> list[str]:
    """Return the ids in a list, newest first."""
    simulator.set_speed(1e-6)
    assert listing.make is not None
    return [listing.make(simulator, number) for number in range(count)][::-1]


def chunks(things: list[str], size: int) -> list[list[str]]:
    return [things[start : start + size] for start in range(0, len(things), size)]


def sizes(things: list[str]) -> range:
    """Return sizes of pages: those that divide the list, its length, and one more."""
    return range(1, len(things) + 2)


def got(told: httpx2.Response) -> dict[str, Any]:
    assert told.status_code == 200, told.text
    page: dict[str, Any] = told.json()
    return page


# --- OpenAI ------------------------------------------------------------------------------------


def openai_file(simulator: Simulator, number: int) -> str:
    with openai_sdk.client_of(simulator) as client:
        content = json.dumps(line(number)).encode()
        return client.files.create(file=("in.jsonl", content), purpose="batch").id


def openai_batch(simulator: Simulator, number: int) -> str:
    with openai_sdk.client_of(simulator) as client:
        return submit(client, number + 1).id


def openai_files(simulator: Simulator, size: int) -> list[str | None]:
    with openai_sdk.client_of(simulator) as client:
        return [file.id for file in client.files.list(limit=size)]


def openai_batches(simulator: Simulator, size: int) -> list[str | None]:
    with openai_sdk.client_of(simulator) as client:
        return [batch.id for batch in client.batches.list(limit=size)]


OPENAI: Final = {
    "files": Listing("/files", openai_file, openai_files),
    "batches": Listing("/batches", openai_batch, openai_batches),
}


def openai_page(simulator: Simulator, path: str, query: dict[str, Any]) -> dict[str, Any]:
    address = simulator.openai_base_url + path
    page = got(httpx2.get(address, params=query, headers={"authorization": "Bearer any"}))
    ids = [thing["id"] for thing in page["data"]]
    assert page.keys() == {"object", "data", "first_id", "last_id", "has_more"}
    assert page["object"] == "list"
    assert page["first_id"] == (ids[0] if ids else None)
    assert page["last_id"] == (ids[-1] if ids else None)
    return page


def openai_walk(simulator: Simulator, path: str, **query: Any) -> Iterator[list[str]]:
    """Give the ids of each page, as long as there are more."""
    for _ in range(_MOST_PAGES):
        page = openai_page(simulator, path, query)
        yield [thing["id"] for thing in page["data"]]
        if not page["has_more"]:
            return
        query["after"] = page["last_id"]
    raise AssertionError("the list never ends")


@pytest.mark.parametrize("listing", OPENAI.values(), ids=OPENAI.keys())
def test_pages_of_openai(simulator: Simulator, listing: Listing) -> None:
    whole = filled(simulator, listing)
    for size in sizes(whole):
        assert list(openai_walk(simulator, listing.path, limit=size)) == chunks(whole, size)
        assert listing.whole(simulator, size) == whole
    assert openai_page(simulator, listing.path, {"after": whole[-1]})["has_more"] is False
    assert list(openai_walk(simulator, listing.path)) == [whole], "fewer than the usual page"


def test_pages_of_openai_from_the_oldest_on(simulator: Simulator) -> None:
    whole = filled(simulator, OPENAI["files"])[::-1]
    for size in sizes(whole):
        pages = list(openai_walk(simulator, "/files", limit=size, order="asc"))
        assert pages == chunks(whole, size)


@pytest.mark.parametrize("listing", OPENAI.values(), ids=OPENAI.keys())
def test_an_empty_list_of_openai(simulator: Simulator, listing: Listing) -> None:
    assert openai_page(simulator, listing.path, {"limit": 1})["has_more"] is False
    assert list(openai_walk(simulator, listing.path)) == [[]]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_what_a_response_was_asked(simulator: Simulator, order: str) -> None:
    turns: Any = [{"role": "user", "content": f"turn {number}"} for number in range(COUNT)]
    with openai_sdk.client_of(simulator) as client:
        response = client.responses.create(model=openai_sdk.MODEL, input=turns)
        items = client.responses.input_items
        path = f"/responses/{response.id}/input_items"
        (whole,) = openai_walk(simulator, path, order=order)
        assert len(whole) == len(set(whole)) == COUNT
        for size in sizes(whole):
            pages = list(openai_walk(simulator, path, order=order, limit=size))
            assert pages == chunks(whole, size)
            named: Any = order
            listed = items.list(response.id, order=named, limit=size)
            assert [item.id for item in listed] == whole
        texts = [
            openai_sdk.told(item)["content"][0]["text"]
            for item in items.list(response.id, order="asc")
        ]
    assert texts == [turn["content"] for turn in turns]


# --- Anthropic ---------------------------------------------------------------------------------


def anthropic_batch(simulator: Simulator, number: int) -> str:
    with anthropic_sdk.client_of(simulator) as client:
        line: Any = {"custom_id": f"line-{number}", "params": anthropic_sdk.asks()}
        return client.messages.batches.create(requests=[line]).id


def anthropic_batches(simulator: Simulator, size: int) -> list[str | None]:
    with anthropic_sdk.client_of(simulator) as client:
        return [batch.id for batch in client.messages.batches.list(limit=size)]


def anthropic_models(simulator: Simulator, size: int) -> list[str | None]:
    with anthropic_sdk.client_of(simulator) as client:
        return [model.id for model in client.models.list(limit=size)]


ANTHROPIC_BATCHES: Final = Listing("/v1/messages/batches", anthropic_batch, anthropic_batches)
ANTHROPIC_MODELS: Final = Listing("/v1/models", None, anthropic_models)


def anthropic_page(simulator: Simulator, path: str, query: dict[str, Any]) -> dict[str, Any]:
    address = simulator.anthropic_base_url + path
    headers = {"x-api-key": "any", "anthropic-version": "2023-06-01"}
    page = got(httpx2.get(address, params=query, headers=headers))
    ids = [thing["id"] for thing in page["data"]]
    assert page.keys() == {"data", "first_id", "last_id", "has_more"}
    assert page["first_id"] == (ids[0] if ids else None)
    assert page["last_id"] == (ids[-1] if ids else None)
    return page


def anthropic_walk(simulator: Simulator, path: str, **query: Any) -> Iterator[list[str]]:
    """Give the ids of each page, as long as there are more; from the end, with `before_id`."""
    to_the_front = "before_id" in query
    for _ in range(_MOST_PAGES):
        page = anthropic_page(simulator, path, query)
        yield [thing["id"] for thing in page["data"]]
        if not page["has_more"]:
            return
        if to_the_front:
            query["before_id"] = page["first_id"]
        else:
            query["after_id"] = page["last_id"]
    raise AssertionError("the list never ends")


def check_anthropic(simulator: Simulator, listing: Listing, whole: list[str]) -> None:
    path = listing.path
    for size in sizes(whole):
        assert list(anthropic_walk(simulator, path, limit=size)) == chunks(whole, size)
        assert listing.whole(simulator, size) == whole
    assert anthropic_page(simulator, path, {"after_id": whole[-1]}) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }
    *first, last = whole
    for size in sizes(first):
        pages = list(anthropic_walk(simulator, path, limit=size, before_id=last))
        assert pages == [part[::-1] for part in chunks(first[::-1], size)]
    assert anthropic_page(simulator, path, {"before_id": whole[0]})["has_more"] is False


@pytest.mark.parametrize("count", [2, 3, COUNT])
def test_pages_of_anthropic_batches(simulator: Simulator, count: int) -> None:
    whole = filled(simulator, ANTHROPIC_BATCHES, count)
    check_anthropic(simulator, ANTHROPIC_BATCHES, whole)


def test_pages_of_anthropic_models(simulator: Simulator) -> None:
    (whole,) = anthropic_walk(simulator, ANTHROPIC_MODELS.path, limit=1_000)
    assert len(set(whole)) == len(whole) > COUNT
    check_anthropic(simulator, ANTHROPIC_MODELS, whole)


def test_the_usual_page_of_anthropic(simulator: Simulator) -> None:
    whole = filled(simulator, ANTHROPIC_BATCHES, 20)
    path = ANTHROPIC_BATCHES.path
    assert list(anthropic_walk(simulator, path)) == [whole]
    whole = [anthropic_batch(simulator, 20), *whole]
    assert list(anthropic_walk(simulator, path)) == [whole[:20], whole[20:]]


def test_an_empty_list_of_anthropic(simulator: Simulator) -> None:
    assert list(anthropic_walk(simulator, ANTHROPIC_BATCHES.path, limit=1)) == [[]]


# --- Gemini ------------------------------------------------------------------------------------

LONG: Final = "x" * 20_000
"""A prompt that is long enough for a cache."""


def gemini_file(simulator: Simulator, number: int) -> str:
    headers = {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-length": "1",
        "x-goog-upload-header-content-type": "text/plain",
    }
    body = {"file": {"displayName": f"file {number}"}}
    started = gemini_sdk.raw(simulator, "POST", "/upload/v1beta/files", headers=headers, json=body)
    headers = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
    address = started.headers["x-goog-upload-url"]
    file = gemini_sdk.raw(simulator, "POST", address, headers=headers, content=b"x")
    return str(got(file)["file"]["name"])


def gemini_batch(simulator: Simulator, number: int) -> str:
    told = create(simulator, raw_inline(f"key {number}"), display_name=f"batch {number}")
    return str(got(told)["name"])


def gemini_cache(simulator: Simulator, number: int) -> str:
    contents = [{"role": "user", "parts": [{"text": f"{number} {LONG}"}]}]
    body = {"model": f"models/{gemini_sdk.MODEL}", "contents": contents}
    told = gemini_sdk.raw(simulator, "POST", "/v1beta/cachedContents", json=body)
    return str(got(told)["name"])


def gemini_files(simulator: Simulator, size: int) -> list[str | None]:
    with gemini_sdk.client_of(simulator) as client:
        return [file.name for file in client.files.list(config={"page_size": size})]


def gemini_batches(simulator: Simulator, size: int) -> list[str | None]:
    with gemini_sdk.client_of(simulator) as client:
        return [job.name for job in client.batches.list(config={"page_size": size})]


def gemini_caches(simulator: Simulator, size: int) -> list[str | None]:
    with gemini_sdk.client_of(simulator) as client:
        return [cache.name for cache in client.caches.list(config={"page_size": size})]


def gemini_models(simulator: Simulator, size: int) -> list[str | None]:
    with gemini_sdk.client_of(simulator) as client:
        return [model.name for model in client.models.list(config={"page_size": size})]


GEMINI: Final = {
    "files": Listing("files", gemini_file, gemini_files),
    "operations": Listing("batches", gemini_batch, gemini_batches),
    "cachedContents": Listing("cachedContents", gemini_cache, gemini_caches),
}


def gemini_walk(
    simulator: Simulator, listing: Listing, name: str, size: int
) -> Iterator[list[str]]:
    """Give the names of each page, as long as there are more."""
    token = ""
    for _ in range(_MOST_PAGES):
        path = f"/v1beta/{listing.path}?pageSize={size}{token}"
        page = got(gemini_sdk.raw(simulator, "GET", path))
        things = page.pop(name, None)
        assert things != [], "an empty list is left out"
        yield [thing["name"] for thing in things or ()]
        if not page:
            return
        assert page.keys() == {"nextPageToken"}
        token = f"&pageToken={page['nextPageToken']}"
    raise AssertionError("the list never ends")


@pytest.mark.parametrize("name", GEMINI)
def test_pages_of_gemini(simulator: Simulator, name: str) -> None:
    frozen(simulator)
    listing = GEMINI[name]
    whole = filled(simulator, listing)
    for size in sizes(whole):
        assert list(gemini_walk(simulator, listing, name, size)) == chunks(whole, size)
        assert listing.whole(simulator, size) == whole


def test_pages_of_gemini_models(simulator: Simulator) -> None:
    listing = Listing("models", None, gemini_models)
    (whole,) = gemini_walk(simulator, listing, "models", 1_000)
    assert len(set(whole)) == len(whole) > COUNT
    for size in sizes(whole):
        assert list(gemini_walk(simulator, listing, "models", size)) == chunks(whole, size)
        assert listing.whole(simulator, size) == whole


@pytest.mark.parametrize(
    ("name", "path"),
    [*((name, listing.path) for name, listing in GEMINI.items()), ("tunedModels", "tunedModels")],
)
def test_an_empty_list_of_gemini(simulator: Simulator, name: str, path: str) -> None:
    assert got(gemini_sdk.raw(simulator, "GET", f"/v1beta/{path}?pageSize=1")) == {}, name
