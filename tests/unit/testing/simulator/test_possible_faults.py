"""Faults that can never happen are refused, with a sentence that says where they can."""

from __future__ import annotations

from typing import Any

import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.testing.simulator import Fault, FaultKind
from batch_llm.testing.simulator.faults import BEFORE, OF_TRANSPORT
from batch_llm.testing.simulator.front import Front
from batch_llm.testing.simulator.possible import can_meet
from batch_llm.testing.simulator.settings import SimulatorSettings

NEVER: list[dict[str, Any]] = [
    {"kind": "batch_failed", "operation": "chat.completions"},
    {"kind": "batch_no_metadata", "provider": "openai"},
    {"kind": "batch_no_metadata", "provider": "anthropic", "operation": "batches.create"},
    {"kind": "stale_list", "operation": "chat.completions"},
    {"kind": "stale_list", "operation": "models.list"},
    {"kind": "stale_list", "operation": "files.list", "provider": "anthropic"},
    {"kind": "refusal", "operation": "files.create"},
    {"kind": "refusal", "operation": "batches.create"},
    {"kind": "refusal", "operation": "embeddings"},
    {"kind": "safety", "operation": "embedContent"},
    {"kind": "length", "operation": "batchEmbedContents"},
    {"kind": "empty", "operation": "files.content"},
    {"kind": "dropped", "operation": "messages", "provider": "openai"},
    {"kind": "status", "operation": "files.create", "prompt_contains": "weather"},
]
AT_TIMES: list[dict[str, Any]] = [
    {"kind": "batch_failed"},
    {"kind": "batch_failed", "operation": "batches.create", "model": "gpt-5"},
    {"kind": "batch_no_metadata"},
    {"kind": "batch_no_metadata", "provider": "gemini"},
    {"kind": "stale_list", "operation": "cachedContents.list"},
    {"kind": "refusal", "operation": "messages"},
    {"kind": "refusal", "provider": "openai"},
    {"kind": "refusal", "operation": "streamGenerateContent"},
    {"kind": "empty", "operation": "embeddings"},
    {"kind": "error_in_200", "operation": "embedContent"},
    {"kind": "dropped", "operation": "files.create"},
    {"kind": "status", "prompt_contains": "weather"},
]


@pytest.fixture(scope="module")
def front() -> Front:
    return Front(SimulatorSettings())


@pytest.mark.parametrize("fields", NEVER)
def test_what_can_never_happen_is_refused(front: Front, fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"can never happen: '{fields['kind']}'"):
        front.add_fault(Fault.model_validate(fields))
    with pytest.raises(ConfigurationError, match="can never happen"):
        Front(SimulatorSettings(faults=(Fault.model_validate(fields),)))


@pytest.mark.parametrize("fields", AT_TIMES)
def test_what_can_happen_is_taken(front: Front, fields: dict[str, Any]) -> None:
    assert front.add_fault(Fault.model_validate(fields))


def test_the_sentence_says_where_it_can_happen(front: Front) -> None:
    with pytest.raises(ConfigurationError) as raised:
        front.add_fault(Fault(kind=FaultKind.BATCH_NO_METADATA, provider="openai"))
    assert str(raised.value) == (
        "This fault can never happen: 'batch_no_metadata', provider 'openai'. "
        "It can happen to: batches.create of gemini."
    )
    with pytest.raises(ConfigurationError, match=r"It can happen to: .*chat\.completions"):
        front.add_fault(Fault(kind=FaultKind.LENGTH, operation="embeddings", provider="openai"))


@pytest.mark.parametrize("kind", sorted(BEFORE | OF_TRANSPORT))
def test_what_happens_on_the_way_happens_everywhere(front: Front, kind: FaultKind) -> None:
    for name, gateway in front.gateways.items():
        for route in gateway.routes:
            assert can_meet(Fault(kind=kind, operation=route.operation), route, name)
