"""Texts in the formats that JSON schemas name."""

from __future__ import annotations

import datetime
import uuid
from typing import TYPE_CHECKING, Final

from .words import one_word, some_letters

if TYPE_CHECKING:
    from collections.abc import Callable

    from .draws import Draws

_FIRST_DAY: Final = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_SECONDS: Final = 40 * 365 * 86_400
_LONGEST_LABEL: Final = 60


def _moment(draws: Draws) -> datetime.datetime:
    return _FIRST_DAY + datetime.timedelta(seconds=draws.below(_SECONDS))


def _date(draws: Draws) -> str:
    return _moment(draws).date().isoformat()


def _time(draws: Draws) -> str:
    return f"{_moment(draws).time().isoformat()}Z"


def _date_time(draws: Draws) -> str:
    return f"{_moment(draws):%Y-%m-%dT%H:%M:%S}Z"


def _duration(draws: Draws) -> str:
    return f"P{draws.between(1, 30)}DT{draws.between(0, 23)}H{draws.between(0, 59)}M"


def _email(draws: Draws, longer: int) -> str:
    return f"{one_word(draws)}{some_letters(draws, min(longer, 50))}@{_host(draws, longer - 50)}"


def _host(draws: Draws, longer: int) -> str:
    labels = "".join(
        some_letters(draws, min(_LONGEST_LABEL, longer - start)) + "."
        for start in range(0, longer, _LONGEST_LABEL)
    )
    return f"{labels}{one_word(draws)}.example"


def _ipv4(draws: Draws) -> str:
    return f"192.0.2.{draws.between(1, 254)}"


def _ipv6(draws: Draws) -> str:
    return f"2001:db8::{draws.between(1, 0xFFFF):x}"


def _uri(draws: Draws, longer: int) -> str:
    tail = some_letters(draws, longer) if longer > 0 else ""
    return f"https://{one_word(draws)}.example/{one_word(draws)}{tail}"


def _uuid(draws: Draws) -> str:
    number = draws.below(2**53) << 75 | draws.below(2**53) << 22 | draws.below(2**22)
    return str(uuid.UUID(int=number, version=4))


def _pointer(draws: Draws, longer: int) -> str:
    return f"/{one_word(draws)}/{draws.below(10)}{some_letters(draws, max(0, longer))}"


def _relative_pointer(draws: Draws, longer: int) -> str:
    return f"{draws.between(1, 9)}{_pointer(draws, longer)}"


def _regex(draws: Draws, longer: int) -> str:
    return f"^{one_word(draws)}{some_letters(draws, max(0, longer))}$"


_OF_ONE_LENGTH: Final[dict[str, Callable[[Draws], str]]] = {
    "date": _date,
    "date-time": _date_time,
    "duration": _duration,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "time": _time,
    "uuid": _uuid,
}
_OF_ANY_LENGTH: Final[dict[str, Callable[[Draws, int], str]]] = {
    "email": _email,
    "hostname": _host,
    "idn-email": _email,
    "idn-hostname": _host,
    "iri": _uri,
    "iri-reference": _uri,
    "json-pointer": _pointer,
    "regex": _regex,
    "relative-json-pointer": _relative_pointer,
    "uri": _uri,
    "uri-reference": _uri,
    "uri-template": _uri,
}
FORMATS: Final = frozenset({*_OF_ONE_LENGTH, *_OF_ANY_LENGTH})
"""The formats that are known; others ask for nothing."""


def text_of_format(name: str, draws: Draws, least: int) -> str:
    """Return a text in one of `FORMATS`.

    Args:
        name: of the format.
        draws: chance.
        least: characters that the text has at least, where the format leaves that open.
    """
    if name in _OF_ONE_LENGTH:
        return _OF_ONE_LENGTH[name](draws)
    write = _OF_ANY_LENGTH[name]
    text = write(draws, 0)
    return text if len(text) >= least else write(draws, least - len(text))
