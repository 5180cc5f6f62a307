"""What a failure that is kept remembers of where it came from."""

from __future__ import annotations

import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHAIN_LIMIT = 20
_FRAMES_SHOWN = 4


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those it came from, the newest first."""
    link: BaseException | None = error
    for _ in range(_CHAIN_LIMIT):  # causes can form a ring
        if link is None:
            return
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def place_of(error: BaseException) -> str:
    """Return where an exception was raised, the innermost frame first.

    It reads like "in f (a.py:3) < g (b.py:7)".

    Names and lines only: a frame's values and an exception's message may be prompts and answers.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_SHOWN:]
    places = [f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames)]
    return "in " + " < ".join(places) if places else "nowhere"


def forget_frames(error: BaseException) -> None:
    """Take the frames out of an exception that is kept, and note where it was raised.

    Frames hold all that was in reach when it was raised: the prompt, the answer, the connection.
    With them, a run that fails for every item would keep some ten kilobytes for each.
    """
    # A foreign exception may refuse to be changed (a frozen dataclass, say): it keeps what it has.
    with suppress(Exception):
        if error.__traceback__ is not None and not getattr(error, "__notes__", None):
            error.add_note(f"Raised {place_of(error)}")
        for link in chain_of(error):
            link.__traceback__ = None
            if link.__suppress_context__:
                link.__context__ = None
