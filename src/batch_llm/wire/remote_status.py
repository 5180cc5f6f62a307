"""How a remote batch stands, in the words of no single provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

RemoteState: TypeAlias = Literal["in_progress", "canceling", "ended"]
RemoteEnd: TypeAlias = Literal["completed", "failed", "expired", "cancelled"]

TOKEN_LIMIT_EXCEEDED: Final = "token_limit_exceeded"  # noqa: S105 - a word of OpenAI's
"""Code of a batch refused because too many tokens wait already: it may be sent again later."""


@dataclass(frozen=True, slots=True)
class RemoteCounts:
    """How many requests of a remote batch ended how, as far as the provider tells.

    Attributes:
        total: all of them; 0 where that is not known yet.
        succeeded: with an answer.
        errored: without one.
        expired: not done in time; providers that do not tell them apart count them as errored.
        canceled: not done because of a cancel; likewise.
    """

    total: int = 0
    succeeded: int = 0
    errored: int = 0
    expired: int = 0
    canceled: int = 0

    @property
    def pending(self) -> int:
        """Those that have not ended."""
        ended = self.succeeded + self.errored + self.expired + self.canceled
        return max(0, self.total - ended)


@dataclass(frozen=True, slots=True)
class RemoteError:
    """Why a remote batch failed as a whole.

    Attributes:
        message: the provider's own words, cut.
        code: the provider's own word for it, or None.
        is_refusal: whether it was refused for what is in it, and nothing of it ran.
        lines: what is wrong with single requests, by their places, from 0; empty where the provider
            names none.
    """

    message: str
    code: str | None = None
    is_refusal: bool = False
    lines: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStatus:
    """How a remote batch stands.

    Attributes:
        id: the provider's name of it.
        state: "canceling" from the cancel until the batch has ended.
        ended_as: how it ended; None before. An expired or cancelled one may have results.
        provider_state: the provider's own word.
        counts: of its requests.
        created_at: unix seconds, as all moments here; None where the provider does not say.
        ended_at: None before the end.
        expires_at: when the provider gives up.
        error: why it failed.
        outputs: where the results are, for `BatchClient.collect`; empty where there are none.
        inputs: files that were uploaded for it.
        name: the intent that it was created for, where the provider keeps one.
    """

    id: str
    state: RemoteState
    ended_as: RemoteEnd | None = None
    provider_state: str = ""
    counts: RemoteCounts = field(default_factory=RemoteCounts)
    created_at: float | None = None
    ended_at: float | None = None
    expires_at: float | None = None
    error: RemoteError | None = None
    outputs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    name: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state == "ended"

    @property
    def was_refused(self) -> bool:
        """Whether it ended before anything of it ran, for what is in it."""
        is_refusal = self.error is not None and self.error.is_refusal
        return self.ended_as == "failed" and is_refusal and not self.outputs

    @property
    def waits_for_tokens(self) -> bool:
        """Whether it was refused because too many tokens wait already: nothing of it ran."""
        return self.error is not None and self.error.code == TOKEN_LIMIT_EXCEEDED


@dataclass(frozen=True, slots=True)
class RemotePage:
    """A part of the list of remote batches, the newest first.

    Attributes:
        batches: how each stands.
        next: what the request for the next part names; None after the last one.
        told_at: when the provider said so, by its own clock; None where it does not tell.
    """

    batches: tuple[RemoteStatus, ...]
    next: str | None
    told_at: float | None = None


def unix_seconds(moment: object) -> float | None:
    """Return an RFC 3339 time as unix seconds; None where it is none."""
    if not isinstance(moment, str):
        return None
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return None
