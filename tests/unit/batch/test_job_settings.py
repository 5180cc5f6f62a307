"""What a job is answered with: its own settings, and those that all jobs share."""

from __future__ import annotations

import logging

import pytest

from batch_llm.batch.jobs.job_settings import SharedSettings, known_settings
from batch_llm.exceptions import ConfigurationError
from batch_llm.providers.abilities import Abilities, abilities_of

FREE, THINKING = "gpt-4o-mini", "gpt-5"


def of_openai(model: str) -> Abilities | None:
    return abilities_of("openai", model) if model else None


def shared(**values: object) -> SharedSettings:
    made = SharedSettings(of_openai)
    made.update(values)
    return made


def test_what_a_job_says_wins_and_a_none_counts_but_for_the_model() -> None:
    settings = shared(model=FREE, temperature=0.1, seed=3)
    own = {"model": None, "temperature": None}
    assert settings.of_job(own, embeds=False, has_system=False) == {
        "model": FREE,
        "temperature": None,
        "seed": 3,
    }


def test_a_text_to_embed_shares_its_model_alone() -> None:
    settings = shared(model=FREE, temperature=0.1, system="Be brief.")
    assert settings.of_job({}, embeds=True, has_system=False) == {"model": FREE}


def test_messages_with_a_system_turn_share_no_system() -> None:
    settings = shared(model=FREE, system="Be brief.")
    assert "system" not in settings.of_job({}, embeds=False, has_system=True)
    assert settings.of_job({}, embeds=False, has_system=False)["system"] == "Be brief."


def test_what_a_model_refuses_is_left_out_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    settings = shared(model=THINKING, temperature=0.1, top_p=1)
    with caplog.at_level(logging.WARNING, "batch_llm"):
        for _ in range(2):
            found = settings.of_job({}, embeds=False, has_system=False)
            assert found["temperature"] is None
            assert "top_p" not in found
    assert caplog.messages == [f"temperature is left out: it cannot be set for {THINKING}."]


def test_what_a_job_itself_says_is_never_left_out() -> None:
    own = {"temperature": 0.1}
    assert shared(model=THINKING).of_job(own, embeds=False, has_system=False)["temperature"] == 0.1


def test_values_are_a_copy_and_stay_where_an_update_fails() -> None:
    settings = shared(seed=3)
    settings.values["seed"] = 4
    with pytest.raises(ConfigurationError, match=r"Batch\.defaults: "):
        settings.update({"seed": 5, "max_tokens": -1})
    assert settings.values == {"seed": 3}


def test_a_setting_that_is_none_is_told_with_the_nearest() -> None:
    assert known_settings({"seed": 1}) == {"seed": 1}
    with pytest.raises(ConfigurationError, match=r"'sead'\. Did you mean 'seed'\?"):
        known_settings({"sead": 1})
