"""Limits of tokens a minute, as calls meet them."""

from __future__ import annotations

import logging

import pytest

from batch_llm import TokenBound
from batch_llm.engine.gate.token_limits import TokenLimits


def limits_of(total: float | None, output_tokens: float | None) -> TokenLimits:
    limits = TokenLimits(smoothing=1.2)
    limits.limit(total, None, output_tokens)
    return limits


def test_calls_that_exceed_a_whole_minute_are_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = limits_of(1_000_000, 5_000)
    with caplog.at_level(logging.WARNING, "batch_llm"):
        for second in range(3):
            limits.reserve(TokenBound(100, 8_192), now=float(second))
    (said,) = caplog.messages
    assert "8,192 output tokens" in said
    assert "5,000 a minute" in said


def test_calls_that_fit_are_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "batch_llm"):
        limits_of(8_292, 8_192).reserve(TokenBound(100, 8_192), now=0.0)
    assert caplog.messages == []
