"""One request of the batch lane, under a name of its own."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, NoReturn, TypeAlias

from ..exceptions import ConfigurationError, InputError, JobError
from .chat_messages import ChatDict, chat_dicts, read_chat
from .job_file import check_file, check_is_regular, file_part
from .request import LLMRequest, Message, TextPart
from .schema import OutputSchema

if TYPE_CHECKING:
    from pydantic import BaseModel

JobKind: TypeAlias = Literal["chat", "embedding"]

DEFAULT_TEMPERATURE: Final = 0.7
DEFAULT_MAX_TOKENS: Final = 1000

ResponseModel: TypeAlias = "type[BaseModel] | Mapping[str, Any]"
"""What an answer has to fit: a pydantic model, or a JSON schema."""

_CONTENTS: Final = (("messages",), ("file", "prompt"), ("prompt",), ("text",))
_NOT_IN_AN_ID: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_STEM: Final = 40


@dataclass(frozen=True, slots=True, repr=False)
class Job:
    """One request of the batch lane. It never changes once it is made.

    Its content is one of four: `messages`; `file` and `prompt`; `prompt` alone; or `text`, which
    is embedded and not answered.

    Args:
        id: names the job in results, state and errors. Where it is None, one is made of the
            content: equal jobs have equal ids, whatever they stand between.
        messages: turns as OpenAI writes them (see `chat_messages`), or `Message` objects. Turns of
            the system become the system prompt, wherever they stand.
        file: a text in UTF-8, a PDF, or an image (PNG, JPEG, GIF, WebP). It is read when the job
            is sent, and not before.
        prompt: what to do with the file, or the whole question.
        model: as the provider names it.
        temperature: 0 and up; None leaves the provider's default, which some models insist on.
        max_tokens: the most tokens the answer may have; None leaves the model's own limit.
        response_model: a pydantic model or a JSON schema that the answer must fit.
        enable_citations: asks for the passages of the documents that the answer rests on.
        system: the system prompt.
        top_p: above 0, at most 1; None leaves the provider's default.
        stop: texts at which the answer ends.
        seed: asks for a repeatable answer, where the provider can.
        text: what to embed.

    Raises:
        JobError: for what cannot be sent, naming the job and the field.
    """

    id: str
    messages: list[ChatDict] | None
    file: Path | None
    prompt: str | None
    model: str
    temperature: float | None
    max_tokens: int | None
    response_model: ResponseModel | None
    enable_citations: bool
    system: str | None
    top_p: float | None
    stop: tuple[str, ...]
    seed: int | None
    text: str | None

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - the contract's name
        messages: Iterable[Message | Mapping[str, Any]] | None = None,
        file: str | os.PathLike[str] | None = None,
        prompt: str | None = None,
        model: str = "",
        temperature: float | None = DEFAULT_TEMPERATURE,
        max_tokens: int | None = DEFAULT_MAX_TOKENS,
        response_model: ResponseModel | None = None,
        enable_citations: bool = False,
        *,
        system: str | None = None,
        top_p: float | None = None,
        stop: Iterable[str] = (),
        seed: int | None = None,
        text: str | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "id", id)
        put(self, "messages", messages)
        put(self, "file", file)
        put(self, "prompt", prompt)
        put(self, "model", model)
        put(self, "temperature", temperature)
        put(self, "max_tokens", max_tokens)
        put(self, "response_model", response_model)
        put(self, "enable_citations", bool(enable_citations))
        put(self, "system", system)
        put(self, "top_p", top_p)
        put(self, "stop", (stop,) if isinstance(stop, str) else stop)
        put(self, "seed", seed)
        put(self, "text", text)
        self._settle()

    @property
    def kind(self) -> JobKind:
        """Whether it is answered ("chat") or embedded ("embedding")."""
        return "chat" if self.text is None else "embedding"

    @property
    def output_schema(self) -> OutputSchema | None:
        """What an answer has to fit: the same object for all jobs of a `response_model`."""
        shape = self._shape()
        return shape and shape.schema

    def check_file(self) -> None:
        """Make sure that the file is there and of a type that models read; read its beginning.

        Of a text the first MiB has to be UTF-8.

        Raises:
            JobError: if it is not.
        """
        if self.file is not None:
            try:
                check_file(self.file)
            except InputError as error:
                self._refuse("file", str(error))

    def to_request(self) -> LLMRequest:
        """Return what is asked, in the words of every lane; the file is read.

        Raises:
            JobError: if the file cannot be read or is of no type that models read, and for a job
                that embeds.
        """
        if self.text is not None:
            self._refuse("text", "text is embedded: there is no request that a model answers.")
        system, turns = self.system, self._turns()
        if self.messages is not None:
            system = read_chat(self.messages).system or system
        return LLMRequest(
            turns,
            system=system,
            output_schema=self.output_schema,
            temperature=self.temperature,
            top_p=self.top_p,
            max_output_tokens=self.max_tokens,
            stop=self.stop,
            seed=self.seed,
            citations=self.enable_citations,
        )

    def digest(self) -> str:
        """Return 32 hexadecimal digits that are equal for jobs that ask the same.

        All fields count but the id; of a pydantic model its schema does, and of a file its path.
        """
        told = {name: value for name, value in self.to_dict().items() if name != "id"}
        shape = self._shape()
        told["response_model"] = shape and shape.digest
        return _digest(json.dumps(told, sort_keys=True, separators=(",", ":")).encode())

    def file_digest(self) -> str | None:
        """Return 32 hexadecimal digits of the bytes of the file; None where there is no file.

        Raises:
            JobError: if it cannot be read.
        """
        if self.file is None:
            return None
        try:
            check_is_regular(self.file)
            return _digest(self.file.read_bytes())
        except InputError as error:
            self._refuse("file", str(error))
        except OSError as error:
            self._refuse("file", f"file {str(self.file)!r} cannot be read: {error.strerror}.")

    def to_dict(self) -> dict[str, object]:
        """Return the fields as values of JSON, from which `from_dict` makes the same job.

        A pydantic model is kept as "module:Name", a JSON schema as itself, a file as its path.
        """
        told: dict[str, object] = {name: getattr(self, name) for name in _FIELDS}
        told["file"] = None if self.file is None else str(self.file)
        told["stop"] = list(self.stop)
        if isinstance(self.response_model, type):
            told["response_model"] = _path(self.response_model)
        return told

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, response_model: ResponseModel | None = None
    ) -> Job:
        """Return the job that `to_dict` was called on.

        Args:
            data: what `to_dict` returned; a field that is not there has its default.
            response_model: the model to use; None imports the one that is named.

        Raises:
            JobError: if `data` is of no job, or the model cannot be imported any longer.
        """
        known = dict(data)
        job_id = str(known.get("id"))
        for name in known:
            if name not in _FIELDS:
                raise JobError(
                    f"Job {job_id!r} has a field {name!r}, which this version does not know.",
                    job_id=job_id,
                    field=name,
                )
        if response_model is not None:
            known["response_model"] = response_model
        elif isinstance(known.get("response_model"), str):
            known["response_model"] = _class_of(job_id, known["response_model"])
        return cls(**known)

    def __hash__(self) -> int:
        return hash((self.id, self.model))

    def __repr__(self) -> str:
        content = next(" and ".join(each) for each in _CONTENTS if self._has(each))
        return f"Job(id={self.id!r}, model={self.model!r}, {content})"

    # -- once, when it is made

    def _settle(self) -> None:
        """Bring the fields into their form, and refuse what cannot be sent."""
        given: object = self.id
        if given is not None and (not isinstance(given, str) or not given.strip()):
            self._refuse("id", f"id is a text that is not blank, not {self.id!r}.")
        self._check_content()
        self._check_model()
        self._check_numbers()
        self._check_texts()
        self._settle_messages()
        self._settle_schema()
        if self.text is not None:
            self._check_embedding()
        self._check_encoding()
        if given is None:
            object.__setattr__(self, "id", self._made_id())

    def _has(self, content: tuple[str, ...]) -> bool:
        given = {name for each in _CONTENTS for name in each if getattr(self, name) is not None}
        return given == set(content)

    def _check_content(self) -> None:
        if not any(self._has(content) for content in _CONTENTS):
            names = ("messages", "file", "prompt", "text")
            given = [name for name in names if getattr(self, name) is not None]
            self._refuse(
                given[0] if given else "prompt",
                "its content is messages, or file and prompt, or prompt alone, or text to embed; "
                f"given {'is ' + ' and '.join(given) if given else 'is none of these'}.",
            )
        for name in ("prompt", "text"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value.strip()):
                self._refuse(name, f"{name} is a text that is not blank.")
        if self.file is not None:
            if not isinstance(self.file, (str, os.PathLike)) or not os.fspath(self.file):
                self._refuse("file", f"file is a path, not {self.file!r}.")
            object.__setattr__(self, "file", Path(self.file))

    def _check_model(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip():
            self._refuse(
                "model",
                f"model is a model's name, not {self.model!r}. Give the job one, or all of them "
                f"with Batch.defaults(model=…).",
            )

    def _check_numbers(self) -> None:
        if self.temperature is not None and not _is_between(self.temperature, 0, math.inf):
            self._refuse("temperature", f"temperature is 0 or more, not {self.temperature!r}.")
        if self.top_p is not None and (not self.top_p or not _is_between(self.top_p, 0, 1)):
            self._refuse("top_p", f"top_p is above 0 and at most 1, not {self.top_p!r}.")
        for name in ("temperature", "top_p"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else float(value))
        for name, least in (("max_tokens", 1), ("seed", None)):
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool):
                self._refuse(name, f"{name} is a whole number, not {value!r}.")
            if least is not None and value < least:
                self._refuse(name, f"{name} is {least} or more, not {value!r}.")

    def _check_texts(self) -> None:
        if self.system is not None and not isinstance(self.system, str):
            self._refuse("system", f"system is a text, not a {type(self.system).__name__}.")
        stop = tuple(self.stop) if isinstance(self.stop, Iterable) else (None,)
        if not all(isinstance(each, str) and each for each in stop):
            self._refuse("stop", "stop is a text, or several, none of them empty.")
        object.__setattr__(self, "stop", stop)

    def _settle_messages(self) -> None:
        if self.messages is None:
            return
        try:
            messages = chat_dicts(self.messages)
            said = read_chat(messages)
        except InputError as error:
            self._refuse("messages", str(error))
        if said.system is not None and self.system is not None:
            self._refuse("system", "system is given twice: also by a turn of the messages.")
        object.__setattr__(self, "messages", messages)

    def _settle_schema(self) -> None:
        try:
            shape = self._shape()
            if shape is not None:
                # Of a JSON schema a copy, which no later change of it reaches.
                object.__setattr__(self, "response_model", shape.schema.source)
        except (ConfigurationError, TypeError, ValueError) as error:
            self._refuse("response_model", f"response_model cannot be used. {error}")

    def _check_embedding(self) -> None:
        for name in ("response_model", "system", "top_p", "stop", "seed", "enable_citations"):
            if getattr(self, name):
                self._refuse(name, f"{name} is of no use to a text that is embedded.")

    def _check_encoding(self) -> None:
        """Refuse half of a surrogate pair: neither a request nor a file can hold it."""
        for name in _FIELDS:
            if not all(map(_has_utf8, _texts_in(getattr(self, name)))):
                self._refuse(
                    name,
                    f"{name} has a text that is not Unicode: it holds half of a surrogate pair.",
                )

    def _made_id(self) -> str:
        stem = "" if self.file is None else _NOT_IN_AN_ID.sub("-", self.file.stem)
        return f"{stem[:_LONGEST_STEM].strip('-') or 'job'}-{self.digest()[:12]}"

    # -- when it is sent

    def _turns(self) -> tuple[Message, ...]:
        if self.messages is not None:
            return read_chat(self.messages).turns
        prompt = self.prompt or ""
        if self.file is None:
            return (Message("user", prompt),)
        try:
            document = file_part(self.file, as_document=self.enable_citations)
        except InputError as error:
            self._refuse("file", str(error))
        return (Message("user", (document, TextPart(prompt))),)

    def _shape(self) -> _Shape | None:
        wanted: Any = self.response_model
        if wanted is None:
            return None
        if isinstance(wanted, Mapping):
            return _shape_of_text(json.dumps(wanted))
        if not isinstance(wanted, type):
            return _shape(OutputSchema(wanted))  # which says why it is none
        return _shape_of_class(wanted)

    def _refuse(self, field: str, why: str) -> NoReturn:
        job_id = self.id if isinstance(self.id, str) and self.id.strip() else None
        name = "A job" if job_id is None else f"Job {job_id!r}"
        raise JobError(f"{name}: {why}", job_id=job_id, field=field)


_FIELDS: Final = tuple(field.name for field in fields(Job))


def _is_between(value: object, least: float, most: float) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return math.isfinite(value) and least <= value <= most


def _texts_in(value: object) -> Iterator[str]:
    """Yield the texts that a field holds, wherever."""
    if isinstance(value, (str, Path)):
        yield str(value)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _texts_in(name)
            yield from _texts_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts_in(each)


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


class _Shape(NamedTuple):
    """What an answer has to fit, and the digest of that."""

    schema: OutputSchema
    digest: str


def _shape(schema: OutputSchema) -> _Shape:
    # Keys in their order: models write in that of the properties.
    return _Shape(schema, _digest(json.dumps(schema.json_schema).encode()))


# One for all jobs of a class: making it takes longer than all else about a job.
@lru_cache(maxsize=256)
def _shape_of_class(cls: type[BaseModel]) -> _Shape:
    return _shape(OutputSchema(cls))


@lru_cache(maxsize=256)
def _shape_of_text(text: str) -> _Shape:
    return _shape(OutputSchema(json.loads(text)))


def _path(cls: type[Any]) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _class_of(job_id: str, path: str) -> type[BaseModel]:
    """Return the model at a path."""
    from .class_path import NoClassPathError, class_at

    if "<locals>" in path:
        why = "is defined inside of a function, where no later run can find it. Move it to the top "
        why += "of a module, or add the job again in the script that made it."
    else:
        try:
            return class_at(path)
        except NoClassPathError as error:
            why = f"{error}."
            if path.startswith("__main__:"):
                why += " It belongs to the script that made the job: resume it there."
    raise JobError(
        f"Job {job_id!r}: response_model {path} {why}", job_id=job_id, field="response_model"
    )
