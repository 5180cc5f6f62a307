"""Gemini, called with Google's SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_type_hints, overload

from typing_extensions import TypeVar

from ...base.fingerprint import fingerprint_of, named_function
from ...base.repair import forget_misfit, repair_bytes, with_misfit
from ...base.request import LLMRequest
from ...base.strategy import PortableRequest, PricedModel, RequestStrategy, TOutput
from ...base.token_estimate import BYTES_OF_TOKEN
from ...exceptions import (
    ConfigurationError,
    InvalidRequestError,
    OutputValidationError,
    ProviderError,
)
from ..composed import keep_misfit, refused, type_of_answers
from ..model_habits import is_cached_unasked
from .answer import check_answer, finish_reason_of, safety_ratings_of, text_of, usage_of
from .call import config_field, encode_call, schema_of_config, told_config
from .client import EnvironmentClient, address_of
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
        repair: whether the attempt after an answer that does not fit its schema (or of which
            `response_parser` raised an `OutputValidationError`) shows the model that answer and
            what was wrong with it. It costs their tokens, as input.

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
        repair: bool = True,
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: str,
        client: Client | EnvironmentClient | None,
        response_parser: ResponseParser[TOutput] | None = None,
        config: GeminiConfig = None,
        include_metadata: bool = False,
        *,
        repair: bool = True,
    ) -> None: ...

    def __init__(
        self,
        model: str,
        client: Client | EnvironmentClient | None,
        response_parser: ResponseParser[Any] | None = None,
        config: GeminiConfig = None,
        include_metadata: bool = False,
        *,
        repair: bool = True,
    ) -> None:
        self.model = model
        self.repair = repair
        self.client = client
        self.response_parser = response_parser
        self.config = config
        self.include_metadata = include_metadata
        # A quota belongs to a key and a model; the client stands for the key, which stays secret.
        self.quota_scope = f"gemini/{model.removeprefix('models/')}/{id(client):x}"
        self.priced_as = PricedModel("gemini", model.removeprefix("models/"))
        self._common_tokens: int | None = None  # counted when first asked for
        self._schema = schema_of_config(config) if response_parser is None else None
        # Gemini caches by itself what begins alike.
        self.warms_cache = is_cached_unasked(config_field(config, "system_instruction"))

    async def execute(
        self,
        prompt: Prompt,
        attempt: int,
        timeout: float,
        state: RetryState | None = None,
    ) -> tuple[TOutput, TokenUsage]:
        """Call the model once; see `LLMCallStrategy.execute`. The processor cancels late calls."""
        call = await self._encode(self._asked(prompt, state))
        try:
            response = await self._send(call)
        except InvalidRequestError as error:
            raise refused(error, state) from error.__cause__
        forget_misfit(state)
        try:
            return self._decode(response, call)
        except OutputValidationError as error:
            self._keep(response, call, error, state)
            raise

    async def dry_run(self, prompt: Prompt) -> tuple[TOutput, TokenUsage]:
        """Return a stand-in for `execute`, without a call."""
        output, usage = await super().dry_run(prompt)
        return self._with_metadata(output, usage, None), usage

    def fingerprint(self) -> str:
        """Return what answers depend on: model, address, `config` and the parser's name.

        Key, timeouts, headers and `repair` do not count: they change no answer, or only how many
        attempts it takes.

        Raises:
            ConfigurationError: for a parser without a name of its own (a lambda), for something in
                `config` that cannot be told from others of its kind, and for a subclass that does
                not say what it adds.
        """
        model = self.model.removeprefix("models/")
        address = _option_address(self.config) or address_of(self.client)
        return fingerprint_of(self, "gemini", model, address=address, settings=self._settings())

    def output_type(self, prompt: Prompt) -> Any:
        """Return what the parser is declared to return; without one `str`, or the schema's model.

        A schema that is no pydantic model gives `Any`. With metadata it is `GeminiResponse` of it.
        """
        declared = super().output_type(prompt)
        if declared is not Any:
            return declared
        parser = self.response_parser
        kind = type_of_answers(self._schema_for(prompt)) if parser is None else _returned(parser)
        return GeminiResponse[kind] if self.include_metadata else kind  # type: ignore[valid-type]  # known at run time only

    def is_repeatable(self, prompt: Prompt) -> bool:
        """Return whether a temperature of 0 is asked for `prompt`."""
        return self._temperature_for(prompt) == 0

    def portable_request(self, prompt: Prompt) -> PortableRequest:
        """Return the whole request; see `LLMCallStrategy.portable_request`.

        Raises:
            ConfigurationError: for a `config`, a parser or metadata, which are of Google's SDK.
        """
        own = [name for name, value in self._settings().items() if value is not None]
        if own:
            raise ConfigurationError(
                f"{type(self).__name__} has {', '.join(own)}, which no other lane can send. Say it "
                f"in the item's LLMRequest."
            )
        return self._portable(LLMRequest(prompt) if isinstance(prompt, str) else prompt)

    def _portable(self, request: LLMRequest) -> PortableRequest:
        address = address_of(self.client)
        is_usual = self.client is None or address == address_of(None)
        return PortableRequest("gemini", self.model.removeprefix("models/"), request, is_usual)

    def _settings(self) -> dict[str, object]:
        parser, holder = self.response_parser, type(self).__name__
        return {
            "config": told_config(self.config) or None,
            "response_parser": None if parser is None else named_function(parser, holder),
            "include_metadata": True if self.include_metadata else None,
        }

    def _schema_for(self, prompt: Prompt) -> OutputSchema | None:
        own = None if isinstance(prompt, str) else prompt.output_schema
        return own or self._schema

    def _temperature_for(self, prompt: Prompt) -> object:
        own = None if isinstance(prompt, str) else prompt.temperature
        return config_field(self.config, "temperature") if own is None else own

    def _asked(self, prompt: Prompt, state: RetryState | None) -> Prompt:
        """Return `prompt`, and after an answer that did not fit, the whole conversation."""
        if not self.repair or not repair_bytes(state):
            return prompt
        return with_misfit(LLMRequest(prompt) if isinstance(prompt, str) else prompt, state)

    def _keep(
        self,
        response: GenerateContentResponse,
        call: GeminiCall,
        error: OutputValidationError,
        state: RetryState | None,
    ) -> None:
        text = getattr(response, "text", None)
        if self.repair and isinstance(text, str):
            # What a parser has against an answer, the schema does not know.
            schema = call.schema if self.response_parser is None else None
            keep_misfit(text, schema, error, state)

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


def _returned(parser: Callable[..., Any]) -> Any:
    """Return the type that a parser is annotated to return, else `Any`."""
    try:
        return get_type_hints(parser).get("return", Any)
    # Broad: an annotation is the user's text, and evaluating it may raise anything.
    except Exception:
        return Any


def _option_address(config: GeminiConfig) -> str | None:
    options = config_field(config, "http_options")
    address = None if options is None else config_field(cast("GeminiConfig", options), "base_url")
    return address if isinstance(address, str) else None
