"""The batch lane's names, fields and defaults, as programs that are written against them see it."""

from __future__ import annotations

import inspect
import json
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from pydantic import BaseModel

import batch_llm
import batch_llm.batch
import batch_llm.providers
import batch_llm.testing
from batch_llm import (
    Batch,
    BatchConfig,
    BatchParams,
    BatchRequest,
    BatchState,
    Citation,
    ConcurrentExecutor,
    CostTracker,
    Job,
    JobResult,
    MockProvider,
    ModelConfig,
    Provider,
    ProviderError,
    ProviderRegistry,
    StateManager,
)

NAMES = [
    "Batch",
    "BatchRun",
    "Job",
    "JobResult",
    "ModelConfig",
    "Citation",
    "BatchRequest",
    "Provider",
    "ProviderRegistry",
    "AnthropicProvider",
    "OpenAIProvider",
    "GeminiProvider",
    "MockProvider",
    "CostTracker",
    "StateManager",
    "BatchState",
    "BatchParams",
    "BatchConfig",
    "ConcurrentExecutor",
    "ProviderError",
]
OF_PROVIDERS = [
    "AnthropicProvider",
    "BatchRequest",
    "GeminiProvider",
    "MockProvider",
    "ModelConfig",
    "OpenAIProvider",
    "Provider",
    "ProviderError",
    "ProviderRegistry",
]
OF_TESTING = [
    "MockProvider",
    "MockBatchRequest",
    "MockCostTracker",
    "MockStateManager",
    "MockBatchClient",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_root_has_the_name(name: str) -> None:
    assert getattr(batch_llm, name) is not None
    assert name in batch_llm.__all__


@pytest.mark.parametrize("name", NAMES)
def test_the_room_has_the_same(name: str) -> None:
    assert getattr(batch_llm.batch, name) is getattr(batch_llm, name)


@pytest.mark.parametrize("name", OF_TESTING)
def test_the_mocks_are_in_testing(name: str) -> None:
    assert getattr(batch_llm.testing, name) is not None


def parameters(function: Any) -> dict[str, Any]:
    """Return the names of parameters, and their defaults."""
    told = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in told if each.name != "self"}


def defaults(cls: Any) -> dict[str, Any]:
    """Return the names of a dataclass's fields, and their defaults."""
    return {
        each.name: each.default_factory() if each.default_factory is not MISSING else each.default
        for each in fields(cls)
    }


def test_a_jobs_fields_and_defaults() -> None:
    told = parameters(Job)
    assert list(told)[:9] == [
        "id", "messages", "file", "prompt", "model", "temperature", "max_tokens",
        "response_model", "enable_citations",
    ]  # fmt: skip
    job = Job(id="a", prompt="x", model="m")
    assert (job.temperature, job.max_tokens) == (0.7, 1000)
    assert (job.messages, job.file, job.response_model) == (None, None, None)
    assert job.enable_citations is False
    assert Job.from_dict(json.loads(json.dumps(job.to_dict()))) == job


def test_a_results_fields_and_defaults() -> None:
    assert list(defaults(JobResult))[:8] == [
        "job_id", "response", "parsed_response", "citations", "input_tokens", "output_tokens",
        "cost_usd", "error",
    ]  # fmt: skip
    result = JobResult("a", "text", None, None, 3, 4, 0.5)
    assert result.error is None
    assert result.is_success is True
    assert JobResult("a", error="no").is_success is False
    assert JobResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_a_models_fields_and_defaults() -> None:
    told = defaults(ModelConfig)
    assert list(told) == [
        "name", "max_input_tokens", "max_output_tokens", "batch_discount", "supports_images",
        "supports_files", "supports_citations", "supports_structured_output", "file_types",
    ]  # fmt: skip
    config = ModelConfig("claude-3-sonnet", 200_000, 4_096, 0.5)
    assert (config.supports_images, config.supports_files) == (False, False)
    assert (config.supports_citations, config.supports_structured_output) == (False, True)
    assert config.file_types == []


def test_a_batchs_parameters() -> None:
    told = defaults(BatchParams)
    assert {
        "state_file", "results_dir", "max_concurrent", "items_per_batch", "cost_limit_usd",
        "default_params", "reuse_state", "save_raw_responses",
    } <= told.keys()  # fmt: skip
    assert (told["cost_limit_usd"], told["default_params"]) == (None, {})
    assert (told["reuse_state"], told["save_raw_responses"]) == (True, False)
    assert BatchConfig is BatchParams
    batch = Batch("./state.jsonl", "./out", 3, 7).defaults(model="m").add_cost_limit(usd=15)
    assert (batch.config.max_concurrent, batch.config.items_per_batch) == (3, 7)
    assert batch.config.default_params == {"model": "m"}
    assert batch.save_raw_responses().config.save_raw_responses is True


