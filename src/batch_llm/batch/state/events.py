"""What happens to a batch run, as its state keeps it: one JSON line an event.

The first line says what the file is, and of which version. An event is wholly in its line, so that
a file which ends anywhere holds the whole of whatever it holds.
"""

from __future__ import annotations

import time
from typing import Final, Literal, TypeAlias

import msgspec

VERSION: Final = 1
FORMAT: Final = "batch-llm batch state"

NEVER_TAKEN: Final = "no remote batch of it was found"
"""The reason of `Refused` for a create that nobody saw the end of: it was lost.

The provider's list has not named it for the time of grace. It may have been taken all the same.
"""

Outcome: TypeAlias = Literal["succeeded", "failed", "expired", "cancelled"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("succeeded", "failed", "expired", "cancelled")


class _Event(msgspec.Struct, tag_field="kind", omit_defaults=True):
    """Any event; those that are awaited for long say when they happened, in unix seconds."""


class Header(_Event, tag="state", omit_defaults=False, kw_only=True):
    """The first line.

    `nonce` names the run among all others: what is submitted is stamped with it.
    """

    format: str = FORMAT
    version: int = VERSION
    nonce: str
    created_at: str


class JobAdded(_Event, tag="job"):
    """There is a job. `digest` tells whether another of the same id is the same job."""

    id: str
    digest: str
    spec: msgspec.Raw


class ChunkPlanned(_Event, tag="chunk"):
    """Jobs are about to be submitted as one remote batch.

    `nonce` is what an orphan is known by, and `custom_id_seed` what custom ids are made of where
    the provider refuses the user's. `reserved_usd` is what the chunk may cost at the most, None
    where no price is known; `input_tokens` count against the provider's limit of enqueued tokens.

    What is sent needs no hash of its own here: `job_ids` in their order, with the digest of each
    job in its `JobAdded`, are one. Jobs that are added again are compared with it when the run
    begins, and those with a file each time before they go.
    """

    number: int
    nonce: str
    provider: str
    model: str
    endpoint: str
    job_ids: list[str]
    custom_id_seed: str = ""
    reserved_usd: float | None = None
    input_tokens: int = 0
    at: float = msgspec.field(default_factory=time.time)


class Again(_Event, tag="again"):
    """A refused chunk is about to be submitted again, under another nonce.

    Of one that may have been accepted: an earlier submission of it was found, under that nonce.
    """

    chunk: int
    nonce: str
    reserved_usd: float | None = None
    at: float = msgspec.field(default_factory=time.time)


class Uploaded(_Event, tag="uploaded"):
    """The provider has the chunk's input file, under the handle `file`."""

    chunk: int
    file: str


class Created(_Event, tag="created"):
    """The provider has accepted the chunk; `adopted` where it was found as an orphan."""

    chunk: int
    remote_id: str
    adopted: bool = False
    at: float = msgspec.field(default_factory=time.time)


class Refused(_Event, tag="refused"):
    """The provider runs nothing of the chunk, for `reason`: it may be submitted again.

    But not before `not_before`, in unix seconds, where the provider asks for that.
    """

    chunk: int
    reason: str
    not_before: float | None = None
    at: float = msgspec.field(default_factory=time.time)


class Polled(_Event, tag="polled"):
    """The remote batch is in another state than before; `ended` where results can be collected."""

    chunk: int
    status: str
    ended: bool = False
    counts: dict[str, int] = {}
    at: float = msgspec.field(default_factory=time.time)


class Collecting(_Event, tag="collecting"):
    """Results are being fetched."""

    chunk: int


class ResultKept(_Event, tag="result", kw_only=True):
    """A job has ended. `chunk` is None where no remote batch answered it.

    Then `cost_usd` is what it has cost besides what was settled for it call by call, and
    `is_unpriced` says that this is not known. `calls` are those that the live lane has made for it,
    in `seconds` from its start there; of `unanswered_calls` nobody knows what they did cost.
    """

    job_id: str
    outcome: Outcome
    chunk: int | None = None
    cost_usd: float | None = None
    is_unpriced: bool = False
    calls: int = 0
    unanswered_calls: int = 0
    seconds: float = 0.0
    result: msgspec.Raw


class Collected(_Event, tag="collected"):
    """Every job of the chunk has ended."""

    chunk: int
    at: float = msgspec.field(default_factory=time.time)


class Settled(_Event, tag="settled"):
    """What a chunk has cost; its reservation is free. Without a chunk: what else was spent.

    `held_usd` stays reserved: jobs may have cost as much of which nobody told what they did.
    Where nothing was reserved, `unpriced` counts these jobs: they may have cost any sum.
    """

    usd: float
    chunk: int | None = None
    held_usd: float | None = None
    unpriced: int = 0


class Cancelled(_Event, tag="cancelled"):
    """The provider is asked to cancel the remote batch; what it has done is still collected.

    Written before, so that whoever goes on asks again.
    """

    chunk: int
    at: float = msgspec.field(default_factory=time.time)


class Resubmitted(_Event, tag="resubmitted"):
    """A job that ended is to be tried again; `attempt` is 2 for the second time."""

    job_id: str
    attempt: int


class DeadlineSet(_Event, tag="deadline"):
    """The jobs that there are have to be answered `at` that time, in unix seconds.

    `seconds` is how far off it was: a run that goes on with the same keeps it.
    """

    at: float
    seconds: float


class WentLive(_Event, tag="went_live"):
    """From here on nothing is submitted: what has no answer goes through the live lane."""

    at: float = msgspec.field(default_factory=time.time)


class Released(_Event, tag="released"):
    """A refused chunk is not submitted again; its jobs are pending."""

    chunk: int


class DoubleStopped(_Event, tag="double"):
    """A remote batch of a create that was lost was found after its jobs had gone again.

    The provider has cancelled it, or it had ended. What it has run may be billed.
    """

    chunk: int
    nonce: str
    remote_id: str


class LiveCall(_Event, tag="live_call"):
    """A call of the live lane is about to be made, which may cost `usd` at the most."""

    number: int
    usd: float


class LiveCallSettled(_Event, tag="live_call_settled"):
    """What that call has cost. Where this is missing, what was reserved for it is held."""

    number: int
    usd: float


class Asked(_Event, tag="asked", kw_only=True):
    """What the command line was asked for, so that it goes on by the file alone; the last counts.

    `rows` are those of the input, and `jobs` what they make; both are written after this. `output`
    is an absolute path, None for standard output, and `written` holds digests of what was put there
    of late. `model` is that of the jobs, at `base_url` if there is one. No key is kept, but the
    name of its variable.
    """

    input: str
    rows: int
    jobs: int
    model: str
    output: str | None
    output_format: str
    in_input_order: bool = False
    kept: list[str] = []
    written: list[str] = []
    schema: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    max_cost_usd: float | None = None
    max_concurrent: int = 10
    items_per_batch: int | None = None
    poll_interval_seconds: float = 30.0
    deadline_seconds: float | None = None
    at: float = msgspec.field(default_factory=time.time)


class RowRead(_Event, tag="row", kw_only=True):
    """A row of the command's input: `error` says why it makes no job, `input` what is repeated."""

    id: str
    line: int
    error: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class Note(_Event, tag="note"):
    """Words for whoever reads the file."""

    text: str
    at: float = msgspec.field(default_factory=time.time)


ChunkEvent: TypeAlias = (
    Again
    | Uploaded
    | Created
    | Refused
    | Polled
    | Collecting
    | Collected
    | Cancelled
    | Released
    | DoubleStopped
)
LiveEvent: TypeAlias = DeadlineSet | WentLive | LiveCall | LiveCallSettled
Event: TypeAlias = (
    JobAdded
    | ChunkPlanned
    | ChunkEvent
    | ResultKept
    | Settled
    | Resubmitted
    | LiveEvent
    | Asked
    | RowRead
    | Note
)

_DURABLE: Final = (
    ChunkPlanned, Again, Uploaded, Created, Refused, Collected, Settled, Cancelled, Released,
    DeadlineSet, WentLive, LiveCall,
)  # fmt: skip


def must_survive(event: Event) -> bool:
    """Return whether an event must survive a loss of power before the next step is taken.

    Of jobs and results, a later one of these makes durable what stands before it; until then the
    script gives the jobs again, and the provider the results. A result of no remote batch is given
    again by nobody.
    """
    if isinstance(event, ResultKept):
        return event.chunk is None
    return isinstance(event, _DURABLE)


decode_header = msgspec.json.Decoder(Header).decode
decode_event = msgspec.json.Decoder(Event).decode
encode_line = msgspec.json.Encoder().encode
