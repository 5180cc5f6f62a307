"""Gemini, called with Google's SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, overload

from typing_extensions import TypeVar

from ...base.strategy import PricedModel, RequestStrategy, TOutput
from ...base.token_estimate import BYTES_OF_TOKEN
from ...exceptions import ConfigurationError, ProviderError
from .answer import check_answer, finish_reason_of, safety_ratings_of, text_of, usage_of
from .call import encode_call, schema_of_config
from .client import EnvironmentClient
from .failures import gemini_failures
from .response import GeminiResponse
from .token_bound import bound_of_call, common_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.genai import Client
    from google.genai.types import GenerateContentConfigOrDict, GenerateContentResponse

    from ...base.request import Prompt
    from ...base.retry_state import RetryState
    from ...base.schema import OutputSchema
    from ...base.usage import TokenBound, TokenUsage
    from .call import GeminiCall, GeminiConfig

TParsed = TypeVar("TParsed", default=str)

ResponseParser: TypeAlias = "Callable[[GenerateContentResponse], TParsed]"
"""Makes an output of the SDK's response."""


class GeminiStrategy(RequestStrategy[TOutput]):
    """Calls a Gemini model with a `google.genai.Client`.

    A text prompt is sent as it is, with `config`. What an `LLMRequest` says (its system prompt,
    schema and sampling parameters) is laid over `config` for its own call.

    Args:
        model: such as "gemini-2.5-flash".
        client: the SDK's client; it stays yours to close. Or an `EnvironmentClient`, which
            `aclose()` closes. None where no call is made, as in tests. With `HttpOptions(
            retry_options=HttpRetryOptions(attempts=1))` it leaves tries to the processor; else
            its async side sends again by itself, seconds later, where a connection breaks.
        response_parser: makes the output of the SDK's `GenerateContentResponse`. What it raises
            reaches the processor as it is, with the tokens billed. None: the output is the
            answer's text or, where the request or `config` asks for a schema, the value that fits.
        config: the SDK's `GenerateContentConfig`, or the same as a dictionary; never changed.
        include_metadata: wrap each output in a `GeminiResponse`, with the safety ratings.

    Raises:
        ConfigurationError: for a JSON schema in `config` that is none.

    `execute` raises what `exceptions.py` draws under `ProviderError`. A blocked, cut or empty
    answer is an `AnswerError`, whose `usage` holds the tokens billed.
    """

    @overload
    def __init__(
        self: GeminiStrategy[GeminiResponse[TParsed]],
        model: str,
        client: Client | EnvironmentClient | None,
        response_parser: ResponseParser[TParsed] | None = None,
        config: GeminiConfig = None,
        *,
        include_metadata: Literal[True],
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: str,
        client: Client | EnvironmentClient | None,
        response_parser: ResponseParser[TOutput] | None = None,
        config: GeminiConfig = None,
        include_metadata: bool = False,
    ) -> None: ...

    def __init__(
        self,
        model: str,
        client: Client | EnvironmentClient | None,
        response_parser: ResponseParser[Any] | None = None,
        config: GeminiConfig = None,
        include_metadata: bool = False,
    ) -> None:
        self.model = model
        self.client = client
        self.response_parser = response_parser
        self.config = config
        self.include_metadata = include_metadata
        # A quota belongs to a key and a model; the client stands for the key, which stays secret.
        self.quota_scope = f"gemini/{model.removeprefix('models/')}/{id(client):x}"
        self.priced_as = PricedModel("gemini", model.removeprefix("models/"))
        self._common_tokens: int | None = None  # counted when first asked for
        self._schema = schema_of_config(config) if response_parser is None else None

    async def execute(
        self,
        prompt: Prompt,
        attempt: int,
        timeout: float,
        state: RetryState | None = None,
    ) -> tuple[TOutput, TokenUsage]:
        """Call the model once; see `LLMCallStrategy.execute`. The processor cancels late calls."""
        call = await self._encode(prompt)
        response = await self._send(call)
        return self._decode(response, call)

    async def dry_run(self, prompt: Prompt) -> tuple[TOutput, TokenUsage]:
        """Return a stand-in for `execute`, without a call."""
        output, usage = await super().dry_run(prompt)
        return self._with_metadata(output, usage, None), usage

    def token_bound(self, prompt: Prompt) -> TokenBound:
        """Return the most that one call for `prompt` can be billed for.

        The input is bounded by the bytes of all text, with an allowance for what Gemini adds; the
        output, thoughts included, by the limit that is sent, else by the model's own.

        Raises:
            ConfigurationError: for content that is not text, and for settings in `config` of which
                it is not known that they leave the price as it is, such as tools.
        """
        return bound_of_call(prompt, self.config, self.priced_as, self._common())

    def expected_input_tokens(self, prompt: Prompt) -> int:
        """Return roughly how many input tokens a call has, texts in `config` included."""
        try:
            common = self._common() // BYTES_OF_TOKEN
        except ConfigurationError:  # tools or files, whose tokens only Gemini can count
            common = 0
        return super().expected_input_tokens(prompt) + common

    def _common(self) -> int:
        if self._common_tokens is None:
            self._common_tokens = self._count_common()
        return self._common_tokens

    def _count_common(self) -> int:
        return common_tokens(self.config)

    async def aclose(self) -> None:
        """Close the client if it is an `EnvironmentClient`; any other is yours."""
        if isinstance(self.client, EnvironmentClient):
            await self.client.aclose()

    async def _encode(self, prompt: Prompt) -> GeminiCall:
        return encode_call(prompt, self.config, self._schema)

    async def _send(self, call: GeminiCall) -> GenerateContentResponse:
        models = self._open_client().aio.models
        with gemini_failures(*call.private):
            return await models.generate_content(
                model=self.model,
                contents=call.contents,
                config=cast("GenerateContentConfigOrDict | None", call.config),
            )

    def _open_client(self) -> Client:
        if isinstance(self.client, EnvironmentClient):
            return self.client.open()
        if self.client is None:
            raise ConfigurationError(
                f"{type(self).__name__} for {self.model!r} has client=None, and cannot make a "
                f"call. Give it a google.genai.Client, or an EnvironmentClient."
            )
        return self.client

    def _decode(
        self, response: GenerateContentResponse, call: GeminiCall
    ) -> tuple[TOutput, TokenUsage]:
        usage = usage_of(response)
        try:
            check_answer(response, wants_json=call.wants_json)
            output = self._parse(response, call.schema)
        # Broad: a parser is the user's, and may raise anything. The tokens are billed all the same.
        except Exception as error:
            _bill(error, usage)
            raise
        return self._with_metadata(output, usage, response), usage

    def _parse(self, response: GenerateContentResponse, schema: OutputSchema | None) -> Any:
        if self.response_parser is not None:
            return self.response_parser(response)
        text = text_of(response)
        return text if schema is None else schema.parse(text)

    def _with_metadata(
        self, output: Any, usage: TokenUsage, response: GenerateContentResponse | None
    ) -> TOutput:
        if self.include_metadata:
            ratings, reason = safety_ratings_of(response), finish_reason_of(response)
            output = GeminiResponse(output, ratings, reason, usage, response)
        # What a parser returns is what TOutput was inferred from; see the overloads above.
        return cast("TOutput", output)


def _bill(error: Exception, usage: TokenUsage) -> None:
    """Write the tokens of a failed answer where the processor looks for them."""
    if isinstance(error, ProviderError):
        error.usage = cast("dict[str, int]", usage)
    else:
        error.__dict__["_failed_token_usage"] = usage
