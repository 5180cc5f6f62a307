"""What a run reads from its ledger and writes to it, item by item."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from ..base import LLMRequest, WorkItemResult, describe_error, empty_usage
from ..core.version import package_version
from ..exceptions import ConfigurationError, LedgerError, UnkeptOutputError
from ..ledger import OutputCodecs, ResultRecord, identify, open_ledger, request_digest

if TYPE_CHECKING:
    from ..base import LLMCallStrategy, LLMWorkItem, Origin, ProcessingStats
    from ..core import LedgerConfig
    from ..ledger import ItemIdentity, KeptResult, Ledger
    from .life import ItemLife

_CODECS: Final = OutputCodecs()


def check_keepable(item: LLMWorkItem[Any, Any, Any]) -> None:
    """Refuse an item whose result no ledger could keep, before any call.

    Raises:
        ConfigurationError: saying what its strategy lacks.
        InputError: if its context cannot be compared with that of another run.
    """
    _identified(item, _fingerprint_of(item.strategy))
    _CODECS.of(item.strategy, item.prompt)


class Journal:
    """Replays what the ledger knows, and keeps what becomes known.

    Args:
        ledger: the open ledger.

    Attributes:
        ledger: as given.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._fingerprints: dict[int, str] = {}
        self._runs = False

    @classmethod
    async def open(cls, config: LedgerConfig) -> Journal:
        """Open the ledger that `config` names.

        Raises:
            ConfigurationError: if there can be none, saying why.
            LedgerError: if another process has it, or it cannot be read.
        """
        opening = asyncio.create_task(asyncio.to_thread(open_ledger, config))
        try:
            return cls(await asyncio.shield(opening))
        except asyncio.CancelledError:
            # A thread cannot be stopped; what it opens must not stay locked.
            await asyncio.wait([opening])
            if opening.exception() is None:
                await opening.result().aclose()
            raise

    async def begin_run(self) -> None:
        """Begin a run: what was kept before it can be replayed in it.

        Raises:
            LedgerError: if the ledger cannot be written.
        """
        if self._runs:
            await self.ledger.end_run({})
        self._fingerprints.clear()
        await self.ledger.begin_run(package_version())
        self._runs = True

    async def end_run(self, stats: ProcessingStats) -> None:
        """Write down how a run ended."""
        if self._runs:
            self._runs = False
            await self.ledger.end_run(
                {
                    "total": stats.total,
                    "succeeded": stats.succeeded,
                    "failed": stats.failed - stats.cancelled,
                    "cancelled": stats.cancelled,
                    "reused": stats.reused,
                }
            )

    async def aclose(self) -> None:
        """Write what is left, and let another process have the ledger."""
        await self.ledger.aclose()

    def replay(self, life: ItemLife[Any, Any, Any]) -> WorkItemResult[Any, Any] | None:
        """Return the item's result where an earlier run, or an equal request, has it.

        Raises:
            ConfigurationError, InputError: if the ledger could not keep the item's result.
            LedgerError: if it cannot be read.
        """
        item = life.item
        strategy = life.home.strategy
        life.identity = _identified(item, self._fingerprint(strategy))
        codec = _CODECS.of(strategy, item.prompt)
        origin: Origin = "ledger"
        kept = self.ledger.find(life.identity)
        if kept is None:
            origin = "cache"
            kept = self.ledger.find_answer(life.identity.request)
        if kept is None:
            return None
        output = codec.decode(item.item_id, kept.output)
        return _replayed(life, kept, output, origin)

    async def keep(self, life: ItemLife[Any, Any, Any], result: WorkItemResult[Any, Any]) -> None:
        """Return when the item's end is durable, however often its task is cancelled meanwhile.

        Raises:
            LedgerError: if it cannot be kept.
            CancelledError: afterwards, if the task was cancelled.
        """
        if life.identity is None or result.origin == "ledger":
            return
        record = _record_of(life.identity, life, result)
        unkept = _put_end(record, life, result)
        await _to_the_end(asyncio.ensure_future(self.ledger.keep(record)))
        if unkept is not None:
            # It is paid for, and goes to the user all the same; the run ends before more are lost.
            raise LedgerError(str(unkept), self.ledger.path, "an output cannot be kept") from unkept

    def note_cost(self, life: ItemLife[Any, Any, Any]) -> None:
        """Count what an item's calls have cost that was cancelled: it is not kept itself.

        Raises:
            LedgerError: if that cannot be written.
        """
        if life.cost_usd and not life.is_settled:
            self.ledger.add_cost(life.cost_usd)

    def _fingerprint(self, strategy: LLMCallStrategy[Any]) -> str:
        found = self._fingerprints.get(id(strategy))
        if found is None:
            found = self._fingerprints[id(strategy)] = _fingerprint_of(strategy)
        return found


