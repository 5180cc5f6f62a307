"""What goes wrong at OpenAI, as its SDK's errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import openai
import pytest
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseOutputMessage
from pydantic import BaseModel
from tests.contract.simulator.openai_sdk import (
    MODEL,
    async_client_of,
    client_of,
    closed_records,
    post,
    user,
)
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Fault, FaultKind, Limit, Simulator, Slope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from openai import AsyncOpenAI, OpenAI

CHAT = "POST /chat/completions"
EMBEDDING_MODEL: Final = "text-embedding-3-small"

# --- the words of each error -------------------------------------------------------------------

# status -> (class, type, code, part of the message); the classes are those that openai's
# OpenAI._make_status_error gives to each status.
STATUSES: dict[int, tuple[type[openai.APIStatusError], str, Any, str]] = {
    400: (openai.BadRequestError, "invalid_request_error", None, "not valid"),
    401: (
        openai.AuthenticationError,
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided",
    ),
    403: (
        openai.PermissionDeniedError,
        "request_forbidden",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    404: (openai.NotFoundError, "invalid_request_error", None, "not found"),
    405: (openai.APIStatusError, "invalid_request_error", "method_not_supported", "not allowed"),
    409: (openai.ConflictError, "invalid_request_error", None, "try again"),
    413: (openai.APIStatusError, "invalid_request_error", None, "content size limit"),
    415: (openai.APIStatusError, "invalid_request_error", "unsupported_content_type", "content"),
    422: (openai.UnprocessableEntityError, "invalid_request_error", None, "processed"),
    429: (openai.RateLimitError, "requests", "rate_limit_exceeded", "Rate limit reached"),
    500: (openai.InternalServerError, "server_error", None, "The server had an error"),
    502: (openai.InternalServerError, "cf_bad_gateway", "502", "Bad gateway"),
    503: (openai.InternalServerError, "server_error", None, "overloaded"),
    504: (openai.InternalServerError, "cf_gateway_timeout", "504", "time-out"),
    529: (openai.InternalServerError, "server_error", None, "overloaded"),
}


@pytest.mark.parametrize("status", STATUSES)
def test_each_status(simulator: Simulator, status: int) -> None:
    kind, error_type, code, message = STATUSES[status]
    simulator.add_fault(Fault(kind="status", status=status))
    with client_of(simulator) as client, pytest.raises(kind) as caught:
        client.chat.completions.create(model=MODEL, messages=user("hello"))
    error = caught.value
    assert type(error) is kind
    assert (error.status_code, error.type, error.code) == (status, error_type, code)
    assert error.param is None
    assert message in error.message
    assert (error.request_id or "").startswith("req_")
    (record,) = simulator.books.records
    assert (record.executed, record.fate, record.status) == (False, "failed", status)


# word -> (status, type, code)
NAMED = {
    "insufficient_quota": (429, "insufficient_quota", "insufficient_quota"),
    "billing_hard_limit_reached": (400, "invalid_request_error", "billing_hard_limit_reached"),
    "context_length_exceeded": (400, "invalid_request_error", "context_length_exceeded"),
    "model_not_found": (404, "invalid_request_error", "model_not_found"),
    "content_policy_violation": (400, "invalid_request_error", "content_policy_violation"),
    "tokens": (429, "tokens", "rate_limit_exceeded"),
    "overloaded_error": (503, "overloaded_error", None),
}


@pytest.mark.parametrize("word", NAMED)
def test_errors_by_name(simulator: Simulator, word: str) -> None:
    status, error_type, code = NAMED[word]
    simulator.add_fault(Fault(kind="status", status=status, error_type=word))
    answer = post(simulator, "/chat/completions", {"model": MODEL, "messages": user("a")})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == (error_type, code)


def test_a_fault_tells_when_to_come_again(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="status", status=429, retry_after_seconds=1.25))
    answer = post(simulator, "/chat/completions", {"model": MODEL, "messages": user("a")})
    assert answer.headers["retry-after-ms"] == "1250"
    assert answer.headers["retry-after"] == "2"


# --- addresses and keys ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("wrong", "wrong"),
        ("wrong-key", "wrong-ke*"),
        ("wrong-key-of-someone", "wrong-ke********eone"),
    ],
)
def test_a_wrong_key(simulator: Simulator, key: str, shown: str) -> None:
    with client_of(simulator, key) as client, pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()
    assert caught.value.code == "invalid_api_key"
    assert caught.value.message == (
        f"Error code: 401 - Incorrect API key provided: {shown}. You can find your API key at "
        "https://platform.openai.com/account/api-keys."
    )


def test_no_key(simulator: Simulator) -> None:
    answer = post(simulator, "/chat/completions", {}, key=None)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"].startswith("You didn't provide an API key.")
    assert answer.json()["error"]["code"] is None


def test_an_address_that_is_none(simulator: Simulator) -> None:
    with client_of(simulator) as client, pytest.raises(openai.NotFoundError) as caught:
        client.post("/chat/nothing", cast_to=object)
    assert "Invalid URL (POST /v1/chat/nothing)" in caught.value.message
    assert caught.value.type == "invalid_request_error"


def test_a_method_that_is_none(simulator: Simulator) -> None:
    with client_of(simulator) as client, pytest.raises(openai.APIStatusError) as caught:
        client.patch("/embeddings", cast_to=object)
    assert caught.value.status_code == 405
    assert "Not allowed to PATCH on /v1/embeddings." in caught.value.message
    assert caught.value.code == "method_not_supported"


# --- limits ------------------------------------------------------------------------------------


def limited(simulator: Simulator, tokens: int = 5) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the error and the headers of the first call that is refused."""
    body = {"model": MODEL, "messages": user("x" * 4 * (tokens - 4)), "max_tokens": 10}
    for _ in range(10):
        answer = post(simulator, "/chat/completions", body)
        if answer.status_code == 429:
            return answer.json()["error"], dict(answer.headers)
    raise AssertionError("nothing was refused")


