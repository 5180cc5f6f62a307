"""The lines of a recording: what was asked, and what was answered."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from ....exceptions import InputError
from ..call import Answer, ModelCall
from .batch_files.anthropic import anthropic_answer
from .batch_files.gemini import gemini_answer, gemini_turns
from .batch_files.openai import openai_answer, openai_turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..call import Provider

Wanted: TypeAlias = tuple[str | None, str | None, str | None]
"""Custom id, model and prompt of the calls that a record answers; None stands for any."""


class Recorded(NamedTuple):
    """One answer, and the calls that it is for."""

    wanted: Wanted
    answer: object


_LINES = msgspec.json.Decoder(dict[str, Any])
_FORMS = (
    'a line is {"prompt": …, "answer": …}, with "custom_id" or "model" besides or instead of the '
    "prompt; a row that `batch-llm run` wrote; or a line of a batch: of OpenAI's input or output, "
    "of Anthropic's results, of Gemini's input or output"
)


def read_recording(lines: Iterable[bytes], name: str) -> list[Recorded]:
    """Return the records of a JSONL file, in its order.

    These kinds of lines are known, and may stand in one file:

    - `{"prompt": …, "answer": …}`: a text or a JSON value; "custom_id" or "model" may stand beside
      the prompt, or instead of it.
    - A row that `batch-llm run` wrote: its output answers calls with the row's id as custom id, and
      with the prompt, where the row keeps a field of that name.
    - A line of a batch's input, of OpenAI (chat completions and responses) or of Gemini, which
      gives the prompt of its custom id; Gemini calls that the key.
    - A line of a batch's output, of OpenAI, Anthropic or Gemini, which answers calls with its
      custom id, and with the prompt of its input where that is in the file: with its text or, where
      it asks for tools, the first of them; and with its tokens, where they are told.

    Rows and lines that failed, were canceled or expired are left out, as are those without any
    answer: what they asked counts as not recorded.

    Args:
        lines: of the file, in UTF-8; empty ones are left out.
        name: of the file, for errors.

    Raises:
        InputError: for a line of no known kind, or of a batch of embeddings, with its number.
    """
    prompts: dict[str, str] = {}
    records: list[Recorded] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            records += _read(_LINES.decode(content), prompts)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InputError) as error:
            raise InputError(f"{name}, line {number}: {error}") from None
    return [*records, *_by_prompt(records, prompts)]


def _read(fields: dict[str, Any], prompts: dict[str, str]) -> Iterator[Recorded]:
    if "answer" in fields:
        yield _plain(fields)
    elif "status" in fields and "output" in fields:
        yield from _row(fields)
    elif "custom_id" in fields and "body" in fields:
        prompts[_name(fields, "custom_id")] = _prompt("openai", openai_turns(fields))
    elif "custom_id" in fields and "response" in fields:
        yield from _line(fields, "custom_id", openai_answer(fields))
    elif "custom_id" in fields and "result" in fields:
        yield from _line(fields, "custom_id", anthropic_answer(fields))
    elif "key" in fields and ("response" in fields or "error" in fields):
        yield from _line(fields, "key", gemini_answer(fields))
    elif "key" in fields and "request" in fields:
        prompts[_name(fields, "key")] = _prompt("gemini", gemini_turns(fields))
    else:
        raise InputError(f"{_FORMS}; this one has the fields {', '.join(sorted(fields))!r}.")


def _plain(fields: dict[str, Any]) -> Recorded:
    custom_id, model, prompt = wanted = (
        _text(fields, "custom_id"),
        _text(fields, "model"),
        _text(fields, "prompt"),
    )
    if custom_id is None and model is None and prompt is None:
        raise InputError('names no "prompt", "custom_id" or "model" that it is the answer to.')
    return Recorded(wanted, fields["answer"])


def _row(fields: dict[str, Any]) -> Iterator[Recorded]:
    if fields["status"] != "succeeded":
        return
    answer = fields["output"]
    if (identifier := _text(fields, "id")) is not None:
        yield Recorded((identifier, None, None), answer)
    kept = fields.get("input")
    if isinstance(kept, dict) and isinstance(prompt := kept.get("prompt"), str):
        yield Recorded((None, None, prompt), answer)


def _line(fields: dict[str, Any], field: str, answer: Answer | None) -> Iterator[Recorded]:
    if answer is not None:
        yield Recorded((_name(fields, field), None, None), answer)


def _prompt(provider: Provider, turns: Sequence[tuple[str, str]]) -> str:
    """Return what a call with these turns is looked up by."""
    return ModelCall(provider, operation="", model="", key="", messages=turns).prompt


def _by_prompt(records: Iterable[Recorded], prompts: dict[str, str]) -> Iterator[Recorded]:
    """Return the answers of a batch's lines once more, under the prompts of its input."""
    for (custom_id, _, _), answer in records:
        if isinstance(answer, Answer) and custom_id in prompts:
            yield Recorded((None, None, prompts[custom_id]), answer)


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{name!r} is a text, not {value!r}.")
    return value


def _name(fields: dict[str, Any], field: str) -> str:
    """Return whose line it is; without a name it would answer every call."""
    if (name := _text(fields, field)) is None:
        raise InputError(f"{field!r} is null; it names the request that the line belongs to.")
    return name
