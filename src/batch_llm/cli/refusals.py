"""What is wrong, said in one sentence, with the exit status that it stands for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from .exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .stderr import ErrorConsole


@contextmanager
def told() -> Iterator[ErrorConsole]:
    """Say what is wrong in one sentence, and end with the status that it stands for."""
    from ..exceptions import BatchLLMError
    from ..rows.sink import OutputError
    from .stderr import ErrorConsole
    from .wording import in_words_of_the_command

    console = ErrorConsole()
    try:
        yield console
    except BatchLLMError as error:
        console.say(f"Error: {in_words_of_the_command(str(error))}", style="red")
        is_late = isinstance(error, OutputError)
        raise typer.Exit(ExitStatus.FAILED if is_late else ExitStatus.REFUSED) from error
    except KeyboardInterrupt:
        console.say("Interrupted before any call.", style="yellow")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
