"""Calls Claude through Anthropic's Messages API, without an SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, get_args, overload

from typing_extensions import TypeVar

from ..base.request import RequestDefaults
from ..base.strategy import TOutput
from ..exceptions import ConfigurationError
from ..wire.anthropic import USUAL_OUTPUT_TOKENS, CacheTTL, decode_message, encode_message
from ..wire.anthropic_errors import error_from_response
from .anthropic_endpoint import ANTHROPIC_MESSAGES
from .billed_as import billed_as
from .endpoint import find_endpoint
from .http_request import HTTPRequestStrategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Unpack

    from pydantic import BaseModel

    from ..base.request import LLMRequest
    from ..base.schema import OutputSchema, SchemaSource
    from ..base.strategy import PricedModel
    from ..exceptions import ProviderError
    from ..wire.answer import ChatAnswer
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
    system_cache_ttl: CacheTTL | None
    priced_as: PricedModel | str | None
    extra_body: Mapping[str, object] | None
    headers: Mapping[str, str] | None
    transport: TransportChoice | HTTPTransport
    repair: bool


class AnthropicStrategy(HTTPRequestStrategy[TOutput]):
    """Calls `POST {base_url}/v1/messages`: Claude, and gateways that speak its language.

    Its output is text; with a pydantic model as `output_schema` it is an instance of that model,
    and with a JSON schema what JSON gives. A prompt that is an `LLMRequest` may say otherwise for
    itself: what it sets goes before what is set here.

    A schema is sent as structured output, which Claude knows from 4.5 on. Bounds such as
    `minimum` stand in descriptions there, and are checked in the answer. A schema that structured
    outputs cannot take (a free dictionary, one that holds itself) is put into words, at the end
    of the system prompt.

    A plain text that stopped at the token limit is returned as it is: the item's state then holds
    "length" under "finish_reason", `truncated_answers` counts it, and the first one is logged.

    Args:
        model: such as "claude-haiku-4-5".
        base_url: where the API is, without "/v1", such as "http://127.0.0.1:8000". By default
            `ANTHROPIC_BASE_URL`, else Anthropic itself.
        api_key: sent as `x-api-key`. By default `ANTHROPIC_API_KEY`, but only to Anthropic itself
            or to `ANTHROPIC_BASE_URL`: a server named here never gets Anthropic's key unasked.
        system: the system prompt.
        output_schema: a pydantic model class, or a JSON schema, that answers must fit.
        temperature: 0 to 1; None leaves the model's default. The newest models (from Opus 4.7
            on, and all called 5) refuse it and `top_p`; others take one of the two.
        top_p: above 0, at most 1.
        max_output_tokens: the most tokens an answer may have, thinking included. The API demands
            a limit: None stands for 16,384.
        stop: texts at which an answer ends.
        seed: not sent, since the API knows none.
        system_cache_ttl: have the API keep the system prompt in a cache ("5m" or "1h" after its
            last use), where it is long enough for one. Writing it there costs more than sending
            it, reading it a tenth.
        priced_as: what calls are billed as, such as "anthropic:claude-haiku-4-5". By default the
            provider and `model` where the provider is known by its address, or the address is
            that of `ANTHROPIC_BASE_URL`; of other servers nobody knows the price.
        extra_body: further fields of the request's JSON, such as `{"thinking": …}`. Fields of an
            "output_config" are added to those that a schema makes.
        headers: further headers, such as `{"anthropic-beta": …}` or another `anthropic-version`.
        transport: the HTTP library: "auto" takes aiohttp where it is installed, else httpx2. An
            `HTTPTransport` of yours may be shared by several strategies, and is yours to close.
        repair: whether the attempt after an answer that does not fit its schema shows the model
            that answer and what was wrong with it. It costs their tokens, as input.

    Attributes:
        truncated_answers: plain texts that stopped at the token limit, so far.

    Raises:
        MissingKeyError: if Anthropic itself is called and there is no key.
        ConfigurationError: for a setting that cannot work, naming it.
        InputError: for a sampling parameter that no server would accept, naming it.
    """

    _dialect: ClassVar[str] = "anthropic-messages"
    _provider: ClassVar[str] = "anthropic"

    @overload
    def __init__(
        self: AnthropicStrategy[str],
        model: str,
        *,
        output_schema: None = None,
        **options: Unpack[_Options],
    ) -> None: ...

    @overload
    def __init__(
        self: AnthropicStrategy[TModel],
        model: str,
        *,
        output_schema: type[TModel],
        **options: Unpack[_Options],
    ) -> None: ...

    @overload
    def __init__(
        self: AnthropicStrategy[Any],
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
        system_cache_ttl: CacheTTL | None = None,
        priced_as: PricedModel | str | None = None,
        extra_body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        transport: TransportChoice | HTTPTransport = "auto",
        repair: bool = True,
    ) -> None:
        endpoint = find_endpoint(ANTHROPIC_MESSAGES, base_url, api_key, headers or {})
        defaults = RequestDefaults(
            system=system,
            output_schema=output_schema,
            temperature=temperature,
            top_p=top_p,
            max_output_tokens=(
                USUAL_OUTPUT_TOKENS if max_output_tokens is None else max_output_tokens
            ),
            stop=stop,
            seed=seed,
        )
        if system_cache_ttl not in (None, *get_args(CacheTTL)):
            raise ConfigurationError(
                f"system_cache_ttl is '5m', '1h' or None, not {system_cache_ttl!r}."
            )
        super().__init__(model, endpoint, defaults, extra_body, transport, repair)
        self.warms_cache = system_cache_ttl is not None and bool(system)
        self.priced_as = billed_as(priced_as, "anthropic", model, endpoint)
        self._system_cache_ttl: CacheTTL | None = system_cache_ttl

    def _compose(self, request: LLMRequest) -> dict[str, object]:
        body = encode_message(request, self.model, system_cache_ttl=self._system_cache_ttl)
        ours, theirs = body.get("output_config"), self._extra_body.get("output_config")
        body |= self._extra_body
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            body["output_config"] = {**ours, **theirs}
        return body

    _takes_text_files = True  # and sends them as text

    def _refusal(self, reply: Reply, private: Iterator[str]) -> ProviderError:
        return error_from_response(reply.status, reply.headers, reply.body, private=private)

    def _read(self, reply: Reply, private: Iterator[str]) -> ChatAnswer:
        request_id = reply.headers.get("request-id")
        return decode_message(reply.body, request_id=request_id, private=private)
