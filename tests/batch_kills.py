"""Batches whose processes are killed and started again, and what the provider's books say of it."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from tests.integration.killed_batch import (
    CLOSED,
    CREATED,
    CREATING,
    FETCHED,
    GROUP,
    HALF,
    HANDLED,
    INTENT,
    KEPT,
    MODELS,
    POLLING,
    READ,
    SEARCHING,
    TORN,
    UNBILLED,
    UNREAD,
    UPLOADED,
    UPLOADING,
    Order,
)

from batch_llm.testing.simulator import Fault, FaultKind, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from batch_llm.testing.simulator import Books

DROPPED: Final = "created, answer lost on the way"
RANDOM: Final = "any moment"
STEPS: Final = (
    INTENT, UPLOADING, UPLOADED, HANDLED, CREATING, UNREAD, DROPPED, READ, CREATED, POLLING,
    FETCHED, HALF, UNBILLED, KEPT, CLOSED, TORN, RANDOM,
)  # fmt: skip
"""Of a remote batch's life, in their order; the last two come at any time."""

_BY_FILE: Final = ("openai", "gemini by file")
_ONLY_BY_FILE: Final = (UPLOADING, UPLOADED, HANDLED)
_AT_A_TIME: Final = 3
_PROGRAM: Final = Path(__file__).parent / "integration" / "killed_batch.py"
_LONGEST_MOMENT_SECONDS: Final = 0.4
_SLOW_ANSWER_SECONDS: Final = 5_000.0
_ROUNDING_USD: Final = 1e-12
_NOTHING: Final[dict[str, Any]] = {"status": {"cost_usd": 0.0, "reserved_usd": 0.0}, "results": {}}
_A_LONG_TIME_SECONDS: Final = 3 * 86_400.0


def has_step(provider: str, step: str) -> bool:
    """Return whether a batch of this provider comes to this step."""
    if step in _ONLY_BY_FILE:
        return provider in _BY_FILE
    if step == CREATING:
        # The create of an uploaded file is a few bytes.
        return provider not in _BY_FILE
    # There is nothing to delete at Anthropic, and no run asks for it.
    return True


@dataclass
class Case:
    """A batch, and the steps at which its process is killed, one after the other.

    Attributes:
        order: of the first process; the others are the same but for `step` and `nth`.
        kills: step and time of each process but the last; the first one is surely reached.
        moment_seconds: how long after its start a process dies that dies at any moment.
        exit_codes: of the processes, one after the other.
    """

    order: Order
    kills: list[tuple[str, int]]
    moment_seconds: float
    exit_codes: list[int] = field(default_factory=list)

    @property
    def provider(self) -> str:
        """Whose batches they are."""
        return self.order.provider

    @property
    def step(self) -> str:
        """The step that the case is about."""
        return self.kills[0][0]

    @property
    def killed(self) -> int:
        """How many processes were killed."""
        return self.exit_codes.count(-signal.SIGKILL)


@dataclass
class Verdict:
    """What became of a case.

    Attributes:
        case: the case.
        submitted_twice: jobs that were in more than one remote batch, by the books.
        executed_twice: jobs that the provider ran and billed more than once.
        lost: jobs whose answer the run does not have, or not as a file of its own.
        unbilled_usd: what the books have billed, less what the run says it has spent.
        held_usd: what the run still holds, though each bill is known.
        never_reached: the process was not killed at the step, or the last one has failed.
    """

    case: Case
    submitted_twice: int
    executed_twice: int
    lost: int
    unbilled_usd: float
    held_usd: float
    never_reached: bool

    @property
    def is_bad(self) -> bool:
        """Whether anything is wrong."""
        counts = (self.submitted_twice, self.executed_twice, self.lost, self.never_reached)
        return any(counts) or abs(self.unbilled_usd) > _ROUNDING_USD or self.held_usd != 0


def judge(case: Case, books: Books) -> Verdict:
    """Compare how the run ended with what the provider's books have of it."""
    order = case.order
    records = books.select(key=order.key, lane="batch")
    submitted = Counter(record.prompt for record in records)
    executed = Counter(record.prompt for record in records if record.executed)
    file = Path(order.folder, "ended.json")
    ended = json.loads(file.read_text(encoding="utf-8")) if file.exists() else _NOTHING
    spent, held = ended["status"]["cost_usd"], ended["status"]["reserved_usd"]
    was_killed = case.exit_codes[0] == -signal.SIGKILL or case.step == RANDOM
    return Verdict(
        case,
        submitted_twice=submitted.total() - len(submitted),
        executed_twice=executed.total() - len(executed),
        lost=order.jobs - len(_answered(order, ended["results"])),
        unbilled_usd=sum(record.usd or 0.0 for record in records) - spent,
        held_usd=held,
        never_reached=not was_killed or case.exit_codes[-1] != 0,
    )


def _answered(order: Order, results: dict[str, Any]) -> set[str]:
    """Return the jobs whose own answer is among the results, and in a file."""
    in_files = {
        result["job_id"]: result
        for result in map(
            json.loads, map(Path.read_text, Path(order.folder, "results").glob("*.json"))
        )
    }
    wanted = {order.job_id(n): order.prompt(n) for n in range(order.jobs)}
    return {
        job_id
        for job_id, prompt in wanted.items()
        if results.get(job_id, {}).get("response") == prompt
        and in_files.get(job_id) == results[job_id]
    }


