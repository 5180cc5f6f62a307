"""From a method and a path to what answers it."""

from __future__ import annotations

import pytest

from batch_llm.testing.simulator.exchange import Request, Response
from batch_llm.testing.simulator.routes import (
    Route,
    Router,
    UnknownMethodError,
    UnknownPathError,
)


async def _handler(request: Request) -> Response:
    return Response()


ROUTES = [
    Route("POST", "/files", "files.create", _handler),
    Route("GET", "/files", "files.list", _handler),
    Route("GET", "/files/{id}", "files.retrieve", _handler),
    Route("GET", "/files/{id}/content", "files.content", _handler),
    Route("POST", "/{version}/models/{model}:generateContent", "generateContent", _handler),
    Route("GET", "/{version}/models/{model}", "models.get", _handler),
]


@pytest.mark.parametrize(
    ("method", "path", "operation", "params"),
    [
        ("POST", "/files", "files.create", {}),
        ("GET", "/files", "files.list", {}),
        ("GET", "/files/file-1", "files.retrieve", {"id": "file-1"}),
        ("GET", "/files/file-1/content", "files.content", {"id": "file-1"}),
        (
            "POST",
            "/v1beta/models/gemini-2.5-flash:generateContent",
            "generateContent",
            {"version": "v1beta", "model": "gemini-2.5-flash"},
        ),
        ("GET", "/v1/models/m", "models.get", {"version": "v1", "model": "m"}),
    ],
)
def test_a_path_finds_its_route(
    method: str, path: str, operation: str, params: dict[str, str]
) -> None:
    route, found = Router(ROUTES).find(method, path)
    assert (route.operation, found) == (operation, params)


@pytest.mark.parametrize("path", ["", "/", "/file", "/files/", "/files/a/b", "/files//content"])
def test_a_path_that_is_none(path: str) -> None:
    with pytest.raises(UnknownPathError):
        Router(ROUTES).find("GET", path)


def test_a_method_that_the_path_does_not_know() -> None:
    with pytest.raises(UnknownMethodError):
        Router(ROUTES).find("DELETE", "/files")
    with pytest.raises(UnknownMethodError):
        Router(ROUTES).find("GET", "/v1/models/m:generateContent")


def test_special_characters_of_a_pattern_stand_for_themselves() -> None:
    router = Router([Route("GET", "/a.b/{id}", "x", _handler)])
    with pytest.raises(UnknownPathError):
        router.find("GET", "/aXb/1")


def test_a_route_is_named_by_method_and_pattern() -> None:
    assert ROUTES[2].name == "GET /files/{id}"
