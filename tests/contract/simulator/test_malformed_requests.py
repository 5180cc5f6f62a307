"""What no SDK would send: a 4xx in the provider's error form, and never a 500."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUESTION = [{"role": "user", "content": "hello"}]
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
GEMINI_QUESTION = {
    "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "generationConfig": {
        "maxOutputTokens": 5,
        "stopSequences": ["x"],
        "temperature": 0.5,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}},
    },
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "f",
                    "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
                }
            ]
        }
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
}
MODEL = "/gemini/v1beta/models/gemini-2.5-flash"
EXAMPLES: dict[str, Any] = {
    "/openai/v1/chat/completions": {
        "model": "gpt-4.1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hello"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                ],
            },
        ],
        "max_completion_tokens": 5,
        "temperature": 1,
        "n": 1,
        "stop": ["x"],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": SCHEMA, "strict": True},
        },
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "tool_choice": "auto",
        "metadata": {"a": "b"},
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    "/openai/v1/responses": {
        "model": "gpt-4.1",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}],
        "instructions": "Be brief.",
        "max_output_tokens": 20,
        "text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}},
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}],
        "tool_choice": "auto",
        "metadata": {"a": "b"},
        "stream": False,
    },
    "/openai/v1/embeddings": {
        "model": "text-embedding-3-small",
        "input": ["a", "b"],
        "dimensions": 8,
        "encoding_format": "float",
    },
    "/openai/v1/batches": {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"a": "b"},
    },
    "/anthropic/v1/messages": {
        "model": "claude-haiku-4-5",
        "max_tokens": 10,
        "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hello"},
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "a"},
                        "citations": {"enabled": True},
                    },
                ],
            }
        ],
        "stop_sequences": ["x"],
        "temperature": 0.5,
        "tools": [{"name": "f", "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto"},
        "metadata": {"user_id": "u"},
        "stream": True,
    },
    "/anthropic/v1/messages/count_tokens": {"model": "claude-haiku-4-5", "messages": QUESTION},
    "/anthropic/v1/messages/batches": {
        "requests": [
            {
                "custom_id": "a",
                "params": {"model": "claude-haiku-4-5", "max_tokens": 5, "messages": QUESTION},
            }
        ]
    },
    f"{MODEL}:generateContent": GEMINI_QUESTION,
    f"{MODEL}:streamGenerateContent": GEMINI_QUESTION,
    f"{MODEL}:countTokens": {"contents": GEMINI_QUESTION["contents"]},
    f"{MODEL}:batchGenerateContent": {
        "batch": {
            "displayName": "b",
            "inputConfig": {
                "requests": {"requests": [{"request": GEMINI_QUESTION, "metadata": {"key": "a"}}]}
            },
        }
    },
    "/gemini/v1beta/models/gemini-embedding-001:embedContent": {
        "content": {"parts": [{"text": "a"}]},
        "taskType": "SEMANTIC_SIMILARITY",
        "outputDimensionality": 8,
    },
    "/gemini/v1beta/models/gemini-embedding-001:batchEmbedContents": {
        "requests": [
            {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]}}
        ]
    },
    "/gemini/v1beta/cachedContents": {
        "model": "models/gemini-2.5-flash",
        "contents": [{"role": "user", "parts": [{"text": "long " * 2_000}]}],
        "ttl": "60s",
        "displayName": "d",
    },
}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["", "user", "text", "auto", "function", "ephemeral", "\x00", "\ud7ff"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with Simulator(seed=1, speed=10_000) as simulator:
        yield simulator.base_url
        assert simulator.broken == 0, "the simulator met a defect of its own; see its log"


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx2.Client]:
    headers = {
        "Authorization": "Bearer k",
        "x-api-key": "k",
        "x-goog-api-key": "k",
        "anthropic-version": "2023-06-01",
        "Content-Type": "application/json",
    }
    with httpx2.Client(base_url=address, headers=headers) as client:
        yield client


def _check(answer: httpx2.Response, path: str) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code < 400:
        return
    body = answer.json()
    if isinstance(body, list):  # Gemini's streams are, where they are not events
        body = body[0]
    error = body["error"]
    assert error["message"]
    if path.startswith("/openai"):
        assert set(error) == {"message", "type", "param", "code"}
    elif path.startswith("/anthropic"):
        assert answer.json()["type"] == "error"
        assert error["type"].endswith(("_error", "_too_large"))
        assert answer.json()["request_id"] == answer.headers["request-id"]
    else:
        assert error["code"] == answer.status_code
        assert error["status"].isupper()


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every part of a JSON value but the whole."""
    if isinstance(value, dict):
        children: list[tuple[Any, Any]] = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    else:
        return []
    found = [(*path, key) for key, _ in children]
    for key, child in children:
        found += _places(child, (*path, key))
    return found


