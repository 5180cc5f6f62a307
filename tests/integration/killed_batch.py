"""Batch runs, each in a process of its own that dies at a named step; `tests/batch_kills.py` asks.

For each `Order`, a line of JSON on standard input, the program forks, and writes the exit code of
the process: -9 where it was killed. So a run costs no time for imports.

The steps are reached from outside the package: the journal, the client and its connection are
watched, and at the step the process ends by SIGKILL. Nothing of Python, no `finally` and no buffer,
comes after that.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from batch_llm.batch import Batch
from batch_llm.batch.chunks import chunk_results
from batch_llm.batch.state import journal
from batch_llm.batch.state.events import (
    Again,
    ChunkPlanned,
    Collected,
    Created,
    Polled,
    ResultKept,
    Settled,
    Uploaded,
)
from batch_llm.batch.state.journal import Journal
from batch_llm.providers import (
    AnthropicBatchClient,
    BatchClient,
    GeminiBatchClient,
    OpenAIBatchClient,
    Retries,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODELS = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
    "gemini by file": "gemini-2.5-flash",
}

INTENT = "intent written, nothing sent"
AGAIN = "intent to send it again written"
UPLOADING = "upload under way"
UPLOADED = "uploaded, not written"
HANDLED = "upload written"
CREATING = "create half sent"
UNREAD = "created, answer not read"
SEARCHING = "looked for at the provider"
READ = "answer read, id not written"
CREATED = "id written"
POLLING = "polling"
FETCHED = "results fetched, not kept"
HALF = "half collected"
KEPT = "all collected, not closed"
UNBILLED = "all collected, bill not written"
CLOSED = "closed, files not deleted"
TORN = "half a line written"

AT_ONCE = Retries(attempts=6, initial_seconds=0.001)
GRACE_SECONDS = 0.1
GROUP = 3
"""Results that are kept at one stroke: so few that a small chunk is kept at several."""

_BEFORE = {Uploaded: UPLOADED, Created: READ, Collected: KEPT, Settled: UNBILLED}
_AFTER = {
    ChunkPlanned: INTENT,
    Again: AGAIN,
    Uploaded: HANDLED,
    Created: CREATED,
    Polled: POLLING,
    ResultKept: HALF,
}


@dataclass(frozen=True)
class Order:
    """What a process is to run, and where it is to die.

    Attributes:
        provider: one of `MODELS`.
        base_url: of the provider.
        key: the API key, by which the simulator's books know the run.
        folder: state, results and `ended.json` are there.
        jobs: how many.
        items_per_batch: jobs a chunk.
        max_concurrent: remote batches at a time.
        cost_limit_usd: of the run; None for no limit.
        step: where it is to die; "" lets it run to the end.
        nth: at which time that the step is reached.
        killed_after_seconds: when it is killed wherever it may be; None does not.
    """

    provider: str
    base_url: str
    key: str
    folder: str
    jobs: int = 10
    items_per_batch: int = 10
    max_concurrent: int = 10
    cost_limit_usd: float | None = None
    step: str = ""
    nth: int = 1
    killed_after_seconds: float | None = None

    def job_id(self, number: int) -> str:
        """Return a job's id, which not every provider would take."""
        return f"Zeile {number} / é"

    def prompt(self, number: int) -> str:
        """Return what a job asks; no other run asks the same."""
        return f"{self.key} asks {number}"


