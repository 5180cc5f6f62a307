"""Building a batch: fluent, checked at once, and the same in every run of a script."""

from __future__ import annotations

import csv
import json
import logging
import random
from pathlib import Path
from typing import Any

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from batch_llm import Batch, ConfigurationError, InputError, JobError, Message
from batch_llm.batch import BatchConfig, BatchParams

ROWS = [{"id": "a", "text": "one"}, {"id": "b", "text": "two"}]


class Invoice(BaseModel):
    total: float


def batch(**settings: Any) -> Batch:
    return Batch().defaults(model="openai:m", **settings)


def ids(of: Batch) -> list[str]:
    return [job.id for job in of.jobs]


def test_the_seeds_program_builds(tmp_path: Path) -> None:
    file = tmp_path / "invoice.pdf"
    file.write_bytes(b"%PDF-1.7")
    built = (
        Batch(state_file="./", results_dir="./output", max_concurrent=10)
        .add_cost_limit(usd=5)
        .defaults(model="claude-3-sonnet", temperature=0.6, max_tokens=500)
        .on_progress(print)
        .save_raw_responses()
        .add_job(file=file, prompt="Extract data", response_model=Invoice)
        .add_job(messages=[{"role": "user", "content": "Hello"}], model="gpt-4")
    )
    first, second = built.jobs
    assert (first.model, first.temperature, first.max_tokens) == ("claude-3-sonnet", 0.6, 500)
    assert (first.file, first.response_model) == (file, Invoice)
    assert (second.model, second.max_tokens) == ("gpt-4", 500)
    assert built.progress_callback is print
    assert built.params == BatchParams(
        "./",
        "./output",
        10,
        cost_limit_usd=5,
        default_params={"model": "claude-3-sonnet", "temperature": 0.6, "max_tokens": 500},
        save_raw_responses=True,
    )
    assert built.config == built.params
    assert BatchConfig is BatchParams


def test_defaults_count_for_what_is_added_later_unless_it_says_otherwise() -> None:
    built = batch(temperature=0.1).add_job("a", prompt="p").defaults(seed=3)
    built.add_job("b", prompt="p", temperature=None).add_job("c", prompt="p", model=None)
    assert [(job.temperature, job.seed) for job in built.jobs] == [(0.1, None), (None, 3), (0.1, 3)]
    assert built.jobs[2].model == "openai:m"


def test_defaults_that_are_of_no_use_to_a_job_are_left_out() -> None:
    built = batch(system="Be brief.", response_model=Invoice)
    built.add_job("a", text="embed me")
    built.add_job("b", messages=[{"role": "system", "content": "Be long."}, *user("Hi")])
    built.add_job("c", messages=[Message("user", "Hi")])
    assert built.jobs[0].response_model is None
    assert built.jobs[1].to_request().system == "Be long."
    assert built.jobs[2].to_request().system == "Be brief."


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_messages_may_be_read_once() -> None:
    built = batch().add_job("a", messages=(turn for turn in user("Hi")))
    assert built.jobs[0].to_request().text == "Hi"


def test_a_wrong_job_is_refused_at_once_and_not_added(tmp_path: Path) -> None:
    built = batch()
    for wrong in (
        {"file": tmp_path / "gone.pdf", "prompt": "p"},
        {"prompt": "p", "temperature": -1},
        {"messages": "Hello"},
        {"prompt": "p", "file": None, "text": "t"},
    ):
        with pytest.raises(JobError, match="Job 'x': "):
            built.add_job("x", **wrong)  # type: ignore[arg-type]
    assert built.jobs == []
    with pytest.raises(JobError, match=r"model is a model's name"):
        Batch().add_job("x", prompt="p")
    built.add_job("x", prompt="p")


def test_an_id_is_there_once() -> None:
    built = batch().add_job("a", prompt="p")
    with pytest.raises(JobError, match="Job 'a' is there already") as caught:
        built.add_job("a", prompt="q")
    assert caught.value.field == "id"
    assert ids(built) == ["a"]


