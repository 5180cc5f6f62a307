"""The strategies that another one chooses from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..base.strategy import LLMCallStrategy
from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from ..base.strategy import RoutingStrategy, TOutput


def checked_members(
    owner: RoutingStrategy[TOutput], strategies: Iterable[LLMCallStrategy[TOutput]]
) -> tuple[LLMCallStrategy[TOutput], ...]:
    """Return `strategies` as the members of `owner`.

    Raises:
        ConfigurationError: if there are none, one is no strategy or `owner` itself, or they answer
            with different types.
    """
    name = type(owner).__name__
    if not isinstance(strategies, Iterable):
        raise ConfigurationError(f"{name} takes a list of strategies, not {strategies!r:.80}.")
    members = tuple(strategies)
    if not members:
        raise ConfigurationError(f"{name} has no strategies; give it one at least.")
    for number, member in enumerate(members, 1):
        if not isinstance(member, LLMCallStrategy):
            raise ConfigurationError(
                f"Number {number} of {name}'s strategies is a {type(member).__name__}; each is an "
                f"LLMCallStrategy. `strategies_by_name` makes them of names."
            )
        if member is owner:
            raise ConfigurationError(f"{name} holds itself; give it other strategies.")
    _check_types(name, members)
    return members


def _check_types(name: str, members: tuple[LLMCallStrategy[Any], ...]) -> None:
    # Of a member that does not tell its type, nothing is known to be wrong.
    types = [kind for member in members if (kind := member.output_type("")) is not Any]
    other = next((kind for kind in types if kind != types[0]), None)
    if other is not None:
        raise ConfigurationError(
            f"The strategies of {name} answer with different types, {_named(types[0])} and "
            f"{_named(other)}. Give all of them the same output_schema."
        )


def _named(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


def fingerprints_of(owner: RoutingStrategy[Any]) -> list[str] | None:
    """Return the fingerprint of each member; None where one does not tell it."""
    told = [member.fingerprint() for member in owner.members]
    return None if None in told else [text for text in told if text is not None]
