"""What a call that exceeds a limit is told, for each kind of limit: the whole of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest

from batch_llm.testing.simulator import Limit, Slope

if TYPE_CHECKING:
    from batch_llm.testing.simulator import Simulator

# Each call sends 6 tokens (Gemini: 6 too) and is answered with 2; a minute's worth is used by one
# call, but for the slope: its windows of 7 s follow one another from the beginning of time.
OPENAI_MODEL, CLAUDE, GEMINI = "gpt-4o-mini", "claude-sonnet-5", "gemini-2.5-flash"
HELLO: Final = [{"role": "user", "content": "hello"}]
CONTENT: Final = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
WINDOW_SECONDS: Final = 7.0
LIMITS: Final = {
    "requests": Limit(requests_per_minute=1),
    "tokens": Limit(tokens_per_minute=8),
    "input_tokens": Limit(input_tokens_per_minute=6),
    "output_tokens": Limit(output_tokens_per_minute=2),
    "slope": Limit(slope=Slope(floor=1, factor=1, window_seconds=WINDOW_SECONDS)),
}
TOO_LARGE: Final = {
    "tokens": Limit(tokens_per_minute=5),
    "input_tokens": Limit(input_tokens_per_minute=5),
}


def openai(simulator: Simulator) -> httpx2.Response:
    return httpx2.post(
        f"{simulator.openai_base_url}/chat/completions",
        headers={"authorization": "Bearer any"},
        json={"model": OPENAI_MODEL, "messages": HELLO},
    )


def anthropic(simulator: Simulator) -> httpx2.Response:
    return httpx2.post(
        f"{simulator.anthropic_base_url}/v1/messages",
        headers={"x-api-key": "any", "anthropic-version": "2023-06-01"},
        json={"model": CLAUDE, "max_tokens": 20, "messages": HELLO},
    )


def gemini(simulator: Simulator) -> httpx2.Response:
    return httpx2.post(
        f"{simulator.gemini_base_url}/v1beta/models/{GEMINI}:generateContent",
        headers={"x-goog-api-key": "any"},
        json=CONTENT,
    )


def stilled(simulator: Simulator, limit: Limit) -> None:
    """Let time stand still, early in a window of the slope, and a limit be in force."""
    simulator.set_speed(1e-6)
    simulator.advance(WINDOW_SECONDS - simulator.now() % WINDOW_SECONDS + 0.5)
    simulator.set_limits([limit])


def until_next_window(simulator: Simulator) -> float:
    return WINDOW_SECONDS - simulator.now() % WINDOW_SECONDS


def headers_of(told: httpx2.Response, *words: str) -> dict[str, str]:
    """Return the headers in whose names one of the words stands."""
    return {
        name: value for name, value in told.headers.items() if any(word in name for word in words)
    }


# --- OpenAI ------------------------------------------------------------------------------------

OPENAI_RATES: Final = {
    # By what is exceeded: the unit, the type, the limit, what is requested, the seconds to wait.
    "requests": ("requests per min (RPM)", "requests", 1, 1, 60.0),
    "tokens": ("tokens per min (TPM)", "tokens", 8, 6, 45.0),
    "input_tokens": ("input tokens per min", "tokens", 6, 6, 60.0),
    "output_tokens": ("output tokens per min", "tokens", 2, 1, 30.0),
}
LEARN_MORE: Final = "Visit https://platform.openai.com/account/rate-limits to learn more."


@pytest.mark.parametrize("exceeded", OPENAI_RATES)
def test_all_of_a_429_of_openai(simulator: Simulator, exceeded: str) -> None:
    unit, kind, limit, requested, seconds = OPENAI_RATES[exceeded]
    stilled(simulator, LIMITS[exceeded])
    assert openai(simulator).status_code == 200
    told = openai(simulator)
    again = "1m0s" if seconds == 60 else f"{seconds:g}s"
    assert told.status_code == 429
    assert told.json() == {
        "error": {
            "message": (
                f"Rate limit reached for {OPENAI_MODEL} in organization org-simulated on {unit}: "
                f"Limit {limit}, Used {limit}, Requested {requested}. Please try again in "
                f"{again}. {LEARN_MORE}"
            ),
            "type": kind,
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }
    left = {}
    if exceeded in ("requests", "tokens"):
        left = {
            f"x-ratelimit-limit-{exceeded}": str(limit),
            f"x-ratelimit-remaining-{exceeded}": "0",
            f"x-ratelimit-reset-{exceeded}": "1m0s",
        }
    waits = {"retry-after": f"{seconds:g}", "retry-after-ms": f"{seconds * 1_000:g}"}
    assert headers_of(told, "retry", "limit") == left | waits
    simulator.advance(seconds - 0.01)
    assert openai(simulator).status_code == 429
    simulator.advance(0.02)
    assert openai(simulator).status_code == 200


def test_all_of_a_429_of_openai_for_growing_too_fast(simulator: Simulator) -> None:
    stilled(simulator, LIMITS["slope"])
    assert openai(simulator).status_code == 200
    told = openai(simulator)
    error = told.json()["error"]
    assert told.status_code == 429
    assert {**error, "message": ""} == {
        "message": "",
        "type": "requests",
        "param": None,
        "code": "slow_down",
    }
    assert error["message"].startswith(f"Slow down: your request rate to {OPENAI_MODEL} rises")
    waits = headers_of(told, "retry", "limit")
    assert set(waits) == {"retry-after", "retry-after-ms"}
    assert waits["retry-after"] == "7"
    assert int(waits["retry-after-ms"]) == pytest.approx(until_next_window(simulator) * 1e3, abs=5)


@pytest.mark.parametrize(
    ("exceeded", "unit"),
    [("tokens", "tokens per min (TPM)"), ("input_tokens", "input tokens per min")],
)
def test_openai_tells_no_time_to_a_call_that_is_too_large(
    simulator: Simulator, exceeded: str, unit: str
) -> None:
    stilled(simulator, TOO_LARGE[exceeded])
    told = openai(simulator)
    assert told.status_code == 429
    assert told.json() == {
        "error": {
            "message": (
                f"Request too large for {OPENAI_MODEL} in organization org-simulated on {unit}: "
                "Limit 5, Requested 6. The input or output tokens must be reduced in order to run "
                f"successfully. {LEARN_MORE}"
            ),
            "type": "tokens",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }
    assert not headers_of(told, "retry")


# --- Anthropic ---------------------------------------------------------------------------------

ANTHROPIC_RATES: Final = {
    # By what is exceeded: the limit, its unit, the header's word, the seconds to wait.
    "requests": (1, "requests per minute", "requests", 60),
    "tokens": (8, "tokens per minute", "tokens", 45),
    "input_tokens": (6, "input tokens per minute", "input-tokens", 60),
    "output_tokens": (2, "output tokens per minute", "output-tokens", 30),
}


@pytest.mark.parametrize("exceeded", ANTHROPIC_RATES)
def test_all_of_a_429_of_anthropic(simulator: Simulator, exceeded: str) -> None:
    limit, unit, header, seconds = ANTHROPIC_RATES[exceeded]
    stilled(simulator, LIMITS[exceeded])
    first = anthropic(simulator)
    told = anthropic(simulator)
    organization = first.headers["anthropic-organization-id"]
    assert (first.status_code, told.status_code) == (200, 429)
    assert told.json() == {
        "type": "error",
        "error": {
            "type": "rate_limit_error",
            "message": (
                f"This request would exceed your organization's rate limit of {limit} {unit} "
                f"(org: {organization}, model: {CLAUDE}). For details, refer to: "
                "https://docs.claude.com/en/api/rate-limits. You can see the response headers for "
                "current usage. Please reduce the prompt length or the maximum tokens requested, "
                "or try again later."
            ),
        },
        "request_id": told.headers["request-id"],
    }
    prefix = f"anthropic-ratelimit-{header}"
    waits = headers_of(told, "retry", "limit")
    assert set(waits) == {"retry-after"} | {
        f"{prefix}-{what}" for what in ("limit", "remaining", "reset")
    }
    assert (waits[f"{prefix}-limit"], waits[f"{prefix}-remaining"]) == (str(limit), "0")
    assert waits["retry-after"] == str(seconds)
    simulator.advance(seconds - 0.01)
    assert anthropic(simulator).status_code == 429
    simulator.advance(0.02)
    assert anthropic(simulator).status_code == 200


def test_all_of_a_429_of_anthropic_for_growing_too_fast(simulator: Simulator) -> None:
    stilled(simulator, LIMITS["slope"])
    assert anthropic(simulator).status_code == 200
    told = anthropic(simulator)
    assert told.status_code == 429
    assert told.json() == {
        "type": "error",
        "error": {
            "type": "rate_limit_error",
            "message": (
                "This request would exceed the limit on how fast your usage may grow. Increase "
                "your usage gradually."
            ),
            "details": {"error_code": "ramp_limit_exceeded"},
        },
        "request_id": told.headers["request-id"],
    }
    assert headers_of(told, "retry", "limit") == {"retry-after": "7"}


# --- Gemini ------------------------------------------------------------------------------------

REQUESTS: Final = (
    "generate_content_paid_tier_requests",
    "GenerateRequestsPerMinutePerProjectPerModel-PaidTier",
)
INPUT_TOKENS: Final = (
    "generate_content_paid_tier_input_token_count",
    "GenerateContentInputTokensPerModelPerMinute-PaidTier",
)
HELP: Final = {
    "@type": "type.googleapis.com/google.rpc.Help",
    "links": [
        {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }
    ],
}
GEMINI_RATES: Final = {
    # By what is exceeded: metric and id, the limit, its value, the seconds to wait. Gemini counts
    # input alone as tokens.
    "requests": (REQUESTS, Limit(requests_per_minute=3), "3", 20),
    "tokens": (INPUT_TOKENS, Limit(tokens_per_minute=9), "9", 20),
    "input_tokens": (INPUT_TOKENS, Limit(input_tokens_per_minute=9), "9", 20),
}


@pytest.mark.parametrize("exceeded", TOO_LARGE)
def test_anthropic_tells_no_time_to_a_call_that_is_too_large(
    simulator: Simulator, exceeded: str
) -> None:
    stilled(simulator, TOO_LARGE[exceeded])
    told = anthropic(simulator)
    assert told.status_code == 429
    assert "retry-after" not in told.headers


def check_gemini(
    told: httpx2.Response, quota: tuple[str, str], value: str | None
) -> list[dict[str, Any]]:
    """Check all of a 429 but the wait; return what is behind the usual details."""
    assert told.status_code == 429
    assert not headers_of(told, "retry", "limit")
    error: dict[str, Any] = told.json()["error"]
    rest: list[dict[str, Any]]
    failure, links, *rest = error.pop("details")
    assert error == {
        "code": 429,
        "status": "RESOURCE_EXHAUSTED",
        "message": (
            "You exceeded your current quota, please check your plan and billing details. For "
            "more information on this error, head to: "
            "https://ai.google.dev/gemini-api/docs/rate-limits."
        ),
    }
    violation = {
        "quotaMetric": f"generativelanguage.googleapis.com/{quota[0]}",
        "quotaId": quota[1],
        "quotaDimensions": {"location": "global", "model": GEMINI},
    }
    if value is not None:
        violation["quotaValue"] = value
    assert failure == {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [violation],
    }
    assert links == HELP
    assert told.json()["error"].keys() == {"code", "status", "message", "details"}
    return rest


def seconds_told(details: list[dict[str, Any]]) -> float:
    (wait,) = details
    delay = str(wait.pop("retryDelay"))
    assert wait == {"@type": "type.googleapis.com/google.rpc.RetryInfo"}
    assert delay.endswith("s")
    return float(delay[:-1])


@pytest.mark.parametrize("exceeded", GEMINI_RATES)
def test_all_of_a_429_of_gemini(simulator: Simulator, exceeded: str) -> None:
    quota, limit, value, seconds = GEMINI_RATES[exceeded]
    stilled(simulator, limit)
    told = gemini(simulator)
    for _ in range(5):
        if told.status_code == 429:
            break
        told = gemini(simulator)
    wait = seconds_told(check_gemini(told, quota, value))
    assert wait == pytest.approx(seconds, abs=0.001)
    simulator.advance(wait - 0.01)
    assert gemini(simulator).status_code == 429
    simulator.advance(0.02)
    assert gemini(simulator).status_code == 200


def test_all_of_a_429_of_gemini_for_growing_too_fast(simulator: Simulator) -> None:
    stilled(simulator, LIMITS["slope"])
    assert gemini(simulator).status_code == 200
    wait = seconds_told(check_gemini(gemini(simulator), REQUESTS, None))
    assert wait == pytest.approx(until_next_window(simulator), abs=0.01)


@pytest.mark.parametrize("exceeded", TOO_LARGE)
def test_gemini_tells_no_time_to_a_call_that_is_too_large(
    simulator: Simulator, exceeded: str
) -> None:
    stilled(simulator, Limit.model_validate({f"{exceeded}_per_minute": 1}))
    assert check_gemini(gemini(simulator), INPUT_TOKENS, "1") == []
