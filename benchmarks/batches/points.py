"""What users of batches rely on, each provoked in a library through the simulator.

Every function here runs programs of a library's user, and returns what came of it, measured: by
what the user saw, by the files there are, and by the provider's books.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from batch_llm.testing.simulator import Fault, FaultKind, Simulator

from .library import seen_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .library import Library, Seen

OPENAI: Final = "gpt-4o-mini-2024-07-18"
ANTHROPIC: Final = "claude-3-haiku-20240307"
GEMINI: Final = "gemini-2.5-flash"
FAST: Final = 10_000.0
REAL: Final = 1.0
"""A batch takes ten minutes, and has not ended when a point of seconds is over."""
_PROVIDERS_REASON: Final = "The server had an error"
_REACTION_SECONDS: Final = 2.0
_LONGEST_SECONDS: Final = 45.0


@dataclass(frozen=True)
class Verdict:
    """What came of a point.

    Attributes:
        holds: whether a user can rely on it.
        measured: what happened, in words and numbers.
    """

    holds: bool
    measured: str


@dataclass(frozen=True)
class Point:
    """One thing that users rely on.

    Attributes:
        promise: what it is.
        measure: provokes it in a library, with a folder of its own for files.
    """

    promise: str
    measure: Callable[[Library, Path], Verdict]


def _resumes(library: Library, folder: Path) -> Verdict:
    job = {**_job(OPENAI, folder, 4), "state_file": folder / "state.json"}
    with Simulator(speed=FAST) as simulator:
        library.run(simulator, **job)
        again = library.run(simulator, **job)
        sent_again = len(simulator.books.repeated("prompt"))
    told = f"{again.raised or 'resumed'}; {again.succeeded} of 4 results, {sent_again} paid twice"
    return Verdict(again.succeeded == 4 and not sent_again, told)


def _has_state_in_flight(library: Library, folder: Path) -> Verdict:
    state = folder / "state.json"
    job = {**_job(OPENAI, folder, 4), "state_file": state}
    with Simulator(speed=REAL) as simulator:
        with library.running(simulator, **job) as process:
            _until(lambda: bool(simulator.books.creates("batch")))
            time.sleep(_REACTION_SECONDS)
            kept = state.read_text(encoding="utf-8") if state.exists() else None
            process.kill()
        simulator.set_speed(FAST)
        after = library.run(simulator, **job)
        simulator.advance(86_400)
        twice = len(simulator.books.repeated("prompt"))
        name = simulator.books.creates("batch")[0].name
    knows = kept is not None and name in kept
    where = "is not there" if kept is None else ("has its id" if knows else "lacks its id")
    told = f"the state file {where}; killed and run again: {twice} of 4 jobs paid twice"
    return Verdict(knows and not twice and after.succeeded == 4, told)


def _keeps_the_results_folder(library: Library, folder: Path) -> Verdict:
    job = _job(OPENAI, folder, 1)
    mine = folder / "out" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("a user's own", encoding="utf-8")
    with Simulator(speed=FAST) as simulator:
        library.run(simulator, **job)
    is_there = mine.exists()
    return Verdict(is_there, f"a file that was in it is {'still there' if is_there else 'deleted'}")


def _submits_nothing_after_ctrl_c(library: Library, folder: Path) -> Verdict:
    job = {**_job(OPENAI, folder, 4), "state_file": folder / "state.json", "items_per_batch": 1}
    with Simulator(speed=REAL) as simulator, library.running(simulator, **job) as process:
        _until(lambda: bool(simulator.books.creates("batch")))
        time.sleep(_REACTION_SECONDS)
        process.send_signal(signal.SIGINT)
        time.sleep(_REACTION_SECONDS)
        simulator.set_speed(FAST)
        seen_by(process)
        more = len(simulator.books.creates("batch")) - 1
    return Verdict(more == 0, f"{more} of the 3 batches that waited were submitted after it")


def _submits_nothing_after_the_time_limit(library: Library, folder: Path) -> Verdict:
    job = {**_job(OPENAI, folder, 4), "state_file": folder / "state.json", "items_per_batch": 1}
    with Simulator(speed=REAL) as simulator:
        library.run(simulator, **job, time_limit_seconds=10)
        more = len(simulator.books.creates("batch")) - 1
    return Verdict(more == 0, f"{more} of the 3 batches that waited were submitted after 10 s")


def _keeps_the_reservation_over_a_failed_poll(library: Library, folder: Path) -> Verdict:
    job = {**_job(OPENAI, folder, 4), "cost_limit_usd": 1.0}
    down = Fault(kind=FaultKind.STATUS, status=503, operation="batches.retrieve", times=3)
    with Simulator(speed=REAL, faults=[down]) as simulator:
        with library.running(simulator, **job) as process:
            _until(lambda: _answers_of(simulator, 503) >= 3)
            time.sleep(_REACTION_SECONDS)
            simulator.set_speed(FAST)
            seen = seen_by(process)
        simulator.set_speed(FAST)
        simulator.advance(86_400)
        billed = simulator.books.totals().usd
    told = (
        f"{seen.succeeded} of 4 jobs succeeded; told {seen.cost_usd:.6f} USD, billed {billed:.6f}"
    )
    return Verdict(seen.succeeded == 4 and abs(seen.cost_usd - billed) < 1e-6, told)


def _loses_no_job_without_a_result(library: Library, folder: Path) -> Verdict:
    missing = Fault(kind=FaultKind.BATCH_MISSING_LINES, share=0.25)
    with Simulator(speed=FAST, faults=[missing]) as simulator:
        seen = library.run(simulator, **_job(OPENAI, folder, 20))
    return _all_told(seen, 20)


def _reads_the_error_file(library: Library, folder: Path) -> Verdict:
    bad = Fault(kind=FaultKind.STATUS, status=400, lane="batch", prompt_contains="question 1")
    with Simulator(speed=FAST, faults=[bad]) as simulator:
        seen = library.run(simulator, **_job(OPENAI, folder, 10))
    return _all_told(seen, 10)


def _tells_why_a_batch_of_errors_failed(library: Library, folder: Path) -> Verdict:
    with Simulator(speed=FAST, faults=[Fault(kind=FaultKind.BATCH_ONLY_ERRORS)]) as simulator:
        seen = library.run(simulator, **_job(OPENAI, folder, 2))
    said = {str(job["error"]) for job in seen.jobs}
    is_told = bool(said) and all(_PROVIDERS_REASON in error for error in said)
    return Verdict(is_told, f"each job's error: {' / '.join(sorted(said))}")


def _matches_gemini_by_key(library: Library, folder: Path) -> Verdict:
    with Simulator(speed=FAST, faults=[Fault(kind=FaultKind.BATCH_SHUFFLED)]) as simulator:
        seen = library.run(simulator, **_job(GEMINI, folder, 20))
    wrong = sum(job["response"] != job["prompt"] for job in seen.jobs)
    told = f"{wrong} of {len(seen.jobs)} jobs have the answer of another"
    return Verdict(len(seen.jobs) == 20 and not wrong, seen.raised or told)


def _resumes_with_the_response_model(library: Library, folder: Path) -> Verdict:
    state = folder / "state.json"
    job = {**_job(ANTHROPIC, folder, 3), "state_file": state, "items_per_batch": 1}
    job["answers_are_models"] = True
    with Simulator(speed=FAST, answers=lambda _: {"mood": "good"}) as simulator:
        with library.running(simulator, **job) as process:
            _until(lambda: any((folder / "out").glob("*.json")) and state.exists())
            simulator.set_speed(REAL)
            process.kill()
        if library.mend_state is not None:
            library.mend_state(state)
        simulator.set_speed(FAST)
        seen = library.run(simulator, **job)
    answers = [job for job in seen.jobs if job["outcome"] == "succeeded"]
    parsed = sum(job["is_model"] for job in answers)
    by_hand = " after its state file was mended by hand" if library.mend_state else ""
    told = f"{parsed} of {len(answers)} answers are the model{by_hand}"
    return Verdict(parsed == len(answers) == 3, seen.raised or told)


def _holds_the_limit_without_an_estimate(library: Library, folder: Path) -> Verdict:
    limit = 0.000_001
    job = {**_job(OPENAI, folder, 4), "cost_limit_usd": limit, "no_token_limit": True}
    with Simulator(speed=FAST) as simulator:
        library.run(simulator, **job)
        billed = simulator.books.totals().usd
    return Verdict(billed <= limit, f"limit {limit:.6f} USD, billed {billed:.6f}")


def _cites_no_number_for_a_boolean(library: Library, _: Path) -> Verdict:
    return _cites_nothing(library, "Delivered to floor 1 on Monday.", {"is_paid": True})


def _cites_whole_numbers_only(library: Library, _: Path) -> Verdict:
    return _cites_nothing(library, "The order was for 12 kettles.", {"parcels": 1})


POINTS: Final = (
    Point("A run resumes from its own state file", _resumes),
    Point("State is written while the first batch is in flight", _has_state_in_flight),
    Point("A user's folder of results is left alone", _keeps_the_results_folder),
    Point("Ctrl-C: nothing more is submitted", _submits_nothing_after_ctrl_c),
    Point("Time limit: nothing more is submitted", _submits_nothing_after_the_time_limit),
    Point("Three 503s of a poll: still waited for", _keeps_the_reservation_over_a_failed_poll),
    Point("Jobs missing from the output are told", _loses_no_job_without_a_result),
    Point("The error file beside an output is read", _reads_the_error_file),
    Point("A batch of nothing but errors says why", _tells_why_a_batch_of_errors_failed),
    Point("Gemini's results in another order find their jobs", _matches_gemini_by_key),
    Point("`response_model` is there after a resume", _resumes_with_the_response_model),
    Point("A cost limit holds where an estimate fails", _holds_the_limit_without_an_estimate),
    Point("`True` is not cited by a 1", _cites_no_number_for_a_boolean),
    Point("1 is not cited by a 12", _cites_whole_numbers_only),
)


def _job(model: str, folder: Path, prompts: int) -> dict[str, Any]:
    """Return the settings of a program: so many questions, which the simulator says back."""
    questions = [f"question {number}" for number in range(prompts)]
    return {"model": model, "prompts": questions, "results_dir": folder / "out"}


def _until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: if it does not come to be so.
    """
    end = time.monotonic() + _LONGEST_SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"what was waited for did not happen in {_LONGEST_SECONDS:g} s")
        time.sleep(0.01)


def _answers_of(simulator: Simulator, status: int) -> int:
    routes = simulator.books.requests_by_route()
    return sum(statuses.get(status, 0) for statuses in routes.values())


def _all_told(seen: Seen, jobs: int) -> Verdict:
    failed = [str(job["error"]) for job in seen.jobs if job["outcome"] == "failed"]
    why = f", such as: {failed[0]}" if failed else ""
    told = f"{len(seen.jobs)} of {jobs} jobs have a result, {len(failed)} of them failed{why}"
    return Verdict(len(seen.jobs) == jobs, seen.raised or told)


def _cites_nothing(library: Library, passage: str, fields: dict[str, object]) -> Verdict:
    with Simulator() as simulator:
        cited = library.run(simulator, passage=passage, fields=fields).cited
    asked = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    end = "cited by it" if cited else "not cited"
    return Verdict(not cited, f'{asked}, "{passage}": {end}')
