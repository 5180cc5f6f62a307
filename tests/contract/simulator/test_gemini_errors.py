"""How Gemini says no, and every fault as the error that Google's SDK raises for the real one."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx2
import pytest
from google.genai import errors, types
from tests.contract.simulator.gemini_sdk import KEY, MODEL, client_of, raw

from batch_llm.testing.simulator import Limit, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

PATH = f"/v1beta/models/{MODEL}:generateContent"
# Left out, the async client tries again by itself where a connection breaks.
ONCE = types.HttpRetryOptions(attempts=1)
HELLO = [{"parts": [{"text": "hello"}]}]


def ask(simulator: Simulator, key: str = KEY, **config: Any) -> types.GenerateContentResponse:
    with client_of(simulator, key) as client:
        return client.models.generate_content(
            model=MODEL, contents="hello you", config=types.GenerateContentConfig(**config)
        )


def failure(simulator: Simulator, key: str = KEY, **config: Any) -> errors.APIError:
    with pytest.raises(errors.APIError) as raised:
        ask(simulator, key, **config)
    return raised.value


def post(simulator: Simulator, body: Any, path: str = PATH) -> dict[str, Any]:
    """Send a body that no SDK would send; return the error that comes back."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = raw(simulator, "POST", path, content=content)
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == response.status_code
    return error


# --- errors of HTTP ---------------------------------------------------------------------------

