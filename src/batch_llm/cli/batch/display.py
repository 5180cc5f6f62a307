"""How remote batches stand, on standard error, in the words of the command line."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from ...progress import screen
from ...progress.run_lines import RunLines
from ...progress.run_picture import picture
from ...progress.run_text import RunWords
from ..wording import in_words_of_the_command

if TYPE_CHECKING:
    from rich.console import Console

    from ...batch import RunStatus

Display: TypeAlias = "screen.Display[RunStatus]"

WORDS: Final = RunWords("row", in_words_of_the_command)


def display_for(console: Console, *, quiet: bool) -> Display:
    """Return the display that suits `console`: live on a terminal, else a line now and then."""
    if quiet:
        return screen.NoDisplay["RunStatus"]()
    if screen.is_live(console):
        return screen.LiveDisplay(console, partial(picture, words=WORDS))
    return RunLines(console, WORDS)