def _spoiled(body: Any, place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    whole = copy.deepcopy(body)
    parent = whole
    for key in place[:-1]:
        parent = parent[key]
    change(parent, place[-1])
    return whole


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_example_itself_is_accepted_or_names_what_is_missing(
    client: httpx2.Client, path: str
) -> None:
    answer = client.post(path, content=_encoded(EXAMPLES[path]))
    _check(answer, path)
    if not path.endswith("/batches") or "anthropic" in path:
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", EXAMPLES)
def test_each_part_of_a_request_missing(client: httpx2.Client, path: str) -> None:
    for place in _places(EXAMPLES[path]):
        body = _spoiled(EXAMPLES[path], place, lambda parent, key: parent.pop(key))
        _check(client.post(path, content=_encoded(body)), path)


@pytest.mark.parametrize("path", EXAMPLES)
@pytest.mark.parametrize("value", [None, True, -1, 1e300, "", "x", [], {}, [[]], {"a": None}])
def test_each_part_of_a_request_of_another_kind(
    client: httpx2.Client, path: str, value: Any
) -> None:
    def change(parent: Any, key: Any) -> None:
        parent[key] = value

    for place in _places(EXAMPLES[path]):
        body = _spoiled(EXAMPLES[path], place, change)
        _check(client.post(path, content=_encoded(body)), path)


@pytest.mark.parametrize("path", EXAMPLES)
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_a_part_of_a_request_is_anything(
    client: httpx2.Client, path: str, data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from(_places(EXAMPLES[path])))
    value = data.draw(VALUES)

    def change(parent: Any, key: Any) -> None:
        parent[key] = value

    body = _spoiled(EXAMPLES[path], place, change)
    _check(client.post(path, content=_encoded(body)), path)


@pytest.mark.parametrize("path", EXAMPLES)
@given(body=VALUES)
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@example(body={})
@example(body=[])
def test_a_body_is_any_json(client: httpx2.Client, path: str, body: Any) -> None:
    answer = client.post(path, content=_encoded(body))
    _check(answer, path)
    assert answer.status_code >= 400 or body


@pytest.mark.parametrize("path", EXAMPLES)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"\xff\xfe", b'{"model": "\xff"}', b'{"a":1}x', b"[" * 5_000, b"NaN"],
)
def test_a_body_is_no_json(client: httpx2.Client, path: str, body: bytes) -> None:
    answer = client.post(path, content=body)
    _check(answer, path)
    assert 400 <= answer.status_code < 500


HEADER_NAMES = st.sampled_from(
    [
        "Authorization",
        "x-api-key",
        "x-goog-api-key",
        "anthropic-version",
        "anthropic-beta",
        "Content-Type",
        "Content-Encoding",
        "x-sim-fault",
        "X-Goog-Upload-Protocol",
        "X-Goog-Upload-Command",
        "X-Goog-Upload-Offset",
        "OpenAI-Organization",
        "Idempotency-Key",
        "Accept",
    ]
)
HEADER_VALUES = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30
) | st.sampled_from(["Bearer", "Bearer ", "Basic eDp5", "gzip", "503:x", '{"kind": []}', "start"])


@pytest.mark.parametrize("path", EXAMPLES)
@given(headers=st.dictionaries(HEADER_NAMES, HEADER_VALUES, max_size=4))
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
def test_headers_are_anything(client: httpx2.Client, path: str, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.strip().encode("latin-1")) for name, value in headers.items()]
    answer = client.post(path, content=_encoded(EXAMPLES[path]), headers=raw)
    _check(answer, path)


# A client resolves dots by itself, and would ask outside of the prefix.
PATHS = st.text(max_size=20).filter(lambda path: not {".", ".."}.intersection(path.split("/")))


