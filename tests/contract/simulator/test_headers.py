"""All headers of the answers: their names as a set, and the values that mean something."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest

from batch_llm.testing.simulator import Limit, Slope

if TYPE_CHECKING:
    from batch_llm.testing.simulator import Simulator

HELLO: Final = [{"role": "user", "content": "hello"}]
OPENAI_MODEL, CLAUDE, GEMINI = "gpt-4o-mini", "claude-sonnet-5", "gemini-2.5-flash"
WITH: Final = {
    "openai": {"authorization": "Bearer any"},
    "anthropic": {"x-api-key": "any", "anthropic-version": "2023-06-01"},
    "gemini": {"x-goog-api-key": "any"},
}
"""The headers that a request must have."""

OF_HTTP: Final = {"content-type", "content-length", "date", "server"}
OF_STREAM: Final = {"content-type", "transfer-encoding", "date", "server"}
# What stands on all answers of a provider. The SDKs read "x-request-id" and "request-id"; the
# others are the simulator's own list.
USUAL: Final = {
    "openai": {"x-request-id", "openai-organization", "openai-version", "openai-processing-ms"},
    "anthropic": {"request-id", "anthropic-organization-id"},
    "gemini": {"server-timing", "vary"},
}
OPENAI_LEFT: Final = {
    f"x-ratelimit-{what}-{measure}"
    for what in ("limit", "remaining", "reset")
    for measure in ("requests", "tokens")
}
ANTHROPIC_LEFT: Final = {
    f"anthropic-ratelimit-{measure}-{what}"
    for measure in ("requests", "tokens", "input-tokens", "output-tokens")
    for what in ("limit", "remaining", "reset")
}
# "hello" is 6 tokens and its echo 2, so that all of these take seconds to be free again.
LIMIT: Final = Limit(
    requests_per_minute=8,
    tokens_per_minute=80,
    input_tokens_per_minute=60,
    output_tokens_per_minute=30,
)

Ask = Callable[["Simulator"], httpx2.Response]


def send(
    simulator: Simulator,
    provider: str,
    method: str,
    path: str,
    body: object = None,
    **options: Any,
) -> httpx2.Response:
    """Send one request; a body is sent as JSON, and `headers` go over those that are needed."""
    address = path if path.startswith("http") else f"{simulator.base_url}{ROOTS[provider]}{path}"
    headers = {**WITH[provider], **options.pop("headers", {})}
    if body is not None:
        options["json"] = body
    with httpx2.Client() as client:
        return client.request(method, address, headers=headers, **options)


ROOTS: Final = {"openai": "/openai/v1", "anthropic": "/anthropic", "gemini": "/gemini"}


def asks(provider: str, method: str, path: str, body: object = None, **options: Any) -> Ask:
    """Return what sends one request."""
    return lambda simulator: send(simulator, provider, method, path, body, **dict(options))


def with_fault(provider: str, path: str, body: object, fault: object) -> Ask:
    text = fault if isinstance(fault, str) else json.dumps(fault)
    return asks(provider, "POST", path, body, headers={"x-sim-fault": text})


CHAT: Final = {"model": OPENAI_MODEL, "messages": HELLO}
MESSAGE: Final = {"model": CLAUDE, "max_tokens": 20, "messages": HELLO}
CONTENT: Final = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
RESPONSE: Final = {"model": OPENAI_MODEL, "input": "hello"}
EMBEDDING: Final = {"model": "text-embedding-3-small", "input": "hello"}
OF_CONTENT: Final = {"content": CONTENT["contents"][0]}
OPENAI_LINE: Final = b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{}}\n'
RATE_WAIT: Final = {"kind": "status", "status": 429, "retry_after_seconds": 1.25}
OF_MODEL: Final = f"/v1beta/models/{GEMINI}"


def openai_upload(simulator: Simulator) -> httpx2.Response:
    files = {"file": ("in.jsonl", OPENAI_LINE)}
    return send(simulator, "openai", "POST", "/files", data={"purpose": "batch"}, files=files)


def openai_content(simulator: Simulator) -> httpx2.Response:
    name = openai_upload(simulator).json()["id"]
    return send(simulator, "openai", "GET", f"/files/{name}/content")


def anthropic_batch(simulator: Simulator) -> httpx2.Response:
    lines = {"requests": [{"custom_id": "a", "params": MESSAGE}]}
    return send(simulator, "anthropic", "POST", "/v1/messages/batches", lines)


def anthropic_results(simulator: Simulator) -> httpx2.Response:
    batch = anthropic_batch(simulator).json()
    for _ in range(1_000):
        if batch["processing_status"] == "ended":
            return send(simulator, "anthropic", "GET", batch["results_url"])
        simulator.advance(600)
        batch = send(simulator, "anthropic", "GET", f"/v1/messages/batches/{batch['id']}").json()
    raise AssertionError(f"the batch is {batch['processing_status']} still")


def gemini_start(simulator: Simulator, length: int = 3) -> httpx2.Response:
    headers = {
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-length": str(length),
        "x-goog-upload-header-content-type": "application/jsonl",
    }
    return send(simulator, "gemini", "POST", "/upload/v1beta/files", {"file": {}}, headers=headers)


def gemini_upload(simulator: Simulator, content: bytes = b"abc") -> httpx2.Response:
    address = gemini_start(simulator, len(content)).headers["x-goog-upload-url"]
    headers = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
    return send(simulator, "gemini", "POST", address, content=content, headers=headers)


def gemini_results(simulator: Simulator) -> httpx2.Response:
    line = json.dumps({"key": "a", "request": CONTENT}).encode()
    file = gemini_upload(simulator, line).json()["file"]["name"]
    batch = {"batch": {"displayName": "b", "inputConfig": {"fileName": file}}}
    job = send(simulator, "gemini", "POST", f"{OF_MODEL}:batchGenerateContent", batch).json()
    for _ in range(1_000):
        if job.get("done"):
            name = job["response"]["responsesFile"]
            return send(simulator, "gemini", "GET", f"/v1beta/{name}:download?alt=media")
        simulator.advance(600)
        job = send(simulator, "gemini", "GET", f"/v1beta/{job['name']}").json()
    raise AssertionError(f"the batch has not ended: {job}")


# --- names -------------------------------------------------------------------------------------

JSON: Final = "application/json"
SSE: Final = "text/event-stream"

# Besides those of HTTP and the usual ones: (ask, status, content type, further headers). A limit
# is in force, and a call that was admitted tells what is left of it.
OPENAI: Final[dict[str, tuple[Ask, int, str, set[str]]]] = {
    "chat": (asks("openai", "POST", "/chat/completions", CHAT), 200, JSON, OPENAI_LEFT),
    "chat stream": (
        asks("openai", "POST", "/chat/completions", {**CHAT, "stream": True}),
        200,
        SSE,
        OPENAI_LEFT,
    ),
    "response": (asks("openai", "POST", "/responses", RESPONSE), 200, JSON, OPENAI_LEFT),
    "response stream": (
        asks("openai", "POST", "/responses", {**RESPONSE, "stream": True}),
        200,
        SSE,
        OPENAI_LEFT,
    ),
    "embedding": (asks("openai", "POST", "/embeddings", EMBEDDING), 200, JSON, OPENAI_LEFT),
    "models": (asks("openai", "GET", "/models"), 200, JSON, set()),
    "files": (asks("openai", "GET", "/files"), 200, JSON, set()),
    "batches": (asks("openai", "GET", "/batches"), 200, JSON, set()),
    "upload": (openai_upload, 200, JSON, set()),
    "download": (openai_content, 200, "application/octet-stream", set()),
    "bad body": (asks("openai", "POST", "/chat/completions", {}), 400, JSON, set()),
    "wrong key": (
        asks("openai", "GET", "/models", headers={"authorization": "Bearer wrong"}),
        401,
        JSON,
        set(),
    ),
    "no such model": (asks("openai", "GET", "/models/none"), 404, JSON, set()),
    "no such path": (asks("openai", "GET", "/none"), 404, JSON, set()),
    "no such method": (asks("openai", "PUT", "/models"), 405, JSON, set()),
    "503": (with_fault("openai", "/chat/completions", CHAT, "503"), 503, JSON, OPENAI_LEFT),
    "429": (
        with_fault("openai", "/chat/completions", CHAT, RATE_WAIT),
        429,
        JSON,
        OPENAI_LEFT | {"retry-after", "retry-after-ms"},
    ),
    "error in 200": (
        with_fault("openai", "/chat/completions", CHAT, "error_in_200"),
        200,
        JSON,
        OPENAI_LEFT,
    ),
}
ANTHROPIC: Final[dict[str, tuple[Ask, int, str, set[str]]]] = {
    "message": (asks("anthropic", "POST", "/v1/messages", MESSAGE), 200, JSON, ANTHROPIC_LEFT),
    "stream": (
        asks("anthropic", "POST", "/v1/messages", {**MESSAGE, "stream": True}),
        200,
        SSE,
        ANTHROPIC_LEFT,
    ),
    "count": (
        asks(
            "anthropic", "POST", "/v1/messages/count_tokens", {"model": CLAUDE, "messages": HELLO}
        ),
        200,
        JSON,
        set(),
    ),
    "models": (asks("anthropic", "GET", "/v1/models"), 200, JSON, set()),
    "batches": (asks("anthropic", "GET", "/v1/messages/batches"), 200, JSON, set()),
    "batch": (anthropic_batch, 200, JSON, set()),
    "results": (anthropic_results, 200, "application/x-jsonl", set()),
    "bad body": (asks("anthropic", "POST", "/v1/messages", {}), 400, JSON, set()),
    "wrong key": (
        asks("anthropic", "GET", "/v1/models", headers={"x-api-key": "wrong"}),
        401,
        JSON,
        set(),
    ),
    "no such model": (asks("anthropic", "GET", "/v1/models/none"), 404, JSON, set()),
    "no such path": (asks("anthropic", "GET", "/v1/none"), 404, JSON, set()),
    "no such method": (asks("anthropic", "PUT", "/v1/models"), 405, JSON, set()),
    "529": (with_fault("anthropic", "/v1/messages", MESSAGE, "529"), 529, JSON, ANTHROPIC_LEFT),
    "429": (
        with_fault("anthropic", "/v1/messages", MESSAGE, RATE_WAIT),
        429,
        JSON,
        ANTHROPIC_LEFT | {"retry-after"},
    ),
    "error in 200": (
        with_fault("anthropic", "/v1/messages", MESSAGE, "error_in_200"),
        200,
        JSON,
        ANTHROPIC_LEFT,
    ),
    "error in a stream": (
        with_fault("anthropic", "/v1/messages", {**MESSAGE, "stream": True}, "error_in_200"),
        200,
        SSE,
        ANTHROPIC_LEFT,
    ),
}
# Gemini tells nothing of limits in headers.
GEMINI_ANSWERS: Final[dict[str, tuple[Ask, int, str, set[str]]]] = {
    "content": (asks("gemini", "POST", f"{OF_MODEL}:generateContent", CONTENT), 200, JSON, set()),
    "stream": (
        asks("gemini", "POST", f"{OF_MODEL}:streamGenerateContent?alt=sse", CONTENT),
        200,
        SSE,
        set(),
    ),
    "count": (asks("gemini", "POST", f"{OF_MODEL}:countTokens", CONTENT), 200, JSON, set()),
    "embedding": (
        asks("gemini", "POST", "/v1beta/models/gemini-embedding-001:embedContent", OF_CONTENT),
        200,
        JSON,
        set(),
    ),
    "models": (asks("gemini", "GET", "/v1beta/models"), 200, JSON, set()),
    "files": (asks("gemini", "GET", "/v1beta/files"), 200, JSON, set()),
    "batches": (asks("gemini", "GET", "/v1beta/batches"), 200, JSON, set()),
    "caches": (asks("gemini", "GET", "/v1beta/cachedContents"), 200, JSON, set()),
    "start of an upload": (
        gemini_start,
        200,
        JSON,
        {
            "x-goog-upload-status",
            "x-goog-upload-url",
            "x-goog-upload-control-url",
            "x-goog-upload-chunk-granularity",
        },
    ),
    "end of an upload": (
        gemini_upload,
        200,
        JSON,
        {"x-goog-upload-status", "x-goog-upload-size-received"},
    ),
    "download": (gemini_results, 200, "application/jsonl", set()),
    "bad body": (asks("gemini", "POST", f"{OF_MODEL}:generateContent", {}), 400, JSON, set()),
    "wrong key": (
        asks("gemini", "GET", "/v1beta/models", headers={"x-goog-api-key": "wrong"}),
        400,
        JSON,
        set(),
    ),
    "no such model": (asks("gemini", "GET", "/v1beta/models/none"), 404, JSON, set()),
    "no such path": (asks("gemini", "GET", "/v1beta/none"), 404, JSON, set()),
    "503": (
        with_fault("gemini", f"{OF_MODEL}:generateContent", CONTENT, "503"),
        503,
        JSON,
        set(),
    ),
    "429": (
        with_fault("gemini", f"{OF_MODEL}:generateContent", CONTENT, RATE_WAIT),
        429,
        JSON,
        set(),
    ),
    "error in 200": (
        with_fault("gemini", f"{OF_MODEL}:generateContent", CONTENT, "error_in_200"),
        200,
        JSON,
        set(),
    ),
}


def check(
    simulator: Simulator,
    provider: str,
    answer: tuple[Ask, int, str, set[str]],
    *,
    is_limited: bool,
) -> None:
    ask, status, content_type, further = answer
    simulator.set_speed(1e-6)
    if is_limited:
        simulator.set_limits([LIMIT])
    else:
        further = {name for name in further if "ratelimit" not in name}
    told = ask(simulator)
    assert (told.status_code, told.headers["content-type"]) == (status, content_type)
    of_http = OF_STREAM if content_type == SSE else OF_HTTP
    assert set(told.headers) == of_http | USUAL[provider] | further
    assert len(told.headers.raw) == len(told.headers), "a header is sent twice"


@pytest.mark.parametrize("is_limited", [True, False])
@pytest.mark.parametrize("answer", OPENAI.values(), ids=OPENAI.keys())
def test_all_headers_of_openai(
    simulator: Simulator, answer: tuple[Ask, int, str, set[str]], is_limited: bool
) -> None:
    check(simulator, "openai", answer, is_limited=is_limited)


@pytest.mark.parametrize("is_limited", [True, False])
@pytest.mark.parametrize("answer", ANTHROPIC.values(), ids=ANTHROPIC.keys())
def test_all_headers_of_anthropic(
    simulator: Simulator, answer: tuple[Ask, int, str, set[str]], is_limited: bool
) -> None:
    check(simulator, "anthropic", answer, is_limited=is_limited)


@pytest.mark.parametrize("is_limited", [True, False])
@pytest.mark.parametrize("answer", GEMINI_ANSWERS.values(), ids=GEMINI_ANSWERS.keys())
def test_all_headers_of_gemini(
    simulator: Simulator, answer: tuple[Ask, int, str, set[str]], is_limited: bool
) -> None:
    check(simulator, "gemini", answer, is_limited=is_limited)


# --- values ------------------------------------------------------------------------------------


def test_who_answered_is_told_by_openai(simulator: Simulator) -> None:
    ask, *_ = OPENAI["chat"]
    first, second, failed = ask(simulator), ask(simulator), OPENAI["no such path"][0](simulator)
    names = {told.headers["x-request-id"] for told in (first, second, failed)}
    assert len(names) == 3
    assert all(re.fullmatch("req_[0-9a-f]{32}", name) for name in names)
    for told in (first, second, failed):
        assert told.headers["openai-organization"] == "org-simulated"
        assert told.headers["openai-version"] == "2020-10-01"


def test_how_long_a_call_took_is_told_by_openai(simulator: Simulator) -> None:
    simulator.set_latency(2.5)
    told = OPENAI["chat"][0](simulator)
    assert int(told.headers["openai-processing-ms"]) >= 2_500
    assert OPENAI["models"][0](simulator).headers["openai-processing-ms"] == "0"


def test_who_answered_is_told_by_anthropic(simulator: Simulator) -> None:
    ask, *_ = ANTHROPIC["message"]
    answers = [ask(simulator), ask(simulator), ANTHROPIC["bad body"][0](simulator)]
    names = {told.headers["request-id"] for told in answers}
    assert len(names) == 3
    assert all(re.fullmatch("req_01[0-9A-Za-z]{22}", name) for name in names)
    organizations = {told.headers["anthropic-organization-id"] for told in answers}
    assert len(organizations) == 1
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", organizations.pop())
    assert answers[-1].json()["request_id"] == answers[-1].headers["request-id"]


def test_gemini_tells_where_an_upload_goes_on_and_how_far_it_is(simulator: Simulator) -> None:
    started = gemini_start(simulator, 3).headers
    assert started["x-goog-upload-status"] == "active"
    assert started["x-goog-upload-url"].startswith(simulator.gemini_base_url)
    assert started["x-goog-upload-control-url"] == started["x-goog-upload-url"]
    assert int(started["x-goog-upload-chunk-granularity"]) == 8 * 1_024 * 1_024
    ended = gemini_upload(simulator, b"abc").headers
    assert ended["x-goog-upload-status"] == "final"
    assert ended["x-goog-upload-size-received"] == "3"


def openai_left(told: httpx2.Response) -> dict[str, str]:
    return {name: told.headers[name] for name in sorted(OPENAI_LEFT)}


def openai_table(requests: tuple[int, str], tokens: tuple[int, str]) -> dict[str, str]:
    """Return the headers, given what remains of each limit, and when all of it is free again."""
    return {
        "x-ratelimit-limit-requests": "8",
        "x-ratelimit-limit-tokens": "80",
        "x-ratelimit-remaining-requests": str(requests[0]),
        "x-ratelimit-remaining-tokens": str(tokens[0]),
        "x-ratelimit-reset-requests": requests[1],
        "x-ratelimit-reset-tokens": tokens[1],
    }


@pytest.mark.parametrize("asked", ["chat", "chat stream", "429", "503"])
def test_what_is_left_by_the_simulated_clock_at_openai(simulator: Simulator, asked: str) -> None:
    simulator.set_speed(1e-6)
    simulator.set_limits([LIMIT])
    chat, ask = OPENAI["chat"][0], OPENAI[asked][0]
    # A call uses 6 and 2 tokens, at 80 a minute 6 s of them, and 7.5 s of the requests.
    assert openai_left(chat(simulator)) == openai_table((7, "7.5s"), (72, "6s"))
    simulator.advance(3)
    # What a fault kept from the model uses no tokens.
    tokens = (76, "3s") if asked in ("429", "503") else (68, "9s")
    assert openai_left(ask(simulator)) == openai_table((6, "12s"), tokens)
    simulator.advance(3_600)
    assert openai_left(chat(simulator)) == openai_table((7, "7.5s"), (72, "6s"))
    simulator.set_limits([Limit(requests_per_minute=0.5, burst_seconds=7_200)])
    assert chat(simulator).headers["x-ratelimit-reset-requests"] == "4m0s"


def anthropic_left(told: httpx2.Response, now: float) -> dict[str, tuple[int, int, float]]:
    """Return limit, remaining, and in how many seconds all of it is free again, by measure."""
    left = {}
    for measure in ("requests", "tokens", "input-tokens", "output-tokens"):
        name = f"anthropic-ratelimit-{measure}"
        written = told.headers[f"{name}-reset"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", written)
        moment = datetime.datetime.fromisoformat(written).timestamp()
        limit, remaining = told.headers[f"{name}-limit"], told.headers[f"{name}-remaining"]
        left[measure] = (int(limit), int(remaining), moment - now)
    return left


def check_anthropic(
    left: dict[str, tuple[int, int, float]], wanted: dict[str, tuple[int, int, float]]
) -> None:
    for measure, (limit, remaining, seconds) in wanted.items():
        assert left[measure][:2] == (limit, remaining), measure
        # Whole seconds, rounded up; a float of unix seconds has a grain.
        assert -0.001 <= left[measure][2] - seconds < 1.001, measure


@pytest.mark.parametrize("asked", ["message", "stream", "529", "429"])
def test_what_is_left_by_the_simulated_clock_at_anthropic(simulator: Simulator, asked: str) -> None:
    simulator.set_speed(1e-6)
    simulator.set_limits([LIMIT])
    message, ask = ANTHROPIC["message"][0], ANTHROPIC[asked][0]
    fresh = {
        "requests": (8, 7, 7.5),
        "tokens": (80, 72, 6.0),
        "input-tokens": (60, 54, 6.0),
        "output-tokens": (30, 28, 4.0),
    }
    check_anthropic(anthropic_left(message(simulator), simulator.now()), fresh)
    simulator.advance(3)
    seconds = {"requests": 12.0, "tokens": 9.0, "input-tokens": 9.0, "output-tokens": 5.0}
    remaining = {"requests": 6, "tokens": 68, "input-tokens": 51, "output-tokens": 27}
    if asked in ("529", "429"):  # what a fault kept from the model uses no tokens
        seconds |= {"tokens": 3.0, "input-tokens": 3.0, "output-tokens": 1.0}
        remaining |= {"tokens": 76, "input-tokens": 57, "output-tokens": 29}
    wanted = {name: (fresh[name][0], remaining[name], seconds[name]) for name in fresh}
    check_anthropic(anthropic_left(ask(simulator), simulator.now()), wanted)
    simulator.advance(3_600)
    check_anthropic(anthropic_left(message(simulator), simulator.now()), fresh)


def test_only_limits_that_are_in_force_are_told(simulator: Simulator) -> None:
    simulator.set_speed(1e-6)
    simulator.set_limits([Limit(tokens_per_minute=80, slope=Slope(floor=100))])
    told = OPENAI["chat"][0](simulator).headers
    left = {name for name in OPENAI_LEFT if name.endswith("tokens")}
    assert {name for name in told if "ratelimit" in name} == left
    told = ANTHROPIC["message"][0](simulator).headers
    left = {f"anthropic-ratelimit-tokens-{what}" for what in ("limit", "remaining", "reset")}
    assert {name for name in told if "ratelimit" in name} == left