def test_a_limit_of_requests(simulator: Simulator) -> None:
    simulator.set_speed(0.001)
    simulator.set_limits([Limit(requests_per_minute=2)])
    error, headers = limited(simulator)
    assert error["message"].startswith(
        f"Rate limit reached for {MODEL} in organization org-simulated on requests per min (RPM): "
        "Limit 2, Used 2, Requested 1. Please try again in "
    )
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert headers["retry-after"] == "30"
    assert 29_000 < int(headers["retry-after-ms"]) <= 30_000
    assert headers["x-ratelimit-limit-requests"] == "2"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert [record.fate for record in simulator.books.records][-1] == "limited"


def test_a_limit_of_tokens(simulator: Simulator) -> None:
    simulator.set_speed(0.001)
    simulator.set_limits([Limit(tokens_per_minute=40)])
    error, _ = limited(simulator)
    assert " on tokens per min (TPM): Limit 40, Used " in error["message"]
    assert ", Requested 15. Please try again in " in error["message"]
    assert (error["type"], error["code"]) == ("tokens", "rate_limit_exceeded")


def test_a_request_that_is_larger_than_the_limit(simulator: Simulator) -> None:
    simulator.set_limits([Limit(tokens_per_minute=40)])
    error, headers = limited(simulator, tokens=100)
    assert error["message"].startswith(f"Request too large for {MODEL} in organization ")
    assert "Limit 40, Requested 110. The input or output tokens must be reduced" in error["message"]
    assert "retry-after" not in headers


def test_a_limit_of_growth(simulator: Simulator) -> None:
    simulator.set_speed(0.001)
    simulator.set_limits([Limit(slope=Slope(floor=2))])
    error, _ = limited(simulator)
    assert error["code"] == "slow_down"


@covers("openai", CHAT, "chat.completions.create")
def test_the_headers_of_an_answer(simulator: Simulator) -> None:
    simulator.set_speed(0.001)
    simulator.set_limits([Limit(requests_per_minute=60, tokens_per_minute=6_000)])
    with client_of(simulator) as client:
        raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=user("hello"))
    headers = raw.headers
    assert headers["x-ratelimit-limit-requests"] == "60"
    assert headers["x-ratelimit-remaining-requests"] == "59"
    assert headers["x-ratelimit-reset-requests"].endswith("s")
    assert headers["x-ratelimit-limit-tokens"] == "6000"
    assert headers["x-ratelimit-remaining-tokens"] == "5992"
    assert headers["x-ratelimit-reset-tokens"] == "80ms"
    assert headers["x-request-id"] == raw.request_id
    assert headers["openai-organization"] == "org-simulated"
    assert headers["openai-version"] == "2020-10-01"
    assert headers["openai-processing-ms"].isdecimal()