def _fingerprint_of(strategy: LLMCallStrategy[Any]) -> str:
    found = strategy.fingerprint()
    if not isinstance(found, str) or not found:
        raise ConfigurationError(
            f"{type(strategy).__name__} has no identity, so that a ledger could not tell whether "
            f"an answer is still its own. Give it a fingerprint() that returns a text: model, "
            f"parameters and schema, no secrets."
        )
    return found


def _identified(item: LLMWorkItem[Any, Any, Any], fingerprint: str) -> ItemIdentity:
    return identify(item.item_id, request_digest(fingerprint, item.prompt), item.context)


def _record_of(
    identity: ItemIdentity, life: ItemLife[Any, Any, Any], result: WorkItemResult[Any, Any]
) -> ResultRecord:
    return ResultRecord(
        item=identity,
        attempts=result.attempts,
        usage=result.token_usage,
        cost_usd=result.cost_usd,
        duration_seconds=result.duration_seconds,
        unanswered_calls=result.unanswered_calls,
        finish_reason=result.finish_reason,
        counts_tokens=result.origin == "call",
        prompt_text=_text_of(life.item),
        # Under a cap, calls are settled one by one; and the answer of another costs nothing.
        settlements=() if life.is_settled or result.origin != "call" else None,
    )


def _put_end(
    record: ResultRecord, life: ItemLife[Any, Any, Any], result: WorkItemResult[Any, Any]
) -> UnkeptOutputError | None:
    """Put the output or the error into a record; return why an output cannot be kept."""
    if result.success and not life.is_made_up:
        codec = _CODECS.of(life.home.strategy, life.item.prompt)
        try:
            record.output = codec.encode(result.item_id, result.output)
        except UnkeptOutputError as error:
            record.error, record.error_category = describe_error(error), "logic_error"
            return error
    elif life.is_made_up and life.last_error is not None:
        # What a middleware makes of a failure is made again by the next run.
        record.error, record.error_category = describe_error(life.last_error), life.category
    else:
        record.error, record.error_category = result.error, result.error_category
    return None


def _replayed(
    life: ItemLife[Any, Any, Any], kept: KeptResult, output: Any, origin: Origin
) -> WorkItemResult[Any, Any]:
    return WorkItemResult(
        item_id=life.item.item_id,
        success=True,
        output=output,
        context=life.item.context,
        token_usage=kept.usage or empty_usage(),
        gemini_safety_ratings=getattr(output, "safety_ratings", None),
        attempts=kept.attempts,
        duration_seconds=kept.duration_seconds,
        cost_usd=kept.cost_usd,
        unanswered_calls=kept.unanswered_calls,
        origin=origin,
        finish_reason=kept.finish_reason,
    )


def _text_of(item: LLMWorkItem[Any, Any, Any]) -> str:
    return item.prompt.text if isinstance(item.prompt, LLMRequest) else item.prompt


async def _to_the_end(written: asyncio.Future[None]) -> None:
    """Wait for `written` through any number of cancellations, and raise the last of them after."""
    cancelled: asyncio.CancelledError | None = None
    while not written.done():
        try:
            await asyncio.shield(written)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # told below, from the future itself
            break
    written.result()
    if cancelled is not None:
        raise cancelled
