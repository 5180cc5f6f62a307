"""Bodies that call a model: OpenAI refuses fields it does not know, other servers need not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from ..decoding import strict
from .body import decoded
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    Refuse = Callable[[Sequence[str], str], RefusedError]


class ModelBody(msgspec.Struct):
    """What all such bodies have."""

    model: str | None = None


TModelBody = TypeVar("TModelBody", bound=ModelBody)

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class ModelBodies(Generic[TModelBody]):
    """Decodes the bodies of one endpoint.

    Args:
        fields: those that are read.
        refuse: makes the error for fields that nobody knows, of their names and the model's.
        unread: names of further fields that OpenAI takes.
    """

    def __init__(
        self, fields: type[TModelBody], refuse: Refuse, unread: Sequence[str] = ()
    ) -> None:
        known = strict(fields, unread=unread)
        self.names = frozenset(known.__struct_fields__)
        self._strict = msgspec.json.Decoder(known)
        self._lenient = msgspec.json.Decoder(fields)
        self._refuse = refuse

    def read(self, body: bytes, further_models: Collection[str]) -> TModelBody:
        """Return the fields of a body.

        Args:
            body: JSON.
            further_models: models that are none of OpenAI's, as of a server of vLLM: what is sent
                to them may hold any field.

        Raises:
            RefusedError: for a body that is no JSON, or whose fields are unknown or of wrong types.
        """
        try:
            return decoded(self._strict, body)
        except RefusedError as error:
            # It is read again only when something is wrong, so that what is right costs nothing.
            if error.code != "unknown_parameter":
                raise
        wanted = decoded(self._lenient, body)
        if wanted.model in further_models:
            return wanted
        unknown = [name for name in _FIELDS.decode(body) if name not in self.names]
        raise self._refuse(unknown, wanted.model or "")
