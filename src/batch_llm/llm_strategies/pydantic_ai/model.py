"""Calls a model through pydantic-ai, without an agent around it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypedDict, cast, overload

from typing_extensions import TypeVar

from ...base.fingerprint import fingerprint_of
from ...base.repair import forget_misfit
from ...base.request import RequestDefaults
from ...base.strategy import PortableRequest, TOutput
from ...exceptions import ConfigurationError, OutputValidationError, ProviderError
from ..billed_as import priced_model
from ..composed import ComposedRequestStrategy, refused
from ..model_habits import is_cached_unasked, takes_temperature
from ..token_bounds import bound_of, check_texts, most_output_tokens, size_of_messages
from .answer import answer_text, read_answer
from .billed_as import billed_as_model, billed_as_name
from .errors import translated
from .http_watch import HTTPWatch
from .messages import (
    client_settings,
    encode_messages,
    encode_parameters,
    encode_sampling,
)
from .opening import ModelByName, key_of_model, scope_of_model
from .price_settings import check_settings
from .usage import attach_usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Unpack

    from pydantic import BaseModel
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

    from ...base.request import LLMRequest, Prompt
    from ...base.retry_state import RetryState
    from ...base.schema import OutputSchema, SchemaSource
    from ...base.strategy import PricedModel
    from ...base.usage import TokenBound, TokenUsage

logger = logging.getLogger("batch_llm")

TModel = TypeVar("TModel", bound="BaseModel")


class _Options(TypedDict, total=False):
    """The parameters that all overloads share; their meaning stands in the class."""

    system: str | None
    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    stop: Iterable[str]
    seed: int | None
    api_key: str | None
    base_url: str | None
    priced_as: PricedModel | str | None
    model_settings: ModelSettings | None
    repair: bool


class PydanticAIModelStrategy(ComposedRequestStrategy[TOutput]):
    """Calls any of pydantic-ai's models directly: one request, one answer, no agent.

    An agent costs milliseconds of CPU a call, this a fraction of one: take it wherever no tools
    and no output functions are needed. Its output is text; with a pydantic model as
    `output_schema` it is an instance of that model, and with a JSON schema what JSON gives. A
    prompt that is an `LLMRequest` may say otherwise for itself: what it sets goes before what is
    set here.

    A model given by name is opened in `prepare()` and closed in `aclose()`. A model given as an
    object stays the caller's; a hook on its httpx2 client, which sees what is billed for an answer
    that pydantic-ai cannot read, is taken off in `aclose()`. The retries of the SDK's client are
    off in both cases.

    A plain text that stopped at the token limit is returned as it is: the item's state then holds
    "length" under "finish_reason", `truncated_answers` counts it, and the first one is logged.

    Args:
        model: "provider:model" as pydantic-ai names it ("anthropic:claude-opus-4-5",
            "openai:gpt-5" for OpenAI's Responses, "openai-chat:gpt-5" for Chat Completions), or a
            pydantic-ai model object.
        system: the system prompt.
        output_schema: a pydantic model class, or a JSON schema, that answers must fit. It is sent
            as the provider's own structured output where the model has that, else as the schema
            of a tool or in the instructions.
        temperature: 0 and up; None leaves the provider's default, as with all below.
        top_p: above 0, at most 1.
        max_output_tokens: the most tokens an answer may have.
        stop: texts at which an answer ends.
        seed: asks for repeatable answers, where the provider can.
        api_key: the key, for a model given by name. By default the provider's own environment
            variable (`OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, …), which the SDKs send to `base_url`
            as well.
        base_url: where the API is, for a model given by name. By default the SDK's own environment
            variable (`OPENAI_BASE_URL`, `ANTHROPIC_BASE_URL`, …), else the provider itself.
        priced_as: what calls are billed as, such as "openai:gpt-5-mini". By default the provider
            and the model, where the provider is known by its address, or the address is that of
            the SDK's environment variable; of other servers nobody knows the price.
        model_settings: further pydantic-ai settings, such as `{"thinking": "low"}`.
        repair: whether the attempt after an answer that does not fit its schema shows the model
            that answer and what was wrong with it. It costs their tokens, as input.

    Attributes:
        truncated_answers: plain texts that stopped at the token limit, so far.

    Raises:
        ConfigurationError: for a name without a provider, or a setting that cannot work.
        InputError: for a sampling parameter that no provider would accept, naming it.
    """

    @overload
    def __init__(
        self: PydanticAIModelStrategy[str],
        model: str | Model,
        *,
        output_schema: None = None,
        **options: Unpack[_Options],
    ) -> None: ...

    @overload
    def __init__(
        self: PydanticAIModelStrategy[TModel],
        model: str | Model,
        *,
        output_schema: type[TModel],
        **options: Unpack[_Options],
    ) -> None: ...

    @overload
    def __init__(
        self: PydanticAIModelStrategy[Any],
        model: str | Model,
        *,
        output_schema: Mapping[str, Any] | OutputSchema,
        **options: Unpack[_Options],
    ) -> None: ...

    def __init__(
        self,
        model: str | Model,
        *,
        output_schema: SchemaSource | OutputSchema | None = None,
        system: str | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_output_tokens: int | None = None,
        stop: Iterable[str] = (),
        seed: int | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        priced_as: PricedModel | str | None = None,
        model_settings: ModelSettings | None = None,
        repair: bool = True,
    ) -> None:
        self.repair = repair
        self._defaults = RequestDefaults(
            system=system,
            output_schema=output_schema,
            temperature=temperature,
            top_p=top_p,
            max_output_tokens=max_output_tokens,
            stop=stop,
            seed=seed,
        )
        self._settings = model_settings
        self._named: ModelByName | None = None
        self._model: Model | None = None
        if isinstance(model, str):
            self._named = ModelByName(model, api_key, base_url)
            self.quota_scope = self._named.scope
            found = billed_as_name(model, base_url)
            key = self._named.key
        else:
            self._model = model
            self.quota_scope = scope_of_model(model)
            found = billed_as_model(model)
            key = key_of_model(model)
        self._is_at_the_providers = found is not None
        self.priced_as = found if priced_as is None else priced_model(priced_as)
        self._key = key or ""
        self.warms_cache = _warms_cache(self._name, system, model_settings)
        self._parameters: ModelRequestParameters | None = None
        self._http = HTTPWatch()

    def check(self) -> None:
        """Refuse a model that cannot be called, without a call and without importing an SDK.

        Raises:
            MissingExtraError: if pydantic-ai or the provider's SDK is not installed.
            MissingKeyError: if the provider's key is not set, naming its variable.
        """
        if self._named is not None:
            self._named.check()

    async def prepare(self) -> None:
        """Open the model.

        Raises:
            MissingExtraError: if pydantic-ai or the provider's SDK is not installed.
            MissingKeyError: if the provider's key is not set, naming its variable.
            ConfigurationError: if pydantic-ai does not know the name, or cannot open it.
        """
        await self._open()

    async def execute(
        self,
        prompt: Prompt,
        attempt: int,
        timeout: float,
        state: RetryState | None = None,
    ) -> tuple[TOutput, TokenUsage]:
        """Call the model once.

        Args:
            prompt: text, or a whole request.
            attempt: 1 for the first attempt.
            timeout: seconds the attempt may take; the client waits a little longer.
            state: the item's memory; gets "finish_reason".

        Returns:
            The output, and the tokens billed.

        Raises:
            ProviderError: one of its kinds, carrying the tokens billed where the provider names
                them, and its `retry_after` where it asks to wait. Of an answer that pydantic-ai
                cannot read, the tokens are known where it is OpenAI's, Anthropic's or Gemini's.
            InputError: for a request that has no form in pydantic-ai.
        """
        request = self._asked(prompt, state)
        try:
            response = await self._send(request, timeout)
        except ProviderError as error:
            raise refused(error, state) from error.__cause__
        forget_misfit(state)
        self._note_end(response.finish_reason, request, state, response.model_name)
        schema = request.output_schema
        try:
            output, usage = read_answer(response, schema)
        except OutputValidationError as error:
            self._keep(answer_text(response, schema) or "", schema, error, state)
            raise
        return cast("TOutput", output), usage

    def fingerprint(self) -> str:
        """Return what answers depend on: model, address, settings, and what requests hold.

        Key, timeouts, headers and `repair` do not count: they change no answer, or only how many
        attempts it takes.

        Raises:
            ConfigurationError: for a model object that is no provider's (a function, one that
                falls back on others), for a setting that cannot be told from others of its kind,
                and for a subclass that does not say what it adds.
        """
        settings = {**self._defaults.settings(), "model_settings": _told(self._settings)}
        if self._named is None:
            settings["own_settings"] = _told(self._given.settings)
        return fingerprint_of(
            self, "pydantic-ai", self._name, address=self._address, settings=settings
        )

    def is_repeatable(self, prompt: Prompt) -> bool:
        """Return whether a temperature of 0 is asked for `prompt`, of a model that takes one."""
        asked = self._defaults.temperature_for(prompt)
        temperature = (self._settings or {}).get("temperature") if asked is None else asked
        return temperature == 0 and takes_temperature(self._name)

    def portable_request(self, prompt: Prompt) -> PortableRequest:
        """Return the whole request; see `LLMCallStrategy.portable_request`.

        Raises:
            ConfigurationError: for a model object, and for settings of pydantic-ai's own.
        """
        if self._named is None:
            raise ConfigurationError(
                f"{type(self).__name__} has a model object, whose settings no other lane knows. "
                f"Give it the model's name."
            )
        if self._settings:
            raise ConfigurationError(
                f"{type(self).__name__} has model_settings, which no other lane can send. Say it "
                f"in the item's LLMRequest."
            )
        model = billed_as_name(self._named.name, None)
        assert model is not None, "at no other address it is the provider's"
        return PortableRequest(
            model.provider, model.model, self._defaults.apply(prompt), self._is_at_the_providers
        )

    @property
    def _given(self) -> Model:
        if self._model is None:
            raise AssertionError("a strategy has a model or the name of one")
        return self._model

    @property
    def _name(self) -> str:
        return self._given.model_id if self._named is None else self._named.name

    @property
    def _address(self) -> str | None:
        if self._named is not None:
            return self._named.address
        address = self._given.base_url
        if not address:
            raise ConfigurationError(
                f"What the answers of the model {self._given.model_id!r} depend on cannot be told: "
                f"it is called at no address. Give the name of a model, or the model of a provider."
            )
        return address

    def token_bound(self, prompt: Prompt) -> TokenBound:
        """Return the most that one call for `prompt` can be billed for.

        The input is bounded by the bytes of all text, with an allowance for what the library and
        the provider add; the output by the limit that is sent, else by the model's own where it is
        known.

        Raises:
            ConfigurationError: for a part that is not text, and for a setting of which it is not
                known that it leaves the price as it is.
        """
        request = self._defaults.apply(prompt)
        check_texts(request)
        settings = self._settings or {}
        check_settings(settings)
        limit = request.max_output_tokens or settings.get("max_tokens")
        most = most_output_tokens(self.priced_as) if limit is None else limit
        return bound_of(size_of_messages(request), request, most)

    async def aclose(self) -> None:
        """Close a model that was opened by its name, and leave one that was given as it was."""
        self._http.detach()
        if self._named is not None and self._model is not None:
            model, self._model, self._parameters = self._model, None, None
            await model.__aexit__(None, None, None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.quota_scope})"

    async def _open(self) -> Model:
        if self._model is None:
            if self._named is None:
                return self._given
            # Set before the first wait: calls that race open one model between them.
            self._model = self._named.open()
            await self._model.__aenter__()
        return self._model

    async def _send(self, request: LLMRequest, timeout: float) -> ModelResponse:
        from pydantic_ai.direct import model_request

        model = await self._open()
        messages = encode_messages(request.messages, request.system)
        settings = client_settings(model, timeout)
        settings.update(self._settings or {})
        settings.update(encode_sampling(request))
        with self._http.calls(model, scope=self.quota_scope) as unread:
            try:
                return await model_request(
                    model,
                    messages,
                    model_settings=settings,
                    model_request_parameters=self._shape(request.output_schema, model),
                )
            except Exception as error:  # models raise of every kind; here they become ours, once
                private = (self._key, request.system or "", request.text)
                ours = translated(error, private=private)
                if ours is None:
                    attach_usage(error, unread.usage)
                    raise
                ours.usage, ours.is_bill_final = unread.usage, unread.is_bill_final
                ours.request_id = ours.request_id or unread.request_id
                raise ours from error

    def _shape(self, schema: OutputSchema | None, model: Model) -> ModelRequestParameters:
        if schema is not self._defaults.output_schema:
            return encode_parameters(schema, model)
        if self._parameters is None:
            self._parameters = encode_parameters(schema, model)
        return self._parameters


# How calls travel, and whose they are: none of it changes an answer.
_UNTOLD_SETTINGS = frozenset({"extra_headers", "max_retries", "timeout"})
_CACHING_PROVIDERS = frozenset({"google", "openai", "openai-chat", "openai-responses"})


def _told(settings: ModelSettings | None) -> dict[str, object] | None:
    """Return the settings that change answers."""
    told = {name: v for name, v in (settings or {}).items() if name not in _UNTOLD_SETTINGS}
    return told or None


def _warms_cache(name: str, system: str | None, settings: ModelSettings | None) -> bool:
    """Return whether the provider keeps the system prompt: of itself, or as Anthropic is asked."""
    if (settings or {}).get("anthropic_cache_instructions"):
        return bool(system)
    return name.partition(":")[0] in _CACHING_PROVIDERS and is_cached_unasked(system)
