"""The simulator's own endpoints, under /_sim: what it knows, and what can be changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast, get_args

import msgspec
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ...exceptions import ConfigurationError
from .books.windows import TokenMeasure
from .exchange import json_response
from .faults import Fault, FaultKind
from .latency import Latency
from .limits import Limit
from .reading import read_limits
from .routes import Route, Router, UnknownMethodError, UnknownPathError
from .settings import BatchTimes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .exchange import Request, Response
    from .front import Front
    from .world import World

_LIMITS: Final = TypeAdapter(tuple[Limit, ...])
_LATENCY: Final = TypeAdapter(Latency)
_BATCH_TIMES: Final = TypeAdapter(BatchTimes)
_RECORDS_OF_PAGE: Final = 1_000
_SCOPE_FILTERS: Final = ("provider", "model", "key", "lane", "operation")
_RECORD_FILTERS: Final = (*_SCOPE_FILTERS, "fate", "custom_id", "prompt")
_WINDOW_FILTERS: Final = ("provider", "model", "key")


class _ClockChange(BaseModel):
    """What is asked of the clock."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    advance_seconds: float | None = Field(default=None, ge=0)
    speed: float | None = Field(default=None, gt=0)


_CLOCK: Final = TypeAdapter(_ClockChange)


class Control:
    """Answers what is asked about the world, and changes it.

    Args:
        front: the world, and the providers before it.
        reset: begins a new world; None where nobody can.
    """

    def __init__(self, front: Front, reset: Callable[[], Awaitable[None]] | None = None) -> None:
        self._front = front
        self._reset = reset
        self._router = Router(
            Route(method, pattern, "", handler)
            for method, pattern, handler in (
                ("GET", "", self._about),
                ("GET", "/health", self._health),
                ("GET", "/books", self._books),
                ("GET", "/books/records", self._records),
                ("GET", "/books/repeated", self._repeated),
                ("GET", "/books/windows", self._windows),
                ("GET", "/settings", self._settings),
                ("GET", "/limits", self._limits),
                ("PUT", "/limits", self._set_limits),
                ("GET", "/latency", self._latency),
                ("PUT", "/latency", self._set_latency),
                ("GET", "/batch_times", self._batch_times),
                ("PUT", "/batch_times", self._set_batch_times),
                ("GET", "/faults", self._faults),
                ("POST", "/faults", self._add_fault),
                ("DELETE", "/faults", self._clear_faults),
                ("DELETE", "/faults/{number}", self._remove_fault),
                ("GET", "/clock", self._clock),
                ("POST", "/clock", self._set_clock),
                ("POST", "/reset", self._begin_anew),
            )
        )

    @property
    def _world(self) -> World:
        return self._front.world

    async def answer(self, request: Request) -> Response:
        """Return the response to a request below /_sim."""
        try:
            route, request.params = self._router.find(request.method, request.path.rstrip("/"))
        except UnknownPathError:
            known = ", ".join(f"{route.method} /_sim{route.pattern}" for route in self._router)
            return _refused(404, f"Nothing is at /_sim{request.path}. There is: {known}.")
        except UnknownMethodError:
            return _refused(405, f"/_sim{request.path} knows no {request.method}.")
        try:
            return await route.handler(request)
        except ValidationError as error:
            return _refused(400, _reasons(error))
        except (ConfigurationError, msgspec.DecodeError) as error:
            return _refused(400, str(error))

    # --- what it knows ---------------------------------------------------------------------

    async def _about(self, request: Request) -> Response:
        clock = self._world.clock
        operations = sorted(self._front.operations)
        routes = {
            name: [route.name for route in gateway.routes]
            for name, gateway in self._front.gateways.items()
        }
        return json_response(
            {
                "now": clock.now(),
                "speed": clock.speed,
                "endpoints": routes,
                "operations": operations,
            }
        )

    async def _health(self, request: Request) -> Response:
        broken = self._front.broken
        return json_response({"ok": not broken, "broken": broken}, status=500 if broken else 200)

    async def _books(self, request: Request) -> Response:
        wanted: dict[str, Any] = _filters(request.query, _SCOPE_FILTERS)
        return json_response(self._world.books.to_dict(**wanted))

    async def _records(self, request: Request) -> Response:
        others = ("status", "fault", "executed", "after", "limit")
        wanted: dict[str, Any] = _filters(request.query, _RECORD_FILTERS, others)
        if "status" in request.query:
            wanted["status"] = _whole(request.query, "status", 0)
        if "fault" in request.query:
            wanted["fault"] = _fault_kind(request.query["fault"])
        if "executed" in request.query:
            wanted["executed"] = _truth(request.query, "executed")
        start = _whole(request.query, "after", 0)
        limit = max(1, _whole(request.query, "limit", _RECORDS_OF_PAGE))
        found = self._world.books.select(**wanted)
        page = found[start : start + limit]
        return json_response(
            {
                "total": len(found),
                "records": [record.to_dict() for record in page],
                "next_after": start + limit if start + limit < len(found) else None,
            }
        )

    async def _repeated(self, request: Request) -> Response:
        books = self._world.books
        calls = [
            {"executions": len(records), "call": records[0].to_dict()}
            for records in books.repeated().values()
        ]
        creates = [[made.to_dict() for made in things] for things in books.repeated_creates()]
        return json_response({"calls": calls, "creates": creates})

    async def _windows(self, request: Request) -> Response:
        query = request.query
        seconds = _number(query, "seconds", 60.0)
        others = ("seconds", "accepted_only", "measure")
        wanted: dict[str, Any] = _filters(query, _WINDOW_FILTERS, others)
        measure = _measure(query.get("measure", "tokens"))
        accepted_only = _truth(query, "accepted_only")
        books = self._world.books
        return json_response(
            {
                "seconds": seconds,
                "largest_starts": books.largest_starts(
                    seconds, accepted_only=accepted_only, **wanted
                ),
                "largest_tokens": books.largest_tokens(seconds, measure=measure, **wanted),
            }
        )

    async def _settings(self, request: Request) -> Response:
        return json_response(self._world.settings.model_dump(mode="json"))

    # --- what can be changed ---------------------------------------------------------------

    async def _limits(self, request: Request) -> Response:
        limits = self._world.limits.in_force()
        return json_response([limit.model_dump(mode="json") for limit in limits])

    async def _set_limits(self, request: Request) -> Response:
        self._world.limits.set(read_limits(_LIMITS.validate_json(request.body)))
        return await self._limits(request)

    async def _latency(self, request: Request) -> Response:
        return json_response(self._world.latency.model_dump(mode="json"))

    async def _set_latency(self, request: Request) -> Response:
        self._world.latency = _LATENCY.validate_json(request.body)
        return await self._latency(request)

    async def _batch_times(self, request: Request) -> Response:
        return json_response(self._world.batch_times.model_dump(mode="json"))

    async def _set_batch_times(self, request: Request) -> Response:
        self._world.batch_times = _BATCH_TIMES.validate_json(request.body)
        return await self._batch_times(request)

    async def _faults(self, request: Request) -> Response:
        return json_response(
            [
                {"number": number, "happened": happened, **fault.model_dump(mode="json")}
                for number, fault, happened in self._world.faults.in_force()
            ]
        )

    async def _add_fault(self, request: Request) -> Response:
        number = self._front.add_fault(Fault.model_validate_json(request.body))
        return json_response({"number": number}, status=201)

    async def _clear_faults(self, request: Request) -> Response:
        self._world.faults.clear()
        return await self._faults(request)

    async def _remove_fault(self, request: Request) -> Response:
        number = _whole(request.params, "number", 0)
        if not self._world.faults.remove(number):
            return _refused(404, f"There is no fault {number}.")
        return await self._faults(request)

    async def _clock(self, request: Request) -> Response:
        clock = self._world.clock
        return json_response({"now": clock.now(), "speed": clock.speed})

    async def _set_clock(self, request: Request) -> Response:
        change = _CLOCK.validate_json(request.body)
        clock = self._world.clock
        if change.speed is not None:
            clock.set_speed(change.speed)
        if change.advance_seconds is not None:
            clock.advance(change.advance_seconds)
            await self._world.catch_up()
        return await self._clock(request)

    async def _begin_anew(self, request: Request) -> Response:
        if self._reset is None:
            return _refused(409, "This simulator cannot begin anew; start another one.")
        await self._reset()
        return json_response({"ok": True})


