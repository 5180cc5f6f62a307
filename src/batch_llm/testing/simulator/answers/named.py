"""Sources of answers by what a user writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ....exceptions import ConfigurationError
from .answers import Answers
from .auto import AutoAnswers
from .echo import EchoAnswers
from .function import FunctionAnswers
from .local import LocalAnswers
from .recorded import RecordedAnswers
from .schema import SchemaAnswers
from .table import TableAnswers

if TYPE_CHECKING:
    from ..call import ModelCall

AnswersSource: TypeAlias = (
    "Answers | Callable[[ModelCall], Any] | Mapping[str, object] | str | os.PathLike[str]"
)
"""What a user may hand in as answers; see `answers_from`."""

_SPECS: Final = (
    '"auto", "echo", "schema", "local", "table:FILE.json", "recorded:FILE.jsonl", '
    '"function:MODULE:NAME"'
)


def answers_from(source: AnswersSource, seed: int | str = 0) -> Answers:
    """Return the source of answers that a user means.

    Args:
        source: anything with `async answer(call) -> Answer`; a function of a `ModelCall`; a mapping
            from prompts to answers; the path of such a table (`.json`) or of a recording
            (`.jsonl`); or a text that names a source, as `answers_named` takes it.
        seed: of answers that are made up.

    Raises:
        ConfigurationError: for anything else, or a file that is not there.
        InputError: for a broken line of a recording.
    """
    if isinstance(source, Mapping):
        return TableAnswers(source, AutoAnswers(seed))
    if isinstance(source, os.PathLike):
        return _in_file(Path(source), seed)
    if isinstance(source, str):
        return answers_named(source, seed)
    if isinstance(source, Answers) and not isinstance(source, type):
        return source
    if callable(source):
        return FunctionAnswers(source)
    raise ConfigurationError(
        f"answers= takes a function, a mapping from prompts to answers, a path, {_SPECS} or an "
        f"object with `async answer(call)`; not {source!r}."
    )


def answers_named(spec: str, seed: int | str = 0) -> Answers:
    """Return the source of answers that a setting names.

    What a table or a recording does not know is answered as by "auto".

    Args:
        spec: "auto", "echo", "schema", "local", "table:FILE.json", "recorded:FILE.jsonl" or
            "function:MODULE:NAME"; or only the path of a table or of a recording.
        seed: of answers that are made up.

    Raises:
        ConfigurationError: for another name, or a file or function that is not there.
        InputError: for a broken line of a recording.
    """
    kind, _, rest = spec.partition(":")
    match kind, bool(rest):
        case "auto", False:
            return AutoAnswers(seed)
        case "echo", False:
            return EchoAnswers()
        case "schema", False:
            return SchemaAnswers(seed)
        case "local", False:
            return LocalAnswers()
        case "table", True:
            return TableAnswers.read(Path(rest), AutoAnswers(seed))
        case "recorded", True:
            return RecordedAnswers.read(Path(rest), AutoAnswers(seed))
        case "function", True:
            return FunctionAnswers.named(rest)
    return _in_file(Path(spec), seed)


def _in_file(path: Path, seed: int | str) -> Answers:
    match path.suffix.lower():
        case ".json":
            return TableAnswers.read(path, AutoAnswers(seed))
        case ".jsonl" | ".ndjson":
            return RecordedAnswers.read(path, AutoAnswers(seed))
    raise ConfigurationError(
        f"answers is {_SPECS}, or the path of a table (.json) or of a recording (.jsonl); not "
        f"{str(path)!r}."
    )
