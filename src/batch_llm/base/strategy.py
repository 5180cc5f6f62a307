"""The seam between an item and the way a model is called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, cast, get_args, get_origin

from typing_extensions import TypeVar

from ..exceptions import ConfigurationError
from .token_estimate import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .request import LLMRequest, Prompt
    from .retry_state import RetryState
    from .usage import TokenBound, TokenUsage

TOutput = TypeVar("TOutput", default=str)


@dataclass(frozen=True, slots=True)
class PricedModel:
    """What a call is billed as.

    Attributes:
        provider: "openai", "anthropic", "gemini", or another that price lists know; "local" costs
            nothing.
        model: as the provider names it.
    """

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class PortableRequest:
    """A request that any lane can send: it is all that a call depends on.

    Attributes:
        provider: who answers: "openai", "anthropic" or "gemini".
        model: as the provider names it.
        request: what is asked, whole.
        is_at_the_providers: whether calls go where a client of the provider goes by default, and
            not to an address that the strategy alone knows.
    """

    provider: str
    model: str
    request: LLMRequest
    is_at_the_providers: bool = True


class LLMCallStrategy(ABC, Generic[TOutput]):
    """One way to call a model, shared by as many items as use it.

    Create one instance and give it to every item: it is prepared once, lazily, however many
    workers race for it. Subclasses need not call `super().__init__()`.

    Lifecycle: `prepare()` once → for each item `execute()` once an attempt, `on_error()` after
    each failed one, `cleanup()` at its end → `aclose()` once, when the last processor that used
    the strategy closes. After `aclose()`, a later processor prepares it again.

    Processors on several event loops (in threads, that is) may share it too: `prepare()` is called
    once on each loop, and `aclose()` once, when the last processor of all loops closes, on the
    loop of that one. See `leave_loop()` for what belongs to a loop.

    Attributes:
        quota_scope: names the quota that its calls draw on (model and key). A Retry-After stops
            the calls of one scope and no others. None: the processor's common scope.
        priced_as: what its calls are billed as; None where that is not known, and so no cost.
        warms_cache: whether its calls share a prefix that the provider caches with the first of
            them: that one is then sent alone, so that the others find it.
    """

    quota_scope: str | None = None
    priced_as: PricedModel | None = None
    warms_cache: bool = False

    async def prepare(self) -> None:
        """Get ready: open connections, load a model, create a cache."""

    @abstractmethod
    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[TOutput, TokenUsage]:
        """Call the model once.

        Args:
            prompt: the item's prompt.
            attempt: 1 for the first attempt; attempts refused by a rate limit are not counted.
            timeout: seconds this attempt may take; it is cancelled after them.
            state: the item's memory, the same object in every attempt.

        Returns:
            The output, and the tokens used (missing counts are taken as 0).

        Raises:
            Exception: whatever failed; the processor's `ErrorClassifier` says what it means.
        """

    async def cleanup(self) -> None:
        """Release what one item held. Called once an item, also where `prepare()` failed."""

    async def on_error(
        self, exception: Exception, attempt: int, state: RetryState | None = None
    ) -> None:
        """Learn from a failed attempt, before it is classified. Errors raised here are logged."""

    async def aclose(self) -> None:
        """Release what the strategy holds."""

    async def leave_loop(self) -> None:
        """Release what belongs to the running event loop, such as its open connections.

        Called when the last processor on this loop closes while others still use the strategy on
        theirs, where it must go on working; a later processor on this loop prepares it again.
        The last processor of all calls `aclose()`, and not this.
        """

    def fingerprint(self) -> str | None:
        """Return what its answers depend on besides the prompt, as a short text without secrets.

        Two strategies with one fingerprint are taken for the same by a ledger and a cache: model,
        address, parameters and schema are in it, keys and timeouts are not. None: it cannot be
        told, and there can be no ledger.

        Raises:
            ConfigurationError: saying why it cannot be told, where a reader can mend it.
        """
        return None

    def output_type(self, prompt: Prompt) -> Any:
        """Return the type of the outputs for `prompt`: a pydantic model, a dataclass, `int`, ….

        By default what the class was declared with, `LLMCallStrategy[int]`. `Any` stands for
        whatever JSON can hold.
        """
        return _declared_output(type(self))

    def portable_request(self, prompt: Prompt) -> PortableRequest:
        """Return what a call for `prompt` asks of which model, so that another lane can send it.

        Raises:
            ConfigurationError: saying why a call is more than one request to one model.
        """
        raise ConfigurationError(
            f"{type(self).__name__} does not tell what it sends to which model."
        )

    def token_bound(self, prompt: Prompt) -> TokenBound | None:
        """Return the most that one call for `prompt` can be billed for; None if nothing bounds it.

        A limit in USD rests on it: it must never be too low.

        Raises:
            ConfigurationError: saying why there is no bound, where a reader can mend it.
        """
        return None

    def is_repeatable(self, prompt: Prompt) -> bool:
        """Return whether equal calls mean equal answers: a temperature of 0 was asked for."""
        return False

    def expected_input_tokens(self, prompt: Prompt) -> int:
        """Return roughly how many input tokens a call for `prompt` has: an estimate, no bound."""
        return estimate_tokens(prompt if isinstance(prompt, str) else prompt.text)

    async def dry_run(self, prompt: str) -> tuple[TOutput, TokenUsage]:
        """Return a stand-in for `execute`, without a call.

        The default output is a text that says so; override it where outputs are not strings.
        The usage is an estimate, see `expected_input_tokens`.
        """
        tokens = max(1, self.expected_input_tokens(prompt))
        output = f"[dry run] {len(prompt)} characters of prompt"
        usage: TokenUsage = {"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens}
        return cast("TOutput", output), usage


class RequestStrategy(LLMCallStrategy[TOutput]):
    """A strategy that also takes an `LLMRequest` as prompt.

    All built-in strategies do. An item whose prompt is an `LLMRequest` is refused where its
    strategy is not one of these, since it would not know what to do with it.
    """

    @abstractmethod
    async def execute(
        self, prompt: Prompt, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[TOutput, TokenUsage]:
        """Call the model once; see `LLMCallStrategy.execute`."""

    async def dry_run(self, prompt: Prompt) -> tuple[TOutput, TokenUsage]:
        """Return a stand-in for `execute`, without a call."""
        return await super().dry_run(prompt if isinstance(prompt, str) else prompt.text)


class RoutingStrategy(LLMCallStrategy[TOutput]):
    """Leaves each attempt to one of several strategies.

    The processor asks `route` before each attempt, and then treats the strategy that comes back as
    if it were the item's own: it is prepared, paced, paid for and closed by itself.

    Attributes:
        members: the strategies, in the order in which they are preferred.
    """

    members: Sequence[LLMCallStrategy[TOutput]]

    @abstractmethod
    def route(
        self,
        attempt: int,
        state: RetryState,
        headroom: Callable[[LLMCallStrategy[TOutput]], float],
    ) -> LLMCallStrategy[TOutput]:
        """Return the member for this attempt.

        Args:
            attempt: 1 for the first attempt.
            state: the item's memory.
            headroom: tells how free a member's quota is: 1 is unused, 0 used up or paused, below
                0 out of order.
        """

    def tries_on(self, state: RetryState) -> bool:
        """Return whether the next attempt goes to another member because of the last failure.

        Such a failure does not end the item, even where the classifier says that trying again is
        of no use: it is of none to that member. What `LAST_CATEGORY` and `LAST_ERROR` name in
        `base.retry_state` is read from `state`.
        """
        return any(
            isinstance(member, RoutingStrategy) and member.tries_on(state)
            for member in self.members
        )

    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[TOutput, TokenUsage]:
        """Refuse: only the members make calls."""
        raise TypeError(f"{type(self).__name__} makes no calls itself; a processor routes them.")

    def portable_request(self, prompt: Prompt) -> PortableRequest:
        """Refuse: which member answers shows only as it goes on."""
        raise ConfigurationError(
            f"{type(self).__name__} chooses among {len(self.members)} strategies as it goes on, "
            f"and a batch has one model. Give the item one of them."
        )

    def expected_input_tokens(self, prompt: Prompt) -> int:
        """Return what the first member expects."""
        return self.members[0].expected_input_tokens(prompt)

    async def dry_run(self, prompt: str) -> tuple[TOutput, TokenUsage]:
        """Return what the first member's dry run returns."""
        return await self.members[0].dry_run(prompt)

    def output_type(self, prompt: Prompt) -> Any:
        """Return the first member's; all have the same."""
        return self.members[0].output_type(prompt)

    def is_repeatable(self, prompt: Prompt) -> bool:
        """Return whether all members are."""
        return all(member.is_repeatable(prompt) for member in self.members)


