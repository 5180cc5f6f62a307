"""A value that did not come out."""

from __future__ import annotations

from .....exceptions import InputError


class UnmadeError(InputError):
    """No value was found in so many tries; another seed may find one."""
