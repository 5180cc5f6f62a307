"""Calls any server that speaks OpenAI's Chat Completions, without an SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, overload

from typing_extensions import TypeVar

from ..base.request import RequestDefaults
from ..base.strategy import TOutput
from ..wire.openai_chat import decode_chat, encode_chat
from ..wire.openai_errors import error_from_response
from .billed_as import billed_as
from .endpoint import find_endpoint
from .http_request import HTTPRequestStrategy
from .model_habits import is_cached_unasked, takes_temperature
from .openai_endpoint import OPENAI_CHAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Unpack

    from pydantic import BaseModel

    from ..base.request import LLMRequest
    from ..base.schema import OutputSchema, SchemaSource
    from ..base.strategy import PricedModel
    from ..exceptions import ProviderError
    from ..wire.answer import ChatAnswer
    from ..wire.openai_chat import TokenLimitField
    from .http import HTTPTransport, Reply, TransportChoice

TModel = TypeVar("TModel", bound="BaseModel")


class _Options(TypedDict, total=False):
    """The parameters that all overloads share; their meaning stands in the class."""

    base_url: str | None
    api_key: str | None
    system: str | None
    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    stop: Iterable[str]
    seed: int | None
    token_limit_field: TokenLimitField | None
    priced_as: PricedModel | str | None
    extra_body: Mapping[str, object] | None
    headers: Mapping[str, str] | None
    transport: TransportChoice | HTTPTransport
    repair: bool


class OpenAICompatibleStrategy(HTTPRequestStrategy[TOutput]):
    """Calls `POST {base_url}/chat/completions`: OpenAI, and the many that speak its language.

    Its output is text; with a pydantic model as `output_schema` it is an instance of that model,
    and with a JSON schema what JSON gives. A prompt that is an `LLMRequest` may say otherwise for
    itself: what it sets goes before what is set here.

    A plain text that stopped at the token limit is returned as it is: the item's state then holds
    "length" under "finish_reason", `truncated_answers` counts it, and the first one is logged.

    Args:
        model: the model, as the server names it.
        base_url: where the API is, such as "http://127.0.0.1:8000/v1". By default
            `OPENAI_BASE_URL`, else OpenAI itself.
        api_key: sent as a bearer token. By default `OPENAI_API_KEY`, but only to OpenAI itself or
            to `OPENAI_BASE_URL`: a server named here never gets OpenAI's key unasked.
        system: the system prompt.
        output_schema: a pydantic model class, or a JSON schema, that answers must fit.
        temperature: 0 and up; None leaves the server's default, as with all below.
        top_p: above 0, at most 1.
        max_output_tokens: the most tokens an answer may have.
        stop: texts at which an answer ends.
        seed: asks for repeatable answers, where the server can.
        token_limit_field: how the server calls `max_output_tokens`. By default
            "max_completion_tokens" for OpenAI itself and for models named like those of OpenAI's
            that reason, and the older "max_tokens" elsewhere.
        priced_as: what calls are billed as, such as "openai:gpt-5-mini". By default the
            provider and `model` where the provider is known by its address, or the address is
            that of `OPENAI_BASE_URL`; of other servers nobody knows the price.
        extra_body: further fields of the request's JSON, for what only this server knows.
        headers: further headers.
        transport: the HTTP library: "auto" takes aiohttp where it is installed, else httpx2. An
            `HTTPTransport` of yours may be shared by several strategies, and is yours to close.
        repair: whether the attempt after an answer that does not fit its schema shows the model
            that answer and what was wrong with it. It costs their tokens, as input.

    Attributes:
        truncated_answers: plain texts that stopped at the token limit, so far.

    Raises:
        MissingKeyError: if OpenAI itself is called and there is no key.
        ConfigurationError: for a setting that cannot work, naming it.
        InputError: for a sampling parameter that no server would accept, naming it.
    """

    _dialect: ClassVar[str] = "openai-chat"
    _provider: ClassVar[str] = "openai"

    @overload
    def __init__(
        self: OpenAICompatibleStrategy[str],
        model: str,
        *,
        output_schema: None = None,
        **options: Unpack[_Options],
    ) -> None: ...

    @overload
    def __init__(
        self: OpenAICompatibleStrategy[TModel],
        model: str,
        *,
        output_schema: type[TModel],
        **options: Unpack[_Options],
    ) -> None: ...

    @overload
    def __init__(
        self: OpenAICompatibleStrategy[Any],
        model: str,
        *,
        output_schema: Mapping[str, Any] | OutputSchema,
        **options: Unpack[_Options],
    ) -> None: ...

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        system: str | None = None,
        output_schema: SchemaSource | OutputSchema | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_output_tokens: int | None = None,
        stop: Iterable[str] = (),
        seed: int | None = None,
        token_limit_field: TokenLimitField | None = None,
        priced_as: PricedModel | str | None = None,
        extra_body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        transport: TransportChoice | HTTPTransport = "auto",
        repair: bool = True,
    ) -> None:
        endpoint = find_endpoint(OPENAI_CHAT, base_url, api_key, headers or {})
        defaults = RequestDefaults(
            system=system,
            output_schema=output_schema,
            temperature=temperature,
            top_p=top_p,
            max_output_tokens=max_output_tokens,
            stop=stop,
            seed=seed,
        )
        super().__init__(model, endpoint, defaults, extra_body, transport, repair)
        # OpenAI caches by itself what begins alike; of another server that is not known.
        self.warms_cache = endpoint.is_the_providers and is_cached_unasked(system)
        self._named_limit = token_limit_field
        self.priced_as = billed_as(priced_as, "openai", model, endpoint)
        # Other servers may know the older name alone; OpenAI's reasoning models refuse it anywhere.
        is_openais = endpoint.is_the_providers or not takes_temperature(model)
        usual: TokenLimitField = "max_completion_tokens" if is_openais else "max_tokens"
        self._token_limit_field: TokenLimitField = token_limit_field or usual

    def _further_settings(self) -> dict[str, object]:
        # What it is by default goes with the address: one model at two servers answers alike.
        return {"token_limit_field": self._named_limit}

    def _compose(self, request: LLMRequest) -> dict[str, object]:
        body = encode_chat(request, self.model, token_limit_field=self._token_limit_field)
        return body | self._extra_body

    def _refusal(self, reply: Reply, private: Iterator[str]) -> ProviderError:
        return error_from_response(reply.status, reply.headers, reply.body, private=private)

    def _read(self, reply: Reply, private: Iterator[str]) -> ChatAnswer:
        return decode_chat(reply.body, private=private)