def _declared_output(cls: type[Any]) -> Any:
    """Return the argument that `cls` gives to the strategy class it derives from, else `Any`."""
    for base in getattr(cls, "__orig_bases__", ()):
        origin = get_origin(base)
        if not (isinstance(origin, type) and issubclass(origin, LLMCallStrategy)):
            continue
        for argument in get_args(base)[:1]:
            return Any if isinstance(argument, TypeVar) else argument
    for parent in cls.__bases__:
        if issubclass(parent, LLMCallStrategy) and parent is not LLMCallStrategy:
            return _declared_output(parent)
    return Any


_DEEPEST_ROUTE = 16


def resolve(
    strategy: LLMCallStrategy[TOutput],
    attempt: int,
    state: RetryState,
    headroom: Callable[[LLMCallStrategy[TOutput]], float],
) -> LLMCallStrategy[TOutput]:
    """Return the strategy that makes the call of this attempt: one that routes no further.

    Asking again for the same attempt may give another, where headroom has changed meanwhile.

    Args:
        strategy: the item's own.
        attempt: 1 for the first attempt.
        state: the item's memory.
        headroom: as for `RoutingStrategy.route`; asked about strategies that make calls only.

    Raises:
        ConfigurationError: if strategies that route hold each other in a circle.
    """
    found = strategy
    try:
        for _ in range(_DEEPEST_ROUTE):
            if not isinstance(found, RoutingStrategy):
                return found
            found = found.route(attempt, state, headroom)
    except RecursionError:  # a pool asks its members where they lead
        pass
    raise ConfigurationError(
        f"{type(strategy).__name__} leads to no strategy that makes calls within "
        f"{_DEEPEST_ROUTE} steps: it holds itself, or too many in each other."
    )


def takes_requests(strategy: LLMCallStrategy[Any]) -> bool:
    """Return whether prompts may be `LLMRequest`s."""
    if isinstance(strategy, RoutingStrategy):
        return all(takes_requests(member) for member in strategy.members)
    return isinstance(strategy, RequestStrategy)
