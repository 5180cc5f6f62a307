"""Values that fit one schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .....exceptions import InputError
from .document import Document
from .draws import Draws
from .plan import Plan
from .unmade import UnmadeError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRIES: Final = 40


class FittingValues:
    """Makes JSON values that fit a JSON schema, formats included.

    Types, enums, constants, bounds, lengths, references within the document, recursion, `allOf`,
    `anyOf`, `oneOf`, `if`, and properties, items and names under any rule are built. What can only
    be tried is tried, and checked: `not`, `contains`, look-around in patterns, `oneOf` whose
    alternatives overlap, texts with two patterns. Nothing is known of `$dynamicRef`, of references
    to other documents, and of patterns with back-references.

    Args:
        schema: JSON schema of any draft.

    Raises:
        InputError: if it is no JSON schema, or has what is not known.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        try:
            document = Document(schema)
        except RecursionError:
            raise InputError("No value can be made: the schema is nested too deep.") from None
        self._plan = Plan(document)
        self._root = self._plan.node("answer", [document.root])
        self._validator = document.validator([document.root])

    def make(self, seed: int) -> Any:
        """Return a value; equal seeds make equal ones.

        Raises:
            InputError: if no value fits, or none was found.
        """
        try:
            return self._made(seed)
        except RecursionError:
            raise InputError("No value can be made: the schema is nested too deep.") from None

    def _made(self, seed: int) -> Any:
        if not self._root.ends:
            raise InputError(f"No value fits the schema. {self._plan.trouble}")
        trouble = ""
        for number in range(_TRIES):
            # The later ones are small: where much is optional, much can be wrong.
            draws = Draws(seed + number, is_small=number >= _TRIES // 2)
            try:
                value = self._root.make(draws, 0)
            except UnmadeError as error:
                trouble = f" {error}"
                continue
            if self._validator.is_valid(value):
                return value
        raise InputError(f"No value was found that fits the schema, in {_TRIES} tries.{trouble}")
