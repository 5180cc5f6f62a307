"""Conversations as OpenAI writes them: what jobs are given, and what is kept of them.

A turn is `{"role": …, "content": …}`. The content is a text, or parts:

    {"type": "text", "text": "…"}
    {"type": "image_url", "image_url": {"url": "https://…" or "data:…"}}
    {"type": "file", "file": {"file_data": "data:…", "filename": "…"}}
    {"type": "file", "file": {"file_url": "https://…"}}

An image and a file may state their "media_type" besides: ours, for what an address does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from ..exceptions import InputError
from .data_url import data_url, read_data_url
from .request import FilePart, ImagePart, Message, TextPart

if TYPE_CHECKING:
    from .request import Part, Role

ChatDict: TypeAlias = "dict[str, Any]"
"""One turn as OpenAI writes it."""

SYSTEM_ROLES: Final = ("system", "developer")

_PLAIN_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+")


@dataclass(frozen=True, slots=True)
class Conversation:
    """What turns say.

    Attributes:
        system: the text of the system turns, wherever they stood; None where there was none.
        turns: the others, at least one.
    """

    system: str | None
    turns: tuple[Message, ...]


def chat_dicts(messages: Iterable[Message | Mapping[str, Any]]) -> list[ChatDict]:
    """Return the turns as values of JSON: copies, which no later change of theirs reaches.

    Raises:
        InputError: naming the turn, if one is neither a dictionary nor a `Message`.
    """
    if not isinstance(messages, Iterable) or isinstance(messages, (str, bytes, Mapping)):
        raise InputError("messages is a list of turns; a single text is a prompt.")
    return [_chat_dict(turn, f"messages[{index}]") for index, turn in enumerate(messages)]


def read_chat(messages: Sequence[Mapping[str, Any]]) -> Conversation:
    """Return what turns say.

    Raises:
        InputError: for a turn that cannot be sent, naming it.
    """
    system: list[str] = []
    turns: list[Message] = []
    for index, turn in enumerate(messages):
        place = f"messages[{index}]"
        _check_keys(turn, ("role", "content"), place)
        if turn.get("role") in SYSTEM_ROLES:
            system.append(_system_text(turn.get("content"), place))
        else:
            turns.append(_turn(turn, place))
    if not turns:
        raise InputError("messages has no turn of the user.")
    return Conversation("\n\n".join(system) if system else None, tuple(turns))


# --- from what is given to what is kept ------------------------------------------------------


def _chat_dict(turn: object, place: str) -> ChatDict:
    if isinstance(turn, Message):
        content = turn.content
        kept = content if isinstance(content, str) else [_part_dict(part) for part in content]
        return {"role": turn.role, "content": kept}
    if isinstance(turn, Mapping):
        return cast("ChatDict", _plain(turn, place))
    raise InputError(f"{place} is a dictionary or a Message, not a {type(turn).__name__}.")


def _plain(value: object, place: str) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise InputError(
        f"{place} is a {type(value).__name__}. Bytes go into a data URL "
        f"('data:image/png;base64,…'), or into the ImagePart or FilePart of a Message."
    )


def _part_dict(part: Part) -> ChatDict:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    address = _address_of(part)
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": {"url": address[0], **address[1]}}
    key = "file_data" if address[0].startswith("data:") else "file_url"
    named = {} if part.name is None else {"filename": part.name}
    return {"type": "file", "file": {key: address[0], **named, **address[1]}}


def _address_of(part: ImagePart | FilePart) -> tuple[str, dict[str, str]]:
    """Return where the bytes are, and the media type where that does not tell it."""
    stated = {} if part.media_type is None else {"media_type": part.media_type}
    if part.data is None:
        return part.url or "", stated
    if part.media_type and _PLAIN_MEDIA_TYPE.fullmatch(part.media_type):
        return data_url(part.data, part.media_type), {}
    return data_url(part.data, "application/octet-stream"), stated


# --- from what is kept to what is sent -------------------------------------------------------


def _system_text(content: object, place: str) -> str:
    parts = _content(content, place)
    texts = [parts] if isinstance(parts, str) else [getattr(part, "text", None) for part in parts]
    if None in texts:
        raise InputError(f"{place} is a system turn, and holds more than text.")
    return "\n".join(cast("list[str]", texts))


def _turn(turn: Mapping[str, Any], place: str) -> Message:
    role = turn.get("role")
    if role not in ("user", "assistant"):
        raise InputError(
            f"{place}.role is 'user', 'assistant', 'system' or 'developer', not {role!r}."
        )
    return Message(cast("Role", role), _content(turn.get("content"), place))


def _content(content: object, place: str) -> str | tuple[Part, ...]:
    if isinstance(content, str):
        if not content.strip():
            raise InputError(f"{place}.content is empty.")
        return content
    if not isinstance(content, list) or not content:
        raise InputError(f"{place}.content is a text, or a list of parts, at least one.")
    return tuple(_part(part, f"{place}.content[{index}]") for index, part in enumerate(content))


def _part(part: object, place: str) -> Part:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(part, Mapping) or kind not in ("text", "image_url", "file"):
        raise InputError(f"{place}.type is 'text', 'image_url' or 'file', not {kind!r}.")
    _check_keys(part, ("type", kind), place)
    told = part.get(kind)
    if kind == "text":
        return TextPart(_text(told, f"{place}.text"))
    if kind == "image_url":
        return _image({"url": told} if isinstance(told, str) else told, f"{place}.image_url")
    return _file(told, f"{place}.file")


def _image(told: object, place: str) -> ImagePart:
    fields = _fields(told, ("url", "media_type"), place)
    if "url" not in fields:
        raise InputError(f"{place} has no url.")
    data, url, media_type = _source(fields["url"], fields.get("media_type"), f"{place}.url")
    return ImagePart(data=data, url=url, media_type=media_type)


def _file(told: object, place: str) -> FilePart:
    fields = _fields(told, ("file_data", "file_url", "filename", "media_type"), place)
    addresses = [key for key in ("file_data", "file_url") if key in fields]
    if len(addresses) != 1:
        raise InputError(f"{place} has either file_data or file_url, and exactly one of them.")
    where = f"{place}.{addresses[0]}"
    address = fields[addresses[0]]
    if addresses[0] == "file_data" and not address.startswith("data:"):
        raise InputError(f"{where} has the form 'data:application/pdf;base64,<base64 text>'.")
    data, url, media_type = _source(address, fields.get("media_type"), where)
    return FilePart(data=data, url=url, media_type=media_type, name=fields.get("filename"))


def _source(
    address: str, media_type: str | None, place: str
) -> tuple[bytes | None, str | None, str | None]:
    """Return the bytes or else their address, and what they are."""
    if not address.startswith("data:"):
        return None, address, media_type
    found = read_data_url(address)
    if found is None:
        raise InputError(f"{place} cannot be read: 'data:image/png;base64,<base64 text>' can.")
    data, stated = found
    if not (media_type or stated):
        raise InputError(f"{place} does not say what it holds, such as 'data:image/png;base64,…'.")
    return data, None, media_type or stated


def _fields(told: object, known: tuple[str, ...], place: str) -> dict[str, str]:
    if not isinstance(told, Mapping):
        raise InputError(f"{place} is a dictionary, not a {type(told).__name__}.")
    _check_keys(told, known, place)
    return {key: _text(value, f"{place}.{key}") for key, value in told.items() if value is not None}


def _text(value: object, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"{place} is a text that is not empty, not a {type(value).__name__}.")
    return value


def _check_keys(given: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    """Refuse what would be lost on the way: it may be what the answer depends on."""
    for key in given:
        if key not in known:
            raise InputError(f"{place} has {key!r}, which no lane carries. It takes {known}.")
