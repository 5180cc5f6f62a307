"""Texts of a provider, freed of what the caller sent: an error must quote no prompt and no key."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_RUN = 20  # so many characters in a row are no accident
_SHORTEST = 8  # anything shorter would also hit ordinary words
_STARRED = re.compile(r"\S*\*{3,}\S*")  # a key as providers show it: sk-ab****yz


def without_private(text: str, private: Iterable[str]) -> str:
    """Return `text` with an ellipsis for each part that also stands in a private text.

    Args:
        text: a short text from a provider.
        private: prompts, keys. Those under 8 characters are ignored.
    """
    hidden = [False] * len(text)
    for secret in private:
        _hide_runs(text, secret, hidden)
    if any(hidden):
        pairs = zip(text, hidden, strict=True)
        groups = groupby(pairs, key=lambda pair: pair[1])
        text = "".join("…" if is_hidden else _join(run) for is_hidden, run in groups)
    return _STARRED.sub("…", text)


def _hide_runs(text: str, secret: str, hidden: list[bool]) -> None:
    run = min(len(secret), _RUN)
    if run < _SHORTEST:
        return
    for start in range(len(text) - run + 1):
        if text[start : start + run] in secret:
            hidden[start : start + run] = [True] * run


def _join(pairs: Iterable[tuple[str, bool]]) -> str:
    return "".join(character for character, _ in pairs)
