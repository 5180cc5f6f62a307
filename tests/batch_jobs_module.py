"""Models of answers at a path of their own, for runs that are resumed in another process."""

from __future__ import annotations

from pydantic import BaseModel


class Receipt(BaseModel):
    """What a shop hands out."""

    shop: str
    total: float