STATUSES = [
    (400, errors.ClientError, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    (401, errors.ClientError, "UNAUTHENTICATED", "Request had invalid authentication"),
    (403, errors.ClientError, "PERMISSION_DENIED", "The caller does not have permission"),
    (404, errors.ClientError, "NOT_FOUND", "Requested entity was not found."),
    (409, errors.ClientError, "ALREADY_EXISTS", "Requested entity already exists"),
    (429, errors.ClientError, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check"),
    (500, errors.ServerError, "INTERNAL", "An internal error has occurred."),
    (502, errors.ServerError, "INTERNAL", "An internal error has occurred."),
    (503, errors.ServerError, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    (504, errors.ServerError, "DEADLINE_EXCEEDED", "Deadline expired before operation could"),
    (529, errors.ServerError, "INTERNAL", "An internal error has occurred."),
]


@pytest.mark.parametrize(("status", "kind", "word", "start"), STATUSES)
def test_a_status(
    simulator: Simulator, status: int, kind: type[Exception], word: str, start: str
) -> None:
    error = failure(simulator, http_options={"headers": {"x-sim-fault": str(status)}})
    assert isinstance(error, kind)
    assert (error.code, error.status) == (status, word)
    assert str(error.message).startswith(start)
    assert error.details == {"error": {"code": status, "message": error.message, "status": word}}


def test_a_wait_is_told_in_the_details_alone(simulator: Simulator) -> None:
    fault = {"kind": "status", "status": 503, "retry_after_seconds": 12, "error_type": "ABORTED"}
    error = failure(simulator, http_options={"headers": {"x-sim-fault": json.dumps(fault)}})
    assert error.status == "ABORTED"
    assert error.details["error"]["details"] == [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"}
    ]
    assert not [name for name in error.response.headers if "retry" in name or "limit" in name]


def test_a_limit_says_which_it_is_and_when_to_come_again(simulator: Simulator) -> None:
    simulator.set_speed(1e-6)
    simulator.set_limits([Limit(provider="gemini", requests_per_minute=1)])
    ask(simulator)
    error = failure(simulator)
    assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED")
    assert str(error.message).startswith("You exceeded your current quota, please check your plan")
    quota, links, wait = error.details["error"]["details"]
    assert quota == {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
            {
                "quotaMetric": (
                    "generativelanguage.googleapis.com/generate_content_paid_tier_requests"
                ),
                "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-PaidTier",
                "quotaDimensions": {"location": "global", "model": MODEL},
                "quotaValue": "1",
            }
        ],
    }
    assert links["@type"] == "type.googleapis.com/google.rpc.Help"
    assert wait["@type"] == "type.googleapis.com/google.rpc.RetryInfo"
    assert wait["retryDelay"].endswith("s")
    assert 59 < float(wait["retryDelay"][:-1]) <= 60


# --- keys and addresses -----------------------------------------------------------------------


def test_a_wrong_key_is_an_invalid_argument(simulator: Simulator) -> None:
    error = failure(simulator, "wrong")
    message = "API key not valid. Please pass a valid API key."
    assert (error.code, error.status, error.message) == (400, "INVALID_ARGUMENT", message)
    assert error.details["error"]["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        },
        {
            "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
            "locale": "en-US",
            "message": message,
        },
    ]


async def test_a_wrong_key_of_the_async_client(simulator: Simulator) -> None:
    async with client_of(simulator, "wrong").aio as client:
        with pytest.raises(errors.ClientError, match="API_KEY_INVALID"):
            await client.models.generate_content(model=MODEL, contents="hello")


def test_no_key_is_no_permission(simulator: Simulator) -> None:
    response = raw(simulator, "POST", PATH, key=None, json={"contents": HELLO})
    error = response.json()["error"]
    assert (response.status_code, error["status"]) == (403, "PERMISSION_DENIED")
    assert error["message"].startswith("Method doesn't allow unregistered callers")


def test_a_wrong_access_token_is_not_authenticated(simulator: Simulator) -> None:
    headers = {"authorization": "Bearer wrong"}
    response = raw(simulator, "POST", PATH, key=None, headers=headers, json={"contents": HELLO})
    error = response.json()["error"]
    assert (response.status_code, error["status"]) == (401, "UNAUTHENTICATED")
    assert error["details"][0]["reason"] == "ACCESS_TOKEN_TYPE_UNSUPPORTED"


@pytest.mark.parametrize(
    ("query", "headers"), [("?key=any", {}), ("", {"authorization": "Bearer token"})]
)
def test_other_ways_to_bring_a_key(
    simulator: Simulator, query: str, headers: dict[str, str]
) -> None:
    response = raw(
        simulator, "POST", PATH + query, key=None, headers=headers, json={"contents": HELLO}
    )
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1beta/nothing"),
        ("POST", f"/v2/models/{MODEL}:generateContent"),
        ("GET", f"/v1beta/models/{MODEL}:generateContent"),
        ("POST", f"/v1beta/models/{MODEL}:writeContent"),
        ("DELETE", f"/v1beta/models/{MODEL}"),
    ],
)
def test_what_there_is_not(simulator: Simulator, method: str, path: str) -> None:
    response = raw(simulator, method, path)
    assert response.status_code == 404
    assert response.json()["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize("model", ["gpt-5", "gemini-embedding-001"])
@pytest.mark.parametrize("action", ["generateContent", "streamGenerateContent"])
def test_a_model_that_makes_no_words(simulator: Simulator, model: str, action: str) -> None:
    path = f"/v1/models/{model}:{action}?alt=sse"
    error = post(simulator, {"contents": HELLO}, path)
    assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    assert error["message"].startswith(
        f"models/{model} is not found for API version v1, or is not supported for {action}."
    )


# --- requests that are wrong ------------------------------------------------------------------

CONFIG = "* GenerateContentRequest.generation_config"
TYPE = "type.googleapis.com/google.ai.generativelanguage.v1beta.Type"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "* GenerateContentRequest.contents: contents is not specified\n"),
        (b"", "* GenerateContentRequest.contents: contents is not specified\n"),
        (
            {"contents": [{"parts": []}]},
            "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.\n",
        ),
        (
            {"contents": [*HELLO, {"parts": [{}]}]},
            (
                "* GenerateContentRequest.contents[1].parts[0].data: required oneof "
                "field 'data' must "
                "have one initialized field\n"
            ),
        ),
        (
            {"contents": [{"role": "system", "parts": [{"text": "a"}]}]},
            "Please use a valid role: user, model.",
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"data": "YQ=="}}]}]},
            (
                "* GenerateContentRequest.contents[0].parts[0].inline_data.mime_type: mime_type is "
                "required.\n"
            ),
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]},
            (
                "* GenerateContentRequest.contents[0].parts[0].inline_data.data: "
                "inline data must not "
                "be empty.\n"
            ),
        ),
        (
            {"contents": [{"parts": [{"fileData": {"mimeType": "image/png"}}]}]},
            (
                "* GenerateContentRequest.contents[0].parts[0].file_data.file_uri: file_uri is "
                "required.\n"
            ),
        ),
        (
            {"contents": [{"parts": [{"fileData": {"fileUri": "gs://bucket/file"}}]}]},
            "Invalid or unsupported file uri: gs://bucket/file",
        ),
        (
            {"contents": HELLO, "generationConfig": {"temperature": 3}},
            f"{CONFIG}.temperature: temperature must be in the range [0.0, 2.0].\n",
        ),
        (
            {"contents": HELLO, "generationConfig": {"maxOutputTokens": 0}},
            f"{CONFIG}.max_output_tokens: max_output_tokens must be positive.\n",
        ),
        (
            {"contents": HELLO, "generationConfig": {"stopSequences": list("abcdef")}},
            f"{CONFIG}.stop_sequences: the number of stop_sequences must not exceed 5.\n",
        ),
        (
            {"contents": HELLO, "generationConfig": {"candidateCount": 2}},
            f"Multiple candidates is not enabled for models/{MODEL}",
        ),
        (
            {"contents": HELLO, "generationConfig": {"responseLogprobs": True}},
            f"Logprobs is not enabled for models/{MODEL}",
        ),
        (
            {"contents": HELLO, "generationConfig": {"responseMimeType": "text/html"}},
            (
                f"{CONFIG}.response_mime_type: allowed mimetypes are `text/plain`, "
                "`application/json`, `application/xml`, `application/yaml`, `text/x.enum`.\n"
            ),
        ),
        (
            {"contents": HELLO, "generationConfig": {"responseJsonSchema": {}}},
            (
                f"{CONFIG}.response_json_schema: response_mime_type must be "
                f"`application/json` when "
                "response_json_schema is set.\n"
            ),
        ),
        (
            {
                "contents": HELLO,
                "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
            },
            (
                "* GenerateContentRequest.tool_config.function_calling_config.mode: mode ANY needs "
                "function declarations.\n"
            ),
        ),
        (
            {
                "contents": HELLO,
                "tools": [{"functionDeclarations": [{"name": "f"}]}],
                "toolConfig": {
                    "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}
                },
            },
            (
                "* GenerateContentRequest.tool_config.function_calling_config."
                "allowed_function_names: g is not among the function declarations.\n"
            ),
        ),
    ],
)
def test_requests_that_are_refused(simulator: Simulator, body: Any, message: str) -> None:
    assert post(simulator, body) == {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            {"type": "OBJECT"},
            ".properties: should be non-empty for OBJECT type\n",
        ),
        ({"type": "ARRAY"}, ".items: missing field.\n"),
        ({"type": "INTEGER", "enum": ["1"]}, ".enum: only allowed for STRING type\n"),
        (
            {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["b"]},
            ".required[0]: property is not defined\n",
        ),
        (
            {"type": "OBJECT", "properties": {"a": {"type": "ARRAY"}}},
            ".properties[a].items: missing field.\n",
        ),
    ],
)
def test_schemas_that_are_refused(
    simulator: Simulator, schema: dict[str, Any], message: str
) -> None:
    config = {"responseMimeType": "application/json", "responseSchema": schema}
    error = post(simulator, {"contents": HELLO, "generationConfig": config})
    assert error["message"] == f"{CONFIG}.response_schema{message}"


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (
            {"contents": HELLO, "temperature": 1},
            "",
            'Invalid JSON payload received. Unknown name "temperature": Cannot find field.',
        ),
        (
            {"contents": HELLO, "generationConfig": {"max_tokens": 1}},
            "generationConfig",
            (
                "Invalid JSON payload received. Unknown name \"maxTokens\" at 'generationConfig': "
                "Cannot find field."
            ),
        ),
        (
            {"contents": [{"parts": [{"text": 1}]}]},
            "contents[0].parts[0].text",
            "Invalid value at 'contents[0].parts[0].text': Expected `str | null`, got `int`.",
        ),
        (
            {
                "contents": HELLO,
                "generationConfig": {
                    "responseMimeType": "application/json",
                    "responseSchema": {"type": "TEXT"},
                },
            },
            "generation_config.response_schema.type",
            f"Invalid value at 'generation_config.response_schema.type' ({TYPE}), 'TEXT'",
        ),
        (
            {
                "contents": HELLO,
                "generationConfig": {
                    "responseMimeType": "application/json",
                    "responseSchema": {"type": "STRING", "const": "a"},
                },
            },
            "generation_config.response_schema",
            (
                'Invalid JSON payload received. Unknown name "const" at '
                "'generation_config.response_schema': Cannot find field."
            ),
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "?"}}]}]},
            "contents[0].parts[0].inline_data.data",
            (
                "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 "
                "decoding failed"
            ),
        ),
        (
            [],
            "",
            "Invalid value at '': Expected `object`, got `array`.",
        ),
    ],
)
def test_what_google_does_not_know_is_named(
    simulator: Simulator, body: Any, field: str, message: str
) -> None:
    violation = {"description": message, **({"field": field} if field else {})}
    assert post(simulator, body) == {
        "code": 400,
        "message": message,
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [violation],
            }
        ],
    }


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"contents": "\xff"}', b"[" * 5_000, b"null"])
@pytest.mark.parametrize("action", ["generateContent", "countTokens", "streamGenerateContent"])
def test_bytes_that_are_no_request(simulator: Simulator, body: bytes, action: str) -> None:
    error = post(simulator, body, f"/v1beta/models/{MODEL}:{action}?alt=sse")
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["message"]


