"""A web service that runs batches in the background, with FastAPI.

`POST /jobs` starts one and answers at once, `GET /jobs/{job_id}` shows how far it is, with the
results so far. Jobs live in this process: a restart forgets them.

    pip install fastapi uvicorn

Run it: python examples/background_task.py          (talks to itself, without a port)
Serve it: uvicorn --app-dir examples background_task:app
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import httpx2
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

from batch_llm import LLMCallStrategy, LLMWorkItem, ParallelBatchProcessor, ProcessorConfig
from batch_llm.testing import MockAgent, mock_strategy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# For each job: ten of them at once have up to forty calls in flight.
CONFIG = ProcessorConfig(max_workers=4, timeout_per_item=30)

Status = Literal["running", "done", "stopped"]
Prompt = Annotated[str, Field(min_length=1)]


class NewJob(BaseModel):
    """What `POST /jobs` takes."""

    prompts: Annotated[list[Prompt], Field(min_length=1, max_length=500)]


class ItemView(BaseModel):
    """One result."""

    index: int
    success: bool
    output: str | None
    error: str | None


class JobView(BaseModel):
    """What both routes answer with; `results` grows while the job runs."""

    job_id: str
    status: Status
    total: int
    completed: int
    failed: int
    results: list[ItemView]


class Job:
    """One batch, at work in the background from the start.

    Attributes:
        job_id: its name.
        results: what has come of it so far.
    """

    def __init__(self, prompts: list[str], strategy: LLMCallStrategy[str]) -> None:
        self.job_id = uuid.uuid4().hex
        self.results: list[ItemView] = []
        self._prompts = prompts
        # Kept here: the event loop holds no strong reference to a task.
        self._task = asyncio.create_task(self._run(strategy))

    async def _run(self, strategy: LLMCallStrategy[str]) -> None:
        items = [
            LLMWorkItem(f"{self.job_id}/{index}", strategy, prompt, context=index)
            for index, prompt in enumerate(self._prompts)
        ]
        async with (
            ParallelBatchProcessor[str, str, int](config=CONFIG) as processor,
            aclosing(processor.stream(items)) as results,
        ):
            async for result in results:
                self.results.append(
                    ItemView(
                        index=result.context,
                        success=result.success,
                        output=result.output,
                        error=result.error,
                    )
                )

    def view(self) -> JobView:
        """Return what the client sees of it."""
        return JobView(
            job_id=self.job_id,
            status=self._status(),
            total=len(self._prompts),
            completed=len(self.results),
            failed=sum(not result.success for result in self.results),
            results=self.results,
        )

    def _status(self) -> Status:
        if len(self.results) == len(self._prompts):
            return "done"
        return "stopped" if self._task.done() else "running"

    async def aclose(self) -> None:
        """Cancel what is in flight, and see it end."""
        self._task.cancel()
        await asyncio.wait([self._task])


async def answer(prompt: str) -> str:
    """Answer as a model would; it cannot answer everything."""
    if "impossible" in prompt:
        raise ValueError("no answer to that")
    return f"{len(prompt.split())} words"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Have one strategy for all jobs, so that they share its connections."""
    # A real provider: make this line `strategy = strategy_by_name("openai:gpt-5-mini")`.
    app.state.strategy = mock_strategy(MockAgent(answer, latency=0.05))
    jobs: dict[str, Job] = {}
    app.state.jobs = jobs
    yield
    for job in jobs.values():
        await job.aclose()


app = FastAPI(title="Batches in the background", lifespan=lifespan)


@app.post("/jobs", status_code=202)
async def start_job(new: NewJob, request: Request) -> JobView:
    """Start a job and answer at once."""
    state = request.app.state
    job = Job(new.prompts, state.strategy)
    state.jobs[job.job_id] = job
    return job.view()


@app.get("/jobs/{job_id}")
async def show_job(job_id: str, request: Request) -> JobView:
    """Show how far a job is, and its results so far."""
    job: Job | None = request.app.state.jobs.get(job_id)
    if job is None:
        raise HTTPException(404, f"There is no job {job_id!r}.")
    return job.view()


async def main() -> None:
    """Be the client of the application above: start a job, and look at it until it is done."""
    prompts = ["How are you?", "Name the impossible.", *("Count these words." for _ in range(10))]
    transport = httpx2.ASGITransport(app)
    client = httpx2.AsyncClient(transport=transport, base_url="http://service")
    async with lifespan(app), client:
        started = await client.post("/jobs", json={"prompts": prompts})
        job = started.json()
        print(f"POST /jobs -> {started.status_code}, {job['status']}")
        while job["status"] == "running":
            await asyncio.sleep(0.04)
            job = (await client.get(f"/jobs/{job['job_id']}")).json()
            print(f"GET /jobs/… -> {job['status']}, {job['completed']} of {job['total']}")
    for item in sorted(job["results"], key=lambda item: item["index"])[:3]:
        print(f"  {item['index']}: {item['output'] or item['error']}")


if __name__ == "__main__":
    asyncio.run(main())
