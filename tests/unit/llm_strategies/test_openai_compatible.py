from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from tests.loopback import Answer, loopback, unused_port

from batch_llm.base.request import LLMRequest
from batch_llm.base.retry_state import RetryState
from batch_llm.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    InputError,
    InvalidRequestError,
    MalformedAnswerError,
    MissingKeyError,
    OutputTruncatedError,
    OutputValidationError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from batch_llm.llm_strategies.http import HTTPTransport, Reply
from batch_llm.llm_strategies.openai_compatible import OpenAICompatibleStrategy
from batch_llm.strategies import DefaultErrorClassifier

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "sk-test-0123456789abcdef"
PROMPT = "What colour has the sky on the day of the test?"
USAGE = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14, "cached_input_tokens": 8}


class Colour(BaseModel):
    name: str
    red: int


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def completion(content: str | None = "blue", finish_reason: str = "stop", **fields: Any) -> bytes:
    message = {"role": "assistant", "content": content}
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 8},
    }
    choices = [{"index": 0, "message": message, "finish_reason": finish_reason}]
    return json.dumps({"id": "c1", "choices": choices, "usage": usage, **fields}).encode()


class FakeTransport(HTTPTransport):
    """Answers without a network, and keeps what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies) or [Reply(200, {}, completion())]
        self.sent: list[tuple[str, Mapping[str, str], dict[str, Any], float]] = []
        self.calls: list[str] = []

    async def open(self) -> None:
        self.calls.append("open")

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float
    ) -> Reply:
        self.sent.append((url, headers, json.loads(body), timeout_seconds))
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    async def aclose(self) -> None:
        self.calls.append("aclose")


def local(transport: HTTPTransport, **options: Any) -> OpenAICompatibleStrategy[Any]:
    return OpenAICompatibleStrategy(
        "m", base_url="http://models.example:8000/v1", transport=transport, **options
    )


# --- the request ---------------------------------------------------------------------------


async def test_sends_the_prompt_with_the_strategys_defaults() -> None:
    transport = FakeTransport()
    strategy = local(
        transport,
        api_key=KEY,
        system="Be brief.",
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=20,
        stop=["END"],
        seed=7,
        extra_body={"reasoning_effort": "low"},
        headers={"X-Team": "maps"},
    )
    output, usage = await strategy.execute(PROMPT, 1, 12.5)
    assert (output, usage) == ("blue", USAGE)
    ((url, headers, body, timeout),) = transport.sent
    assert url == "http://models.example:8000/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert (headers["X-Team"], headers["Content-Type"]) == ("maps", "application/json")
    assert timeout == 13.5
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": PROMPT},
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 20,
        "stop": ["END"],
        "seed": 7,
        "reasoning_effort": "low",
    }


async def test_a_request_of_its_own_goes_before_the_defaults() -> None:
    transport = FakeTransport(Reply(200, {}, completion('{"name": "blue", "red": 0}')))
    strategy = local(transport, system="Be brief.", temperature=0.5)
    request = LLMRequest(PROMPT, temperature=0.0, output_schema=Colour)
    output, _ = await strategy.execute(request, 1, 5)
    assert output == Colour(name="blue", red=0)
    body = transport.sent[0][2]
    assert body["temperature"] == 0.0
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["response_format"]["json_schema"]["strict"] is True


async def test_a_prompt_that_no_json_can_hold_is_refused() -> None:
    with pytest.raises(InputError, match="character 15") as raised:
        await local(FakeTransport()).execute("half of a pair \ud83d is left", 1, 5)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h:81", "http://h:81/chat/completions"),
        ("https://h/x?api-version=2", "https://h/x/chat/completions?api-version=2"),
    ],
)
async def test_the_address(base_url: str, url: str) -> None:
    transport = FakeTransport()
    await OpenAICompatibleStrategy("m", base_url=base_url, transport=transport).execute("x", 1, 5)
    assert transport.sent[0][0] == url


# --- the output ----------------------------------------------------------------------------


async def test_a_model_as_schema_gives_instances_of_it() -> None:
    transport = FakeTransport(Reply(200, {}, completion('{"name": "blue", "red": 0}')))
    strategy = OpenAICompatibleStrategy(
        "m", base_url="http://h/v1", output_schema=Colour, transport=transport
    )
    output, _ = await strategy.execute(PROMPT, 1, 5)
    assert output.name == "blue"


async def test_a_json_schema_gives_what_json_gives() -> None:
    transport = FakeTransport(Reply(200, {}, completion('["blue"]')))
    schema = {"type": "array", "items": {"type": "string"}}
    output, _ = await local(transport, output_schema=schema).execute(PROMPT, 1, 5)
    assert output == ["blue"]


async def test_a_cut_text_is_returned_and_can_be_found(caplog: pytest.LogCaptureFixture) -> None:
    strategy = local(FakeTransport(Reply(200, {}, completion("blu", "length"))))
    state = RetryState()
    with caplog.at_level(logging.WARNING, "batch_llm"):
        for _ in range(2):
            assert (await strategy.execute(PROMPT, 1, 5, state))[0] == "blu"
    assert state.get("finish_reason") == "length"
    assert strategy.truncated_answers == 2
    assert len(caplog.records) == 1
    assert PROMPT not in caplog.text


async def test_a_whole_text_is_no_cut_one() -> None:
    strategy = local(FakeTransport())
    state = RetryState()
    await strategy.execute(PROMPT, 1, 5, state)
    assert (state.get("finish_reason"), strategy.truncated_answers) == ("stop", 0)


async def test_a_dry_run_calls_nobody() -> None:
    transport = FakeTransport()
    output, usage = await local(transport, system="Be brief.").dry_run(PROMPT)
    assert "dry run" in output
    assert usage["input_tokens"] == (len(PROMPT) + len("Be brief.")) // 4
    assert (await local(transport, output_schema=Colour).dry_run(LLMRequest(PROMPT)))[0] is None
    assert not transport.sent


# --- failures ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, InvalidRequestError),
        (408, ProviderTimeoutError),
        (422, InvalidRequestError),
        (429, RateLimitedError),
        (500, ServerError),
        (503, ServerError),
        (504, ProviderTimeoutError),
    ],
)
async def test_a_refused_call(status: int, kind: type[ProviderError]) -> None:
    message = f"Refused {KEY} with {PROMPT!r} after Answer in verse, please."
    body = json.dumps({"error": {"message": message, "code": "some_code"}}).encode()
    transport = FakeTransport(Reply(status, {"retry-after": "2"}, body))
    strategy = local(transport, api_key=KEY, system="Answer in verse, please.")
    with pytest.raises(ProviderError) as raised:
        await strategy.execute(PROMPT, 1, 5)
    error = raised.value
    assert type(error) is kind
    assert (error.status_code, error.code, error.retry_after) == (status, "some_code", 2.0)
    for private in (KEY, PROMPT, "Answer in verse, please."):
        assert private not in str(error)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (completion('{"name": "bl', "length"), OutputTruncatedError),
        (completion('{"name": "blue"}'), OutputValidationError),
        (completion("I think it is blue."), OutputValidationError),
        (completion("", "content_filter"), RefusalError),
        (completion(None, "tool_calls"), MalformedAnswerError),
        (completion(choices=[]), MalformedAnswerError),
        (completion(error={"message": "Upstream failed"}), MalformedAnswerError),
    ],
)
async def test_an_answer_that_cannot_be_used_carries_its_usage(
    body: bytes, kind: type[ProviderError]
) -> None:
    strategy = local(FakeTransport(Reply(200, {}, body)), output_schema=Colour)
    with pytest.raises(ProviderError) as raised:
        await strategy.execute(PROMPT, 1, 5)
    assert type(raised.value) is kind
    assert raised.value.usage == USAGE


async def test_a_success_that_is_no_json_is_malformed() -> None:
    html = Reply(200, {"content-type": "text/html"}, b"<html>Please log in to the network</html>")
    with pytest.raises(MalformedAnswerError):
        await local(FakeTransport(html)).execute(PROMPT, 1, 5)


async def test_a_connection_that_fails() -> None:
    port = unused_port()
    strategy = OpenAICompatibleStrategy("m", base_url=f"http://127.0.0.1:{port}/v1")
    with pytest.raises(ConnectionFailedError) as raised:
        await strategy.execute(PROMPT, 1, 5)
    assert DefaultErrorClassifier().classify(raised.value).error_category == "connection_error"
    await strategy.aclose()


async def test_the_timeout_of_the_attempt_is_kept() -> None:
    async with loopback(Answer(raw=b"", then="stall")) as server:
        strategy = OpenAICompatibleStrategy("m", base_url=server.url)
        with pytest.raises(ProviderTimeoutError) as raised:
            await strategy.execute(PROMPT, 1, 0.05)
        await strategy.aclose()
    assert DefaultErrorClassifier().classify(raised.value).error_category == "api_timeout"


# --- keys ----------------------------------------------------------------------------------


async def _authorization(strategy: OpenAICompatibleStrategy[Any], fake: FakeTransport) -> Any:
    await strategy.execute("x", 1, 5)
    return fake.sent[-1][1].get("Authorization")


async def test_openais_key_goes_to_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"  {KEY}\n")
    fake = FakeTransport()
    for strategy in (
        OpenAICompatibleStrategy("m", transport=fake),
        OpenAICompatibleStrategy("m", base_url="https://api.openai.com/v1/", transport=fake),
    ):
        assert await _authorization(strategy, fake) == f"Bearer {KEY}"
        assert fake.sent[-1][0] == "https://api.openai.com/v1/chat/completions"


@pytest.mark.parametrize(
    "base_url",
    [
        "http://127.0.0.1:8000/v1",
        "https://api.openai.com.evil.example/v1",
        "https://evil.example/api.openai.com/v1",
    ],
)
async def test_openais_key_goes_nowhere_else_unasked(
    monkeypatch: pytest.MonkeyPatch, base_url: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    fake = FakeTransport()
    strategy = OpenAICompatibleStrategy("m", base_url=base_url, transport=fake)
    assert await _authorization(strategy, fake) is None


async def test_the_environments_address_gets_the_environments_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway.example/v1")
    fake = FakeTransport()
    assert await _authorization(OpenAICompatibleStrategy("m", transport=fake), fake) is None
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    strategy = OpenAICompatibleStrategy("m", transport=fake)
    assert await _authorization(strategy, fake) == f"Bearer {KEY}"
    assert fake.sent[-1][0].startswith("http://gateway.example/v1/")


@pytest.mark.parametrize("key", [None, "", "  "])
def test_openai_without_a_key_is_refused_at_once(key: str | None) -> None:
    with pytest.raises(MissingKeyError, match="OPENAI_API_KEY"):
        OpenAICompatibleStrategy("m", api_key=key)


def test_a_key_in_the_headers_is_a_key_too() -> None:
    by_header = OpenAICompatibleStrategy("m", headers={"authorization": f"Bearer {KEY}"})
    other = OpenAICompatibleStrategy("m", headers={"authorization": "Bearer another"})
    assert by_header.quota_scope != other.quota_scope


async def test_headers_replace_ours_in_any_case() -> None:
    fake = FakeTransport()
    strategy = local(fake, api_key=KEY, headers={"authorization": "Basic x", "USER-AGENT": "me"})
    await strategy.execute("x", 1, 5)
    names = [name.lower() for name in fake.sent[0][1]]
    assert len(names) == len(set(names))
    assert fake.sent[0][1]["authorization"] == "Basic x"


@pytest.mark.parametrize("key", ["sk-two\nlines-0000", "schlüssel-0000"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(key: str) -> None:
    with pytest.raises(ConfigurationError, match="Authorization") as raised:
        OpenAICompatibleStrategy("m", api_key=key)
    assert "0000" not in str(raised.value)


def test_the_quota_scope_names_model_host_and_key_but_tells_no_key() -> None:
    def scope(model: str = "m", host: str = "h:1", key: str | None = KEY) -> str | None:
        return OpenAICompatibleStrategy(model, base_url=f"http://{host}", api_key=key).quota_scope

    scopes = [scope(), scope(model="n"), scope(host="h:2"), scope(key=KEY + "x"), scope(key=None)]
    assert len(set(scopes)) == len(scopes)
    assert scope() == scope()
    assert str(scope()).startswith("m@h:1#")
    assert KEY not in str(scope())
    assert scope(key=None) == "m@h:1"


def test_the_representation_shows_no_key() -> None:
    strategy = OpenAICompatibleStrategy("m", base_url="http://h:1/v1", api_key=KEY)
    assert repr(strategy) == "OpenAICompatibleStrategy('m' at h:1)"
    assert KEY not in repr(vars(strategy))


# --- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "chosen", "expected"),
    [
        ("https://api.openai.com/v1", None, "max_completion_tokens"),
        ("http://h/v1", None, "max_tokens"),
        ("http://h/v1", "max_completion_tokens", "max_completion_tokens"),
        ("https://api.openai.com/v1", "max_tokens", "max_tokens"),
    ],
)
async def test_the_name_of_the_token_limit(base_url: str, chosen: Any, expected: str) -> None:
    fake = FakeTransport()
    strategy = OpenAICompatibleStrategy(
        "m",
        base_url=base_url,
        api_key=KEY,
        max_output_tokens=9,
        token_limit_field=chosen,
        transport=fake,
    )
    await strategy.execute("x", 1, 5)
    assert fake.sent[0][2][expected] == 9


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"base_url": "models.example/v1"}, "base_url"),
        ({"base_url": "ftp://models.example"}, "base_url"),
        ({"base_url": "https:///v1"}, "base_url"),
        ({"base_url": "http://h:port/v1"}, "base_url"),
        ({"base_url": "http://[::1/v1"}, "base_url"),
        ({"base_url": "https://api.openai.com@evil.example/v1"}, "password"),
        ({"extra_body": {"stream": True}}, "stream"),
        ({"extra_body": {"messages": [], "model": "n"}}, "messages, model"),
        ({"extra_body": {"when": object()}}, "extra_body"),
        ({"transport": "curl"}, "curl"),
        ({"output_schema": int}, "output schema"),
        ({"temperature": -1}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(options: Any, named: str) -> None:
    with pytest.raises((ConfigurationError, InputError), match=named):
        OpenAICompatibleStrategy("m", **{"base_url": "http://h/v1", **options})


def test_an_empty_model_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="model"):
        OpenAICompatibleStrategy("", base_url="http://h/v1")


# --- life ----------------------------------------------------------------------------------


async def test_one_pool_for_all_calls_which_can_be_opened_again() -> None:
    async with loopback(Answer(body=completion())) as server:
        strategy = OpenAICompatibleStrategy("m", base_url=server.url)
        await strategy.prepare()
        for _ in range(2):
            await strategy.execute(PROMPT, 1, 5)
        assert server.connections == 1
        await strategy.aclose()
        await strategy.prepare()
        await strategy.execute(PROMPT, 1, 5)
        await strategy.aclose()
        assert server.connections == 2


def test_one_strategy_on_two_event_loops() -> None:
    strategy: OpenAICompatibleStrategy[str] | None = None
    port = unused_port()

    async def run() -> str:
        nonlocal strategy
        strategy = strategy or OpenAICompatibleStrategy("m", base_url=f"http://127.0.0.1:{port}")
        server = await asyncio.start_server(_answer_once, "127.0.0.1", port)
        async with server:
            output, _ = await strategy.execute(PROMPT, 1, 5)
            await strategy.aclose()
            return output

    assert [asyncio.run(run()), asyncio.run(run())] == ["blue", "blue"]


async def _answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    body = completion()
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
    writer.write(body)
    await writer.drain()
    writer.close()


async def test_a_transport_of_the_callers_stays_open() -> None:
    transport = FakeTransport()
    strategy = local(transport)
    await strategy.prepare()
    await strategy.aclose()
    assert transport.calls == ["open"]


def test_importing_it_imports_no_http_library_and_no_sdk() -> None:
    program = (
        "import sys, batch_llm.llm_strategies.openai_compatible as m; "
        "m.OpenAICompatibleStrategy('m', base_url='http://h'); "
        "print([n for n in ('aiohttp', 'httpx2', 'openai') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout.strip() == "[]"
