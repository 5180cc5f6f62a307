"""What strategies have in common that make one POST of one request."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from ..base.fingerprint import fingerprint_of
from ..base.repair import forget_misfit
from ..base.strategy import PortableRequest, TOutput
from ..exceptions import ConfigurationError
from ..strategies import report_quota
from ..wire.json_body import encode_body
from .composed import ComposedRequestStrategy, refused
from .http import HTTPTransport, make_transport
from .model_habits import takes_temperature
from .token_bounds import bound_of_body, check_fields, check_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..base.request import LLMRequest, Prompt, RequestDefaults
    from ..base.retry_state import RetryState
    from ..base.usage import TokenBound, TokenUsage
    from ..exceptions import ProviderError
    from ..wire.answer import ChatAnswer
    from .endpoint import Endpoint
    from .http import Reply, TransportChoice

# The engine ends an attempt at its limit, and says whose it was; the client alone comes later.
_GRACE_SECONDS: Final = 1.0

# Set by parameters of their own, or impossible: an answer is read whole, not as a stream.
_REFUSED_EXTRAS: Final = frozenset({"messages", "model", "stream"})


class HTTPRequestStrategy(ComposedRequestStrategy[TOutput]):
    """Composes a request, posts it, and reads the answer, without an SDK.

    A subclass says how its API writes them down.

    Args:
        model: the model, as the server names it.
        endpoint: where the API is.
        defaults: what is asked besides the prompt, where the prompt does not say otherwise.
        extra_body: further fields of the request's JSON.
        transport: the HTTP library's name, or a transport of the caller's, who closes it.
        repair: see `ComposedRequestStrategy`.

    Raises:
        ConfigurationError: for a setting that cannot work, naming it.
    """

    _takes_text_files = False

    def __init__(
        self,
        model: str,
        endpoint: Endpoint,
        defaults: RequestDefaults,
        extra_body: Mapping[str, object] | None,
        transport: TransportChoice | HTTPTransport,
        repair: bool = True,
    ) -> None:
        if not model:
            raise ConfigurationError("model is empty; give it the server's name of the model.")
        self.model = model
        self.repair = repair
        self.quota_scope = endpoint.quota_scope(model)
        self._endpoint = endpoint
        self._defaults = defaults
        self._extra_body = _checked_extras(extra_body or {})
        self._owns_transport = not isinstance(transport, HTTPTransport)
        self._transport = (
            transport if isinstance(transport, HTTPTransport) else make_transport(transport)
        )

    _dialect: ClassVar[str]
    _provider: ClassVar[str]

    @abstractmethod
    def _compose(self, request: LLMRequest) -> dict[str, object]:
        """Return the body that asks for `request`, the further fields included."""

    @abstractmethod
    def _refusal(self, reply: Reply, private: Iterator[str]) -> ProviderError:
        """Return the error that a reply outside 2xx stands for."""

    @abstractmethod
    def _read(self, reply: Reply, private: Iterator[str]) -> ChatAnswer:
        """Return the answer in a reply."""

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
        request = self._asked(prompt, state)
        endpoint = self._endpoint
        body = encode_body(self._compose(request))
        reply = await self._transport.post(
            endpoint.url, endpoint.headers, body, timeout + _GRACE_SECONDS
        )
        report_quota(self.quota_scope, reply.headers)
        if not 200 <= reply.status < 300:
            raise refused(self._refusal(reply, self._private(request)), state)
        forget_misfit(state)
        answer = self._read(reply, self._private(request))
        self._note_end(answer.finish_reason, request, state, self.model)
        return self._parsed(answer, request, state), answer.usage

    def fingerprint(self) -> str:
        """Return what answers depend on: dialect, model, address and what requests hold.

        Of the headers only those count that choose a version or a feature of the API. Key,
        timeouts, transport, `repair` and the keeping of caches do not: they change no answer, or
        only how many attempts it takes.

        Raises:
            ConfigurationError: for a subclass that does not say what it adds.
        """
        extras = msgspec.json.decode(msgspec.json.encode(self._extra_body, order="deterministic"))
        return fingerprint_of(
            self,
            self._dialect,
            self.model,
            address=self._endpoint.url,
            settings={
                **self._defaults.settings(),
                "extra_body": extras or None,
                "headers": self._endpoint.telling_headers,
                **self._further_settings(),
            },
        )

    def is_repeatable(self, prompt: Prompt) -> bool:
        """Return whether a temperature of 0 is asked for `prompt`, of a model that takes one."""
        further = self._extra_body.get("temperature")
        # The further fields are laid over all others.
        is_zero = super().is_repeatable(prompt) if further is None else further == 0
        return is_zero and takes_temperature(self.model)

    def _further_settings(self) -> dict[str, object]:
        """Return what a subclass adds to the fingerprint."""
        return {}

    def portable_request(self, prompt: Prompt) -> PortableRequest:
        """Return the whole request; see `LLMCallStrategy.portable_request`.

        Raises:
            ConfigurationError: if calls hold more than a request does: fields in `extra_body`, or
                a header that chooses a feature of the API.
        """
        further = [*self._extra_body, *(self._endpoint.feature_headers)]
        if further:
            raise ConfigurationError(
                f"{type(self).__name__} adds {', '.join(sorted(further))} to its requests, which "
                f"no other lane sends."
            )
        endpoint = self._endpoint
        return PortableRequest(
            self._provider,
            self.model,
            self._defaults.apply(prompt),
            endpoint.is_the_providers or endpoint.is_from_environment,
        )

    def token_bound(self, prompt: Prompt) -> TokenBound:
        """Return the most that one call for `prompt` can be billed for.

        The input is bounded by the bytes of the request, with an allowance for what the provider
        adds; the output by the limit that is sent, else by the model's own where it is known.

        Raises:
            ConfigurationError: for a part that is not text, or a field in `extra_body` of which it
                is not known that it leaves the price as it is.
            InputError: for a prompt that no JSON can hold.
        """
        request = self._defaults.apply(prompt)
        check_texts(request, takes_text_files=self._takes_text_files)
        if self._extra_body:
            check_fields(self._extra_body)
        body = self._compose(request)
        return bound_of_body(body, encode_body(body), request, self.priced_as)

    async def aclose(self) -> None:
        """Close the pool, unless the transport was given by the caller."""
        if self._owns_transport:
            await self._transport.aclose()

    async def leave_loop(self) -> None:
        """Close the connections of this event loop, unless the transport is the caller's."""
        if self._owns_transport:
            await self._transport.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r} at {self._endpoint.host})"

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
