"""Vectors without a model: unit vectors that depend on the text alone."""

from __future__ import annotations

import hashlib
import math
import sys
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def unit_vector(model: str, text: str, dimensions: int) -> list[float]:
    """Return a vector of length 1, the same in every run.

    A shorter one is the start of a longer one, made a unit vector again, as OpenAI's are.

    Args:
        model: another model gives another vector.
        text: what the vector stands for.
        dimensions: how many numbers, at least 1.
    """
    subject = f"{model}\0{text}".encode("utf-8", "surrogatepass")
    drawn = array("h", hashlib.shake_128(subject).digest(2 * dimensions))
    if sys.byteorder == "big":
        drawn.byteswap()
    length = math.sqrt(sum(number * number for number in drawn))
    return [number / length for number in drawn] if length else [1.0] + [0.0] * (dimensions - 1)


def packed(vector: Sequence[float]) -> bytes:
    """Return the numbers as 32-bit floats, little-endian."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