def test_a_file_that_there_is_not(simulator: Simulator) -> None:
    for uri in ("files/none", "https://generativelanguage.googleapis.com/v1beta/files/none"):
        body = {"contents": [{"parts": [{"fileData": {"fileUri": uri}}]}]}
        assert post(simulator, body) == {
            "code": 403,
            "message": "You do not have permission to access the File none or it may not exist.",
            "status": "PERMISSION_DENIED",
        }


def test_a_file_that_is_not_ready(simulator: Simulator) -> None:
    simulator.set_speed(1e-6)
    with client_of(simulator) as client:
        film = client.files.upload(file=io.BytesIO(b"1"), config={"mime_type": "video/mp4"})
        with pytest.raises(errors.ClientError, match="not in an ACTIVE state") as raised:
            client.models.generate_content(model=MODEL, contents=[film, "what?"])
        assert raised.value.status == "FAILED_PRECONDITION"
        simulator.advance(60)
        response = client.models.generate_content(model=MODEL, contents=[film, "what?"])
    assert response.text == "what?"


# --- faults -----------------------------------------------------------------------------------


class Client:
    """One way to call: sync or async, whole or in pieces. All give the text and the ends."""

    def __init__(self, simulator: Simulator, fault: dict[str, Any]) -> None:
        self._simulator = simulator
        self._options: dict[str, Any] = {
            "headers": {"x-sim-fault": json.dumps(fault)},
            "retry_options": ONCE,
        }

    def whole(self) -> list[str]:
        with client_of(self._simulator, **self._options) as client:
            return [_said(client.models.generate_content(model=MODEL, contents="hello you"))]

    def in_pieces(self) -> list[str]:
        with client_of(self._simulator, **self._options) as client:
            pieces = client.models.generate_content_stream(model=MODEL, contents="hello you")
            return [_said(piece) for piece in pieces]

    async def whole_async(self) -> list[str]:
        async with client_of(self._simulator, **self._options).aio as client:
            response = await client.models.generate_content(model=MODEL, contents="hello you")
            return [_said(response)]

    async def in_pieces_async(self) -> list[str]:
        async with client_of(self._simulator, **self._options).aio as client:
            pieces = await client.models.generate_content_stream(model=MODEL, contents="hello you")
            return [_said(piece) async for piece in pieces]


