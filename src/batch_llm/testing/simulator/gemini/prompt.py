"""What turns say to the model, and how many tokens they have."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from ..tokens import TOKENS_OF_FILE, TOKENS_OF_IMAGE, TOKENS_OF_TURN, count_json, count_text
from .refusal import RefusedError, refused_field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .file_store import FileStore
    from .request import Blob, Content, FileData, Part, Tool

TEXT: Final = "TEXT"
_MODALITIES: Final = {"image": "IMAGE", "audio": "AUDIO", "video": "VIDEO"}
_ROLES: Final = {"user": "user", "model": "assistant", "function": "tool", "tool": "tool"}
_TO_STANDARD: Final = str.maketrans("-_", "+/")


@dataclass(slots=True)
class Prompt:
    """What a model is shown.

    Attributes:
        turns: (role, text) of each, oldest first; roles are "user", "assistant" and "tool".
        system: the system instruction; "" for none.
        tokens: by modality: "TEXT", "IMAGE", "AUDIO", "VIDEO" or "DOCUMENT".
    """

    turns: list[tuple[str, str]] = field(default_factory=list)
    system: str = ""
    tokens: Counter[str] = field(default_factory=Counter)

    @property
    def total_tokens(self) -> int:
        """All of them."""
        return self.tokens.total()


class PromptReader:
    """Reads turns, and the files that they name.

    Args:
        files: the uploaded files.
    """

    def __init__(self, files: FileStore) -> None:
        self._files = files

    def read(
        self,
        contents: Sequence[Content],
        system: Content | None,
        tools: Sequence[Tool],
        key: str,
        *,
        of: str = "GenerateContentRequest",
    ) -> Prompt:
        """Return the prompt, with its tokens.

        A turn, and the system instruction, have four tokens and those of their text; an image has
        258; any other file has 1,000, but one of text has those of its text; calls of functions,
        their results and the declarations of tools have the tokens of their JSON.

        Args:
            contents: the turns.
            system: the system instruction.
            tools: what the model may ask for.
            key: the API key, whose files may be used.
            of: the request's name, for errors.

        Raises:
            RefusedError: for a turn that cannot be read.
        """
        prompt = Prompt()
        if system is not None and system.parts:
            prompt.system = self._text(system.parts, key, prompt.tokens, "system_instruction", of)
        for index, content in enumerate(contents):
            prompt.turns.append(self._turn(content, key, prompt.tokens, f"contents[{index}]", of))
        if tools:
            prompt.tokens[TEXT] += count_json(msgspec.json.encode(tools))
        return prompt

    def _turn(
        self, content: Content, key: str, tokens: Counter[str], path: str, of: str
    ) -> tuple[str, str]:
        role = _ROLES.get(content.role or "user")
        if role is None:
            raise RefusedError("Please use a valid role: user, model.")
        parts = content.parts
        if not parts:
            raise refused_field(f"{path}.parts", "contents.parts must not be empty.", of=of)
        text = self._text(parts, key, tokens, path, of)
        if all(part.function_response is not None for part in parts):
            role = "tool"
        return role, text

    def _text(
        self, parts: Sequence[Part], key: str, tokens: Counter[str], path: str, of: str
    ) -> str:
        tokens[TEXT] += TOKENS_OF_TURN
        said: list[str] = []
        for index, part in enumerate(parts):
            text = part.text
            if text is None:
                text = self._data(part, key, tokens, f"{path}.parts[{index}]", of)
            elif part.thought:
                continue
            if text:
                said.append(text)
                tokens[TEXT] += count_text(text)
        return "\n".join(said)

    def _data(self, part: Part, key: str, tokens: Counter[str], path: str, of: str) -> str:
        """Count a part that is no text; return the text that it stands for, "" for none."""
        if part.inline_data is not None:
            return _inline(part.inline_data, tokens, path, of)
        if part.file_data is not None:
            return self._file(part.file_data, key, tokens, path, of)
        told = (
            part.function_call or part.function_response or part.executable_code
            or part.code_execution_result or part.tool_call or part.tool_response
        )  # fmt: skip
        if told is None:
            problem = "required oneof field 'data' must have one initialized field"
            raise refused_field(f"{path}.data", problem, of=of)
        return msgspec.json.encode(told).decode()

    def _file(self, data: FileData, key: str, tokens: Counter[str], path: str, of: str) -> str:
        address = data.file_uri
        if not address:
            raise refused_field(f"{path}.file_data.file_uri", "file_uri is required.", of=of)
        name = _file_id(address)
        if name is None:
            if not address.startswith(("https://", "http://")):
                raise RefusedError(f"Invalid or unsupported file uri: {address}")
            _count_file(data.mime_type or "", tokens)
            return ""
        file = self._files.usable(key, name)
        mime_type = data.mime_type or file.mime_type
        if mime_type.startswith("text/"):
            return file.content.decode("utf-8", "replace")
        _count_file(mime_type, tokens)
        return ""


def _inline(blob: Blob, tokens: Counter[str], path: str, of: str) -> str:
    if not blob.mime_type:
        raise refused_field(f"{path}.inline_data.mime_type", "mime_type is required.", of=of)
    field = f"{path}.inline_data.data"
    try:
        content = base64.b64decode(_standard(blob.data or ""), validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(
            f"Invalid value at '{field}' (TYPE_BYTES), Base64 decoding failed", field=field
        ) from None
    if not content:
        raise refused_field(field, "inline data must not be empty.", of=of)
    if blob.mime_type.startswith("text/"):
        return content.decode("utf-8", "replace")
    _count_file(blob.mime_type, tokens)
    return ""


def _standard(written: str) -> str:
    """Return Base64 of either alphabet, padded or not, in the usual one with padding."""
    standard = written.translate(_TO_STANDARD).rstrip("=")
    return standard + "=" * (-len(standard) % 4)


def _count_file(mime_type: str, tokens: Counter[str]) -> None:
    modality = _MODALITIES.get(mime_type.partition("/")[0], "DOCUMENT")
    tokens[modality] += TOKENS_OF_IMAGE if modality == "IMAGE" else TOKENS_OF_FILE


def _file_id(address: str) -> str | None:
    """Return the id of an uploaded file; None for an address elsewhere."""
    before, slash, name = address.rpartition("files/")
    is_file = slash and "/" not in name and (not before or before.endswith(_VERSIONED))
    return name if is_file else None


_VERSIONED: Final = ("/v1/", "/v1beta/", "/v1alpha/")
