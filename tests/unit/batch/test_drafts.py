"""What chunks can cost at the most, and what of them a limit has room for."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

import pytest

from batch_llm.base import Job
from batch_llm.batch.chunks.chunking import Chunk
from batch_llm.batch.chunks.drafts import Draft, cut_to_budget, drafts_of
from batch_llm.batch.jobs.job_book import JobBook
from batch_llm.providers import OpenAIBatchClient

if TYPE_CHECKING:
    from pathlib import Path


def draft(*usd: float | None) -> Draft:
    ids = [str(n) for n in range(len(usd))]
    bounds = array("d", [math.inf if each is None else each for each in usd])
    return Draft(Chunk("openai", "m", "e", ids, 100, 0), bounds, array("q", range(1, len(usd) + 1)))


def test_the_first_jobs_that_fit_are_cut_off() -> None:
    parts = cut_to_budget(draft(1.0, 2.0, 3.0), 3.5)
    assert parts is not None
    kept, others = parts
    assert (kept.chunk.job_ids, list(kept.usd), kept.reserved_usd) == (["0", "1"], [1.0, 2.0], 3.0)
    assert (others.chunk.job_ids, list(others.usd)) == (["2"], [3.0])
    assert (kept.chunk.input_tokens, others.chunk.input_tokens) == (1 + 2, 3)


@pytest.mark.parametrize("dear", [4.0, None])
def test_a_job_that_does_not_fit_holds_up_none_after_it(dear: float | None) -> None:
    parts = cut_to_budget(draft(1.0, dear, 2.0), 3.5)
    assert parts is not None
    assert [part.chunk.job_ids for part in parts] == [["0", "2"], ["1"]]


@pytest.mark.parametrize("usd", [(4.0, 5.0), (None,), (1.0, 2.0)])
def test_where_none_or_all_fit_nothing_is_cut(usd: tuple[float | None, ...]) -> None:
    assert cut_to_budget(draft(*usd), 3.5) is None


def test_what_nothing_bounds_bounds_no_draft() -> None:
    assert draft(1.0, None).reserved_usd is None


def drafted(*jobs: Job) -> tuple[list[Draft], dict[str, str]]:
    client = OpenAIBatchClient(base_url="http://127.0.0.1:9/v1", api_key="k")
    refused: dict[str, str] = {}
    book = JobBook(jobs, None, {"openai": client})
    ids = [job.id for job in jobs]
    drafts = drafts_of(ids, book, lambda _: client, refused.__setitem__)
    return list(drafts), refused


def test_jobs_of_each_model_make_a_draft() -> None:
    drafts, _ = drafted(
        Job("a", prompt="x", model="gpt-4o-mini"),
        Job("b", prompt="x", model="gpt-4o"),
        Job("c", prompt="x", model="gpt-4o-mini"),
    )
    assert [each.chunk.job_ids for each in drafts] == [["a", "c"], ["b"]]
    assert all(each.reserved_usd for each in drafts)


def test_a_model_of_no_known_price_has_no_bound() -> None:
    (only,), _ = drafted(Job("a", prompt="x", model="openai:unheard-of"))
    assert only.reserved_usd is None


def test_the_window_of_the_model_bounds_what_bytes_do_not(tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(b"%PDF-1.4\n%%EOF\n")
    (document,), _ = drafted(Job("a", file=file, prompt="x", model="gpt-4o-mini"))
    (text,), _ = drafted(Job("a", prompt="x", model="gpt-4o-mini"))
    assert document.most_input_tokens >= document.chunk.input_tokens >= 128_000
    assert (document.reserved_usd or 0) > (text.reserved_usd or 0) > 0


def test_a_job_whose_file_is_gone_is_refused_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("text")
    gone = Job("gone", file=file, prompt="x", model="gpt-4o-mini")
    file.unlink()
    drafts, refused = drafted(gone, Job("b", prompt="x", model="gpt-4o-mini"))
    assert [each.chunk.job_ids for each in drafts] == [["b"]]
    assert "a.txt" in refused["gone"]
