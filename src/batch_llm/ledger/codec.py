"""Outputs as JSON and back, so that what comes back is what went in, or nothing is kept."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import msgspec
from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, from_json

from ..base.class_path import NoClassPathError, class_at, is_kept_class, path_of
from ..exceptions import ConfigurationError, UnkeptOutputError
from .record import KeptOutput
from .sameness import is_same

if TYPE_CHECKING:
    from ..base import LLMCallStrategy, Prompt

_GEMINI_FIELDS: Final = {
    "output",
    "safety_ratings",
    "finish_reason",
    "token_usage",
    "raw_response",
}


class UnlikeError(ValueError):
    """A value cannot be kept. The message ends a sentence that begins with it."""


class Form(ABC):
    """One way to keep values of one type.

    Attributes:
        is_exact: whether what `write` takes always comes back as it is.
    """

    is_exact = False

    @abstractmethod
    def write(self, value: Any) -> KeptOutput:
        """Return `value` as it is kept.

        Raises:
            Exception: whatever makes it impossible.
        """

    @abstractmethod
    def read(self, kept: KeptOutput) -> Any:
        """Return the value that was kept.

        Raises:
            Exception: whatever makes it impossible.
        """


class OutputCodec:
    """Turns outputs of one type into what a ledger keeps, and back.

    Args:
        form: how values of the type are kept.
    """

    def __init__(self, form: Form) -> None:
        self._form = form

    def encode(self, item_id: str, output: object) -> KeptOutput:
        """Return `output` as it is kept.

        Raises:
            UnkeptOutputError: if it would not come back as it is. The message names the item and
                the type, and holds nothing of the output.
        """
        try:
            kept = self._form.write(output)
            if not self._form.is_exact:
                _check_same(output, self._form.read(kept))
        except Exception as error:  # types are the user's, and their code may raise anything
            raise UnkeptOutputError(
                f"The output of {item_id!r} cannot be kept in the ledger: a value of the type "
                f"{_type_name(type(output))} {_why(error)}. Return what the strategy's output_type "
                f"says: a pydantic model, a dataclass, or plain JSON values (no tuples, no NaN, "
                f"texts as keys)."
            ) from None
        return kept

    def decode(self, item_id: str, kept: KeptOutput) -> Any:
        """Return the output that was kept.

        Raises:
            UnkeptOutputError: if its type has changed since, so that it does not fit any longer.
        """
        try:
            return self._form.read(kept)
        except Exception as error:  # types are the user's, and their code may raise anything
            raise UnkeptOutputError(
                f"The output that the ledger keeps for {item_id!r} cannot be read: "
                f"{kept.class_path or 'it'} {_why(error)}. If the type of outputs has changed, let "
                f"the strategy's fingerprint change too, or use a new ledger."
            ) from None


class OutputCodecs:
    """The codecs of a run: one for each type of output.

    To be asked for each item before its first call, so that what cannot be kept costs nothing.
    """

    def __init__(self) -> None:
        # With the type itself, so that its `id` stays its own where it cannot be a key.
        self._by_type: dict[Any, tuple[Any, OutputCodec]] = {}

    def of(self, strategy: LLMCallStrategy[Any], prompt: Prompt) -> OutputCodec:
        """Return the codec for what `strategy` answers to `prompt`.

        Raises:
            ConfigurationError: naming the type and the strategy, if outputs cannot be kept.
        """
        declared = strategy.output_type(prompt)
        key = declared if _is_key(declared) else id(declared)
        known = self._by_type.get(key)
        if known is None:
            try:
                codec = OutputCodec(_form_of(declared))
            except UnlikeError as error:
                raise ConfigurationError(
                    f"{type(strategy).__name__} returns {_type_name(declared)}, which a ledger "
                    f"cannot keep: it {error}. Let output_type name a pydantic model, a dataclass "
                    f"or a type that JSON can hold, or run without a ledger."
                ) from None
            known = self._by_type[key] = declared, codec
        return known[1]


def _form_of(declared: Any) -> Form:
    if declared is str:
        return _Text()
    if declared is Any or declared is object:
        return _Anything()
    if _is_gemini_response(get_origin(declared) or declared):
        return _GeminiForm(get_origin(declared) or declared, (*get_args(declared), Any)[0])
    return _Typed(declared)


class _Text(Form):
    """A text."""

    is_exact = True

    def write(self, value: Any) -> KeptOutput:
        if type(value) is not str:
            raise UnlikeError("is no text, which the strategy says that it returns")
        return KeptOutput(msgspec.json.encode(value))

    def read(self, kept: KeptOutput) -> Any:
        return msgspec.json.decode(kept.content, type=str)


class _Typed(Form):
    """Whatever pydantic can write as JSON and read back."""

    def __init__(self, declared: Any) -> None:
        try:
            self._adapter: TypeAdapter[Any] = _adapter(declared)
            # Tells at once what would fail with the first value: functions, open files, …
            self._adapter.json_schema(mode="serialization")
        except PydanticUserError as error:
            raise UnlikeError(f"has no form in JSON ({_first_line(error)})") from None
        except (NameError, TypeError, AttributeError) as error:
            raise UnlikeError(f"cannot be understood ({_first_line(error)})") from None

    def write(self, value: Any) -> KeptOutput:
        # With `by_alias`, since it is the alias that validation reads.
        content = self._adapter.dump_json(value, by_alias=True, round_trip=True, warnings="error")
        return KeptOutput(content)

    def read(self, kept: KeptOutput) -> Any:
        return self._adapter.validate_json(kept.content)


class _Anything(Form):
    """JSON values as they are; models and dataclasses with the path of their class."""

    def __init__(self) -> None:
        self._by_class: dict[type[Any], Form] = {}
        self._paths: dict[type[Any], str] = {}

    def write(self, value: Any) -> KeptOutput:
        cls = type(value)
        if is_kept_class(cls):
            if cls not in self._paths:
                self._paths[cls] = path_of(cls)
            return self._form(cls).write(value)._replace(class_path=self._paths[cls])
        return KeptOutput(msgspec.json.encode(value))

    def read(self, kept: KeptOutput) -> Any:
        if kept.class_path is None:
            return from_json(kept.content, allow_inf_nan=False)
        return self._form(class_at(kept.class_path)).read(kept)

    def _form(self, cls: type[Any]) -> Form:
        form = self._by_class.get(cls)
        if form is None:
            form = self._by_class[cls] = _form_of(cls)
        return form


class _GeminiForm(Form):
    """A `GeminiResponse`, without the SDK's own object.

    It is known by its name and fields: rooms beside each other do not import one another.
    """

    def __init__(self, cls: type[Any], declared: Any) -> None:
        self._class = cls
        self._output = _form_of(declared)

    def write(self, value: Any) -> KeptOutput:
        if type(value) is not self._class:
            raise UnlikeError("is no GeminiResponse, which the strategy says that it returns")
        output = self._output.write(value.output)
        parts = {
            "output": msgspec.Raw(output.content),
            "output_class": output.class_path,
            "safety_ratings": value.safety_ratings,
            "finish_reason": value.finish_reason,
            "token_usage": value.token_usage,
        }
        return KeptOutput(msgspec.json.encode(parts))

    def read(self, kept: KeptOutput) -> Any:
        parts = msgspec.json.decode(kept.content, type=_GeminiParts)
        return self._class(
            output=self._output.read(KeptOutput(bytes(parts.output), parts.output_class)),
            safety_ratings=parts.safety_ratings,
            finish_reason=parts.finish_reason,
            token_usage=parts.token_usage,
            raw_response=None,
        )


class _GeminiParts(msgspec.Struct):
    output: msgspec.Raw
    output_class: str | None
    safety_ratings: dict[str, str] | None
    finish_reason: str | None
    token_usage: dict[str, int]


def _is_gemini_response(cls: Any) -> bool:
    if not (isinstance(cls, type) and cls.__name__ == "GeminiResponse"):
        return False
    return (
        dataclasses.is_dataclass(cls)
        and {field.name for field in dataclasses.fields(cls)} == _GEMINI_FIELDS
    )


def _check_same(value: Any, back: Any) -> None:
    if _is_gemini_response(type(value)):
        value = dataclasses.replace(value, raw_response=None)
    if not is_same(value, back):
        raise UnlikeError("would come back as another value")


def _adapter(declared: Any) -> TypeAdapter[Any]:
    # Bytes need not be text. Models, and dataclasses with a configuration, keep their own.
    try:
        return TypeAdapter(
            declared, config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
        )
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
        return TypeAdapter(declared)


def _why(error: Exception) -> str:
    if isinstance(error, (UnlikeError, NoClassPathError)):
        return str(error)
    if isinstance(error, PydanticSerializationError):
        return "is not of the declared type, or has no form in JSON"
    # Only its name: its message may hold the output.
    return f"does not fit its declared type ({type(error).__name__})"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def _is_key(declared: Any) -> bool:
    try:
        hash(declared)
    except TypeError:  # Annotated with a dict, say
        return False
    return True


def _type_name(declared: Any) -> str:
    if isinstance(declared, type) and not get_args(declared):
        return f"{declared.__module__}.{declared.__qualname__}".removeprefix("builtins.")
    return repr(declared)