# --- faults ------------------------------------------------------------------------------------

Ask = tuple[
    "Callable[[OpenAI], Any]",
    "Callable[[AsyncOpenAI], Awaitable[Any]]",
]


async def gathered(stream: Awaitable[AsyncIterator[Any]]) -> list[Any]:
    return [piece async for piece in await stream]


def listed(stream: Iterator[Any]) -> list[Any]:
    return list(stream)


ASKS: dict[str, Ask] = {
    "chat": (
        lambda client: client.chat.completions.create(model=MODEL, messages=user("hello")),
        lambda client: client.chat.completions.create(model=MODEL, messages=user("hello")),
    ),
    "chat stream": (
        lambda client: listed(
            client.chat.completions.create(model=MODEL, messages=user("hello"), stream=True)
        ),
        lambda client: gathered(
            client.chat.completions.create(model=MODEL, messages=user("hello"), stream=True)
        ),
    ),
    "responses": (
        lambda client: client.responses.create(model=MODEL, input="hello"),
        lambda client: client.responses.create(model=MODEL, input="hello"),
    ),
    "responses stream": (
        lambda client: listed(client.responses.create(model=MODEL, input="hello", stream=True)),
        lambda client: gathered(client.responses.create(model=MODEL, input="hello", stream=True)),
    ),
    "embeddings": (
        lambda client: client.embeddings.create(model=EMBEDDING_MODEL, input="hello"),
        lambda client: client.embeddings.create(model=EMBEDDING_MODEL, input="hello"),
    ),
}

Seen = type[Exception] | str
NO_CONNECTION: Final = openai.APIConnectionError
FAULTS: dict[FaultKind, Fault] = {
    FaultKind.STATUS: Fault(kind="status", status=503),
    FaultKind.REFUSED: Fault(kind="refused", seconds=1, times=1),
    FaultKind.RESET_BEFORE: Fault(kind="reset_before"),
    FaultKind.HANG: Fault(kind="hang", seconds=10),
    FaultKind.DROPPED: Fault(kind="dropped"),
    FaultKind.RESET_IN_BODY: Fault(kind="reset_in_body"),
    FaultKind.SLOW_BODY: Fault(kind="slow_body", seconds=20),
    FaultKind.TRUNCATED_JSON: Fault(kind="truncated_json"),
    FaultKind.INVALID_JSON: Fault(kind="invalid_json"),
    FaultKind.WRONG_CONTENT_TYPE: Fault(kind="wrong_content_type"),
    FaultKind.ERROR_IN_200: Fault(kind="error_in_200"),
    FaultKind.EMPTY: Fault(kind="empty"),
    FaultKind.REFUSAL: Fault(kind="refusal"),
    FaultKind.SAFETY: Fault(kind="safety"),
    FaultKind.LENGTH: Fault(kind="length"),
}
ELSEWHERE: Final = {kind for kind in FaultKind if kind.value.startswith("batch_")} | {
    FaultKind.STALE_LIST
}
"""Kinds that no live call meets."""
NOT_EXECUTED: Final = {
    FaultKind.STATUS,
    FaultKind.REFUSED,
    FaultKind.RESET_BEFORE,
    FaultKind.HANG,
}
ANSWERED: Final = {
    FaultKind.SLOW_BODY,
    FaultKind.EMPTY,
    FaultKind.REFUSAL,
    FaultKind.SAFETY,
    FaultKind.LENGTH,
}
OF_CONNECTION: dict[FaultKind, Seen] = {
    FaultKind.STATUS: openai.InternalServerError,
    FaultKind.REFUSED: NO_CONNECTION,
    FaultKind.RESET_BEFORE: NO_CONNECTION,
    FaultKind.HANG: NO_CONNECTION,
    FaultKind.DROPPED: NO_CONNECTION,
    FaultKind.RESET_IN_BODY: NO_CONNECTION,
}
OF_WHOLE: dict[FaultKind, Seen] = {
    **OF_CONNECTION,
    FaultKind.TRUNCATED_JSON: json.JSONDecodeError,
    FaultKind.INVALID_JSON: json.JSONDecodeError,
    FaultKind.WRONG_CONTENT_TYPE: "a text",
}
# A stream ends where no event is left that the SDK can read: it says nothing of what is missing.
OF_STREAM: dict[FaultKind, Seen] = {
    **OF_CONNECTION,
    FaultKind.TRUNCATED_JSON: "no end",
    FaultKind.INVALID_JSON: "nothing",
    FaultKind.WRONG_CONTENT_TYPE: "nothing",
}
OF_CHAT: dict[FaultKind, Seen] = {
    FaultKind.SLOW_BODY: "stop",
    FaultKind.REFUSAL: "refusal",
    FaultKind.SAFETY: "content_filter",
    FaultKind.LENGTH: "length",
}
OF_RESPONSES: dict[FaultKind, Seen] = {
    FaultKind.SLOW_BODY: "completed",
    FaultKind.ERROR_IN_200: "failed: server_error",
    FaultKind.EMPTY: "completed without output",
    FaultKind.REFUSAL: "refusal",
    FaultKind.SAFETY: "incomplete: content_filter",
    FaultKind.LENGTH: "incomplete: max_output_tokens",
}
# What the SDK makes of each fault: an error, or what is left of the answer.
SEEN: dict[str, dict[FaultKind, Seen]] = {
    "chat": {
        **OF_WHOLE,
        **OF_CHAT,
        FaultKind.ERROR_IN_200: "an error and no choices",
        FaultKind.EMPTY: "no choices",
    },
    "chat stream": {
        **OF_STREAM,
        **OF_CHAT,
        FaultKind.ERROR_IN_200: openai.APIError,
        FaultKind.EMPTY: "nothing",
    },
    "responses": {**OF_WHOLE, **OF_RESPONSES},
    "responses stream": {**OF_STREAM, **OF_RESPONSES},
    "embeddings": {
        **OF_WHOLE,
        FaultKind.SLOW_BODY: "vectors",
        # The SDK looks for the vectors in whatever came.
        FaultKind.WRONG_CONTENT_TYPE: AttributeError,
        FaultKind.ERROR_IN_200: ValueError,
        FaultKind.EMPTY: ValueError,
        FaultKind.REFUSAL: "vectors",
        FaultKind.SAFETY: "vectors",
        FaultKind.LENGTH: "vectors",
    },
}


