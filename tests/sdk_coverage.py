"""Which methods of the official SDKs are seen to work against the simulator, endpoint by endpoint.

    @covers("openai", "POST /files", "files.create")
    def test_…(simulator): …

While the test runs, the method is watched: it must be called, and the simulator's books must show
that the endpoint answered. What all tests cover is the table in docs/simulator.md, which
`python -m tests.sdk_coverage` writes anew.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAGE = Path(__file__).parent.parent / "docs" / "simulator.md"
BEGINNING = "<!-- endpoints: written by python -m tests.sdk_coverage -->"
END = "<!-- end of endpoints -->"
_SUITE = Path(__file__).parent / "contract" / "simulator"
_NAMES = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini"}

TTest = TypeVar("TTest", bound="Callable[..., object]")


@dataclass(frozen=True, order=True)
class Covered:
    """One endpoint that one method of an SDK reaches.

    Attributes:
        provider: "openai", "anthropic" or "gemini".
        endpoint: method and pattern, as the simulator's route has it: "POST /files".
        method: of the SDK's client: "files.create".
        is_async: whether the test drives the SDK's async client.
    """

    provider: str
    endpoint: str
    method: str
    is_async: bool


def covers(provider: str, endpoint: str, *methods: str) -> Callable[[TTest], TTest]:
    """Say that a test sees `methods` of the SDK reach `endpoint`; an async test covers async."""

    def mark(test: TTest) -> TTest:
        is_async = inspect.iscoroutinefunction(test)
        for method in methods:
            test = pytest.mark.covers(Covered(provider, endpoint, method, is_async))(test)
        return test

    return mark


def covered_by(item: pytest.Item) -> list[Covered]:
    """Return what a test says it covers."""
    return [mark.args[0] for mark in item.iter_markers("covers")]


def watched(covered: Covered, patch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Watch a method of an SDK; return what tells whether it was called.

    Raises:
        AttributeError: if the SDK has no such method.
    """
    *path, name = covered.method.split(".")
    resource = functools.reduce(getattr, path, _client(covered.provider, covered.is_async))
    owner: Any = type(resource)
    original = getattr(owner, name)
    calls: list[None] = []

    @functools.wraps(original)
    def watching(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        return original(*args, **kwargs)

    patch.setattr(owner, name, watching)
    return lambda: bool(calls)


@functools.cache
def _client(provider: str, is_async: bool) -> Any:
    """Return a client that knows the SDK's methods; it is called by nobody."""
    if provider == "openai":
        import openai

        kind: Any = openai.AsyncOpenAI if is_async else openai.OpenAI
        return kind(base_url="http://127.0.0.1:9", api_key="k")
    if provider == "anthropic":
        import anthropic

        kind = anthropic.AsyncAnthropic if is_async else anthropic.Anthropic
        return kind(base_url="http://127.0.0.1:9", api_key="k")
    from google import genai

    client = genai.Client(api_key="k")
    return client.aio if is_async else client


def covered_by_all_tests() -> set[Covered]:
    """Return what the whole contract suite says it covers."""
    found: set[Covered] = set()
    for path in sorted(_SUITE.glob("test_*.py")):
        module = importlib.import_module(f"tests.contract.simulator.{path.stem}")
        for thing in tuple(vars(module).values()):
            if getattr(thing, "__module__", None) != module.__name__:
                continue
            found |= _marked(thing)
            if inspect.isclass(thing):
                for method in tuple(vars(thing).values()):
                    found |= _marked(method)
    return found


def table(covered: Iterable[Covered]) -> str:
    """Return the endpoints, and the methods of each SDK that are seen to reach them."""
    methods: dict[tuple[str, str], dict[bool, set[str]]] = {}
    for each in covered:
        ways = methods.setdefault((each.provider, each.endpoint), {False: set(), True: set()})
        ways[each.is_async].add(each.method)
    lines = ["| Provider | Endpoint | Method of the SDK | sync | async |", "|---|---|---|---|---|"]
    for provider in _NAMES:
        for (owner, endpoint), ways in sorted(methods.items(), key=lambda item: _by_path(*item[0])):
            if owner == provider:
                lines += _rows(provider, endpoint, ways)
    return "\n".join(lines)


def page_with(text: str, page: str) -> str:
    """Return `page` with `text` between its two marks."""
    before, _, rest = page.partition(BEGINNING)
    _, _, after = rest.partition(END)
    return f"{before}{BEGINNING}\n\n{text}\n\n{END}{after}"


def _by_path(provider: str, endpoint: str) -> tuple[str, str, str]:
    method, _, path = endpoint.partition(" ")
    return provider, path, method


def _rows(provider: str, endpoint: str, ways: dict[bool, set[str]]) -> list[str]:
    rows = []
    for method in sorted(ways[False] | ways[True]):
        sync, asynchronous = ("yes" if method in ways[way] else "" for way in (False, True))
        rows.append(f"| {_NAMES[provider]} | `{endpoint}` | `{method}` | {sync} | {asynchronous} |")
    return rows


def _marked(thing: object) -> set[Covered]:
    marks = getattr(thing, "pytestmark", ())
    return {mark.args[0] for mark in marks if getattr(mark, "name", "") == "covers"}


if __name__ == "__main__":
    written = page_with(table(covered_by_all_tests()), PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(written, encoding="utf-8")
