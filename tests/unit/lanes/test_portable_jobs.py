"""Work items as jobs: the same request under the same id, or a reason."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from batch_llm import (
    AnthropicStrategy,
    Batch,
    ConfigurationError,
    EscalatingStrategy,
    FilePart,
    GeminiStrategy,
    ImagePart,
    JobError,
    LaneError,
    LLMRequest,
    LLMWorkItem,
    LocalModelStrategy,
    Message,
    OpenAICompatibleStrategy,
    PydanticAIModelStrategy,
    PydanticAIStrategy,
    StrategyPool,
    TextPart,
    strategy_by_name,
    to_batch,
)
from batch_llm.base import Job, RequestDefaults
from batch_llm.lanes import LiveItems, LiveStrategies, jobs_of
from batch_llm.llm_strategies.gemini.request import GeminiRequestStrategy
from batch_llm.providers import OpenAIBatchClient
from batch_llm.testing import MockAgent, mock_strategy


class Invoice(BaseModel):
    number: int


MODELS = {
    "gpt-4.1": lambda model: OpenAICompatibleStrategy(model, api_key="k"),
    "claude-haiku-4-5": lambda model: AnthropicStrategy(model, api_key="k"),
    "gemini-2.5-flash": lambda model: GeminiRequestStrategy(model, None, RequestDefaults()),
}
STRATEGIES = LiveStrategies({model: make(model) for model, make in MODELS.items()})

words = st.text("abc ü\n", min_size=1, max_size=12).filter(str.strip)
parts = st.one_of(
    words.map(lambda text: {"type": "text", "text": text}),
    st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}),
    st.just({"type": "file", "file": {"file_url": "https://host/a.pdf", "filename": "a.pdf"}}),
)
turns = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system"]),
        "content": st.one_of(words, st.lists(parts, min_size=1, max_size=3)),
    }
).filter(
    lambda turn: (
        turn["role"] != "system"
        or isinstance(turn["content"], str)
        or all(part["type"] == "text" for part in turn["content"])
    )
)
conversations = st.lists(turns, min_size=1, max_size=3).filter(
    lambda said: any(turn["role"] != "system" for turn in said)
)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    content: dict[str, Any] = draw(
        st.one_of(
            st.fixed_dictionaries({"prompt": words, "system": st.none() | words}),
            st.fixed_dictionaries({"messages": conversations}),
        )
    )
    return Job(
        draw(words),
        **content,
        model=draw(st.sampled_from(sorted(MODELS))),
        temperature=draw(st.none() | st.floats(0, 2)),
        max_tokens=draw(st.none() | st.integers(1, 9000)),
        response_model=draw(
            st.sampled_from([None, Invoice, {"type": "object", "title": "x", "properties": {}}])
        ),
        top_p=draw(st.none() | st.floats(0.1, 1)),
        stop=draw(st.lists(words, max_size=2)),
        seed=draw(st.none() | st.integers(-9, 9)),
    )


@given(jobs())
def test_there_and_back_a_job_is_the_same(job: Job) -> None:
    (item,) = LiveItems([job], STRATEGIES)
    assert jobs_of([item]) == [job]
    # Without the job at hand, it is written anew, and asks the same.
    (new,) = jobs_of([dataclasses.replace(item, context=None)])
    assert (new.id, new.model) == (job.id, job.model)
    strategy = item.strategy
    sent = strategy.portable_request(job.to_request())
    assert strategy.portable_request(new.to_request()) == sent
    assert jobs_of(LiveItems([new], STRATEGIES)) == [new]


def item_of(strategy: Any, prompt: Any = "Hello", **fields: Any) -> LLMWorkItem[Any, Any, Any]:
    return LLMWorkItem("a", strategy, prompt, **fields)


def test_the_settings_of_a_strategy_stand_in_the_job() -> None:
    strategy = OpenAICompatibleStrategy(
        "gpt-4.1",
        api_key="k",
        system="Be brief.",
        output_schema=Invoice,
        temperature=0.0,
        max_output_tokens=9,
    )
    (job,) = to_batch([item_of(strategy)]).jobs
    assert job == Job(
        "a",
        prompt="Hello",
        model="gpt-4.1",
        system="Be brief.",
        response_model=Invoice,
        temperature=0.0,
        max_tokens=9,
    )


def test_a_request_goes_before_the_settings_of_its_strategy() -> None:
    picture = ImagePart(data=b"ABC", media_type="image/png")
    request = LLMRequest([Message("user", (picture, TextPart("What?")))], temperature=1.0)
    strategy = AnthropicStrategy("claude-haiku-4-5", api_key="k", temperature=0.0)
    (job,) = to_batch([item_of(strategy, request)]).jobs
    assert job.temperature == 1.0
    assert job.to_request().messages == request.messages


def test_a_job_that_was_changed_on_the_way_is_not_what_it_was() -> None:
    job = Job("a", prompt="before", model="gpt-4.1")
    (item,) = LiveItems([job], STRATEGIES)
    item.prompt = "after"
    (new,) = jobs_of([item])
    assert new.prompt == "after"


def test_a_file_stays_a_file_and_without_it_its_content_travels(tmp_path: Any) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    job = Job("a", file=tmp_path / "a.pdf", prompt="?", model="gpt-4.1")
    (item,) = LiveItems([job], STRATEGIES)
    assert jobs_of([item]) == [job]
    (tmp_path / "a.pdf").unlink()
    (new,) = jobs_of([item])
    (message,) = new.to_request().messages
    assert isinstance(message.parts[0], FilePart)
    assert message.parts[0].data == b"%PDF-1.4\n%%EOF\n"


def test_a_model_whose_name_tells_no_provider_is_named_with_it(monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    (job,) = to_batch([item_of(strategy_by_name("openai:my-own"))]).jobs
    assert job.model == "openai:my-own"


class MyStrategy(OpenAICompatibleStrategy):
    pass


def opaque() -> list[tuple[Any, str]]:
    plain = OpenAICompatibleStrategy("gpt-4.1", api_key="k")
    beta = {"anthropic-beta": "x"}
    return [
        (mock_strategy(MockAgent()), "agent|does not tell"),
        (PydanticAIStrategy(MockAgent()), "agent"),
        (EscalatingStrategy([plain, plain]), "chooses among 2"),
        (StrategyPool([plain]), "chooses among 1"),
        (MyStrategy("gpt-4.1", api_key="k"), "MyStrategy is a class of yours"),
        (LocalModelStrategy.__new__(LocalModelStrategy), "in this process"),
        (OpenAICompatibleStrategy("m", api_key="k", extra_body={"user": "u"}), "user"),
        (AnthropicStrategy("claude-x", api_key="k", headers=beta), "anthropic-beta"),
        (GeminiStrategy("gemini-2.5-flash", None, config={"temperature": 0}), "config"),
        (GeminiStrategy("gemini-2.5-flash", None, include_metadata=True), "include_metadata"),
        (OpenAICompatibleStrategy("m", base_url="http://127.0.0.1:1/v1"), "address of its own"),
        (PydanticAIModelStrategy("openai:gpt-5", model_settings={"thinking": "low"}), "settings"),
    ]


@pytest.mark.parametrize("number", range(len(opaque())))
def test_an_opaque_strategy_is_refused_with_its_reason(number: int) -> None:
    strategy, reason = opaque()[number]
    batch = Batch()
    fine = LLMWorkItem("fine", OpenAICompatibleStrategy("gpt-4.1", api_key="k"), "Hello")
    with pytest.raises(LaneError, match=reason) as refusal:
        to_batch([fine, item_of(strategy)], batch)
    assert list(refusal.value.refused) == ["a"]
    assert batch.jobs == []


def test_whoever_says_where_a_batch_goes_may_send_it_there() -> None:
    strategy = OpenAICompatibleStrategy("gpt-4.1", base_url="http://127.0.0.1:1/v1")
    client = OpenAIBatchClient(base_url="http://127.0.0.1:1/v1", api_key="k")
    (job,) = to_batch([item_of(strategy)], Batch(clients={"openai": client})).jobs
    assert job.model == "gpt-4.1"


def test_a_model_of_pydantic_ai_travels_by_its_name() -> None:
    strategy = PydanticAIModelStrategy("openai-chat:gpt-4.1", temperature=0.5)
    (job,) = to_batch([item_of(strategy)]).jobs
    assert (job.model, job.temperature) == ("gpt-4.1", 0.5)


def test_an_id_that_is_taken_is_refused() -> None:
    items = [item_of(OpenAICompatibleStrategy("gpt-4.1", api_key="k"))] * 2
    with pytest.raises(JobError, match="there already"):
        to_batch(items)


def test_what_is_no_work_item_is_refused_by_its_number() -> None:
    items: list[Any] = [LLMWorkItem("a", MODELS["gpt-4.1"]("gpt-4.1"), "hi"), "x"]
    with pytest.raises(ConfigurationError, match=r"takes work items.* number 2 .* of type str"):
        to_batch(items)