@pytest.mark.parametrize("prefix", ["/openai/v1", "/anthropic", "/gemini"])
@given(path=PATHS, method=st.sampled_from(["GET", "POST", "DELETE", "PATCH"]))
@example(path=".", method="GET")
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_addresses_are_anything(client: httpx2.Client, prefix: str, path: str, method: str) -> None:
    answer = client.request(method, f"{prefix}/{quote(path, safe='/:')}")
    _check(answer, prefix)


NUMBERS = ["-1", "0", "abc", "1e9", "", "99999999999999999999", "\x00", "é"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/openai/v1/files", ("limit", "after", "order", "purpose")),
        ("/openai/v1/batches", ("limit", "after")),
        ("/openai/v1/models", ("limit",)),
        ("/anthropic/v1/messages/batches", ("limit", "after_id", "before_id")),
        ("/anthropic/v1/models", ("limit", "after_id", "before_id")),
        ("/gemini/v1beta/models", ("pageSize", "pageToken")),
        ("/gemini/v1beta/files", ("pageSize", "pageToken")),
        ("/gemini/v1beta/batches", ("pageSize", "pageToken")),
        ("/gemini/v1beta/cachedContents", ("pageSize", "pageToken")),
    ],
)
def test_what_lists_are_asked_for(client: httpx2.Client, path: str, names: tuple[str, ...]) -> None:
    assert client.get(path).status_code == 200
    for name in names:
        for value in NUMBERS:
            _check(client.get(path, params={name: value}), path)


@pytest.mark.parametrize(
    "path",
    [
        "/openai/v1/files/none",
        "/openai/v1/files/none/content",
        "/openai/v1/batches/none",
        "/openai/v1/models/none",
        "/openai/v1/responses/none",
        "/openai/v1/none",
        "/anthropic/v1/messages/batches/none",
        "/anthropic/v1/messages/batches/none/results",
        "/anthropic/v1/models/none",
        "/anthropic/v1/none",
        "/gemini/v1beta/files/none",
        "/gemini/v1beta/batches/none",
        "/gemini/v1beta/cachedContents/none",
        "/gemini/v1beta/models/none",
        "/gemini/v1beta/none",
    ],
)
def test_what_is_not_there(client: httpx2.Client, path: str) -> None:
    answer = client.get(path)
    _check(answer, path)
    assert answer.status_code in (403, 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/anthropic/v1/messages"])
def test_a_method_that_the_address_does_not_know(
    client: httpx2.Client, path: str, method: str
) -> None:
    answer = client.request(method, path)
    assert 400 <= answer.status_code < 500
    if method != "HEAD":
        _check(answer, path)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "application/json"}, b"{}"),
        ({"Content-Type": "multipart/form-data"}, b"x"),
        ({"Content-Type": "multipart/form-data; boundary=a"}, b""),
        ({"Content-Type": "multipart/form-data; boundary=a"}, b"--a\r\n\r\nx\r\n--a--\r\n"),
        ({"Content-Type": "multipart/form-data; boundary="}, b"--\r\n"),
        (
            {"Content-Type": "multipart/form-data; boundary=a"},
            b'--a\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--a--\r\n',
        ),
    ],
)
def test_an_upload_that_is_none(
    client: httpx2.Client, headers: dict[str, str], body: bytes
) -> None:
    answer = client.post("/openai/v1/files", content=body, headers=headers)
    _check(answer, "/openai/v1/files")
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({"X-Goog-Upload-Protocol": "resumable"}, b"{}"),
        ({"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "none"}, b"{}"),
        (
            {
                "X-Goog-Upload-Protocol": "resumable",
                "X-Goog-Upload-Command": "start",
                "X-Goog-Upload-Header-Content-Length": "x",
            },
            b"{",
        ),
    ],
)
def test_a_resumable_upload_that_is_none(
    client: httpx2.Client, headers: dict[str, str], body: bytes
) -> None:
    path = "/gemini/upload/v1beta/files"
    answer = client.post(path, content=body, headers=headers)
    _check(answer, path)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/openai/v1/models", 401),
        ("/anthropic/v1/models", 401),
        ("/gemini/v1beta/models", 400),
    ],
)
def test_a_wrong_key(address: str, path: str, status: int) -> None:
    headers = {
        "Authorization": "Bearer wrong",
        "x-api-key": "wrong",
        "x-goog-api-key": "wrong",
        "anthropic-version": "2023-06-01",
    }
    answer = httpx2.get(address + path, headers=headers)
    assert answer.status_code == status
    _check(answer, path)
