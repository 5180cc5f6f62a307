"""Every example runs as its first lines say, without a key, and says what it is meant to say."""

from __future__ import annotations

import asyncio
import csv
import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pyarrow.parquet
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import ModuleType

EXAMPLES = Path(__file__).parents[2] / "examples"

# What each prints, in this order, among other things. The demo has tests of its own.
PRINTED = {
    "against_the_simulator.py": (
        "200 of 200 succeeded",
        "it answered 200,",
        "and lost 3 answers on the way.",
        "3 questions were paid for twice.",
    ),
    "background_task.py": (
        "POST /jobs -> 202, running",
        "GET /jobs/… -> done, 12 of 12",
        "0: 3 words",
        "1: ValueError: no answer to that",
    ),
    "batch_advanced.py": (
        "ANTHROPIC_API_KEY and OPENAI_API_KEY not set: a simulator",
        "0/2 jobs ended",
        "Progress: 2/2",
        "hello: Hello",
        "invoice: number=",
        "2/2 jobs ended (2 succeeded)",
    ),
    "batch_reviews.py": (
        "openai: 1000 jobs,",
        "anthropic: 1000 jobs,",
        "gemini: 1000 jobs,",
        "Our tokens and sums are those of the providers' books.",
        "The keywords agree with the people who rated the reviews 624 times.",
    ),
    "batch_simple.py": (
        "ANTHROPIC_API_KEY is not set: a simulator",
        "3/3 jobs ended (3 succeeded)",
        "delivery_note-",
        "invoice-",
        "letter-",
        "Dear Fjord Kettles",
        "3 results are files in ./output",
    ),
    "middleware_and_observers.py": (
        "(m3 was refused: too many requests)",
        "(the pause is over)",
        "invoice to [address], not",
        "m2  Skipped by middleware",
        "m4  for a person to read (ValueError)",
        "4 of 5 succeeded, 1 rate limit,",
    ),
    "minimal.py": (
        "1 times 1 is 1.",
        "12 times 12 is 144.",
        "12 of 12 succeeded, with 144 tokens in and 96 out.",
    ),
    "model_escalation.py": (
        "number='INV-9' total=108.5  attempts: 1",
        "number='INV-10' total=1200.0  attempts: 2",
        "Calls: gpt-4.1-nano 10, gpt-4.1 1.",
        "Tokens of all attempts, in the results: 1091.",
    ),
    "shared_cache.py": ("one strategy for all items", "from 5 items an hour on"),
    "streaming.py": (
        "As they come:\n  the quick answer\n  the medium answer\n  the slow answer\n",
        "In input order:\n  the slow answer\n  the medium answer\n  the quick answer\n",
        "  3: the quick answer\n",
        "From code that is not async:\n  the quick answer\n",
    ),
    "structured_output.py": ("4 of 4 answers are a Verdict.",),
}
OWN_TESTS = {"demo.py"}
KEYS = ("OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "ANTHROPIC_API_KEY")


def test_every_example_is_tested() -> None:
    there = {path.name for path in EXAMPLES.glob("*.py")}
    assert there - OWN_TESTS == set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_runs_without_a_key_and_prints_what_it_shows(name: str, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in KEYS}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        cwd=tmp_path,
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rest = done.stdout
    for expected in PRINTED[name]:
        before, found, rest = rest.partition(expected)
        assert found, f"{expected!r} is not in {before!r}"


@pytest.mark.parametrize("name", PRINTED)
def test_says_how_to_run_it_and_what_to_change_for_a_real_provider(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert f"Run it: python examples/{name}" in text
    assert text.count("# A real provider: ") + text.count("# Real providers: ") == 1


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py"), EXAMPLES / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and FastAPI look names of annotations up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shared_cache() -> ModuleType:
    return load("shared_cache.py")


class TestSharedCache:
    def test_prices_are_multiplied_with_their_tokens(self, shared_cache: Any) -> None:
        prices = shared_cache.Prices(
            input_usd=1, cached_input_usd=0.1, output_usd=10, storage_usd=2
        )
        work = shared_cache.Work(
            input_tokens=3e6, cached_tokens=1e6, output_tokens=1e6, stored_tokens=1e6, hours=2
        )
        # 2 million plain, 1 million cached, 1 million made into a cache and kept for 2 hours
        assert work.input_usd(prices) == pytest.approx(2 + 0.1 + 1 + 4)
        assert work.total_usd(prices) == pytest.approx(7.1 + 10)

    def test_the_saving_comes_near_nine_tenths_of_the_shared_part(self, shared_cache: Any) -> None:
        for share in (0.5, 0.8, 0.99):
            most = shared_cache.saving(10**9, share, shared_cache.Prices())
            assert most == pytest.approx(0.9 * share, abs=1e-6)

    def test_seventy_to_ninety_percent_holds_where_the_documentation_says(
        self, shared_cache: Any
    ) -> None:
        prices = shared_cache.Prices()
        assert 0.7 <= shared_cache.saving(1000, 0.8, prices) <= 0.9
        assert 0.7 <= shared_cache.saving(200, 0.9, prices) <= 0.9
        assert shared_cache.saving(1000, 0.5, prices) < 0.5
        assert shared_cache.saving(10, 0.99, prices) < 0.5

    def test_a_cache_pays_for_itself_at_break_even(self, shared_cache: Any) -> None:
        prices = shared_cache.Prices()
        enough = shared_cache.break_even_items(prices)
        assert shared_cache.saving(enough, 1.0, prices) == pytest.approx(0)
        assert shared_cache.saving(math.ceil(enough), 1.0, prices) > 0
        assert shared_cache.saving(math.floor(enough), 1.0, prices) < 0

    async def test_one_instance_makes_one_cache_and_costs_least(self, shared_cache: Any) -> None:
        caches, cost = {}, {}
        for program in shared_cache.PROGRAMS:
            caches[program], work = await shared_cache.count(program)
            cost[program] = work.total_usd(shared_cache.Prices())
        none, tagged, each, one = shared_cache.PROGRAMS
        assert (caches[none], caches[tagged], caches[one]) == (0, shared_cache.ITEMS, 1)
        assert 1 < caches[each] <= 20
        assert cost[one] < cost[each] < cost[none] < cost[tagged]


class TestBatchReviews:
    @pytest.fixture
    def batch_reviews(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        example: Any = load("batch_reviews.py")
        few = example.read_reviews()[:20]
        monkeypatch.setattr(example, "read_reviews", lambda: few)
        monkeypatch.setattr(os, "environ", dict(os.environ))
        return example

    def test_the_reviews_are_1000_balanced_others_than_the_demos_and_credited(self) -> None:
        reviews = load("batch_reviews.py").read_reviews()
        demo = (EXAMPLES / "data" / "reviews.jsonl").read_text(encoding="utf-8").splitlines()
        ids = {review["id"] for review in reviews}
        assert len(ids) == len(reviews) == 1000
        assert not ids & {json.loads(line)["id"] for line in demo}
        assert sum(review["rating"] >= 1 for review in reviews) == 500
        assert sum(review["rating"] <= -1 for review in reviews) == 500
        credit = (EXAMPLES / "data" / "CREDITS.md").read_text(encoding="utf-8")
        assert "reviews_1000.jsonl" in credit

    def test_every_format_holds_every_answer(self, batch_reviews: Any, tmp_path: Path) -> None:
        batch_reviews.main(tmp_path)
        for provider in batch_reviews.MODELS:
            lines = (tmp_path / f"{provider}.jsonl").read_text(encoding="utf-8").splitlines()
            said = {each["job_id"]: each["response"] for each in map(json.loads, lines)}
            assert said.keys() == {review["id"] for review in batch_reviews.read_reviews()}
            whole = json.loads((tmp_path / f"{provider}.json").read_text(encoding="utf-8"))
            assert {each["job_id"]: each["response"] for each in whole} == said
            with (tmp_path / f"{provider}.csv").open(encoding="utf-8", newline="") as file:
                assert {each["job_id"]: each["response"] for each in csv.DictReader(file)} == said
            table = pyarrow.parquet.read_table(tmp_path / f"{provider}.parquet").to_pylist()
            assert {each["job_id"]: each["response"] for each in table} == said

    def test_figures_that_are_not_those_of_the_books_are_told(
        self, batch_reviews: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        cost = batch_reviews.Outcome.cost_usd
        monkeypatch.setattr(
            batch_reviews.Outcome, "cost_usd", property(lambda self: cost.fget(self) + 0.01)
        )
        with pytest.raises(SystemExit, match="openai: these are not the figures of its books"):
            batch_reviews.main(tmp_path)


class TestBackgroundTask:
    @pytest.fixture
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        app = load("background_task.py").app
        transport = httpx2.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://service") as client,
        ):
            yield client

    async def test_answers_at_once_and_shows_results_as_they_come(
        self, client: httpx2.AsyncClient
    ) -> None:
        started = await client.post("/jobs", json={"prompts": ["a b", "impossible", "c", "d", "e"]})
        assert started.status_code == 202
        job = started.json()
        assert (job["status"], job["total"], job["completed"]) == ("running", 5, 0)
        seen = [job["completed"]]
        while job["status"] == "running":
            await asyncio.sleep(0.005)
            job = (await client.get(f"/jobs/{job['job_id']}")).json()
            seen.append(job["completed"])
        assert (job["status"], job["completed"], job["failed"]) == ("done", 5, 1)
        assert seen == sorted(seen)
        assert set(seen) & {1, 2, 3, 4}, "nothing was to be seen while the job ran"
        by_index = {item["index"]: item for item in job["results"]}
        assert by_index[0]["output"] == "2 words"
        assert by_index[1] == {
            "index": 1,
            "success": False,
            "output": None,
            "error": "ValueError: no answer to that",
        }

    async def test_refuses_what_is_no_job(self, client: httpx2.AsyncClient) -> None:
        for body in ({}, {"prompts": []}, {"prompts": [""]}, {"prompts": ["x"] * 501}):
            assert (await client.post("/jobs", json=body)).status_code == 422

    async def test_does_not_know_the_jobs_of_others(self, client: httpx2.AsyncClient) -> None:
        missing = await client.get("/jobs/0123")
        assert missing.status_code == 404
        assert "'0123'" in missing.json()["detail"]

    async def test_stops_its_jobs_when_the_service_ends(self) -> None:
        example: Any = load("background_task.py")
        async with example.lifespan(example.app):
            state = example.app.state
            at_work = example.Job(["x"] * 100, state.strategy)
            await asyncio.sleep(0)
            not_yet = example.Job(["x"], state.strategy)
            state.jobs.update({"1": at_work, "2": not_yet})
        assert (at_work.view().status, not_yet.view().status) == ("stopped", "stopped")
