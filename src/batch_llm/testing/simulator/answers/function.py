"""Answers of a function."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from ....core.named_object import load_object
from ....exceptions import ConfigurationError
from .said import answer_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from ..call import Answer, ModelCall


class FunctionAnswers:
    """Asks a function.

    It runs in the simulator's own event loop: while a sync one runs, nothing else does, so one that
    waits for anything is to be async.

    Args:
        function: from a `ModelCall` to a text, a JSON value, a pydantic model or an `Answer`; sync
            or async.
    """

    def __init__(self, function: Callable[[ModelCall], object]) -> None:
        self._function = function

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the answers of the function that "MODULE:NAME" names.

        The current directory is searched for the module before all others.

        Raises:
            ConfigurationError: if there is no such function.
        """
        module, colon, attribute = name.partition(":")
        if not colon or not module or not attribute:
            raise ConfigurationError(
                f"A function of answers is named as MODULE:NAME, not {name!r}: for example "
                f"answers='function:my_answers:answer'."
            )
        return cls(_function_in(module, attribute))

    async def answer(self, call: ModelCall) -> Answer:
        """Return what the function says.

        Raises:
            TypeError: if it says nothing, or what JSON has no words for.
        """
        said = self._function(call)
        if inspect.isawaitable(said):
            said = await said
        if said is None:
            raise TypeError(
                "the function of answers returned None; it returns a text, a JSON value, a "
                "pydantic model or an Answer"
            )
        return answer_of(said, call)


def _function_in(module_name: str, attribute: str) -> Callable[[ModelCall], object]:
    place = f"answers='function:{module_name}:{attribute}'"
    found = load_object(place, module_name, attribute)
    if not callable(found):
        raise ConfigurationError(f"{place} is no function; it is {type(found).__name__!r}.")
    return found
