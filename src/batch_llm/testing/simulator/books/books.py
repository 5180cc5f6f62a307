"""What the provider accepted, answered and billed."""

from __future__ import annotations

from collections import Counter
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Literal

from ....exceptions import ConfigurationError
from ....pricing.price_list import price
from .creation import Creation
from .filters import RecordFilter, ScopeFilter, WindowFilter, check_filter, fits
from .record import CallRecord
from .sums import Scope, Sums
from .windows import Spent, Windows, most_starts, most_tokens

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from typing import Unpack

    from ..call import Lane, ModelCall, Provider, Usage
    from ..clock import Clock
    from .record import Fate
    from .windows import TokenMeasure

Keep = Literal["all", "sums"]

WINDOW_SECONDS: Final = 60.0
"""How long the only window is that books of sums can tell of."""
GRAIN_SECONDS: Final = 0.25
"""What books of sums keep as one, in simulated seconds."""


class Books:
    """The ledger of truth. It may be read from any thread, while the simulator writes.

    Args:
        clock: simulated time.
        keep: "all" keeps a record of each call; "sums" only sums: its memory grows with the
            different models and keys, and with the things made, but not with the calls, however
            fast they come. What it tells of windows of time is never too low; it counts at most
            what came in a quarter of a simulated second more than the window is long.
    """

    def __init__(self, clock: Clock, keep: Keep = "all") -> None:
        self._clock = clock
        self._keep: Final[Keep] = keep
        self._lock = RLock()
        self._records: list[CallRecord] = []
        self._sums: dict[tuple[Provider, str, str, Lane, str], Sums] = {}
        self._windows: dict[tuple[Provider, str, str], Windows] = {}
        self._all_windows = _new_windows()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._creations: list[Creation] = []

    @property
    def keep(self) -> Keep:
        """Whether records are kept, or only sums."""
        return self._keep

    # --- what the simulator writes ---------------------------------------------------------

    def open(self, call: ModelCall) -> CallRecord:
        """Note that a call has come."""
        kept = self._keep == "all"
        record = CallRecord(
            self._clock.now(),
            call.provider,
            call.operation,
            call.model,
            call.key,
            call.lane,
            call.identity,
            call.custom_id,
            call.prompt if kept else "",
        )
        with self._lock:
            self._sums_of(record).requests += 1
            if kept:
                self._records.append(record)
            elif record.lane == "live":
                self._windows_of(record).started.add(record.started_at)
                self._all_windows.started.add(record.started_at)
        return record

    def execute(self, record: CallRecord, usage: Usage) -> None:
        """Bill a call."""
        usd = price(record.provider, record.model, usage, lane=record.lane)
        moment = self._clock.now()
        with self._lock:
            record.executed = True
            record.executed_at = moment
            record.usage = usage
            record.usd = usd
            self._sums_of(record).bill(usage, usd)
            if self._keep == "sums" and record.lane == "live":
                spent = Spent(moment, usage.input_tokens, usage.output_tokens)
                self._windows_of(record).executed.add(spent)
                self._all_windows.executed.add(spent)

    def close(self, record: CallRecord, fate: Fate, status: int, told: Usage | None = None) -> None:
        """Note how a call ended; the first end counts.

        Args:
            record: of the call.
            fate: how it ended.
            status: of HTTP; 0 where no answer was sent.
            told: what the client heard of its bill; None is all where it was answered, else
                nothing.
        """
        with self._lock:
            if record.fate == "open":
                record.fate = fate
                record.status = status
                if told is not None:
                    record.usage_told = told
                elif fate == "answered":
                    record.usage_told = record.usage
                self._sums_of(record).end(record, fate, status)

    def note_request(self, provider: str, route: str, status: int) -> None:
        """Count an HTTP request, of any endpoint; status 0 is one that got no answer."""
        with self._lock:
            self._requests[provider, route, status] += 1

    def note_create(self, provider: str, kind: str, name: str, identity: bytes) -> None:
        """Note that a thing was made ("file", "batch", "cache"), from a request of `identity`."""
        with self._lock:
            self._creations.append(Creation(self._clock.now(), provider, kind, name, identity))

    def _sums_of(self, record: CallRecord) -> Sums:
        scope = (record.provider, record.model, record.key, record.lane, record.operation)
        sums = self._sums.get(scope)
        if sums is None:
            sums = self._sums[scope] = Sums()
        return sums

    def _windows_of(self, record: CallRecord) -> Windows:
        scope = (record.provider, record.model, record.key)
        windows = self._windows.get(scope)
        if windows is None:
            windows = self._windows[scope] = _new_windows()
        return windows

    # --- sums ------------------------------------------------------------------------------

    def totals(self, **scope: Unpack[ScopeFilter]) -> Sums:
        """Return the sums over all calls, or over those of a provider, model, key, lane….

        Raises:
            ConfigurationError: for a filter that there is not.
        """
        check_filter(scope, ScopeFilter)
        total = Sums()
        with self._lock:
            for each, sums in self._sums.items():
                if fits(Scope(*each), scope):
                    total.add(sums)
        return total

    def sums(self) -> dict[Scope, Sums]:
        """Return the sums of each scope that had a call."""
        copies: dict[Scope, Sums] = {}
        with self._lock:
            for each, sums in self._sums.items():
                copy = copies[Scope(*each)] = Sums()
                copy.add(sums)
        return copies

    # --- records ---------------------------------------------------------------------------

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """All calls, in the order in which they came.

        Raises:
            ConfigurationError: if only sums are kept.
        """
        if self._keep == "sums":
            raise ConfigurationError(
                "The books keep only sums. Set books='all' to ask about single calls."
            )
        with self._lock:
            return tuple(self._records)

    def select(self, **fields: Unpack[RecordFilter]) -> list[CallRecord]:
        """Return the calls that have all of these values, in the order in which they came.

            lost = simulator.books.select(provider="openai", fate="lost")

        Raises:
            ConfigurationError: if only sums are kept, or for a filter that there is not.
        """
        check_filter(fields, RecordFilter)
        return [record for record in self.records if fits(record, fields)]

    def executions(self, **fields: Unpack[RecordFilter]) -> int:
        """Return how often the model ran for such calls: for one `identity`, `prompt`, ….

        Raises:
            ConfigurationError: if only sums are kept.
        """
        return sum(record.executed for record in self.select(**fields))

    def repeated(
        self, by: Literal["identity", "custom_id", "prompt"] = "identity"
    ) -> dict[Any, list[CallRecord]]:
        """Return the calls that were executed, and billed, more than once.

        Args:
            by: which value tells that two calls are the same; calls without it are left out.

        Raises:
            ConfigurationError: if only sums are kept.
        """
        executed = (record for record in self.records if record.executed)
        return _more_than_one((getattr(record, by), record) for record in executed)

    # --- other requests --------------------------------------------------------------------

    def requests_by_route(self) -> dict[tuple[str, str], dict[int, int]]:
        """Return by (provider, endpoint) how many HTTP requests ended with each status.

        The endpoint is "" for addresses that are none; status 0 is a request without an answer.
        """
        routes: dict[tuple[str, str], dict[int, int]] = {}
        with self._lock:
            for (provider, route, status), count in self._requests.items():
                routes.setdefault((provider, route), {})[status] = count
        return routes

    def routes_answered(self) -> set[tuple[str, str]]:
        """Return (provider, endpoint) of all that answered below status 400."""
        with self._lock:
            return {
                (provider, route) for provider, route, status in self._requests if 0 < status < 400
            }

    def creates(self, kind: str | None = None) -> list[Creation]:
        """Return what was made ("file", "batch", "cache"; None is all), oldest first."""
        with self._lock:
            return [made for made in self._creations if kind in (None, made.kind)]

    def repeated_creates(self, kind: str | None = None) -> list[list[Creation]]:
        """Return the things that were made more than once from equal requests, together."""
        made = self.creates(kind)
        return list(_more_than_one(((m.provider, m.kind, m.identity), m) for m in made).values())

    # --- windows of time -------------------------------------------------------------------

    def largest_starts(
        self,
        window_seconds: float = WINDOW_SECONDS,
        *,
        accepted_only: bool = False,
        **scope: Unpack[WindowFilter],
    ) -> int:
        """Return the most live calls that any window of time held, from start to (not with) end.

        Books that keep only sums never tell too few, and no more than a window held that is
        longer by a quarter of a simulated second.

        Args:
            window_seconds: how long the windows are, in simulated seconds.
            accepted_only: count only calls that were executed, at the moment of their billing:
                not those that a limit or a fault kept out.
            **scope: count only calls of a provider, model, key.

        Raises:
            ConfigurationError: if only sums are kept, and do not tell this: they know windows of
                60 seconds, of one (provider, model, key) or of all calls.
        """
        check_filter(scope, WindowFilter)
        if self._keep == "sums":
            windows = self._kept_windows(window_seconds, scope)
            with self._lock:
                return windows.executed.most_calls if accepted_only else windows.started.most
        live = self.select(lane="live", **scope)
        if accepted_only:
            return most_starts((r.executed_at for r in live if r.executed), window_seconds)
        return most_starts((record.started_at for record in live), window_seconds)

    def largest_tokens(
        self,
        window_seconds: float = WINDOW_SECONDS,
        *,
        measure: TokenMeasure = "tokens",
        **scope: Unpack[WindowFilter],
    ) -> int:
        """Return the most tokens of live calls that were billed in any window of time.

        Books that keep only sums are as exact as in `largest_starts`.

        Args:
            window_seconds: how long the windows are, in simulated seconds.
            measure: "input_tokens", "output_tokens", or "tokens" for both together.
            **scope: count only calls of a provider, model, key.

        Raises:
            ConfigurationError: as in `largest_starts`.
        """
        check_filter(scope, WindowFilter)
        if self._keep == "sums":
            windows = self._kept_windows(window_seconds, scope)
            with self._lock:
                return windows.executed.most(measure)
        executed = self.select(lane="live", executed=True, **scope)
        spent = (
            Spent(record.executed_at, record.usage.input_tokens, record.usage.output_tokens)
            for record in executed
        )
        return most_tokens(spent, window_seconds, measure)

    def _kept_windows(self, seconds: float, scope: WindowFilter) -> Windows:
        """Return the windows that were kept while calls came."""
        with self._lock:
            windows = [
                windows
                for (provider, model, key), windows in self._windows.items()
                if fits(Scope(provider, model, key, "live", ""), scope)
            ]
            kept = len(self._windows)
        if seconds == WINDOW_SECONDS and len(windows) == kept:
            return self._all_windows
        if seconds == WINDOW_SECONDS and len(windows) <= 1:
            return windows[0] if windows else _new_windows()
        raise ConfigurationError(
            f"Books that keep only sums know windows of {WINDOW_SECONDS:g} seconds, of one "
            f"provider, model and key, or of all calls. Set books='all' to ask for others."
        )

    # --- as JSON ---------------------------------------------------------------------------

    def to_dict(self, **scope: Unpack[ScopeFilter]) -> dict[str, Any]:
        """Return all but the records as JSON values; a record has its own `to_dict`.

        Args:
            **scope: which calls the sums are of; what else there is, is of all.

        Raises:
            ConfigurationError: for a filter that there is not.
        """
        check_filter(scope, ScopeFilter)
        with self._lock:  # all of it is of one moment
            scopes = [
                {**each._asdict(), **sums.to_dict()}
                for each, sums in self.sums().items()
                if fits(each, scope)
            ]
            requests = [
                {"provider": provider, "route": route, "status": status, "count": count}
                for (provider, route), statuses in self.requests_by_route().items()
                for status, count in statuses.items()
            ]
            return {
                "keep": self._keep,
                "totals": self.totals(**scope).to_dict(),
                "scopes": scopes,
                "requests": requests,
                "creates": [made.to_dict() for made in self.creates()],
                "largest_starts_of_60_seconds": self.largest_starts(),
                "largest_tokens_of_60_seconds": self.largest_tokens(),
            }


def _new_windows() -> Windows:
    return Windows(WINDOW_SECONDS, GRAIN_SECONDS)


def _more_than_one(pairs: Iterable[tuple[Hashable, Any]]) -> dict[Any, list[Any]]:
    """Return what shares its key with something else; a key of None or "" is none."""
    groups: dict[Any, list[Any]] = {}
    for key, thing in pairs:
        if key not in (None, ""):
            groups.setdefault(key, []).append(thing)
    return {key: things for key, things in groups.items() if len(things) > 1}
