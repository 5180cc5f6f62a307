"""Anthropic's models, with its SDK as the judge."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from tests.contract.simulator.anthropic_sdk import async_client_of, client_of, compare
from tests.sdk_coverage import covers

if TYPE_CHECKING:
    from batch_llm.testing.simulator import Simulator

YES, NO = {"supported": True}, {"supported": False}
# Source: the SDK's ModelInfo and ModelCapabilities: "keys are always present for all known
# capabilities", "deprecated_at, retires_at: null while the model is active".
HAIKU: dict[str, Any] = {
    "type": "model",
    "id": "claude-haiku-4-5-20251001",
    "display_name": "Claude Haiku 4.5",
    "created_at": lambda value: value == datetime.datetime(2025, 10, 15, tzinfo=datetime.UTC),
    "lifecycle": "active",
    "deprecated_at": None,
    "retires_at": None,
    "line": "haiku",
    "max_input_tokens": 200_000,
    "max_tokens": 64_000,
    "capabilities": {
        "batch": YES,
        "citations": YES,
        "code_execution": NO,
        "context_management": {
            "supported": False,
            "clear_thinking_20251015": NO,
            "clear_tool_uses_20250919": NO,
            "compact_20260112": NO,
        },
        "effort": {
            "supported": False,
            "low": NO,
            "medium": NO,
            "high": NO,
            "xhigh": NO,
            "max": NO,
        },
        "image_input": YES,
        "pdf_input": YES,
        "server_tools": {"supported": False, "code_execution": NO, "web_search": NO},
        "structured_outputs": YES,
        "thinking": {
            "supported": True,
            "types": {"adaptive": NO, "between_tools": YES, "disabled": YES, "enabled": YES},
        },
    },
}


@covers("anthropic", "GET /v1/models/{model_id}", "models.retrieve")
def test_all_fields_of_a_model(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        compare(client.models.retrieve("claude-haiku-4-5"), HAIKU)
        assert client.beta.models.retrieve("claude-haiku-4-5").line == "haiku"


@covers("anthropic", "GET /v1/models/{model_id}", "models.retrieve")
async def test_a_deprecated_model_says_when_it_goes(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        model = await client.models.retrieve("claude-sonnet-4-5")
    assert model.lifecycle == "deprecated"
    assert model.deprecated_at is not None
    assert model.retires_at == datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)


def test_a_model_that_is_none(simulator: Simulator) -> None:
    with (
        client_of(simulator) as client,
        pytest.raises(anthropic.NotFoundError, match="model: gpt-5"),
    ):
        client.models.retrieve("gpt-5")


@covers("anthropic", "GET /v1/models", "models.list")
def test_the_list_comes_in_pages_and_leaves_out_what_is_retired(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        page = client.models.list(limit=5)
        names = [model.id for model in page]
        retired = [model.id for model in client.models.list(lifecycle=["retired"])]
    assert len(page.data) == 5
    assert page.has_more
    assert (page.first_id, page.last_id) == (page.data[0].id, page.data[-1].id)
    assert len(names) == len(set(names)) > 15
    assert retired == ["claude-mythos-preview"]
    assert not set(retired) & set(names)


@covers("anthropic", "GET /v1/models", "models.list")
async def test_the_list_async(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        names = [model.id async for model in client.models.list(limit=7)]
        with pytest.raises(anthropic.BadRequestError, match="limit: Input should be less than"):
            await client.models.list(limit=1_001)
    assert "claude-sonnet-5" in names
