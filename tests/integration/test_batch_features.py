"""What the batch lane can do besides, each thing through a run on the simulator."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet
import pytest
from pydantic import BaseModel
from tests.batch_jobs_module import Receipt
from tests.batch_lane import KEY, PROVIDERS, QUICK, Provider, batch_of, open_client
from tests.pdfs import plain_pdf

from batch_llm.batch import EXPORT_FORMATS, Batch, BatchRun
from batch_llm.exceptions import ConfigurationError, JobError, StateMismatchError
from batch_llm.providers import MockBatchClient, OpenAIBatchClient
from batch_llm.testing.simulator import Fault, FaultKind, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_llm.base import JobResult

ROOT = Path(__file__).parents[2]
OPENAI, ANTHROPIC, GEMINI = PROVIDERS
PNG = b"\x89PNG\r\n\x1a\n\x00\x00"


class Order(BaseModel):
    customer: str
    total: float


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=5, speed=10_000) as simulator:
        yield simulator


@pytest.fixture(params=PROVIDERS, ids=lambda each: each.name)
def provider(request: pytest.FixtureRequest) -> Provider:
    found: Provider = request.param
    return found


def ran(batch: Batch) -> dict[str, JobResult]:
    return batch.run(wait=True).results()


def answers(batch: Batch) -> dict[str, str]:
    results = ran(batch)
    assert {result.outcome for result in results.values()} == {"succeeded"}, results
    return {job_id: result.response for job_id, result in results.items()}


def with_jobs(batch: Batch, jobs: int = 6, **settings: Any) -> Batch:
    for n in range(jobs):
        batch.add_job(f"job {n}", prompt=f"question {n}", **settings)
    return batch


ECHOES = {f"job {n}": f"question {n}" for n in range(6)}


# -- models that are particular


@pytest.mark.parametrize("endpoint", ["/v1/chat/completions", "/v1/responses"])
@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-5-mini", "o3", "gpt-5.1", "gpt-5.6-sol"])
def test_openai_takes_the_defaults_of_every_model(endpoint: Any, model: str) -> None:
    with Simulator(seed=1, speed=10_000, strict_models=True) as strict:
        client = open_client("openai", strict, chat_endpoint=endpoint)
        batch = with_jobs(batch_of(Provider("openai", model), client))
        assert answers(batch) == ECHOES
        assert {record.operation for record in strict.books.records} == {
            "chat.completions" if endpoint == "/v1/chat/completions" else "responses"
        }


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("anthropic", "claude-opus-4-7"),
        ("anthropic", "claude-sonnet-5"),
        ("gemini", "gemini-2.5-pro"),
        ("gemini", "gemini-3-pro-preview"),
    ],
)
def test_the_others_take_the_defaults_of_every_model(name: str, model: str) -> None:
    with Simulator(seed=1, speed=10_000, strict_models=True) as strict:
        assert answers(with_jobs(batch_of(Provider(name, model), open_client(name, strict)))) == (
            ECHOES
        )


def test_what_is_refused_at_the_door_would_have_been_refused_by_the_provider(
    simulator: Simulator,
) -> None:
    """The checks are no stricter than the simulator; jobs of a direct make slip past them."""
    from batch_llm.base import Job
    from batch_llm.batch import BatchParams, BatchRun

    jobs = [
        Job("heat", prompt="p", model="o3", temperature=0.5, max_tokens=None),
        Job("long", prompt="p", model="gpt-4o-mini", max_tokens=16_385),
        Job("both", prompt="p", model="claude-haiku-4-5", temperature=0.5, top_p=0.5),
        Job("claude", prompt="p", model="claude-opus-5", temperature=0.5),
        Job("vector", text="p", model="gpt-4o-mini"),
    ]
    clients = {name: open_client(name, simulator) for name in ("openai", "anthropic")}
    run = BatchRun(jobs, BatchParams(**QUICK), clients=clients)
    assert run.wait()
    results = run.results()
    assert {result.outcome for result in results.values()} == {"failed"}
    assert all(result.error for result in results.values())
    assert not any(record.executed for record in simulator.books.records)


# -- servers, files and streams


def test_a_server_of_ones_own_answers_models_of_its_name(simulator: Simulator) -> None:
    client = OpenAIBatchClient(base_url=simulator.openai_base_url, api_key=KEY)
    batch = Batch(clients={"mine": client}, **QUICK).defaults(model="mine:gpt-4o-mini")
    assert answers(with_jobs(batch)) == ECHOES
    assert {record.model for record in simulator.books.records} == {"gpt-4o-mini"}


def test_many_requests_go_to_gemini_by_file(simulator: Simulator) -> None:
    by_file = open_client("gemini", simulator, inline_bytes=100)
    batch = with_jobs(batch_of(GEMINI, by_file, keep_remote_files=True))
    assert answers(batch) == ECHOES
    assert len(remote_files(GEMINI, simulator)) == 2  # what was sent, and what came back


def test_files_at_the_provider_are_deleted_unless_they_are_to_stay(simulator: Simulator) -> None:
    for provider, settings in ((OPENAI, {}), (GEMINI, {"inline_bytes": 100})):
        for keeps in (True, False):
            before = set(remote_files(provider, simulator))
            client = open_client(provider.name, simulator, **settings)
            ran(with_jobs(batch_of(provider, client, keep_remote_files=keeps)))
            assert bool(set(remote_files(provider, simulator)) - before) == keeps


def remote_files(provider: Provider, simulator: Simulator) -> list[str]:
    if provider is OPENAI:
        url, header = f"{simulator.openai_base_url}/files", ("Authorization", f"Bearer {KEY}")
    else:
        url, header = f"{simulator.gemini_base_url}/v1beta/files", ("x-goog-api-key", KEY)
    asked = urllib.request.Request(url, headers=dict([header]))
    with urllib.request.urlopen(asked) as reply:
        page = json.load(reply)
    found = page.get("data") or page.get("files") or []
    return [each.get("id") or each.get("name") for each in found]


async def test_results_come_as_remote_batches_end(simulator: Simulator) -> None:
    batch = with_jobs(batch_of(OPENAI, open_client("openai", simulator), items_per_batch=2))
    batch.add_jobs([{"id": "row", "text": None}], "{text}")
    run = batch.run()
    came = [result async for result in run.stream()]
    assert len(came) == 7
    assert {result.job_id: result for result in came} == run.results()
    assert came[0].job_id == "row"
    assert [result async for result in run.stream()] != []  # whoever comes late gets all of them


# -- outcomes


def test_expired_jobs_alone_go_again(provider: Provider, simulator: Simulator) -> None:
    simulator.set_speed(1_000_000)
    simulator.add_fault(Fault(kind=FaultKind.BATCH_EXPIRED, share=0.5, times=1))
    run = with_jobs(batch_of(provider, open_client(provider.name, simulator))).run(wait=True)
    expired = {result.job_id for result in run.results().values() if result.outcome == "expired"}
    assert expired
    assert run.resubmit_expired().wait()
    assert {job_id: result.response for job_id, result in run.results().items()} == ECHOES
    if provider is not GEMINI:  # whose expired batches have no results, also of what did run
        assert not simulator.books.repeated("prompt"), "a request was executed twice"


def test_cancelled_jobs_alone_go_again(provider: Provider, simulator: Simulator) -> None:
    simulator.set_speed(0.001)
    run = with_jobs(batch_of(provider, open_client(provider.name, simulator))).run()
    while not any(each["remote_id"] for each in run.status().batches):
        time.sleep(0.01)
    with pytest.raises(ConfigurationError, match="wait for it"):
        run.resubmit_cancelled()
    run.cancel(wait=False)
    simulator.set_speed(50)  # it takes a second to stop, and far more to run to its end
    run.wait()
    assert run.status().cancelled
    simulator.set_speed(10_000)
    assert run.resubmit_cancelled().wait()
    assert {job_id: result.response for job_id, result in run.results().items()} == ECHOES
    if provider is not GEMINI:
        assert not simulator.books.repeated("prompt"), "a request was executed twice"


@pytest.mark.parametrize("kind", ["refusal", "safety"])
def test_who_is_refused_is_told_why(provider: Provider, simulator: Simulator, kind: str) -> None:
    simulator.add_fault(Fault(kind=FaultKind(kind), lane="batch", prompt_contains="question 3"))
    results = ran(with_jobs(batch_of(provider, open_client(provider.name, simulator))))
    refused = results.pop("job 3")
    assert refused.outcome == "failed"
    assert refused.response == ""
    assert re.search("declined|blocked", refused.error or "")
    assert "question" not in (refused.error or "")
    assert refused.error_category == "client_error"
    assert refused.cost_usd
    assert {result.outcome for result in results.values()} == {"succeeded"}


@pytest.mark.parametrize("endpoint", ["/v1/chat/completions", "/v1/responses"])
def test_cut_answers_of_openai_are_marked_at_either_endpoint(
    simulator: Simulator, endpoint: Any
) -> None:
    client = open_client("openai", simulator, chat_endpoint=endpoint)
    batch = batch_of(OPENAI, client).defaults(max_tokens=16)
    batch.add_job("long", prompt="word " * 200).add_job("short", prompt="word")
    results = ran(batch)
    assert (results["long"].is_truncated, results["short"].is_truncated) == (True, False)
    assert results["long"].outcome == "succeeded"
    assert results["long"].finish_reason == "length"


def test_a_run_that_ends_while_it_is_cancelled_is_no_error(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_ever(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("batch_llm.batch.running.runner.Runner.cancel", for_ever)
    run = with_jobs(batch_of(OPENAI, open_client("openai", simulator))).run()
    run.cancel()
    assert run.status().succeeded == 6


# -- what is kept


def test_raw_requests_and_responses_are_kept_where_they_are_asked_for(
    provider: Provider, simulator: Simulator, tmp_path: Path
) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(PNG)
    folder = tmp_path / "out"
    batch = batch_of(provider, open_client(provider.name, simulator), results_dir=folder)
    batch.save_raw_responses().add_job("seen", file=image, prompt="What is on it?")
    result = ran(batch)["seen"]
    request, response = json.dumps(result.raw_request), json.dumps(result.raw_response)
    assert "What is on it?" in request
    assert "characters)" in request
    assert "iVBORw0KGgoAAA" not in request, "the image stands in it"
    assert result.response in json.loads(json.dumps(response))
    kept = json.loads((folder / "seen.json").read_text(encoding="utf-8"))
    assert (kept["raw_request"], kept["raw_response"]) == (result.raw_request, result.raw_response)
    plain = ran(with_jobs(batch_of(provider, open_client(provider.name, simulator)), 1))["job 0"]
    assert (plain.raw_request, plain.raw_response) == (None, None)


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_a_run_exports_all_results(simulator: Simulator, tmp_path: Path, kind: Any) -> None:
    simulator.add_fault(Fault(kind=FaultKind.STATUS, lane="batch", prompt_contains="question 2"))
    batch = with_jobs(batch_of(OPENAI, open_client("openai", simulator)))
    batch.add_job("order", prompt="An order", response_model=Order)
    batch.add_job("vector", text="embed me", model="text-embedding-3-small")
    run = batch.run(wait=True)
    path = tmp_path / f"out.{kind}"
    run.export(kind, path)
    records = {record["job_id"]: record for record in read(path, kind)}
    assert set(records) == set(run.results())
    assert records["job 2"]["outcome"] == "failed"
    assert records["job 3"]["response"] == "question 3"
    order = records["order"]["parsed_response"]
    assert Order.model_validate(json.loads(order) if isinstance(order, str) else order)
    vector = records["vector"]["embedding"]
    assert len(json.loads(vector) if isinstance(vector, str) else vector) == 1_536


async def test_results_are_in_the_order_of_the_jobs_and_come_as_they_end(tmp_path: Path) -> None:
    client = MockBatchClient()  # the last job of a batch ends first

    def batch() -> Batch:
        made = batch_of(Provider("mock", "mock:m"), client, state_file=tmp_path / "state.jsonl")
        rows = [{"id": "a", "text": "A"}, {"id": "no text"}, {"id": "b", "text": "B"}]
        return made.add_jobs(rows, prompt="{text}").add_job("c", prompt="C")

    for expected in (["no text", "c", "b", "a"], ["no text", "a", "b", "c"]):
        run = await batch().arun()
        run.export("jsonl", tmp_path / "out.jsonl")
        exported = [record["job_id"] for record in read(tmp_path / "out.jsonl", "jsonl")]
        assert list(run.results()) == exported == ["no text", "a", "b", "c"]
        assert [result.job_id async for result in run.stream()] == expected


def read(path: Path, kind: str) -> list[dict[str, Any]]:
    if kind == "parquet":
        return list(pyarrow.parquet.read_table(path).to_pylist())
    text = path.read_text(encoding="utf-8")
    if kind == "csv":
        csv.field_size_limit(10**7)
        return list(csv.DictReader(text.splitlines(keepends=True)))
    return json.loads(text) if kind == "json" else list(map(json.loads, text.splitlines()))


# -- going on


def test_jobs_that_were_added_since_run_too(
    provider: Provider, simulator: Simulator, tmp_path: Path
) -> None:
    state, client = tmp_path / "state.jsonl", open_client(provider.name, simulator)
    ran(with_jobs(batch_of(provider, client, state_file=state), 3))
    again = batch_of(provider, open_client(provider.name, simulator), state_file=state)
    assert answers(with_jobs(again)) == ECHOES
    assert not simulator.books.repeated("prompt")


def test_a_file_that_has_changed_is_a_job_that_has(simulator: Simulator, tmp_path: Path) -> None:
    state, file = tmp_path / "state.jsonl", tmp_path / "a.txt"
    file.write_text("one")

    def batch() -> Batch:
        made = batch_of(ANTHROPIC, open_client("anthropic", simulator), state_file=state)
        return made.add_job("the file", file=file, prompt="Summarise").add_job("b", prompt="p")

    ran(batch())
    file.write_text("two")
    with pytest.raises(StateMismatchError, match="the file") as refused:
        batch().run()
    assert refused.value.job_ids == ("the file",)


RESUMER = """
import sys
from batch_llm.batch import Batch
from batch_llm.providers import MockBatchClient, OpenAIBatchClient
client = OpenAIBatchClient(base_url=sys.argv[2], api_key="a-key")
run = Batch(state_file=sys.argv[1], clients={"openai": client}, poll_interval_seconds=0.01)
answer = run.run(wait=True).results()["receipt"].parsed_response
print(f"{type(answer).__module__}:{type(answer).__qualname__}", answer.shop)
"""


def test_another_process_goes_on_with_the_model_of_the_answer(
    simulator: Simulator, tmp_path: Path
) -> None:
    """The second process adds no job: it knows the model by its import path alone."""
    state = tmp_path / "state.jsonl"
    simulator.set_speed(1.0)
    batch = batch_of(OPENAI, open_client("openai", simulator), state_file=state)
    batch.add_job("receipt", prompt="A receipt", response_model=Receipt)
    run = batch.run()
    run.shutdown(wait_for_active=False)
    simulator.set_speed(10_000)
    done = subprocess.run(
        [sys.executable, "-c", RESUMER, str(state), simulator.openai_base_url],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.stdout.startswith("tests.batch_jobs_module:Receipt "), done.stderr
    assert not simulator.books.repeated("prompt")


def nameless() -> type[BaseModel]:
    """Return a model that no later run can find."""

    class Nameless(BaseModel):
        shop: str

    return Nameless


def leave_in_flight(run: BatchRun) -> None:
    while not any(each["state"] == "created" for each in run.status().batches):
        run.wait(0.01)
    run.shutdown(wait_for_active=False)


def test_an_answer_whose_model_is_gone_is_kept_and_holds_up_no_other(
    provider: Provider, simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def batch() -> Batch:
        client = open_client(provider.name, simulator)
        return batch_of(provider, client, state_file=tmp_path / "state.jsonl")

    simulator.set_speed(1.0)
    first = batch().add_job("receipt", prompt="A receipt", response_model=nameless())
    leave_in_flight(first.add_job("other", prompt="other").run())
    simulator.set_speed(10_000)
    results = ran(batch())
    assert results["other"].response == "other"
    gone = results["receipt"]
    assert (gone.outcome, gone.error) == ("succeeded", None)
    assert gone.parsed_response == json.loads(gone.response)
    assert gone.parsed_response["shop"]
    assert gone.cost_usd
    assert "inside of a function" in caplog.text
    assert not simulator.books.repeated("prompt")


class Changed(BaseModel):
    """What `Receipt` is called and stands at, after somebody has edited its module."""

    __module__ = Receipt.__module__
    __qualname__ = Receipt.__qualname__
    shop: str
    vat_id: str


def test_answers_count_though_their_model_has_changed_meanwhile(
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def batch() -> Batch:
        client = open_client("openai", simulator)
        return batch_of(OPENAI, client, state_file=tmp_path / "state.jsonl")

    simulator.set_speed(1.0)
    first = batch()
    for n in range(2):
        first.add_job(f"receipt {n}", prompt=f"A receipt {n}", response_model=Receipt)
    leave_in_flight(first.run())
    with monkeypatch.context() as edited:
        edited.setattr("tests.batch_jobs_module.Receipt", Changed)
        simulator.set_speed(10_000)
        for result in ran(batch()).values():
            assert result.is_success
            assert result.parsed_response == json.loads(result.response)
    for result in ran(batch()).values():
        assert result.parsed_response == Receipt.model_validate_json(result.response)
    said = "its response_model tests.batch_jobs_module:Receipt has changed since the job was added"
    assert caplog.text.count(said) == 1


def test_a_changed_job_is_refused_with_what_differs(simulator: Simulator, tmp_path: Path) -> None:
    def batch(prompt: str, model: Any) -> Batch:
        client = open_client("openai", simulator)
        made = batch_of(OPENAI, client, state_file=tmp_path / "state.jsonl")
        return made.add_job("receipt", prompt=prompt, response_model=model)

    ran(batch("A receipt", Receipt))
    for prompt, model, said in (
        ("A receipt", Changed, r"\('receipt' differs in response_model\)"),
        ("A receipt", Order, r"\('receipt' differs in response_model\)"),
        ("A letter", Receipt, r"\('receipt' differs in prompt\)"),
        ("A letter", Order, r"\('receipt' differs in prompt or response_model\)"),
    ):
        with pytest.raises(StateMismatchError, match=said):
            batch(prompt, model).run(wait=True)


def test_a_job_is_not_sent_with_another_model_than_its_own(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def batch(limit_usd: float = 1.0) -> Batch:
        client = open_client("openai", simulator)
        made = batch_of(OPENAI, client, state_file=tmp_path / "state.jsonl")
        return made.add_cost_limit(usd=limit_usd)

    first = batch(1e-9).add_job("receipt", prompt="A receipt", response_model=Receipt)
    assert first.run(wait=True).status().pending == 1
    with monkeypatch.context() as edited:
        edited.setattr("tests.batch_jobs_module.Receipt", Changed)
        run = batch().run(wait=True)
        refused = run.results()["receipt"]
        assert (refused.outcome, refused.error_category) == ("failed", "input_error")
        assert "Receipt has changed since the job was added" in (refused.error or "")
        with pytest.raises(JobError, match=r"'receipt': its response_model .* has changed"):
            run.retry_failed()
        assert run.results()["receipt"] == refused
    assert not simulator.books.records
    assert run.retry_failed().wait()
    assert isinstance(run.results()["receipt"].parsed_response, Receipt)


def test_a_result_whose_model_is_gone_stays_a_dictionary(
    simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def batch() -> Batch:
        client = open_client("openai", simulator)
        return batch_of(OPENAI, client, state_file=tmp_path / "state.jsonl")

    before = ran(batch().add_job("receipt", prompt="A receipt", response_model=nameless()))
    after = ran(batch().add_job("other", prompt="other"))
    assert after["receipt"].parsed_response == before["receipt"].parsed_response.model_dump()
    assert after["receipt"].is_success
    assert after["other"].response == "other"
    assert "'receipt' stays a dictionary" in caplog.text


def texts(batch: Batch, folder: Path) -> Batch:
    for name in ("a", "b", "c"):
        (folder / f"{name}.txt").write_text(f"text {name}")
        batch.add_job(name, file=folder / f"{name}.txt", prompt="Summarise")
    return batch


def pending_texts(simulator: Simulator, folder: Path) -> Batch:
    """Return a batch whose state has them, and none of them was sent."""

    def batch() -> Batch:
        client = open_client("openai", simulator)
        return batch_of(OPENAI, client, state_file=folder / "state.jsonl")

    assert texts(batch(), folder).add_cost_limit(usd=1e-9).run(wait=True).status().pending == 3
    return texts(batch(), folder)


@pytest.mark.parametrize("is_known", [False, True], ids=["new", "known"])
def test_a_file_that_is_gone_since_its_job_was_added_fails_that_job_alone(
    simulator: Simulator, tmp_path: Path, is_known: bool
) -> None:
    client = open_client("openai", simulator)
    batch = (
        pending_texts(simulator, tmp_path)
        if is_known
        else texts(batch_of(OPENAI, client), tmp_path)
    )
    (tmp_path / "b.txt").unlink()
    assert "No such file" in batch.run(dry_run=True).refused["b"]
    run = batch.run(wait=True)
    results = run.results()
    assert {name: each.outcome for name, each in results.items()} == {
        "a": "succeeded",
        "b": "failed",
        "c": "succeeded",
    }
    assert results["b"].error_category == "input_error"
    assert re.match(
        r"Job 'b': file '.*b\.txt' cannot be read: No such file", results["b"].error or ""
    )
    assert results["b"].cost_usd == 0
    (tmp_path / "b.txt").write_text("text b")
    assert run.retry_failed().wait()
    assert run.results()["b"].is_success


def test_a_gone_file_does_not_hide_what_else_of_its_job_has_changed(
    simulator: Simulator, tmp_path: Path
) -> None:
    pending_texts(simulator, tmp_path)
    client = open_client("openai", simulator)
    other = batch_of(OPENAI, client, state_file=tmp_path / "state.jsonl")
    other.add_job("a", file=tmp_path / "a.txt", prompt="Translate")
    (tmp_path / "a.txt").unlink()
    with pytest.raises(StateMismatchError, match=r"\('a' differs in prompt\)"):
        other.run(wait=True)


# -- citations


def test_cited_fields_know_their_passages(simulator_of_orders: Simulator, tmp_path: Path) -> None:
    """Asked for both, Claude is told the schema in words: its API refuses them together."""
    file = tmp_path / "order.txt"
    file.write_text("Customer: Marianne Oldenburg, total: 4711.50 EUR. We thank you.")
    batch = batch_of(ANTHROPIC, open_client("anthropic", simulator_of_orders), results_dir=tmp_path)
    batch.add_job(
        "order",
        file=file,
        prompt="Who ordered, for how much?",
        response_model=Order,
        enable_citations=True,
    )
    result = ran(batch)["order"]
    assert result.parsed_response == Order(customer="Marianne Oldenburg", total=4711.5)
    assert result.citations
    assert set(result.citation_mappings or {}) == {"customer", "total"}
    (value,) = (result.citation_mappings or {})["total"]
    assert value.citation.cited_text[value.start : value.end] == "4711.50"
    assert value.citation.kind == "char"
    assert 0.5 <= value.confidence <= 1
    kept = json.loads((tmp_path / "order.json").read_text(encoding="utf-8"))
    assert kept["citation_mappings"]["total"][0]["confidence"] == value.confidence


@pytest.fixture
def simulator_of_orders() -> Iterator[Simulator]:
    text = '{"customer": "Marianne Oldenburg", "total": 4711.50}'
    with Simulator(seed=5, speed=10_000, answers=lambda _: text) as simulator:
        yield simulator


def test_a_pdf_is_cited_by_its_pages(simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(plain_pdf(2))
    batch = batch_of(ANTHROPIC, open_client("anthropic", simulator))
    batch.add_job("pdf", file=file, prompt="What does it say?", enable_citations=True)
    (citation,) = ran(batch)["pdf"].citations or ()
    assert (citation.kind, citation.start, citation.end) == ("page", 1, 2)
    assert (citation.document_index, citation.document_title) == (0, "a.pdf")
    assert citation.answer_end == len("What does it say?")


def test_a_pdf_is_read_by_whoever_reads_pdfs(
    provider: Provider, simulator: Simulator, tmp_path: Path
) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(plain_pdf(2))
    batch = batch_of(provider, open_client(provider.name, simulator))
    batch.add_job("pdf", file=file, prompt="What does it say?")
    assert batch.run(dry_run=True).pdf_pages == 2
    assert answers(batch) == {"pdf": "What does it say?"}


@pytest.mark.parametrize("name", ["state.jsonl", "soft", "hard", "folder/../state.jsonl"])
async def test_results_are_not_exported_over_the_state(tmp_path: Path, name: str) -> None:
    client, state = MockBatchClient(), tmp_path / "state.jsonl"
    batch = batch_of(Provider("mock", "mock:m"), client, state_file=state)
    run = await with_jobs(batch, 1).arun()
    (tmp_path / "folder").mkdir()
    (tmp_path / "soft").symlink_to(state)
    (tmp_path / "hard").hardlink_to(state)
    before = state.read_bytes()
    with pytest.raises(ConfigurationError, match="is the state file of this run"):
        run.export("jsonl", tmp_path / name)
    assert state.read_bytes() == before
