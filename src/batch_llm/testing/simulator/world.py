"""All that one simulated world holds, besides the providers' own things."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .answers import answers_from, close_answers
from .books import Books
from .chance import Chance, Occurrences
from .clock import Clock
from .faults import FaultPlan
from .ids import Ids
from .limits import Limits

if TYPE_CHECKING:
    from .answers import Answers, AnswersSource
    from .batches import BatchRunner
    from .exchange import Request
    from .settings import SimulatorSettings


class World:
    """Time, chance, limits, faults, answers and books, shared by the three providers.

    It belongs to one event loop; nothing in it is locked.

    Args:
        settings: how it starts; what changes later is changed in the parts.
        answers: what models say, as `answers_from` takes it; None takes what the settings name.
    """

    def __init__(self, settings: SimulatorSettings, answers: AnswersSource | None = None) -> None:
        self.settings = settings
        self.clock = Clock(settings.speed)
        self.chance = Chance(settings.seed)
        self.ids = Ids(settings.seed)
        self.occurrences = Occurrences()
        self.faults = FaultPlan(self.chance)
        for fault in settings.faults:
            self.faults.add(fault)
        self.limits = Limits(self.clock, settings.limits)
        self.latency = settings.latency
        self.batch_times = settings.batch_times
        self._answers_before: list[Answers] = []
        self.runners: set[BatchRunner[Any]] = set()
        self.books = Books(self.clock, settings.books)
        said_by = settings.answers if answers is None else answers
        self.answers = answers_from(said_by, settings.seed)

    def set_answers(self, answers: Answers) -> None:
        """Let models say something else; calls under way may still ask what said it before."""
        self._answers_before.append(self.answers)
        self.answers = answers

    async def catch_up(self) -> None:
        """Wait until all batches have done what they should have, by the clock."""
        # Turns of the loop are all that they need, and no event tells of the last one.
        while any(runner.is_behind() for runner in self.runners):  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Let the answers' source go of what it holds open."""
        for answers in (self.answers, *self._answers_before):
            await close_answers(answers)

    def is_key(self, key: str) -> bool:
        """Return whether an API key is right."""
        known = self.settings.keys
        return key in known if known is not None else bool(key) and not key.startswith("wrong")

    def visible_before(self, provider: str, operation: str, request: Request) -> float:
        """Return the moment up to which a list shows what was made: now, but for a stale one."""
        now = self.clock.now()
        subject = self.occurrences.subject(f"{provider} {operation} {request.key}".encode())
        fault = self.faults.for_list(provider, operation, request.key, request.headers, subject)
        return now if fault is None else now - fault.seconds
