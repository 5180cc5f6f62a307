"""One contract for all strategies that compose a request and post it themselves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from tests.fake_transport import FakeTransport
from tests.loopback import Answer, loopback, unused_port

from batch_llm.base.request import LLMRequest
from batch_llm.base.retry_state import RetryState
from batch_llm.base.token_estimate import estimate_tokens
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
    ServerError,
)
from batch_llm.llm_strategies.anthropic import AnthropicStrategy
from batch_llm.llm_strategies.http import Reply
from batch_llm.llm_strategies.openai_compatible import OpenAICompatibleStrategy
from batch_llm.strategies import Allowance, DefaultErrorClassifier, QuotaReading, listening

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "sk-test-0123456789abcdef"
PROMPT = "What colour has the sky on the day of the test?"
USAGE = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14, "cached_input_tokens": 8}


class Colour(BaseModel):
    name: str
    red: int


# --- the languages -------------------------------------------------------------------------


def openai_answer(text: str, is_cut: bool) -> dict[str, Any]:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 8},
    }
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "length" if is_cut else "stop"}
    return {"id": "c1", "choices": [choice], "usage": usage}


def anthropic_answer(text: str, is_cut: bool) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "max_tokens" if is_cut else "end_turn",
        "usage": {"input_tokens": 2, "cache_read_input_tokens": 8, "output_tokens": 4},
    }


@dataclass(frozen=True)
class Language:
    """What one API has of its own, as far as the contract meets it."""

    strategy: type[Any]
    module: str
    answer: Callable[[str, bool], dict[str, Any]]
    variables: str
    provider: str
    path: str
    key_header: str
    key_prefix: str

    def body(self, text: str = "blue", *, is_cut: bool = False) -> bytes:
        return json.dumps(self.answer(text, is_cut)).encode()

    def answering(self, text: str = "blue", *, is_cut: bool = False) -> FakeTransport:
        return FakeTransport(Reply(200, {}, self.body(text, is_cut=is_cut)))

    def to(self, transport: FakeTransport, **options: Any) -> Any:
        """Return a strategy that calls a server which is not the provider's."""
        return self.strategy(
            "m", **{"base_url": "http://models.example:8000", "transport": transport, **options}
        )

    @property
    def host(self) -> str:
        return self.provider.split("/")[2]


LANGUAGES = [
    Language(
        OpenAICompatibleStrategy,
        "openai_compatible",
        openai_answer,
        "OPENAI",
        "https://api.openai.com/v1",
        "/chat/completions",
        "Authorization",
        "Bearer ",
    ),
    Language(
        AnthropicStrategy,
        "anthropic",
        anthropic_answer,
        "ANTHROPIC",
        "https://api.anthropic.com",
        "/v1/messages",
        "x-api-key",
        "",
    ),
]


