"""Vectors that depend on the text alone."""

from __future__ import annotations

import math
import struct

import pytest

from batch_llm.testing.simulator.vectors import packed, unit_vector


@pytest.mark.parametrize("dimensions", [1, 2, 256, 3_072])
def test_a_vector_has_length_one(dimensions: int) -> None:
    vector = unit_vector("model", "text", dimensions)
    assert len(vector) == dimensions
    assert math.hypot(*vector) == pytest.approx(1)


def test_a_vector_is_the_same_in_every_run() -> None:
    assert unit_vector("model", "text", 3) == pytest.approx(
        [0.904245, 0.420177, 0.076109], abs=1e-6
    )


def test_another_model_and_another_text_have_other_vectors() -> None:
    vectors = [unit_vector(model, text, 4) for model in "ab" for text in ("a", "\ud800", "")]
    assert len({tuple(vector) for vector in vectors}) == 6


def test_numbers_are_packed_as_32_bits_little_endian() -> None:
    assert packed([1.0, -0.5]) == struct.pack("<2f", 1.0, -0.5)
