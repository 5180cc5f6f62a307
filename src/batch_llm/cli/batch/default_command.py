"""A group of commands, the first of which goes without saying."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from typer.core import TyperGroup

DEFAULT: Final = "run"
"""The command that is meant where none is named."""


class InputOrCommand(TyperGroup):
    """`batch INPUT …` beside `batch status STATE`: what is no command is the input of `run`.

    A file that is called like a command is reached as ./NAME.
    """

    # The class of the context has no public name in every version of typer.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in front where the first word is none."""
        if args and args[0] not in ctx.help_option_names and not self._means_a_command(args[0]):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def _means_a_command(self, word: str) -> bool:
        """Return whether `word` is a command, or one that is spelt wrong and no file."""
        if word in self.commands:
            return True
        is_input = word.startswith("-") or Path(word).suffix != "" or Path(word).exists()
        return not is_input and bool(get_close_matches(word, self.commands, n=1))