def _said(response: types.GenerateContentResponse) -> str:
    """Return "text/finish reason/block reason", as far as there are any."""
    candidate = response.candidates[0] if response.candidates else None
    reason = candidate.finish_reason.value if candidate and candidate.finish_reason else ""
    feedback = response.prompt_feedback
    blocked = feedback.block_reason.value if feedback and feedback.block_reason else ""
    return f"{response.text or ''}/{reason}/{blocked}"


NO_JSON = json.JSONDecodeError
WHOLE, PIECES = ["hello you/STOP/"], ["hello//", " you/STOP/"]
Failing = tuple[type[Exception], type[Exception]]

# What each fault does to (whole answers, pieces): text for those that come, or the errors of the
# sync and of the async client, which sends with aiohttp where that is installed.
RESETS: Failing = (httpx2.ReadError, aiohttp.ClientOSError)
# Where the server does not listen again yet, the next call cannot connect.
REFUSALS: Failing = (httpx2.NetworkError, aiohttp.ClientOSError)
CUT: Failing = (httpx2.ReadError, aiohttp.ClientPayloadError)
SERVER: Failing = (errors.ServerError, errors.ServerError)
NOT_JSON: Failing = (NO_JSON, NO_JSON)
UNREADABLE: Failing = (errors.UnknownApiResponseError, errors.UnknownApiResponseError)
FAULTS: list[tuple[dict[str, Any], list[str] | Failing, list[str] | Failing]] = [
    ({"kind": "status", "status": 503}, SERVER, SERVER),
    ({"kind": "refused", "seconds": 0}, REFUSALS, REFUSALS),
    ({"kind": "reset_before"}, RESETS, RESETS),
    ({"kind": "hang", "seconds": 60}, RESETS, RESETS),
    ({"kind": "dropped"}, RESETS, RESETS),
    ({"kind": "reset_in_body"}, CUT, CUT),
    ({"kind": "slow_body"}, WHOLE, PIECES),
    ({"kind": "truncated_json"}, NOT_JSON, ["hello//"]),
    ({"kind": "invalid_json"}, NOT_JSON, UNREADABLE),
    ({"kind": "wrong_content_type"}, NOT_JSON, UNREADABLE),
    ({"kind": "error_in_200"}, ["//"], SERVER),
    ({"kind": "empty"}, ["//"], ["//"]),
    ({"kind": "refusal"}, ["//PROHIBITED_CONTENT"], ["//PROHIBITED_CONTENT"]),
    ({"kind": "safety"}, ["/SAFETY/"], ["/SAFETY/"]),
    ({"kind": "length"}, ["hell/MAX_TOKENS/"], ["he//", "ll/MAX_TOKENS/"]),
]
IDS = [fault["kind"] for fault, _, _ in FAULTS]