class Death:
    """Ends the process when the step of its order is reached for the nth time."""

    def __init__(self, order: Order) -> None:
        self._step = order.step
        self._left = order.nth

    def is_next(self, step: str) -> bool:
        """Return whether the process ends if this step is reached now."""
        return step == self._step and self._left == 1

    def at(self, step: str | None) -> None:
        """Come to a step."""
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def watch_journal(death: Death) -> None:
    """Let the steps be reached that lie between two lines of the state, or in one."""
    write, put = Journal._write, Journal._put

    def watched_write(journal: Journal, events: Any) -> None:
        told = list(events)
        kinds = list(dict.fromkeys(map(type, told)))
        for kind in kinds:
            death.at(_BEFORE.get(kind))
        write(journal, told)
        for kind in kinds:
            death.at(_AFTER.get(kind))

    def watched_put(journal: Journal, file: int, content: bytes) -> None:
        if content and death.is_next(TORN):
            os.write(file, content[: len(content) // 2])
        death.at(TORN)
        put(journal, file, content)

    Journal._write = watched_write  # type: ignore[method-assign]
    Journal._put = watched_put  # type: ignore[method-assign]


class WatchedConnection:
    """Lets the steps be reached at which a body is half sent."""

    def __init__(self, connection: Any, death: Death) -> None:
        self._connection = connection
        self._death = death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def request(self, method: str, url: str, **given: Any) -> Any:
        if hasattr(given.get("content"), "__aiter__"):
            is_create = url.endswith(("/batches", ":batchGenerateContent"))
            given["content"] = self._halved(given["content"], CREATING if is_create else UPLOADING)
        return await self._connection.request(method, url, **given)

    async def _halved(self, content: AsyncIterator[bytes], step: str) -> AsyncIterator[bytes]:
        async for piece in content:
            middle = len(piece) // 2
            yield piece[:middle]
            self._death.at(step)
            yield piece[middle:]


class WatchedClient:
    """Lets the steps be reached that lie between a client's requests."""

    def __init__(self, client: Any, death: Death) -> None:
        self._client = client
        self._death = death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def create(self, *given: Any) -> str:
        if not self._death.is_next(UNREAD):
            self._death.at(UNREAD)
            return await self._client.create(*given)
        # The provider's list has the batch while the answer to the create is on its way.
        known = await self._listed()
        creating = asyncio.create_task(self._client.create(*given))
        while not creating.done():
            if await self._listed() - known:
                self._death.at(UNREAD)
        return await creating

    async def find_orphan(self, *given: Any, **options: Any) -> Any:
        found = await self._client.find_orphan(*given, **options)
        self._death.at(SEARCHING)
        return found

    async def collect(self, *given: Any, **options: Any) -> AsyncIterator[Any]:
        async for answer in self._client.collect(*given, **options):
            self._death.at(FETCHED)
            yield answer

    async def delete_files(self, handles: Any) -> None:
        self._death.at(CLOSED)
        await self._client.delete_files(handles)

    async def _listed(self) -> set[str]:
        return {status.id for status in (await self._client._page(None)).batches}


def name_of(provider: str) -> str:
    """Return the name of whom a provider of `MODELS` is a way to speak to."""
    return provider.partition(" ")[0]


def client_at(base_url: str, provider: str, key: str, **settings: Any) -> BatchClient:
    """Return a client of a provider of `MODELS`, whose failures are tried again at once."""
    given: dict[str, Any] = {"base_url": base_url, "api_key": key, "retries": AT_ONCE, **settings}
    if provider == "openai":
        return OpenAIBatchClient(**given)
    if provider == "anthropic":
        return AnthropicBatchClient(**given)
    if provider == "gemini by file":
        return GeminiBatchClient(**{"inline_bytes": 0, **given})
    return GeminiBatchClient(**given)


def client_of(order: Order) -> BatchClient:
    """Return the client of the order's provider."""
    return client_at(order.base_url, order.provider, order.key)


def batch_of(order: Order, client: Any) -> Batch:
    """Return the batch of the order."""
    batch = Batch(
        f"{order.folder}/state.jsonl",
        f"{order.folder}/results",
        max_concurrent=order.max_concurrent,
        items_per_batch=order.items_per_batch,
        poll_interval_seconds=0.01,
        orphan_grace_seconds=GRACE_SECONDS,
        clients={name_of(order.provider): client},
    ).defaults(model=MODELS[order.provider], max_tokens=20)
    if order.cost_limit_usd is not None:
        batch.add_cost_limit(usd=order.cost_limit_usd)
    for n in range(order.jobs):
        batch.add_job(order.job_id(n), prompt=order.prompt(n))
    return batch


def run(order: Order) -> None:
    """Run the order to its end, or to the step; at the end, write down how it stands."""
    death, client = Death(order), client_of(order)
    client._connection = WatchedConnection(client._connection, death)  # type: ignore[attr-defined]
    watch_journal(death)
    chunk_results._GROUP = journal._GROUP = GROUP  # type: ignore[misc]
    ran = batch_of(order, WatchedClient(client, death)).run(wait=True)
    results = {name: result.to_dict() for name, result in ran.results().items()}
    ended = json.dumps({"status": ran.status(), "results": results})
    Path(order.folder, "ended.json").write_text(ended, encoding="utf-8")


def run_and_exit(order: Order) -> NoReturn:
    """Run the order, and end the process without a word of the program that it was forked from."""
    code = 1
    try:
        run(order)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> None:
    """Run orders, each in a process of its own, until there are no more."""
    import httpx2  # noqa: F401 - what a run imports late, once for all of them

    for line in sys.stdin:
        order = Order(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            run_and_exit(order)
        if order.killed_after_seconds is not None:
            time.sleep(order.killed_after_seconds)
            os.kill(pid, signal.SIGKILL)  # its id is nobody else's before it is waited for
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