@pytest.fixture(params=LANGUAGES, ids=lambda language: language.module)
def api(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Language:
    for name in list(os.environ):
        if name.upper().endswith(("_API_KEY", "_BASE_URL", "_PROXY")):
            monkeypatch.delenv(name)
    language: Language = request.param
    return language


# --- the request and the output ------------------------------------------------------------


async def test_a_plain_prompt_becomes_a_text(api: Language) -> None:
    transport = api.answering()
    strategy = api.to(transport, api_key=KEY, headers={"X-Team": "maps"})
    assert await strategy.execute(PROMPT, 1, 12.5) == ("blue", USAGE)
    ((url, headers, body, timeout),) = transport.sent
    assert url == f"http://models.example:8000{api.path}"
    assert headers[api.key_header] == f"{api.key_prefix}{KEY}"
    assert (headers["X-Team"], headers["Content-Type"]) == ("maps", "application/json")
    assert body["messages"] == [{"role": "user", "content": PROMPT}]
    assert timeout == 13.5


async def test_a_request_of_its_own_goes_before_the_defaults(api: Language) -> None:
    transport = api.answering('{"name": "blue", "red": 0}')
    strategy = api.to(transport, system="Be brief.", temperature=0.5, stop=["END"])
    request = LLMRequest(PROMPT, temperature=0.0, output_schema=Colour)
    assert (await strategy.execute(request, 1, 5))[0] == Colour(name="blue", red=0)
    body = transport.sent[0][2]
    assert body["temperature"] == 0.0
    assert "Be brief." in json.dumps(body)
    assert "END" in json.dumps(body)


async def test_further_fields_go_along(api: Language) -> None:
    transport = api.answering()
    await api.to(transport, extra_body={"service_tier": "auto"}).execute(PROMPT, 1, 5)
    assert transport.sent[0][2]["service_tier"] == "auto"


async def test_a_prompt_that_no_json_can_hold_is_refused(api: Language) -> None:
    with pytest.raises(InputError, match="character 15") as raised:
        await api.to(api.answering()).execute("half of a pair \ud83d is left", 1, 5)
    assert raised.value.__cause__ is None


async def test_a_model_as_schema_gives_instances_of_it(api: Language) -> None:
    transport = api.answering('{"name": "blue", "red": 0}')
    output, _ = await api.to(transport, output_schema=Colour).execute(PROMPT, 1, 5)
    assert output == Colour(name="blue", red=0)


async def test_a_json_schema_gives_what_json_gives(api: Language) -> None:
    schema = {"type": "array", "items": {"type": "string"}}
    strategy = api.to(api.answering('["blue"]'), output_schema=schema)
    assert (await strategy.execute(PROMPT, 1, 5))[0] == ["blue"]


async def test_a_cut_text_is_returned_and_can_be_found(
    api: Language, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = api.to(api.answering("blu", is_cut=True))
    state = RetryState()
    with caplog.at_level(logging.WARNING, "batch_llm"):
        for _ in range(2):
            assert (await strategy.execute(PROMPT, 1, 5, state))[0] == "blu"
    assert state.get("finish_reason") == "length"
    assert strategy.truncated_answers == 2
    assert len(caplog.records) == 1
    assert PROMPT not in caplog.text


async def test_a_whole_text_is_no_cut_one(api: Language) -> None:
    strategy = api.to(api.answering())
    state = RetryState()
    await strategy.execute(PROMPT, 1, 5, state)
    assert (state.get("finish_reason"), strategy.truncated_answers) == ("stop", 0)


async def test_a_dry_run_calls_nobody(api: Language) -> None:
    transport = api.answering()
    output, usage = await api.to(transport, system="Be brief.").dry_run(PROMPT)
    assert "dry run" in output
    assert usage["input_tokens"] == estimate_tokens(PROMPT) + estimate_tokens("Be brief.")
    assert (await api.to(transport, output_schema=Colour).dry_run(LLMRequest(PROMPT)))[0] is None
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
        (529, ServerError),
    ],
)
async def test_a_refused_call(api: Language, status: int, kind: type[ProviderError]) -> None:
    message = f"Refused {KEY} with {PROMPT!r} after Answer in verse, please."
    body = json.dumps({"error": {"message": message, "type": "some_type"}}).encode()
    transport = FakeTransport(Reply(status, {"retry-after": "2"}, body))
    strategy = api.to(transport, api_key=KEY, system="Answer in verse, please.")
    with pytest.raises(ProviderError) as raised:
        await strategy.execute(PROMPT, 1, 5)
    error = raised.value
    assert type(error) is kind
    assert (error.status_code, error.code, error.retry_after) == (status, "some_type", 2.0)
    for private in (KEY, PROMPT, "Answer in verse, please."):
        assert private not in str(error)


@pytest.mark.parametrize(
    ("text", "is_cut", "kind"),
    [
        ('{"name": "bl', True, OutputTruncatedError),
        ('{"name": "blue"}', False, OutputValidationError),
        ("I think it is blue.", False, OutputValidationError),
    ],
)
async def test_an_answer_that_cannot_be_used_carries_its_usage(
    api: Language, text: str, is_cut: bool, kind: type[ProviderError]
) -> None:
    strategy = api.to(api.answering(text, is_cut=is_cut), output_schema=Colour)
    with pytest.raises(ProviderError) as raised:
        await strategy.execute(PROMPT, 1, 5)
    assert type(raised.value) is kind
    assert raised.value.usage == USAGE


async def test_a_success_that_is_no_json_is_malformed(api: Language) -> None:
    html = Reply(200, {"content-type": "text/html"}, b"<html>Please log in to the network</html>")
    with pytest.raises(MalformedAnswerError):
        await api.to(FakeTransport(html)).execute(PROMPT, 1, 5)


async def test_a_connection_that_fails(api: Language) -> None:
    strategy = api.strategy("m", base_url=f"http://127.0.0.1:{unused_port()}")
    with pytest.raises(ConnectionFailedError) as raised:
        await strategy.execute(PROMPT, 1, 5)
    assert DefaultErrorClassifier().classify(raised.value).error_category == "connection_error"
    await strategy.aclose()


