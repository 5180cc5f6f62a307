"""That the tests reach every endpoint, and that the documentation says what they reach."""

from __future__ import annotations

from tests.sdk_coverage import PAGE, covered_by_all_tests, page_with, table

from batch_llm.testing.simulator import SimulatorSettings
from batch_llm.testing.simulator.front import Front

# What no method of an SDK reaches, and why it is there all the same.
WITHOUT_SDK: dict[tuple[str, str], str] = {
    ("gemini", "POST /{version}/models/{model}:embedContent"): (
        "google-genai sends every content by batchEmbedContents; plain HTTP and older clients do "
        "not, and a batch's lines have this form."
    ),
    ("openai", "POST /responses/{id}/cancel"): (
        "the SDK reaches it, but it answers 400: nothing runs in the background here."
    ),
    ("gemini", "GET /download/{version}/files/{id}:download"): (
        "Google documents this address too; the SDK takes the other."
    ),
}


def _endpoints() -> set[tuple[str, str]]:
    front = Front(SimulatorSettings())
    return {
        (name, route.name) for name, gateway in front.gateways.items() for route in gateway.routes
    }


async def test_every_endpoint_is_reached_by_an_sdk_sync_and_async() -> None:
    covered = covered_by_all_tests()
    for is_async in (False, True):
        reached = {(c.provider, c.endpoint) for c in covered if c.is_async == is_async}
        assert _endpoints() - reached == set(WITHOUT_SDK), f"async: {is_async}"
        assert reached - _endpoints() == set()


def test_the_page_shows_what_the_tests_cover() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with(table(covered_by_all_tests()), page), (
        "write it anew: python -m tests.sdk_coverage"
    )
