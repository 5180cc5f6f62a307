"""Shapes of what is not ours."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from batch_llm.core import AgentLike, ResultLike, UsageLike
from batch_llm.testing import MockAgent, MockResult, MockUsage


class Agent:
    async def run(self, user_prompt: Any) -> Any:
        return SimpleNamespace(output=user_prompt, usage=SimpleNamespace(total_tokens=1))


def test_a_shape_is_known_by_what_it_has() -> None:
    assert isinstance(Agent(), AgentLike)
    assert isinstance(SimpleNamespace(output=1, usage=None), ResultLike)
    assert isinstance(SimpleNamespace(output=1, usage=lambda: None), ResultLike)
    assert isinstance(SimpleNamespace(total_tokens=1), UsageLike)


def test_other_shapes_are_not() -> None:
    assert not isinstance(object(), AgentLike)
    assert not isinstance(SimpleNamespace(output=1), ResultLike)
    assert not isinstance(object(), UsageLike)


def test_the_mocks_have_them() -> None:
    assert isinstance(MockAgent(), AgentLike)
    assert isinstance(MockResult("out"), ResultLike)
    assert isinstance(MockUsage(), UsageLike)
