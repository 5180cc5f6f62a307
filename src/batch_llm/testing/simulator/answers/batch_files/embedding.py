"""Lines of embeddings, which no recording holds."""

from __future__ import annotations

from .....exceptions import InputError


def embedding_refused() -> InputError:
    """Return the error of a line that asks for a vector, or holds one."""
    return InputError(
        "is of a batch of embeddings; a recording holds what models say, and the simulator makes "
        "vectors itself, equal ones for equal texts: leave these lines out."
    )
