"""The command line speaks of its options, not of parameters of Python."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from batch_llm.cli.wording import OPTIONS, in_words_of_the_command
from batch_llm.exceptions import BatchLLMError
from batch_llm.llm_strategies.by_name import strategy_by_name

PARAMETERS = ("api_key", "base_url", "headers", "LLMRequest", "top_p")


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        ("openai:gpt", {}, "--api-key-env"),
        ("anthropic:claude", {}, "--api-key-env"),
        ("openai:gpt", {"api_key": "k\u00e9y"}, "Check the key."),
        ("http://h:99999/v1#x", {}, "The address in --model"),
        ("http://me:secret@h/v1#x", {}, "The address in --model"),
        ("anthropic:claude", {"api_key": "k\u00e9y"}, "Check the key."),
        ("http://h/v1#x", {"top_p": 0.0}, "--top-p is above 0"),
        ("http://h/v1#x", {"temperature": float("nan")}, "--temperature is 0 or more"),
    ],
)
def test_what_is_wrong_with_a_model_names_options(
    spec: str, options: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(BatchLLMError) as caught:
        strategy_by_name(spec, **options)  # type: ignore[arg-type]

    message = in_words_of_the_command(str(caught.value))
    assert said in message
    assert [name for name in PARAMETERS if name in message] == []


def test_an_address_in_the_environment_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "nowhere")

    with pytest.raises(BatchLLMError) as caught:
        strategy_by_name("anthropic:claude", api_key="k")

    message = in_words_of_the_command(str(caught.value))
    assert message.startswith("The address in ANTHROPIC_BASE_URL is an absolute")


def test_other_messages_stay_as_they_are() -> None:
    assert in_words_of_the_command("There are no rows.") == "There are no rows."


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("ProcessorConfig.max_cost_usd must be", "--max-cost must be"),
        ("exceeds max_cost_usd (5): 4 spent", "exceeds --max-cost (5): 4 spent"),
        ("Set max_output_tokens.", "Set --max-tokens."),
        ("the limit (max_output_tokens=50) and", "the limit (--max-tokens 50) and"),
        ("longer than 5 s (item_deadline_seconds)", "longer than 5 s (--row-deadline)"),
        ("stopped at the token limit (max_output_tokens=None)", "stopped at the model's own limit"),
        ("priced_as is 'provider:model'", "--priced-as is 'provider:model'"),
        ("max_output_tokens_per_minute", "--output-tpm"),
    ],
)
def test_parameters_are_said_as_options(message: str, said: str) -> None:
    assert in_words_of_the_command(message) == said


def test_the_options_that_are_named_exist() -> None:
    help_text = "".join(
        subprocess.run(
            [sys.executable, "-m", "batch_llm", *command, "--help"],
            env={**os.environ, "COLUMNS": "300"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for command in (["run"], ["batch", "run"])
    )

    assert [option for option in OPTIONS.values() if f"{option} " not in help_text] == []
