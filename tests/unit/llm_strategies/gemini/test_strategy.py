"""`GeminiStrategy` over Google's real SDK, which talks to a small server on this machine."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from tests.gemini_server import MODEL, TOKENS, USAGE, FakeGemini, answer, serving

from batch_llm.base import FilePart, ImagePart, LLMRequest, Message, TextPart
from batch_llm.classifiers import DefaultErrorClassifier, GeminiErrorClassifier
from batch_llm.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    InvalidRequestError,
    MalformedAnswerError,
    OutputTruncatedError,
    OutputValidationError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from batch_llm.llm_strategies.gemini.client import EnvironmentClient
from batch_llm.llm_strategies.gemini.response import GeminiResponse
from batch_llm.llm_strategies.gemini.strategy import GeminiStrategy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

genai = pytest.importorskip("google.genai", reason="the extra 'gemini' is not installed")

# The SDK's own doing, where aiohttp is installed.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

PROMPT = "How many legs has a spider, and how many has an ant?"


@pytest.fixture
def gemini() -> Iterator[FakeGemini]:
    with serving() as fake:
        yield fake


@pytest.fixture(params=["aiohttp", "httpx2"])
async def client(gemini: FakeGemini, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    options: dict[str, Any] = {"base_url": gemini.address}
    if request.param == "httpx2":
        options["async_client_args"] = {"transport": httpx2.AsyncHTTPTransport()}
    sdk = genai.Client(api_key="test-key-0123456789", http_options=options)
    yield sdk
    await sdk.aio.aclose()
    sdk.close()


async def run(strategy: Any, prompt: Any = PROMPT) -> tuple[Any, Any]:
    return await strategy.execute(prompt, 1, 10.0)


def in_camel_case(tree: Any) -> Any:
    """Return JSON with one spelling of its names: the SDK sends both, and Gemini takes both."""
    if isinstance(tree, list):
        return [in_camel_case(item) for item in tree]
    if isinstance(tree, dict):
        return {to_camel(name): in_camel_case(value) for name, value in tree.items()}
    return tree


class Legs(BaseModel):
    spider: int
    ant: int


class TestGenerate:
    async def test_a_text_goes_as_it_is(self, gemini: FakeGemini, client: Any) -> None:
        config = {"temperature": 0.5, "maxOutputTokens": 100}
        strategy = GeminiStrategy(MODEL, client, config=config)
        output, usage = await run(strategy)
        assert output == "Eight and six."
        assert usage == TOKENS
        (body,) = gemini.sent("POST", f"models/{MODEL}:generateContent")
        assert body["contents"] == [{"role": "user", "parts": [{"text": PROMPT}]}]
        assert body["generationConfig"] == {"temperature": 0.5, "maxOutputTokens": 100}
        assert gemini.headers["x-goog-api-key"] == "test-key-0123456789"

    async def test_a_parser_gets_the_response_of_the_sdk(self, client: Any) -> None:
        strategy = GeminiStrategy(MODEL, client, lambda response: len(response.text or ""))
        assert (await run(strategy))[0] == len("Eight and six.")

    @pytest.mark.parametrize("as_object", [False, True])
    async def test_a_request_is_laid_over_the_config(
        self, gemini: FakeGemini, client: Any, as_object: bool
    ) -> None:
        settings = {"systemInstruction": "Be long.", "topP": 0.9, "maxOutputTokens": 5}
        config: Any = genai.types.GenerateContentConfig(**settings) if as_object else settings
        before = copy.deepcopy(config)
        gemini.answer = answer('{"spider": 8, "ant": 6}')
        request = LLMRequest(
            [
                Message(
                    "user",
                    (
                        TextPart("Look."),
                        ImagePart(data=b"\xfb\xff\x00", media_type="image/png"),
                        ImagePart(url="data:image/gif;base64,R0lG"),
                        FilePart(url="https://example.org/a.pdf?x=1", name="a.pdf"),
                    ),
                ),
                Message("assistant", "I see."),
                Message("user", PROMPT),
            ],
            system="Be short.",
            output_schema=Legs,
            temperature=0,
            max_output_tokens=50,
            stop=["END"],
            seed=7,
        )
        output, _ = await run(GeminiStrategy(MODEL, client, config=config), request)
        assert output == Legs(spider=8, ant=6)
        (body,) = gemini.sent("POST", "models/")
        assert in_camel_case(body["contents"]) == [
            {
                "role": "user",
                "parts": [
                    {"text": "Look."},
                    {"inlineData": {"mimeType": "image/png", "data": "-_8A"}},
                    {"inlineData": {"mimeType": "image/gif", "data": "R0lG"}},
                    {
                        "fileData": {
                            "mimeType": "application/pdf",
                            "fileUri": "https://example.org/a.pdf?x=1",
                        }
                    },
                ],
            },
            {"role": "model", "parts": [{"text": "I see."}]},
            {"role": "user", "parts": [{"text": PROMPT}]},
        ]
        assert body["systemInstruction"]["parts"] == [{"text": "Be short."}]
        assert body["generationConfig"] == {
            "temperature": 0.0,
            "topP": 0.9,
            "maxOutputTokens": 50,
            "stopSequences": ["END"],
            "seed": 7,
            "responseMimeType": "application/json",
            "responseJsonSchema": Legs.model_json_schema(),
        }
        assert config == before

    async def test_the_schema_of_a_request_replaces_that_of_the_config(
        self, gemini: FakeGemini, client: Any
    ) -> None:
        gemini.answer = answer('{"legs": 8}')
        schema = {"type": "object", "properties": {"legs": {"type": "integer"}}}
        strategy = GeminiStrategy(MODEL, client, config={"response_schema": Legs})
        output, _ = await run(strategy, LLMRequest(PROMPT, output_schema=schema))
        assert output == {"legs": 8}
        (body,) = gemini.sent("POST", "models/")
        assert "responseSchema" not in body["generationConfig"]
        assert body["generationConfig"]["responseJsonSchema"] == schema

    async def test_a_model_in_the_config_makes_the_output(
        self, gemini: FakeGemini, client: Any
    ) -> None:
        gemini.answer = answer('{"spider": 8, "ant": 6}')
        config = genai.types.GenerateContentConfig(
            response_mime_type="application/json", response_schema=Legs
        )
        assert (await run(GeminiStrategy(MODEL, client, config=config)))[0] == Legs(spider=8, ant=6)

    async def test_metadata(self, client: Any) -> None:
        strategy = GeminiStrategy(MODEL, client, include_metadata=True)
        output, usage = await run(strategy)
        assert isinstance(output, GeminiResponse)
        assert output.output == "Eight and six."
        assert output.safety_ratings == {"HARM_CATEGORY_HARASSMENT": "NEGLIGIBLE"}
        assert output.finish_reason == "STOP"
        assert output.token_usage == usage == TOKENS
        assert output.raw_response.text == "Eight and six."
        assert "Eight" not in repr(output).replace("output='Eight and six.'", "")

    async def test_a_client_of_the_environment(
        self, gemini: FakeGemini, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", gemini.address)
        strategy = GeminiStrategy(MODEL, EnvironmentClient({"GEMINI_API_KEY": "from-the-env"}))
        for _ in range(2):  # a strategy is prepared again after it was closed
            await strategy.prepare()
            assert (await run(strategy))[0] == "Eight and six."
            assert gemini.headers["x-goog-api-key"] == "from-the-env"
            await strategy.aclose()

    async def test_a_client_of_the_user_stays_open(self, client: Any) -> None:
        strategy = GeminiStrategy(MODEL, client)
        await strategy.aclose()
        assert (await run(strategy))[0] == "Eight and six."


class TestAnswersThatCannotBeUsed:
    @pytest.mark.parametrize(
        ("reply", "kind", "code"),
        [
            ({"promptFeedback": {"blockReason": "SAFETY"}}, RefusalError, "SAFETY"),
            ({"candidates": [{"finishReason": "SAFETY"}]}, RefusalError, "SAFETY"),
            (answer("Half an", "RECITATION"), RefusalError, "RECITATION"),
            ({"candidates": []}, MalformedAnswerError, None),
            (
                {"candidates": [{"content": {}, "finishReason": "STOP"}]},
                MalformedAnswerError,
                "STOP",
            ),
            (
                {"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]},
                OutputTruncatedError,
                "MAX_TOKENS",
            ),
        ],
    )
    async def test_blocked_cut_or_empty(
        self, gemini: FakeGemini, client: Any, reply: Any, kind: Any, code: Any
    ) -> None:
        gemini.answer = {**reply, "usageMetadata": USAGE, "responseId": "r-1"}
        strategy = GeminiStrategy(MODEL, client, lambda response: response.text)
        with pytest.raises(kind) as caught:
            await run(strategy)
        assert type(caught.value) is kind
        assert caught.value.usage == TOKENS
        assert caught.value.code == code
        assert caught.value.request_id == "r-1"

    async def test_json_cut_at_the_limit(self, gemini: FakeGemini, client: Any) -> None:
        gemini.answer = answer('{"spider": 8, ', "MAX_TOKENS")
        strategy = GeminiStrategy(MODEL, client)
        with pytest.raises(OutputTruncatedError, match="max_output_tokens") as caught:
            await run(strategy, LLMRequest(PROMPT, output_schema=Legs))
        assert caught.value.usage == TOKENS
        assert (await run(strategy))[0] == '{"spider": 8, ', "a text is given as far as it goes"

    async def test_text_that_does_not_fit_the_schema(self, gemini: FakeGemini, client: Any) -> None:
        gemini.answer = answer('{"spider": "eight-ish"}')
        with pytest.raises(OutputValidationError) as caught:
            await run(GeminiStrategy(MODEL, client), LLMRequest(PROMPT, output_schema=Legs))
        assert caught.value.usage == TOKENS
        assert "eight-ish" not in str(caught.value)

    @pytest.mark.parametrize("parse", [json.loads, Legs.model_validate_json])
    async def test_what_a_parser_raises_comes_through_with_its_tokens(
        self, client: Any, parse: Any
    ) -> None:
        with pytest.raises(ValueError) as direct:  # noqa: PT011 - which one, the parser says
            parse("Eight and six.")
        strategy = GeminiStrategy(MODEL, client, lambda response: parse(response.text))
        with pytest.raises(type(direct.value)) as caught:
            await run(strategy)
        assert str(caught.value) == str(direct.value)
        assert caught.value.__dict__["_failed_token_usage"] == TOKENS

    async def test_a_call_of_a_function_is_no_text(self, gemini: FakeGemini, client: Any) -> None:
        gemini.answer = answer()
        gemini.answer["candidates"][0]["content"]["parts"] = [{"functionCall": {"name": "f"}}]
        with pytest.raises(MalformedAnswerError, match="no text") as caught:
            await run(GeminiStrategy(MODEL, client))
        assert caught.value.usage == TOKENS


def refusal(status: int, word: str, message: str = "No.", **error: Any) -> tuple[int, Any]:
    return status, {"error": {"code": status, "message": message, "status": word, **error}}


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}
QUOTA = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


class TestRefusals:
    @pytest.mark.parametrize(
        ("refused", "headers", "kind", "category", "wait"),
        [
            (
                refusal(429, "RESOURCE_EXHAUSTED", details=[RETRY_INFO]),
                {},
                RateLimitedError,
                "rate_limit",
                7.5,
            ),
            (
                refusal(429, "RESOURCE_EXHAUSTED"),
                {"retry-after": "11"},
                RateLimitedError,
                "rate_limit",
                11.0,
            ),
            (
                refusal(429, "RESOURCE_EXHAUSTED", "Please retry in 3.25s."),
                {},
                RateLimitedError,
                "rate_limit",
                3.25,
            ),
            (refusal(500, "INTERNAL"), {}, ServerError, "server_error", None),
            (refusal(503, "UNAVAILABLE"), {}, ServerError, "server_error", None),
            (
                refusal(504, "DEADLINE_EXCEEDED"),
                {},
                ProviderTimeoutError,
                "server_timeout",
                None,
            ),
            (refusal(400, "INVALID_ARGUMENT"), {}, InvalidRequestError, "client_error", None),
            (refusal(404, "NOT_FOUND"), {}, InvalidRequestError, "client_error", None),
            (refusal(403, "PERMISSION_DENIED"), {}, AuthenticationError, "client_error", None),
            (
                refusal(400, "INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}]),
                {},
                AuthenticationError,
                "client_error",
                None,
            ),
            ((502, b"<html>Bad gateway</html>"), {}, ServerError, "server_error", None),
        ],
    )
    async def test_an_error_of_the_api(
        self,
        gemini: FakeGemini,
        client: Any,
        refused: tuple[int, Any],
        headers: dict[str, str],
        kind: type[ProviderError],
        category: str,
        wait: float | None,
    ) -> None:
        gemini.failures = [(*refused, headers)]
        with pytest.raises(kind) as caught:
            await run(GeminiStrategy(MODEL, client))
        error = caught.value
        assert type(error) is kind
        assert error.status_code == refused[0]
        assert error.retry_after == wait
        assert error.__cause__ is not None
        # The SDK's own error, as in a strategy of the user's, means the same.
        for exception in (error, error.__cause__):
            info = GeminiErrorClassifier().classify(exception)  # type: ignore[arg-type]
            assert info.error_category == category
            assert info.is_retryable == (category != "client_error")
            assert info.is_rate_limit == (category == "rate_limit")
            assert info.suggested_wait == wait

    async def test_no_prompt_and_no_key_in_the_message(
        self, gemini: FakeGemini, client: Any
    ) -> None:
        message = f"Consumer 'api_key:AIzaSyA-0123456789012345678901' sent: {PROMPT} Too long."
        gemini.failures = [(*refusal(400, "INVALID_ARGUMENT", message), {})]
        with pytest.raises(InvalidRequestError) as caught:
            await run(GeminiStrategy(MODEL, client))
        assert "400 INVALID_ARGUMENT" in str(caught.value)
        assert "AIza" not in str(caught.value)
        assert "spider" not in str(caught.value)

    async def test_a_quota_of_the_day_is_not_waited_for(
        self, gemini: FakeGemini, client: Any
    ) -> None:
        violations = [
            {"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"},
            {"quotaId": QUOTA, "quotaValue": "200"},
        ]
        details = [{"@type": "…QuotaFailure", "violations": violations}, RETRY_INFO]
        gemini.failures = [(*refusal(429, "RESOURCE_EXHAUSTED", details=details), {})]
        with pytest.raises(RateLimitedError, match=QUOTA) as caught:
            await run(GeminiStrategy(MODEL, client))
        for exception in (caught.value, caught.value.__cause__):
            info = GeminiErrorClassifier().classify(exception)  # type: ignore[arg-type]
            assert (info.is_retryable, info.is_rate_limit) == (False, False)
            assert info.error_category == "rate_limit"
            assert info.suggested_wait is None

    async def test_no_server(self) -> None:
        nowhere = genai.Client(api_key="k", http_options={"base_url": "http://127.0.0.1:9"})
        with pytest.raises(ConnectionFailedError) as caught:
            await run(GeminiStrategy(MODEL, nowhere))
        assert DefaultErrorClassifier().classify(caught.value).error_category == "connection_error"
        await nowhere.aio.aclose()
        nowhere.close()

    @pytest.mark.parametrize("reply", [b"<html>", b'{"candidates": "Eight legs"}'])
    async def test_an_answer_that_is_no_answer(
        self, gemini: FakeGemini, client: Any, reply: bytes
    ) -> None:
        gemini.answer = reply
        with pytest.raises(MalformedAnswerError) as caught:
            await run(GeminiStrategy(MODEL, client))
        assert "Eight" not in str(caught.value)

    async def test_a_config_that_the_sdk_refuses(self, gemini: FakeGemini, client: Any) -> None:
        strategy = GeminiStrategy(MODEL, client, config={"temprature": "secret"})
        with pytest.raises(ConfigurationError, match="temprature") as caught:
            await run(strategy)
        assert "secret" not in str(caught.value)
        assert not gemini.requests
