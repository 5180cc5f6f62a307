"""Which lines of a batch chance picks out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..world import World
    from .batch import RemoteBatch


def lot(world: World, batch: RemoteBatch, number: int, purpose: str = "line") -> float:
    """Return the lot of a line, from 0 up to 1; `number` counts from 0."""
    return world.chance.uniform(purpose, batch.subject + number.to_bytes(4, "big"))


def drawn_lines(
    world: World, batch: RemoteBatch, share: float, purpose: str = "line"
) -> frozenset[int]:
    """Return the numbers of a share of a batch's lines."""

    def lot_of(number: int) -> float:
        return lot(world, batch, number, purpose)

    numbers = sorted(range(len(batch.custom_ids)), key=lot_of)
    return frozenset(numbers[: round(len(numbers) * share)])
