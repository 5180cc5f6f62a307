"""Jobs as work items: what each asks, of whom, and which cannot go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from batch_llm import (
    AnthropicStrategy,
    Batch,
    ConfigurationError,
    LaneError,
    LLMCallStrategy,
    LLMRequest,
    MissingKeyError,
    OpenAICompatibleStrategy,
)
from batch_llm.batch import MockProvider, OpenAIProvider, ProviderRegistry
from batch_llm.providers import AnthropicBatchClient, MockBatchClient, OpenAIBatchClient


class Invoice(BaseModel):
    number: int


class TextOnly(LLMCallStrategy[str]):
    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI", "ANTHROPIC", "GEMINI"):
        monkeypatch.setenv(f"{name}_API_KEY", "a-key")
        monkeypatch.delenv(f"{name}_BASE_URL", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)


def test_an_item_asks_all_that_its_job_asks(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A text.")
    batch = Batch().add_job(
        "a",
        file=tmp_path / "a.txt",
        prompt="Summarize.",
        model="gpt-4.1",
        system="Be brief.",
        response_model=Invoice,
        temperature=0.5,
        max_tokens=20,
        stop="END",
        top_p=0.5,
        seed=7,
    )
    (item,) = batch.to_live()
    assert item.item_id == "a"
    assert item.prompt == batch.jobs[0].to_request()
    assert isinstance(item.prompt, LLMRequest)
    assert item.prompt.text == "A text.\nSummarize."
    assert (item.prompt.max_output_tokens, item.prompt.stop, item.prompt.seed) == (20, ("END",), 7)
    assert item.context == batch.jobs[0]


def test_thousands_of_jobs_share_the_strategy_of_their_model() -> None:
    rows = [{"text": str(n)} for n in range(3000)]
    batch = Batch().add_jobs(rows, "Say {text}", model="claude-haiku-4-5")
    batch.add_jobs(rows, "Count {text}", model="gemini-2.5-flash", temperature=0.0)
    items = batch.to_live()
    assert len(items) == len(list(items)) == 6000
    strategies = {id(item.strategy): item.strategy for item in items}
    assert sorted(type(each).__name__ for each in strategies.values()) == [
        "AnthropicStrategy",
        "GeminiRequestStrategy",
    ]


def test_files_are_read_when_their_items_are(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("before")
    items = Batch().add_job(file=file, prompt="?", model="gpt-4.1").to_live()
    file.write_text("after")
    (item,) = items
    assert isinstance(item.prompt, LLMRequest)
    assert "after" in item.prompt.text


def test_a_model_or_a_provider_may_have_a_strategy_of_the_users() -> None:
    own = AnthropicStrategy("claude-next", api_key="other")
    made: list[str] = []

    def make(model: str) -> Any:
        made.append(model)
        return OpenAICompatibleStrategy(model, base_url="http://127.0.0.1:1/v1")

    batch = Batch().add_job("a", prompt="1", model="claude-next")
    batch.add_job("b", prompt="2", model="openai:some").add_job("c", prompt="3", model="mine:name")
    items = list(batch.to_live({"claude-next": own, "openai": make, "mine": make}))
    assert items[0].strategy is own
    assert made == ["some", "name"]


def test_what_cannot_go_live_is_refused_by_name_before_anything_is_sent() -> None:
    batch = Batch().add_job("vector", text="embed me", model="text-embedding-3-small")
    batch.add_job("cited", prompt="1", model="claude-haiku-4-5", enable_citations=True)
    batch.add_job("own", prompt="1", model="mine:name").add_job("fine", prompt="2", model="gpt-4.1")
    with pytest.raises(LaneError) as refusal:
        batch.to_live()
    assert set(refusal.value.refused) == {"vector", "cited", "own"}
    assert "embed" in refusal.value.refused["vector"]
    assert "citations" in refusal.value.refused["cited"]
    assert "mine:name" in refusal.value.refused["own"]
    with pytest.raises(LaneError, match="'vector'"):
        batch.run(deadline="6h")


def test_a_key_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(MissingKeyError, match="ANTHROPIC_API_KEY"):
        Batch().add_job(prompt="1", model="claude-haiku-4-5").to_live()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"openai": "gpt-4.1"}, "a function that makes one"),
        ({"openai": lambda model: None}, "NoneType"),
        ({"openai": AnthropicStrategy("claude", api_key="k")}, "function"),
        ({"gpt-4.1": TextOnly()}, "takes an LLMRequest"),
    ],
)
def test_strategies_that_cannot_work_are_refused(given: Any, said: str) -> None:
    batch = Batch().add_job(prompt="1", model="gpt-4.1")
    with pytest.raises(ConfigurationError, match=said):
        batch.to_live(given)


def test_under_a_limit_only_what_has_a_bound_may_go_live(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    image = [{"type": "image_url", "image_url": {"url": "https://host/a.png"}}]
    batch = Batch().defaults(model="gpt-4.1")
    batch.add_job("pdf", file=tmp_path / "a.pdf", prompt="?")
    batch.add_job("image", messages=[{"role": "user", "content": image}])
    batch.add_job("new", prompt="?", model="gpt-of-tomorrow").add_job("fine", prompt="?")
    assert len(batch.to_live()) == 4
    with pytest.raises(LaneError) as refusal:
        batch.add_cost_limit(usd=1).run(deadline=60)
    assert set(refusal.value.refused) == {"pdf", "image", "new"}


def test_an_error_names_five_and_counts_the_others() -> None:
    error = LaneError({f"job {n}": "no." for n in range(7)})
    assert "'job 4': no. And 2 more." in str(error)
    assert len(error.refused) == 7


# -- batches that go elsewhere than the built-in strategies


ELSEWHERE = "http://127.0.0.1:9/v1"


def asked(batch: Batch, model: str = "gpt-4o-mini") -> Batch:
    return batch.add_job("a", prompt="?", model=model)


def openai_client(base_url: str | None) -> OpenAIBatchClient:
    return OpenAIBatchClient(base_url=base_url, api_key="another-key")


def check_is_refused(batch: Batch) -> None:
    with pytest.raises(LaneError, match=r"of your own, .* name its strategy with live_lane"):
        batch.to_live()
    with pytest.raises(LaneError, match="name its strategy"):
        batch.run(deadline=60)


@pytest.mark.parametrize("model", ["gpt-4o-mini", "openai:gpt-4o-mini"])
def test_the_jobs_of_a_client_elsewhere_go_to_no_other_server(model: str) -> None:
    batch = asked(Batch(clients={"openai": openai_client(ELSEWHERE)}), model)
    check_is_refused(batch)
    for given in ({"openai": at_elsewhere}, {model: at_elsewhere("gpt-4o-mini")}):
        assert len(list(batch.to_live(strategies=given))) == 1


def at_elsewhere(model: str) -> OpenAICompatibleStrategy:
    return OpenAICompatibleStrategy(model, base_url=ELSEWHERE, api_key="any")


def test_a_client_that_speaks_to_another_provider_is_elsewhere() -> None:
    check_is_refused(asked(Batch(clients={"openai": AnthropicBatchClient(api_key="a-key")})))
    check_is_refused(asked(Batch(clients={"openai": MockBatchClient()})))


def test_a_client_at_the_address_of_the_environment_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(list(asked(Batch(clients={"openai": openai_client(None)})).to_live())) == 1
    monkeypatch.setenv("OPENAI_BASE_URL", ELSEWHERE)
    same = openai_client(f"{ELSEWHERE}/")
    assert len(list(asked(Batch(clients={"openai": same})).to_live())) == 1
    check_is_refused(asked(Batch(clients={"openai": openai_client("https://api.openai.com/v1")})))


def test_the_jobs_of_a_registered_provider_go_to_no_other_server() -> None:
    provider = MockProvider(models=["gpt-4o-mini"])
    ProviderRegistry.register(provider)
    try:
        batch = asked(Batch())
        check_is_refused(batch)
        with pytest.raises(LaneError):
            batch.to_live(strategies={"openai": at_elsewhere})  # which does not answer them
        assert len(list(batch.to_live(strategies={provider.name: at_elsewhere}))) == 1
    finally:
        ProviderRegistry.unregister(provider.name)
    assert len(list(asked(Batch()).to_live())) == 1


def test_a_provider_in_the_place_of_a_built_in_one_is_the_users_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Own(OpenAIProvider):
        """One of the user's own."""

    monkeypatch.setattr(Own, "name", "openai", raising=False)
    monkeypatch.setattr(ProviderRegistry, "_classes", {**ProviderRegistry._classes, "openai": Own})
    monkeypatch.setattr(ProviderRegistry, "_made", {})
    check_is_refused(asked(Batch()))
