"""The batch lane's own cost: each of its steps, whole runs through the simulator, and resuming."""

from __future__ import annotations

from .measure import Client, interleaved, table

JOBS = 100_000
ENDED_JOBS = 1_000_000
PROVIDERS = ("openai", "anthropic", "gemini")
STEPS = {
    "rows": "rows into jobs",
    "encode": "cutting into chunks, and encoding",
    "decode": "results into results of jobs",
    "decode_models": "the same, into a pydantic model",
}


def batch(rounds: int) -> None:
    """Print what each step costs a job, what a whole run takes, and how long resuming does."""
    _steps(rounds)
    _runs(rounds)
    _states(rounds)


def _client(step: str, provider: str, jobs: int = JOBS) -> Client:
    return Client(step, "batch_lane.py", (step, provider, str(jobs)))


def _steps(rounds: int) -> None:
    clients = {(step, name): _client(step, name) for step in STEPS for name in PROVIDERS}
    interleaved(list(clients.values()), rounds)
    rows = [
        [
            STEPS[step],
            name,
            f"{JOBS / client.median('wall_seconds'):,.0f}",
            f"{client.median('cpu_us'):.1f}",
            f"{client.median('rss_bytes') * JOBS / 1e6:.0f}",
        ]
        for (step, name), client in clients.items()
    ]
    head = ["", "provider", "jobs/s", "CPU us a job", "RSS, MB above the start"]
    table(f"{JOBS:,} jobs, medians of {rounds} runs", head, rows)


def _runs(rounds: int) -> None:
    clients = {name: _client("run", name) for name in PROVIDERS}
    interleaved(list(clients.values()), rounds)
    rows = [
        [
            name,
            f"{client.median('wall_seconds'):.1f}",
            f"{client.median('cpu_us'):.0f}",
            f"{client.median('rss_bytes') * JOBS / 1e6:.0f}",
            f"{client.median('longest_wait_seconds') * 1e3:.0f}",
        ]
        for name, client in clients.items()
    ]
    head = ["provider", "seconds", "CPU us a job", "RSS, MB above the start", "longest wait, ms"]
    table(f"{JOBS:,} jobs through the simulator, jobs and streamed results included", head, rows)


def _states(rounds: int) -> None:
    state, resume = _client("state", "openai"), _client("resume", "openai", ENDED_JOBS)
    interleaved([state], rounds)
    interleaved([resume], 1)
    rows = [
        ["a job added and ended, CPU us", f"{state.median('cpu_us'):.1f}"],
        ["a job added and ended, bytes of the file", f"{state.median('state_bytes'):.0f}"],
        [f"{ENDED_JOBS:,} ended jobs read, seconds", f"{resume.median('wall_seconds'):.1f}"],
        ["the same, RSS bytes a job", f"{resume.median('rss_bytes'):.0f}"],
    ]
    table("the state of a run", ["", ""], rows)
