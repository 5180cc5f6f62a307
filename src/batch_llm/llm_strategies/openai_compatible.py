"""Calls any server that speaks OpenAI's Chat Completions, without an SDK."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast, overload

import msgspec
from typing_extensions import TypeVar

from ..base.request import LLMRequest, RequestDefaults
from ..base.strategy import TOutput
from ..exceptions import ConfigurationError, InputError
from ..wire.openai_chat import decode_chat, encode_chat, error_from_response, parse_output
from .composed import ComposedRequestStrategy
from .http import HTTPTransport, make_transport
from .openai_endpoint import find_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Unpack

    from pydantic import BaseModel

    from ..base.request import Prompt
    from ..base.retry_state import RetryState
    from ..base.schema import OutputSchema, SchemaSource
    from ..base.usage import TokenUsage
    from ..wire.openai_chat import TokenLimitField
    from .http import TransportChoice

logger = logging.getLogger("batch_llm")

# The engine ends an attempt at its limit, and says whose it was; the client alone comes later.
_GRACE_SECONDS: Final = 1.0

TModel = TypeVar("TModel", bound="BaseModel")

# Set by parameters of their own, or impossible: an answer is read whole, not as a stream.
_REFUSED_EXTRAS: Final = frozenset({"messages", "model", "stream"})


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
    extra_body: Mapping[str, object] | None
    headers: Mapping[str, str] | None
    transport: TransportChoice | HTTPTransport


class OpenAICompatibleStrategy(ComposedRequestStrategy[TOutput]):
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
            "max_completion_tokens" for OpenAI itself, and the older "max_tokens" elsewhere.
        extra_body: further fields of the request's JSON, for what only this server knows.
        headers: further headers.
        transport: the HTTP library: "auto" takes aiohttp where it is installed, else httpx2. An
            `HTTPTransport` of yours may be shared by several strategies, and is yours to close.

    Attributes:
        truncated_answers: plain texts that stopped at the token limit, so far.

    Raises:
        MissingKeyError: if OpenAI itself is called and there is no key.
        ConfigurationError: for a setting that cannot work, naming it.
        InputError: for a sampling parameter that no server would accept, naming it.
    """

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
        extra_body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        transport: TransportChoice | HTTPTransport = "auto",
    ) -> None:
        if not model:
            raise ConfigurationError("model is empty; give it the server's name of the model.")
        endpoint = find_endpoint(base_url, api_key, headers or {})
        self.model = model
        self.quota_scope = endpoint.quota_scope(model)
        self._endpoint = endpoint
        self._defaults = RequestDefaults(
            system=system,
            output_schema=output_schema,
            temperature=temperature,
            top_p=top_p,
            max_output_tokens=max_output_tokens,
            stop=stop,
            seed=seed,
        )
        self._token_limit_field: TokenLimitField = token_limit_field or endpoint.token_limit_field
        self._extra_body = _checked_extras(extra_body or {})
        self._owns_transport = not isinstance(transport, HTTPTransport)
        self._transport = (
            transport if isinstance(transport, HTTPTransport) else make_transport(transport)
        )

    async def prepare(self) -> None:
        """Open the pool of connections."""
        await self._transport.open()

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
            ProviderError: one of its kinds, carrying the tokens billed where the server names
                them, and its `retry_after` where it asks to wait.
            InputError: for a prompt that no JSON can hold.
        """
        request = self._defaults.apply(prompt)
        endpoint = self._endpoint
        reply = await self._transport.post(
            endpoint.url, endpoint.headers, self._encode(request), timeout + _GRACE_SECONDS
        )
        if not 200 <= reply.status < 300:
            raise error_from_response(
                reply.status, reply.headers, reply.body, private=self._private(request)
            )
        answer = decode_chat(reply.body, private=self._private(request))
        self._note_end(answer.finish_reason, request, state, self.model)
        return cast("TOutput", parse_output(answer, request)), answer.usage

    async def aclose(self) -> None:
        """Close the pool, unless the transport was given by the caller."""
        if self._owns_transport:
            await self._transport.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r} at {self._endpoint.host})"

    def _encode(self, request: LLMRequest) -> bytes:
        body = encode_chat(request, self.model, token_limit_field=self._token_limit_field)
        body.update(self._extra_body)
        try:
            return msgspec.json.encode(body)
        except UnicodeEncodeError as error:
            # `from None`: the codec's error holds the whole text.
            raise InputError(
                f"The prompt cannot be sent: at character {error.start} of a text it has half of "
                f"a surrogate pair, which no JSON can hold."
            ) from None

    def _private(self, request: LLMRequest) -> Iterator[str]:
        """Give what no error may quote; a generator, since nearly every call does without."""
        yield from self._endpoint.secrets
        yield from (message.text for message in request.messages)
        yield request.system or ""


def _checked_extras(extras: Mapping[str, object]) -> dict[str, object]:
    refused = sorted(_REFUSED_EXTRAS & set(extras))
    if refused:
        raise ConfigurationError(
            f"extra_body may not hold {', '.join(refused)}: model and messages are parameters of "
            f"their own, and answers are not streamed."
        )
    try:
        msgspec.json.encode(extras)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"extra_body is not JSON: {error}") from error
    return dict(extras)
