"""What the metrics observer counts, and the forms in which it tells."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from batch_llm.observers import MetricsObserver, ProcessingEvent
from batch_llm.observers.base import HEARD


def run_of(metrics: MetricsObserver) -> None:
    """Three items that succeed, two that fail, a rate limit and its cooldown."""
    for seconds in (1.0, 2.0, 3.0):
        metrics.on_event(ProcessingEvent.ITEM_STARTED, {"item_id": "a", "worker_id": 0})
        metrics.on_event(ProcessingEvent.ITEM_COMPLETED, {"item_id": "a", "duration": seconds})
    for error in ("ValueError", "ValueError"):
        metrics.on_event(ProcessingEvent.ITEM_FAILED, {"duration": 9.0, "error_type": error})
    metrics.on_event(ProcessingEvent.RATE_LIMIT_HIT, {"consecutive": 1})
    metrics.on_event(ProcessingEvent.COOLDOWN_STARTED, {"duration": 60.0})
    metrics.on_event(ProcessingEvent.COOLDOWN_ENDED, {"duration": 61.5})


EXPECTED = {
    "items_processed": 5,
    "items_succeeded": 3,
    "items_failed": 2,
    "rate_limits_hit": 1,
    "total_cooldown_time": 61.5,
    "processing_times": [1.0, 2.0, 3.0],
    "error_counts": {"ValueError": 2},
    "avg_processing_time": 2.0,
    "success_rate": 0.6,
}
NOTHING = {
    "items_processed": 0,
    "items_succeeded": 0,
    "items_failed": 0,
    "rate_limits_hit": 0,
    "total_cooldown_time": 0.0,
    "processing_times": [],
    "error_counts": {},
    "avg_processing_time": 0.0,
    "success_rate": 0.0,
}


@pytest.fixture
def metrics() -> MetricsObserver:
    observer = MetricsObserver()
    run_of(observer)
    return observer


async def test_counts_a_run(metrics: MetricsObserver) -> None:
    assert await metrics.get_metrics() == EXPECTED
    assert await metrics.export_dict() == EXPECTED
    assert json.loads(await metrics.export_json()) == EXPECTED
    assert metrics.metrics == EXPECTED


async def test_starts_from_nothing_and_does_so_again(metrics: MetricsObserver) -> None:
    assert await MetricsObserver().get_metrics() == NOTHING
    metrics.reset()
    assert await metrics.get_metrics() == NOTHING
    run_of(metrics)
    assert await metrics.get_metrics() == EXPECTED


async def test_what_it_returned_stays_as_it_was(metrics: MetricsObserver) -> None:
    before = await metrics.get_metrics()
    run_of(metrics)
    assert before == EXPECTED


async def test_hears_an_event_awaited_or_not() -> None:
    metrics = MetricsObserver()
    assert metrics.on_event(ProcessingEvent.ITEM_COMPLETED, {"duration": 1.0}) is HEARD
    await metrics.on_event(ProcessingEvent.ITEM_COMPLETED, {"duration": 3.0})
    assert (await metrics.get_metrics())["avg_processing_time"] == 2.0


async def test_counts_events_without_data() -> None:
    metrics = MetricsObserver()
    for event in ProcessingEvent:
        metrics.on_event(event, {})
    assert await metrics.get_metrics() == {
        **NOTHING,
        "items_processed": 2,
        "items_succeeded": 1,
        "items_failed": 1,
        "rate_limits_hit": 1,
        "success_rate": 0.5,
    }


def parsed(text: str) -> dict[str, tuple[str, list[tuple[dict[str, str], float]]]]:
    """Return type and samples of each family, as Prometheus reads them."""
    return {
        family.name: (family.type, [(sample.labels, sample.value) for sample in family.samples])
        for family in text_string_to_metric_families(text)
    }


async def test_prometheus_reads_its_text(metrics: MetricsObserver) -> None:
    text = await metrics.export_prometheus()
    families = parsed(text)
    assert families == {
        "batch_llm_items_processed": ("counter", [({}, 5.0)]),
        "batch_llm_items_succeeded": ("counter", [({}, 3.0)]),
        "batch_llm_items_failed": ("counter", [({}, 2.0)]),
        "batch_llm_rate_limits_hit": ("counter", [({}, 1.0)]),
        "batch_llm_total_cooldown_time": ("counter", [({}, 61.5)]),
        "batch_llm_avg_processing_time": ("gauge", [({}, 2.0)]),
        "batch_llm_success_rate": ("gauge", [({}, 0.6)]),
        "batch_llm_errors": ("counter", [({"error_type": "ValueError"}, 2.0)]),
    }
    assert 'batch_llm_errors_total{error_type="ValueError"} 2\n' in text
    assert "batch_llm_items_processed 5\n" in text


@given(names=st.sets(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r"))))
async def test_prometheus_reads_every_error_type_back(names: set[str]) -> None:
    metrics = MetricsObserver()
    for name in names:
        metrics.on_event(ProcessingEvent.ITEM_FAILED, {"error_type": name})
    samples: list[Any] = parsed(await metrics.export_prometheus())["batch_llm_errors"][1]
    assert {labels["error_type"] for labels, _ in samples} == names