def test_a_states_fields_and_file(tmp_path: Path) -> None:
    assert list(defaults(BatchState)) == [
        "batch_id", "created_at", "pending_jobs", "completed_results", "failed_jobs",
        "total_cost_usd",
    ]  # fmt: skip
    state = BatchState(
        pending_jobs=[Job("a", prompt="x", model="m")],
        completed_results={"b": JobResult("b", "y", cost_usd=0.25)},
        failed_jobs={"c": "no"},
        total_cost_usd=0.25,
    )
    assert BatchState.from_dict(state.to_dict()) == state
    keeper = StateManager(tmp_path / "state.jsonl")
    assert keeper.load() is None
    keeper.save(state)
    loaded = keeper.load()
    assert loaded is not None
    assert loaded.completed_results["b"].response == "y"
    assert loaded.failed_jobs == {"c": "no"}
    keeper.clear()
    assert keeper.load() is None


def test_a_providers_methods() -> None:
    assert Provider.__abstractmethods__ == {
        "validate_job", "create_batch", "get_batch_status", "get_batch_results", "cancel_batch",
        "estimate_cost",
    }  # fmt: skip
    with pytest.raises(TypeError, match="abstract"):
        Provider()  # type: ignore[abstract]


def test_a_request_has_its_fields() -> None:
    provider, now = MockProvider(), datetime.now(UTC)
    request = BatchRequest("batch_abc123", provider, [], "running", now)
    assert (request.id, request.provider, request.jobs) == ("batch_abc123", provider, [])
    assert (request.status, request.submitted_at) == ("running", now)
    assert str(request) == "batch_abc123"


def test_a_tracker_has_both_pairs_of_names() -> None:
    tracker = CostTracker(1.0)
    assert tracker.can_proceed(1.0) is True
    assert tracker.can_afford(1.0) is True
    tracker.track(0.75)
    tracker.track_spend(0.125)
    assert (tracker.used_usd, tracker.limit_usd, tracker.remaining()) == (0.875, 1.0, 0.125)
    assert tracker.can_proceed(0.5) is False
    assert tracker.get_stats()["used_usd"] == 0.875


def test_an_executor_has_its_fields() -> None:
    executor = ConcurrentExecutor(max_concurrent=2, cost_limit_usd=None)
    assert isinstance(executor.cost_tracker, CostTracker)
    assert executor.active_futures == {}
    executor.shutdown(wait=True)
    assert executor.submit_if_allowed(MockProvider(), []) is None


def test_a_citation_and_an_error_are_there() -> None:
    assert issubclass(ProviderError, Exception)
    assert Citation is batch_llm.batch.Citation


# -- the programs


class Invoice(BaseModel):
    total: float


def test_a_run_with_a_mock() -> None:
    mock_provider = MockProvider()
    mock_provider.set_mock_response("job_1", JobResult("job_1", "an answer", cost_usd=0.50))
    with mock.patch.object(ProviderRegistry, "get_provider", return_value=mock_provider):
        batch = Batch().add_job(id="job_1", prompt="Summarize", model="any-model")
        run = batch.run(wait=True)
        assert run.results()["job_1"].cost_usd == 0.50
    assert mock_provider.requests[0].jobs == batch.jobs
    assert run.jobs == batch.jobs
    assert isinstance(run.config, BatchParams)
    assert run.config == batch.config


def test_the_advanced_program_with_a_mock(tmp_path: Path) -> None:
    provider, seen = MockProvider(), list[str]()
    (tmp_path / "invoice.txt").write_text("Total: 7")
    provider.set_mock_response("invoice", JobResult("invoice", '{"total": 7}', cost_usd=0.5))
    with mock.patch.object(ProviderRegistry, "get_provider", return_value=provider):
        batch = (
            Batch(state_file=f"{tmp_path}/", results_dir=tmp_path / "output", max_concurrent=10)
            .add_cost_limit(usd=5)
            .defaults(model="claude-3-sonnet", temperature=0.7, max_tokens=500)
            .on_progress(lambda stats: seen.append(f"{stats.completed}/{stats.total}"))
            .add_job(
                id="invoice",
                file=tmp_path / "invoice.txt",
                prompt="Extract data",
                response_model=Invoice,
            )
            .add_job(messages=[{"role": "user", "content": "Hello"}], model="gpt-4")
        )
        run = batch.run()
        run.wait()
    assert run.is_complete
    assert run.status()["cost_usd"] == 0.5
    assert run.results()["invoice"].parsed_response == Invoice(total=7)
    assert seen[-1] == "2/2"
    assert len(list((tmp_path / "output").iterdir())) == 2


def test_a_provider_is_looked_up_once_for_a_model() -> None:
    provider = MockProvider()
    with mock.patch.object(ProviderRegistry, "get_provider", return_value=provider) as get_provider:
        batch = Batch(items_per_batch=10).defaults(model="claude-3-sonnet")
        for number in range(100):
            batch.add_job(prompt=f"question {number}")
        batch.run(wait=True)
    get_provider.assert_called_once_with("claude-3-sonnet")


@pytest.mark.parametrize("name", OF_PROVIDERS)
def test_providers_are_found_in_their_own_room_too(name: str) -> None:
    assert getattr(batch_llm.providers, name) is getattr(batch_llm, name)
