"""The lines of a recording: what was asked, and what was answered."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from ....exceptions import InputError
from ..call import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Wanted: TypeAlias = tuple[str | None, str | None, str | None]
"""Custom id, model and prompt of the calls that a record answers; None stands for any."""


class Recorded(NamedTuple):
    """One answer, and the calls that it is for."""

    wanted: Wanted
    answer: object


class _Part(msgspec.Struct):
    text: str | None = None


class _Turn(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None


class _ChatRequest(msgspec.Struct):
    messages: list[_Turn]


class _Said(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Said


class _Billed(msgspec.Struct):
    completion_tokens: int | None = None


class _Chat(msgspec.Struct):
    choices: list[_Choice]
    usage: _Billed | None = None


class _Response(msgspec.Struct):
    status_code: int
    body: Any = None


_LINES = msgspec.json.Decoder(dict[str, Any])
_FORMS = (
    'a line is {"prompt": …, "answer": …}, with "custom_id" or "model" besides or instead of the '
    "prompt; a row that `batch-llm run` wrote; or a line of an OpenAI batch's input or output"
)


def read_recording(lines: Iterable[bytes], name: str) -> list[Recorded]:
    """Return the records of a JSONL file, in its order.

    Four kinds of lines are known, and may stand in one file:

    - `{"prompt": …, "answer": …}`: a text or a JSON value; "custom_id" or "model" may stand beside
      the prompt, or instead of it.
    - A row that `batch-llm run` wrote: its output answers calls with the row's id as custom id, and
      with the prompt, where the row keeps a field of that name. Rows that failed are left out.
    - A line of an OpenAI batch's input (chat completions), which gives the prompt of its custom id.
    - A line of the batch's output, which answers calls with its custom id, and with the prompt of
      its input where that is in the file. Lines that failed are left out.

    Args:
        lines: of the file, in UTF-8; empty ones are left out.
        name: of the file, for errors.

    Raises:
        InputError: for a line of no known kind, with its number.
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
        prompts[_text(fields, "custom_id") or ""] = _prompt_of_batch(fields["body"])
    elif "custom_id" in fields and "response" in fields:
        yield from _line_of_batch(fields)
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


def _prompt_of_batch(body: object) -> str:
    """Return the last turn of the user."""
    turns = msgspec.convert(body, _ChatRequest).messages
    content = next((turn.content for turn in reversed(turns) if turn.role == "user"), None) or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content if part.text is not None)


def _line_of_batch(fields: dict[str, Any]) -> Iterator[Recorded]:
    response = msgspec.convert(fields["response"], _Response | None)
    if response is None or response.status_code != 200:
        return
    chat = msgspec.convert(response.body, _Chat)
    text = chat.choices[0].message.content if chat.choices else None
    if text is not None:
        answer = Answer(text, output_tokens=chat.usage.completion_tokens if chat.usage else None)
        yield Recorded((_text(fields, "custom_id"), None, None), answer)


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