@pytest.mark.parametrize("call", [lambda b, **s: b.defaults(**s), lambda b, **s: b.add_job(**s)])
def test_a_setting_that_is_none_is_refused(call: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"'max_token'\. Did you mean 'max_tokens'"):
        call(Batch(), max_token=5)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Batch(max_concurrent=0), "max_concurrent is a whole number from 1 up, not 0"),
        (lambda: Batch(items_per_batch=True), "items_per_batch"),
        (lambda: Batch(state_file=7), "state_file is a path, not 7"),  # type: ignore[arg-type]
        (lambda: Batch(results_dir=""), "results_dir"),
        (lambda: Batch(max_enqueued_tokens=0), "max_enqueued_tokens is a whole number from 1 up"),
        (lambda: Batch(max_enqueued_tokens={"gpt-4o": 1.5}), r"max_enqueued_tokens\['gpt-4o'\]"),  # type: ignore[dict-item]
        (lambda: Batch(max_enqueued_tokens={4: 5}), "goes by models' names, not 4"),  # type: ignore[dict-item]
        (lambda: Batch().add_cost_limit(usd=-1), "cost_limit_usd"),
        (lambda: Batch().add_cost_limit(usd=float("nan")), "cost_limit_usd"),
        (lambda: Batch().add_cost_limit(usd=None), "needs a sum"),  # type: ignore[arg-type]
        (lambda: Batch().on_progress("x"), "takes a function"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_work_is_refused_at_once(make: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_enqueued_tokens_are_limited_for_each_model_or_by_its_name() -> None:
    assert BatchParams().enqueued_tokens_of("openai", "gpt-4o") is None
    assert BatchParams(max_enqueued_tokens=9).enqueued_tokens_of("openai", "gpt-4o") == 9
    params = BatchParams(max_enqueued_tokens={"gpt-4o": 1, "mine:gpt-4o": 2})
    of = params.enqueued_tokens_of
    assert [of("openai", "gpt-4o"), of("mine", "gpt-4o"), of("openai", "o3")] == [1, 2, None]


def test_building_touches_no_folder(tmp_path: Path) -> None:
    kept = tmp_path / "out" / "mine.txt"
    kept.parent.mkdir()
    kept.write_text("mine", encoding="utf-8")
    Batch(state_file=tmp_path / "state.json", results_dir=kept.parent)
    assert kept.read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


# -- ids that are made


@given(st.lists(st.sampled_from("abcde"), max_size=12), st.randoms())
def test_made_ids_are_unique_and_do_not_depend_on_the_order(
    prompts: list[str], chance: random.Random
) -> None:
    def made(order: list[str]) -> set[tuple[str, str | None]]:
        built = batch()
        for prompt in order:
            built.add_job(prompt=prompt)
        return {(job.id, job.prompt) for job in built.jobs}

    shuffled = list(prompts)
    chance.shuffle(shuffled)
    assert made(prompts) == made(shuffled)
    assert len({job_id for job_id, _ in made(prompts)}) == len(prompts)


def test_a_job_added_in_between_changes_no_id() -> None:
    before = ids(batch().add_job(prompt="a").add_job(prompt="c"))
    after = ids(batch().add_job(prompt="a").add_job(prompt="b").add_job(prompt="c"))
    assert [after[0], after[2]] == before


def test_equal_jobs_are_counted() -> None:
    built = batch().add_job(prompt="p").add_job(prompt="p")
    first = built.jobs[0].id
    assert ids(built) == [first, f"{first}-2"]
    taken = batch().add_job(f"{first}-2", prompt="q").add_job(prompt="p").add_job(prompt="p")
    assert ids(taken)[1:] == [first, f"{first}-3"]


# -- from rows


def as_file(tmp_path: Path, kind: str) -> Any:
    path = tmp_path / f"rows.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    elif kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, ["id", "text"])
            writer.writeheader()
            writer.writerows(ROWS)
    else:
        pandas.DataFrame(ROWS).to_parquet(path)
    return path


@pytest.mark.parametrize("kind", ["list", "frame", "jsonl", "csv", "parquet"])
def test_rows_become_jobs_wherever_they_are(tmp_path: Path, kind: str) -> None:
    sources: dict[str, Any] = {"list": ROWS, "frame": pandas.DataFrame(ROWS)}
    rows = sources.get(kind) if kind in sources else as_file(tmp_path, kind)
    built = batch().add_jobs(rows, prompt="Say {text}", temperature=0)
    assert [(job.id, job.prompt, job.temperature) for job in built.jobs] == [
        ("a", "Say one", 0),
        ("b", "Say two", 0),
    ]


def test_rows_have_the_id_of_a_field_or_one_that_is_made() -> None:
    rows = [{"key": 7, "text": "one"}, {"key": 8, "text": "one"}]
    assert ids(batch().add_jobs(rows, "{text}", id_field="key")) == ["7", "8"]
    made = ids(batch().add_jobs(rows, "{text}"))
    assert made == ids(batch().add_job(prompt="one").add_job(prompt="one"))


def test_rows_may_be_embedded() -> None:
    built = batch(system="s").add_jobs(ROWS, text="{text}")
    assert [(job.kind, job.text) for job in built.jobs] == [
        ("embedding", "one"),
        ("embedding", "two"),
    ]


def test_a_row_that_makes_no_prompt_ends_as_a_failed_result(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [{"id": "a", "text": None}, {"text": "  "}, {"id": "c", "text": "three"}, {"id": "c"}]
    with caplog.at_level(logging.WARNING, "batch_llm"):
        built = batch().add_jobs(rows, "{text}")
    assert ids(built) == ["c"]
    told = [(result.job_id, result.outcome, result.cost_usd) for result in built.refused]
    assert told == [("a", "failed", 0.0), ("row-2", "failed", 0.0), ("row-4", "failed", 0.0)]
    assert [result.error for result in built.refused] == [
        "InputError: Row 1 has nothing (None or NaN) in the field 'text'.",
        "InputError: Row 2 makes an empty prompt.",
        "InputError: Row 4 has no field 'text'.",
    ]
    assert {result.error_category for result in built.refused} == {"input_error"}
    assert "3 of 4 rows make no job" in caplog.text


def test_two_rows_of_one_id_are_refused_and_none_is_added() -> None:
    built = batch().add_job("z", prompt="p")
    with pytest.raises(JobError, match="Job 'a' is there already"):
        built.add_jobs([*ROWS, {"id": "a", "text": "three"}], "{text}")
    assert ids(built) == ["z"]
    assert ids(built.add_jobs(ROWS, "{text}")) == ["z", "a", "b"]


@pytest.mark.parametrize(
    ("rows", "given", "error", "says"),
    [
        (ROWS, {}, ConfigurationError, "either prompt or text"),
        (ROWS, {"prompt": "p", "text": "t"}, ConfigurationError, "either prompt or text"),
        (ROWS, {"prompt": "{"}, ConfigurationError, "without its partner"),
        (ROWS, {"prompt": "p", "modle": "m"}, ConfigurationError, "Did you mean 'model'"),
        ("gone.jsonl", {"prompt": "p"}, ConfigurationError, "cannot be opened"),
        ("rows.docx", {"prompt": "p"}, ConfigurationError, "is unknown"),
        (7, {"prompt": "p"}, InputError, "rows is a int"),
        (pandas.DataFrame(ROWS), {"prompt": "{txt}"}, InputError, "Did you mean 'text'"),
        (ROWS, {"prompt": "{txt}"}, InputError, "Did you mean 'text'"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(
    rows: Any, given: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        batch().add_jobs(rows, **given)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"temperature": "x"}, "temperature is 0 or more"),
        ({"max_tokens": -5}, "max_tokens is 1 or more"),
        ({"model": ""}, "model is a model's name"),
        ({"response_model": Invoice(total=1)}, "not an object of it"),
    ],
)
def test_defaults_that_no_job_can_have_are_refused_at_once(settings: Any, says: str) -> None:
    built = Batch()
    with pytest.raises(ConfigurationError, match=f"Batch.defaults: .*{says}"):
        built.defaults(**settings)
    assert built.params.default_params == {}


def test_defaults_that_can_be_read_once_serve_all_jobs() -> None:
    built = batch(stop=iter(["END"])).add_job("a", prompt="p").add_job("b", prompt="p")
    assert [job.stop for job in built.jobs] == [("END",), ("END",)]


@pytest.mark.parametrize("seconds", [0, -1, "1"])
def test_polls_have_time_between_them(seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match="poll_interval_seconds is"):
        Batch(poll_interval_seconds=seconds)


async def told_late(_: object) -> None:
    """Somebody would have to wait for it."""


def test_a_callback_that_would_have_to_be_awaited_is_refused() -> None:
    batch = Batch().defaults(model="gpt-4o-mini").add_job(prompt="a")
    with pytest.raises(ConfigurationError, match="plain function"):
        batch.on_progress(told_late)
    with pytest.raises(ConfigurationError, match="plain function"):
        batch.run(on_progress=told_late)