@pytest.mark.parametrize(("fault", "whole", "pieces"), FAULTS, ids=IDS)
def test_a_fault_reaches_the_sync_client(
    simulator: Simulator,
    fault: dict[str, Any],
    whole: list[str] | Failing,
    pieces: list[str] | Failing,
) -> None:
    client = Client(simulator, fault)
    _expect(client.whole, whole)
    _expect(client.in_pieces, pieces)


@pytest.mark.parametrize(("fault", "whole", "pieces"), FAULTS, ids=IDS)
async def test_a_fault_reaches_the_async_client(
    simulator: Simulator,
    fault: dict[str, Any],
    whole: list[str] | Failing,
    pieces: list[str] | Failing,
) -> None:
    client = Client(simulator, fault)
    await _expect_async(client.whole_async, whole)
    await _expect_async(client.in_pieces_async, pieces)


def _expect(call: Callable[[], list[str]], expected: list[str] | Failing) -> None:
    if isinstance(expected, list):
        assert call() == expected
        return
    with pytest.raises(expected[0]):
        call()


async def _expect_async(
    call: Callable[[], Coroutine[Any, Any, list[str]]], expected: list[str] | Failing
) -> None:
    if isinstance(expected, list):
        assert await call() == expected
        return
    with pytest.raises(expected[1]):
        await call()


def test_a_server_that_does_not_listen_refuses() -> None:
    with Simulator() as simulator:
        with pytest.raises(httpx2.ReadError):
            Client(simulator, {"kind": "refused", "seconds": 3_600}).whole()
        with pytest.raises(httpx2.ConnectError):
            ask(simulator)


async def test_a_client_that_waits_no_longer(simulator: Simulator) -> None:
    simulator.set_speed(1)
    fault = json.dumps({"kind": "hang", "seconds": 3_600})
    with (
        client_of(simulator, headers={"x-sim-fault": fault}, timeout=50) as client,
        pytest.raises(httpx2.ReadTimeout),
    ):
        client.models.generate_content(model=MODEL, contents="hello")
    simulator.advance(3_600)


def test_the_error_in_a_200_is_in_its_body(simulator: Simulator) -> None:
    headers = {"x-sim-fault": "error_in_200"}
    response = raw(simulator, "POST", PATH, headers=headers, json={"contents": HELLO})
    assert response.status_code == 200
    assert response.json()["error"]["status"] == "UNAVAILABLE"


def test_faults_reach_requests_that_call_no_model(simulator: Simulator) -> None:
    with client_of(simulator, headers={"x-sim-fault": "503"}) as client:
        with pytest.raises(errors.ServerError):
            client.caches.list()
        with pytest.raises(errors.ServerError):
            client.models.count_tokens(model=MODEL, contents="hello")