def cases_of(seed: int, folder: Path, rounds: int) -> Iterator[Case]:
    """Yield for each provider and step `rounds` cases: how many jobs, chunks and kills is drawn."""
    chance = random.Random(seed)
    for number in range(rounds):
        for provider in MODELS:
            for step in STEPS:
                if has_step(provider, step):
                    key = f"key-{seed}-{provider.replace(' ', '-')}-{STEPS.index(step)}-{number}"
                    yield _case(Order(provider, "", key, str(folder / key)), step, chance)


def _case(order: Order, step: str, chance: random.Random) -> Case:
    jobs, most = chance.randint(GROUP + 1, 16), chance.randint(GROUP + 1, 16)
    chunks = -(-jobs // most)
    often = {FETCHED: jobs, HALF: jobs // GROUP, TORN: 5, RANDOM: 1, DROPPED: 1}
    kills = [(step, chance.randint(1, often.get(step, chunks)))]
    for _ in range(chance.choice((0, 1, 1, 2))):
        again = chance.choice((SEARCHING, CREATED, POLLING, HALF, KEPT, CLOSED, TORN, RANDOM))
        kills.append((again, chance.randint(1, 3)))
    moment = chance.uniform(0.0, _LONGEST_MOMENT_SECONDS)
    return Case(replace(order, jobs=jobs, items_per_batch=most), kills, moment)


class Nursery:
    """Starts processes of the program, one at a time."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._program.stdin is not None
        self._program.stdin.close()
        self._program.wait()
        assert self._program.stdout is not None
        self._program.stdout.close()

    def exit_code(self, order: Order) -> int:
        """Run one process to its end, and return its exit code."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps(asdict(order)) + "\n")
        self._program.stdin.flush()
        return int(self._program.stdout.readline())


def kill_and_resume(cases: Iterable[Case], simulator: Simulator) -> list[Verdict]:
    """Kill and resume all cases, some at a time, and judge them.

    Args:
        cases: their folders are made.
        simulator: of which nobody else has the clock.
    """
    cases, nurseries = list(cases), SimpleQueue[Nursery]()

    def run(case: Case) -> None:
        nursery = nurseries.get()
        try:
            _kill_and_resume(case, nursery, simulator)
        finally:
            nurseries.put(nursery)

    with ExitStack() as stack, ThreadPoolExecutor(_AT_A_TIME) as pool:
        for _ in range(_AT_A_TIME):
            nurseries.put(stack.enter_context(Nursery()))
        list(pool.map(run, cases))
    # Whatever was submitted twice has been executed by then.
    simulator.advance(_A_LONG_TIME_SECONDS)
    return [judge(case, simulator.books) for case in cases]


def _kill_and_resume(case: Case, nursery: Nursery, simulator: Simulator) -> None:
    Path(case.order.folder).mkdir()
    for fault in _faults(case):
        simulator.add_fault(fault)
    order = replace(case.order, base_url=_base_url(simulator, case.provider))
    for step, nth in case.kills:
        dying = replace(order, step=SEARCHING if step == DROPPED else step, nth=nth)
        if step == RANDOM:
            dying = replace(order, killed_after_seconds=case.moment_seconds)
        case.exit_codes.append(nursery.exit_code(dying))
    case.exit_codes.append(nursery.exit_code(order))


def _faults(case: Case) -> Iterator[Fault]:
    """Yield what happens to the answer of a create."""
    create, key = "batches.create", case.order.key
    if case.step == DROPPED:
        yield Fault(kind=FaultKind.DROPPED, operation=create, key=key, calls=(1,))
    if case.step == UNREAD:
        slow = FaultKind.SLOW_BODY
        yield Fault(kind=slow, operation=create, key=key, seconds=_SLOW_ANSWER_SECONDS)


def _base_url(simulator: Simulator, provider: str) -> str:
    urls = {
        "openai": simulator.openai_base_url,
        "anthropic": simulator.anthropic_base_url,
    }
    return urls.get(provider, simulator.gemini_base_url)


def table_of(verdicts: Iterable[Verdict]) -> str:
    """Return a table for people: by provider and step, how many kills, and what went wrong."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.case.provider, verdict.case.step), []).append(verdict)
    head = f"{'provider':<15} {'killed first at':<33} {'runs':>5} {'kills':>6}"
    lines = [f"{head} {'submitted twice':>16} {'executed twice':>15} {'lost':>5} {'off, USD':>9}"]
    for (provider, step), found in groups.items():
        kills = sum(each.case.killed for each in found)
        wrong = sum(abs(each.unbilled_usd) for each in found)
        lines.append(
            f"{provider:<15} {step:<33} {len(found):>5} {kills:>6} "
            f"{sum(each.submitted_twice for each in found):>16} "
            f"{sum(each.executed_twice for each in found):>15} "
            f"{sum(each.lost for each in found):>5} {wrong:>9.6f}"
        )
    return "\n".join(lines)
