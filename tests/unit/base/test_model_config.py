"""What a model can do."""

from __future__ import annotations

from typing import Any

import pytest

from batch_llm import ConfigurationError
from batch_llm.base import ModelConfig


def test_the_seeds_fields_and_defaults() -> None:
    config = ModelConfig("claude-3-sonnet", 200_000, 8_192, 0.5)
    abilities = (config.supports_images, config.supports_files, config.supports_citations)
    assert abilities == (False, False, False)
    assert config.supports_structured_output
    assert config.file_types == []


def test_suffixes_are_compared_without_their_case_and_dot() -> None:
    config = ModelConfig("m", 1, 1, supports_files=True, file_types=["PDF", ".txt"])
    assert config.file_types == [".pdf", ".txt"]
    assert config.reads(".Pdf")
    assert not config.reads(".docx")
    assert not ModelConfig("m", 1, 1, file_types=[".pdf"]).reads(".pdf")


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"max_input_tokens": 0}, {"max_output_tokens": 0}, {"batch_discount": 1.5}],
)
def test_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"name": "m", "max_input_tokens": 1, "max_output_tokens": 1}
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        ModelConfig(**{**fields, **change})
