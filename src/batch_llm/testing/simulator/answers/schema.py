"""Answers that fit a schema."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ....exceptions import InputError
from ..chance import Chance
from .said import forced_tool, json_answer
from .told import schema_in_words, with_bounds_in_words
from .values import FittingValues

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..call import Answer, ModelCall

_MOST_SCHEMAS: Final = 256
_ANYTHING: Final[Mapping[str, Any]] = {"type": "object"}


class SchemaAnswers:
    """Makes up JSON that fits the requested schema, or the arguments of the tool it is forced to.

    The same request gets the same value in every run with one seed, and another value when it is
    sent again. A call without a schema or a forced tool gets a JSON object of a few words. Bounds
    that a description tells, "{minimum: 1}", are kept where that can be; a schema may also stand
    at the end of the system prompt.

    Args:
        seed: any text or number.
    """

    def __init__(self, seed: int | str = 0) -> None:
        self._chance = Chance(seed)
        self._encode = msgspec.json.Encoder().encode
        self._known: OrderedDict[bytes, FittingValues] = OrderedDict()

    async def answer(self, call: ModelCall) -> Answer:
        """Return a JSON value.

        Raises:
            InputError: if no value fits the schema, or it has what the simulator cannot follow; see
                `FittingValues`.
        """
        seed = int.from_bytes(self._chance.digest("schema", call.subject), "big")
        return json_answer(self._made(_schema_of(call), seed), call)

    def _made(self, schema: Mapping[str, Any], seed: int) -> Any:
        bounded = with_bounds_in_words(schema)
        if bounded is not schema:
            # What stands in words may be beyond what can be made, or no bounds at all.
            with contextlib.suppress(InputError):
                return self._values(bounded).make(seed)
        return self._values(schema).make(seed)

    def _values(self, schema: Mapping[str, Any]) -> FittingValues:
        """Return what makes fitting values; the latest 256 schemas are remembered."""
        name = self._encode(schema)
        values = self._known.get(name)
        if values is None:
            values = self._known[name] = FittingValues(schema)
            if len(self._known) > _MOST_SCHEMAS:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(name)
        return values


def _schema_of(call: ModelCall) -> Mapping[str, Any]:
    if (tool := forced_tool(call)) is not None:
        return tool.schema
    if call.schema is not None:
        return call.schema
    told = schema_in_words(call)
    return _ANYTHING if told is None else told