def what_is_left(answer: Any) -> str:
    """Return in a few words what the SDK gave."""
    if isinstance(answer, str):
        return "a text"
    if isinstance(answer, list):
        return of_stream(answer)
    if isinstance(answer, ChatCompletion):
        return of_completion(answer)
    if isinstance(answer, Response):
        return of_response(answer)
    assert isinstance(answer, CreateEmbeddingResponse)
    return "vectors"


def of_stream(pieces: list[Any]) -> str:
    if not pieces:
        return "nothing"
    last = pieces[-1]
    if not isinstance(last, ChatCompletionChunk):
        return of_response(last.response) if hasattr(last, "response") else "no end"
    if any(piece.choices[0].delta.refusal for piece in pieces):
        return "refusal"
    return last.choices[0].finish_reason or "no end"


def of_completion(answer: ChatCompletion) -> str:
    if not answer.choices:
        return "an error and no choices" if answer.to_dict().get("error") else "no choices"
    choice = answer.choices[0]
    return "refusal" if choice.message.refusal else choice.finish_reason


def of_response(answer: Response) -> str:
    if answer.error is not None:
        return f"{answer.status}: {answer.error.code}"
    if answer.incomplete_details is not None:
        return f"{answer.status}: {answer.incomplete_details.reason}"
    if not answer.output:
        return f"{answer.status} without output"
    item = answer.output[0]
    if isinstance(item, ResponseOutputMessage) and item.content[0].type == "refusal":
        return "refusal"
    return str(answer.status)