async def test_the_timeout_of_the_attempt_is_kept(api: Language) -> None:
    async with loopback(Answer(raw=b"", then="stall")) as server:
        strategy = api.strategy("m", base_url=server.url)
        with pytest.raises(ProviderTimeoutError) as raised:
            await strategy.execute(PROMPT, 1, 0.05)
        await strategy.aclose()
    assert DefaultErrorClassifier().classify(raised.value).error_category == "api_timeout"


# --- keys ----------------------------------------------------------------------------------


async def _key_sent(api: Language, strategy: Any, fake: FakeTransport) -> str | None:
    await strategy.execute("x", 1, 5)
    value = fake.sent[-1][1].get(api.key_header)
    return None if value is None else value.removeprefix(api.key_prefix)


async def test_the_providers_key_goes_to_the_provider(
    api: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{api.variables}_API_KEY", f"  {KEY}\n")
    fake = api.answering()
    for strategy in (
        api.strategy("m", transport=fake),
        api.strategy("m", base_url=f"{api.provider}/", transport=fake),
    ):
        assert await _key_sent(api, strategy, fake) == KEY
        assert fake.sent[-1][0] == f"{api.provider}{api.path}"


@pytest.mark.parametrize(
    "base_url",
    ["http://127.0.0.1:8000", "https://{host}.evil.example", "https://evil.example/{host}"],
)
async def test_the_providers_key_goes_nowhere_else_unasked(
    api: Language, monkeypatch: pytest.MonkeyPatch, base_url: str
) -> None:
    monkeypatch.setenv(f"{api.variables}_API_KEY", KEY)
    fake = api.answering()
    strategy = api.to(fake, base_url=base_url.format(host=api.host))
    await strategy.execute("x", 1, 5)
    assert KEY not in str(fake.sent[0][1])


async def test_the_environments_address_gets_the_environments_key(
    api: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{api.variables}_BASE_URL", "http://gateway.example")
    fake = api.answering()
    assert await _key_sent(api, api.strategy("m", transport=fake), fake) is None
    monkeypatch.setenv(f"{api.variables}_API_KEY", KEY)
    assert await _key_sent(api, api.strategy("m", transport=fake), fake) == KEY
    assert fake.sent[-1][0] == f"http://gateway.example{api.path}"


@pytest.mark.parametrize("key", [None, "", "  "])
def test_the_provider_without_a_key_is_refused_at_once(api: Language, key: str | None) -> None:
    with pytest.raises(MissingKeyError, match=f"{api.variables}_API_KEY"):
        api.strategy("m", api_key=key)


async def test_a_key_in_the_headers_is_a_key_too(
    api: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = api.answering()
    by_header = api.strategy("m", headers={"authorization": f"Bearer {KEY}"}, transport=fake)
    other = api.strategy("m", headers={"authorization": "Bearer another"})
    assert by_header.quota_scope != other.quota_scope
    monkeypatch.setenv(f"{api.variables}_API_KEY", "sk-of-the-environment")
    again = api.strategy("m", headers={"authorization": f"Bearer {KEY}"}, transport=fake)
    assert again.quota_scope == by_header.quota_scope
    await again.execute("x", 1, 5)
    assert "sk-of-the-environment" not in str(fake.sent[0][1])


async def test_headers_replace_ours_in_any_case(api: Language) -> None:
    fake = api.answering()
    headers = {api.key_header.swapcase(): "another", "USER-AGENT": "me"}
    await api.to(fake, api_key=KEY, headers=headers).execute("x", 1, 5)
    names = [name.lower() for name in fake.sent[0][1]]
    assert len(names) == len(set(names))
    assert fake.sent[0][1][api.key_header.swapcase()] == "another"
    assert KEY not in str(fake.sent[0][1])


@pytest.mark.parametrize("key", ["sk-two\nlines-0000", "schlüssel-0000"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(api: Language, key: str) -> None:
    with pytest.raises(ConfigurationError, match=api.key_header) as raised:
        api.strategy("m", api_key=key)
    assert "0000" not in str(raised.value)


def test_the_quota_scope_names_model_host_and_key_but_tells_no_key(api: Language) -> None:
    def scope(model: str = "m", host: str = "h:1", key: str | None = KEY) -> str:
        return str(api.strategy(model, base_url=f"http://{host}", api_key=key).quota_scope)

    scopes = [scope(), scope(model="n"), scope(host="h:2"), scope(key=KEY + "x"), scope(key=None)]
    assert len(set(scopes)) == len(scopes)
    assert scope() == scope()
    assert scope().startswith("m@h:1#")
    assert KEY not in scope()
    assert scope(key=None) == "m@h:1"


def test_the_representation_shows_no_key(api: Language) -> None:
    strategy = api.strategy("m", base_url="http://h:1/v1", api_key=KEY)
    assert repr(strategy) == f"{api.strategy.__name__}('m' at h:1)"
    assert KEY not in repr(vars(strategy))


# --- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"base_url": "models.example/v1"}, "base_url"),
        ({"base_url": "ftp://models.example"}, "base_url"),
        ({"base_url": "https:///v1"}, "base_url"),
        ({"base_url": "http://h:port/v1"}, "base_url"),
        ({"base_url": "http://[::1/v1"}, "base_url"),
        ({"base_url": "https://{host}@evil.example"}, "password"),
        ({"extra_body": {"stream": True}}, "stream"),
        ({"extra_body": {"messages": [], "model": "n"}}, "messages, model"),
        ({"extra_body": {"when": object()}}, "extra_body"),
        ({"transport": "curl"}, "curl"),
        ({"output_schema": int}, "output schema"),
        ({"temperature": -1}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(
    api: Language, options: dict[str, Any], named: str
) -> None:
    given = {"base_url": "http://h/v1", **options}
    given["base_url"] = given["base_url"].format(host=api.host)
    with pytest.raises((ConfigurationError, InputError), match=named):
        api.strategy("m", **given)


def test_an_empty_model_is_refused(api: Language) -> None:
    with pytest.raises(ConfigurationError, match="model"):
        api.strategy("", base_url="http://h/v1")


# --- life ----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["aclose", "leave_loop"])
@pytest.mark.parametrize("transport", ["aiohttp", "httpx2"])
async def test_one_pool_for_all_calls_which_can_be_opened_again(
    api: Language, transport: str, end: str
) -> None:
    async with loopback(Answer(body=api.body())) as server:
        strategy = api.strategy("m", base_url=server.url, transport=transport)
        await strategy.prepare()
        for _ in range(2):
            await strategy.execute(PROMPT, 1, 5)
        assert server.connections == 1
        await getattr(strategy, end)()
        await strategy.prepare()
        await strategy.execute(PROMPT, 1, 5)
        await strategy.aclose()
        assert server.connections == 2


def test_one_strategy_on_two_event_loops(api: Language) -> None:
    port = unused_port()
    strategy = api.strategy("m", base_url=f"http://127.0.0.1:{port}")
    body = api.body()

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        await writer.drain()
        writer.close()

    async def run() -> str:
        server = await asyncio.start_server(answer_once, "127.0.0.1", port)
        async with server:
            output: str
            output, _ = await strategy.execute(PROMPT, 1, 5)
            await strategy.aclose()
            return output

    assert [asyncio.run(run()), asyncio.run(run())] == ["blue", "blue"]


async def test_a_transport_of_the_callers_stays_open(api: Language) -> None:
    transport = api.answering()
    strategy = api.to(transport)
    await strategy.prepare()
    await strategy.leave_loop()
    await strategy.aclose()
    assert transport.calls == ["open"]


def test_importing_it_imports_no_http_library_and_no_sdk(api: Language) -> None:
    program = (
        f"import sys, batch_llm.llm_strategies.{api.module} as m; "
        f"m.{api.strategy.__name__}('m', base_url='http://h'); "
        "print({'aiohttp', 'httpx2', 'openai', 'anthropic'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout.strip() == "set()"


# --- limits that replies tell ---------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 429, 500])
async def test_what_a_reply_says_of_limits_is_reported_for_the_strategys_scope(
    api: Language, status: int
) -> None:
    prefix = "x-ratelimit-{}-requests" if api.variables == "OPENAI" else None
    told = {
        (prefix or "anthropic-ratelimit-requests-{}").format(name): value
        for name, value in (("limit", "50"), ("remaining", "7"))
    }
    strategy = api.to(FakeTransport(Reply(status, told, api.body())), api_key=KEY)
    heard: list[tuple[str | None, QuotaReading]] = []
    with listening(lambda scope, reading: heard.append((scope, reading))):
        with contextlib.suppress(ProviderError):
            await strategy.execute(PROMPT, 1, 5)
    reading = QuotaReading(requests=Allowance(50, 7, 0.0))
    assert heard == [(strategy.quota_scope, reading)]
