"""Whether two values are the same to whoever uses them: equal, and of the same types throughout."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any

from pydantic import BaseModel


def is_same(one: Any, other: Any) -> bool:
    """Return whether a value has come back as it was.

    Equality alone would take 1 for True and for 1.0, and a tuple for a named one. Fields of
    pydantic models count with their types, and which of them were set does not, as in pydantic.
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(
            is_same(key, other_key) and is_same(one[key], other[other_key])
            for key, other_key in zip(one, other, strict=True)
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, (set, frozenset)):
        return one == other and Counter(map(type, one)) == Counter(map(type, other))
    if isinstance(one, BaseModel):
        return all(
            is_same(mine, theirs) for mine, theirs in zip(_parts(one), _parts(other), strict=True)
        )
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return all(is_same(getattr(one, name), getattr(other, name)) for name in names)
    return bool(one == other)


def _parts(model: BaseModel) -> tuple[object, ...]:
    # No public name of pydantic's tells an extra field of None from an absent one, or has these.
    return vars(model), model.__pydantic_extra__, model.__pydantic_private__