def _refused(status: int, message: str) -> Response:
    return json_response({"error": {"message": message}}, status=status)


def _reasons(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in reason['loc']) or 'body'}: {reason['msg']}"
        for reason in error.errors()
    )


def _filters(
    query: Mapping[str, str], names: tuple[str, ...], others: tuple[str, ...] = ()
) -> dict[str, str]:
    unknown = sorted(set(query) - {*names, *others})
    if unknown:
        known = ", ".join((*names, *others))
        raise ConfigurationError(f"There is no {unknown[0]!r} to choose by: {known}.")
    return {name: query[name] for name in names if name in query}


def _truth(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise ConfigurationError(f"{name} is true or false, not {text!r}.")
    return text == "true"


def _measure(text: str) -> TokenMeasure:
    measures = get_args(TokenMeasure)
    if text not in measures:
        raise ConfigurationError(f"measure is one of {', '.join(measures)}; not {text!r}.")
    return cast("TokenMeasure", text)


def _fault_kind(text: str) -> FaultKind:
    try:
        return FaultKind(text)
    except ValueError:
        kinds = ", ".join(kind.value for kind in FaultKind)
        raise ConfigurationError(f"fault is one of {kinds}; not {text!r}.") from None


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise ConfigurationError(f"{name} is a whole number, not {text!r}.")
    return int(text)


def _number(query: Mapping[str, str], name: str, default: float) -> float:
    try:
        number = float(query.get(name, default))
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ConfigurationError(f"{name} is a number above 0, not {query[name]!r}.")
    return number
