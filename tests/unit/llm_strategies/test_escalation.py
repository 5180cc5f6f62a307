"""A cheap model first, a strong one later."""

from __future__ import annotations

from typing import Any

import pytest

from batch_llm import (
    ConfigurationError,
    EscalatingStrategy,
    LLMCallStrategy,
    RetryState,
    StrategyPool,
)
from batch_llm.base.retry_state import LAST_CATEGORY, LAST_ERROR
from batch_llm.base.strategy import resolve, takes_requests
from batch_llm.llm_strategies.escalation import ESCALATED_FAILURES


class Named(LLMCallStrategy[str]):
    """Makes no calls; it is only chosen."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        return self.name, {}

    def __repr__(self) -> str:
        return self.name


class Counting(LLMCallStrategy[int]):
    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        return 1, {}


CHEAP, MIDDLE, STRONG = Named("cheap"), Named("middle"), Named("strong")


def idle(strategy: LLMCallStrategy[Any]) -> float:
    return 1.0


def failed(state: RetryState, category: str, error: str = "SomeError") -> None:
    """Write down a failed attempt, as the processor does."""
    state.set(LAST_CATEGORY, category)
    state.set(LAST_ERROR, error)


def route(strategy: EscalatingStrategy[Any], attempt: int, state: RetryState) -> str:
    return repr(resolve(strategy, attempt, state, idle))


def test_misfits_lead_from_one_to_the_next_and_the_last_stays() -> None:
    strategy, state = EscalatingStrategy([CHEAP, MIDDLE, STRONG]), RetryState()
    went = []
    for attempt in range(1, 6):
        went.append(route(strategy, attempt, state))
        failed(state, "validation_error")
    assert went == ["cheap", "middle", "strong", "strong", "strong"]


@pytest.mark.parametrize("error", ["OutputTruncatedError", "RefusalError"])
def test_cut_and_refused_answers_do_so_too(error: str) -> None:
    strategy, state = EscalatingStrategy([CHEAP, STRONG]), RetryState()
    route(strategy, 1, state)
    failed(state, "client_error", error)
    assert strategy.tries_on(state)
    assert route(strategy, 2, state) == "strong"
    failed(state, "client_error", error)
    assert not strategy.tries_on(state)


@pytest.mark.parametrize(
    "category",
    ["connection_error", "framework_timeout", "api_timeout", "server_error", "client_error"],
)
def test_what_says_nothing_of_the_model_does_not(category: str) -> None:
    strategy, state = EscalatingStrategy([CHEAP, STRONG]), RetryState()
    route(strategy, 1, state)
    failed(state, category)
    assert not strategy.tries_on(state)
    assert route(strategy, 2, state) == "cheap"
    failed(state, "validation_error")
    assert route(strategy, 3, state) == "strong"
    failed(state, category)
    assert route(strategy, 4, state) == "strong"


def test_asking_again_for_one_attempt_changes_nothing() -> None:
    """A rate limit does not count as an attempt: the same one is asked for again."""
    strategy, state = EscalatingStrategy([CHEAP, MIDDLE, STRONG]), RetryState()
    route(strategy, 1, state)
    failed(state, "validation_error")
    assert [route(strategy, 2, state) for _ in range(3)] == ["middle"] * 3
    failed(state, "rate_limit")
    assert route(strategy, 2, state) == "middle"


def test_items_do_not_meet() -> None:
    strategy, one, other = EscalatingStrategy([CHEAP, STRONG]), RetryState(), RetryState()
    route(strategy, 1, one)
    failed(one, "validation_error")
    assert route(strategy, 2, one) == "strong"
    assert route(strategy, 1, other) == "cheap"


def test_the_user_says_what_leads_on() -> None:
    strategy, state = EscalatingStrategy([CHEAP, STRONG], on=["server_error"]), RetryState()
    route(strategy, 1, state)
    failed(state, "validation_error")
    assert route(strategy, 2, state) == "cheap"
    failed(state, "server_error")
    assert route(strategy, 3, state) == "strong"


def test_one_may_stand_in_another() -> None:
    inner = EscalatingStrategy([CHEAP, MIDDLE])
    strategy, state = EscalatingStrategy([inner, STRONG], on=["RefusalError"]), RetryState()
    assert route(strategy, 1, state) == "cheap"
    failed(state, "validation_error")
    assert strategy.tries_on(state)
    assert route(strategy, 2, state) == "middle"
    failed(state, "client_error", "RefusalError")
    assert route(strategy, 3, state) == "strong"


def test_those_of_a_pool_go_on_together() -> None:
    one, other = EscalatingStrategy([CHEAP, STRONG]), EscalatingStrategy([CHEAP, STRONG])
    pool, state = StrategyPool([one, other]), RetryState()
    assert repr(resolve(pool, 1, state, idle)) == "cheap"
    failed(state, "validation_error")
    assert pool.tries_on(state)
    assert repr(resolve(pool, 2, state, idle)) == "strong"
    failed(state, "validation_error")
    assert not pool.tries_on(state)
    assert repr(resolve(pool, 3, state, idle)) == "strong"


@pytest.mark.parametrize("kind", [EscalatingStrategy, StrategyPool])
@pytest.mark.parametrize(
    ("strategies", "said"),
    [
        ([], "has no strategies"),
        ([CHEAP, "openai:gpt-5"], r"Number 2 .* is a str.*strategies_by_name"),
        ("gpt", r"Number 1 .* is a str"),
        (CHEAP, "takes a list of strategies, not cheap"),
        ([CHEAP, Counting()], "different types, str and int"),
    ],
)
def test_members_that_cannot_work(kind: Any, strategies: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        kind(strategies)


@pytest.mark.parametrize("on", ["validation_error", [], [3], [""]])
def test_words_that_are_none(on: Any) -> None:
    with pytest.raises(ConfigurationError, match="on is a collection of error categories"):
        EscalatingStrategy([CHEAP], on=on)


@pytest.mark.parametrize("kind", [EscalatingStrategy, StrategyPool])
def test_a_circle_is_refused(kind: Any) -> None:
    strategy = kind([CHEAP])
    with pytest.raises(ConfigurationError, match="holds itself"):
        strategy.__init__([CHEAP, strategy])
    other = kind([strategy])
    strategy.members = (other,)
    with pytest.raises(ConfigurationError, match="leads to no strategy that makes calls"):
        resolve(strategy, 1, RetryState(), idle)


async def test_what_it_says_of_itself() -> None:
    strategy = EscalatingStrategy([CHEAP, STRONG])
    assert repr(strategy) == "EscalatingStrategy([cheap, strong])"
    assert strategy.fingerprint() is None
    assert not takes_requests(strategy)
    assert strategy.output_type("") is str
    assert (await strategy.dry_run("hello"))[0] == "[dry run] 5 characters of prompt"
    assert "RefusalError" in ESCALATED_FAILURES
    with pytest.raises(TypeError, match="makes no calls itself"):
        await strategy.execute("", 1, 1)