def test_no_kind_is_left_out() -> None:
    for seen in SEEN.values():
        assert set(seen) == set(FAULTS) == set(FaultKind) - ELSEWHERE


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.value)
@pytest.mark.parametrize("asked", ASKS)
def test_each_fault_reaches_the_client(simulator: Simulator, asked: str, kind: FaultKind) -> None:
    simulator.add_fault(FAULTS[kind])
    with client_of(simulator) as client:
        try:
            seen: Seen = what_is_left(ASKS[asked][0](client))
        except Exception as error:  # whatever the SDK raises is what is looked at
            seen = type(error)
    assert seen == SEEN[asked][kind]
    check_books(simulator, kind)


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.value)
@pytest.mark.parametrize("asked", ASKS)
async def test_each_fault_reaches_the_async_client(
    simulator: Simulator, asked: str, kind: FaultKind
) -> None:
    simulator.add_fault(FAULTS[kind])
    async with async_client_of(simulator) as client:
        try:
            seen: Seen = what_is_left(await ASKS[asked][1](client))
        except Exception as error:  # whatever the SDK raises is what is looked at
            seen = type(error)
    assert seen == SEEN[asked][kind]
    check_books(simulator, kind)


def check_books(simulator: Simulator, kind: FaultKind) -> None:
    (record,) = closed_records(simulator)
    assert record.fault is kind
    assert record.executed == (kind not in NOT_EXECUTED)
    if kind in NOT_EXECUTED:
        assert record.fate == "failed"
    else:
        assert record.fate == ("answered" if kind in ANSWERED else "lost")


def test_the_sdk_parses_no_refused_no_cut_and_no_filtered_answer(simulator: Simulator) -> None:
    class Reply(BaseModel):
        text: str

    def parse() -> Any:
        with client_of(simulator) as client:
            return client.chat.completions.parse(
                model=MODEL, messages=user("hello"), response_format=Reply
            )

    simulator.add_fault(Fault(kind="refusal", times=1))
    message = parse().choices[0].message
    assert message.parsed is None
    assert message.refusal
    simulator.add_fault(Fault(kind="length", times=1))
    with pytest.raises(openai.LengthFinishReasonError):
        parse()
    simulator.add_fault(Fault(kind="safety", times=1))
    with pytest.raises(openai.ContentFilterFinishReasonError):
        parse()


# --- the SDK's own retries ---------------------------------------------------------------------


@covers("openai", CHAT, "chat.completions.create")
def test_the_sdks_retries_are_all_billed(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(*_: object, **__: object) -> float:
        return 0.0

    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", at_once)
    simulator.add_fault(Fault(kind="dropped", times=2))
    retries = openai.DEFAULT_MAX_RETRIES
    with client_of(simulator, max_retries=retries) as client:
        client.chat.completions.create(model=MODEL, messages=user("hello"))
    records = simulator.books.records
    assert [(record.executed, record.fate) for record in records] == [
        (True, "lost"),
        (True, "lost"),
        (True, "answered"),
    ]
    assert len({record.identity for record in records}) == 1


@covers("openai", CHAT, "chat.completions.create")
async def test_the_sdk_comes_again_when_it_was_told_to(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="status", status=429, retry_after_seconds=0.001, times=2))
    async with async_client_of(simulator, max_retries=2) as client:
        answer = await client.chat.completions.create(model=MODEL, messages=user("hello"))
    assert answer.choices[0].message.content == "hello"
    executed = [record.executed for record in simulator.books.records]
    assert executed == [False, False, True]


def test_a_request_asks_for_a_fault_of_its_own(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        headers = {"x-sim-fault": "503"}
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(
                model=MODEL, messages=user("hello"), extra_headers=headers
            )
        client.chat.completions.create(model=MODEL, messages=user("hello"))


def test_answers_that_fail_are_a_500_of_the_provider() -> None:
    def fail(_: object) -> str:
        raise RuntimeError("no answer")

    with (
        Simulator(answers=fail) as simulator,
        client_of(simulator) as client,
        pytest.raises(openai.InternalServerError, match="RuntimeError: no answer"),
    ):
        client.chat.completions.create(model=MODEL, messages=user("hello"))


def test_endpoints_of_responses_that_are_not_here(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        with pytest.raises(openai.NotFoundError, match=r"Invalid URL \(POST /v1/responses/compact"):
            client.responses.compact(model=MODEL, input="hi")
        with pytest.raises(openai.NotFoundError, match="Invalid URL"):
            client.responses.input_tokens.count(model=MODEL, input="hi")
