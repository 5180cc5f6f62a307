"""Where answers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ..call import Answer, ModelCall


@runtime_checkable
class Answers(Protocol):
    """Says what a model answers. The endpoint counts tokens, and cuts at the limit.

    Embeddings are not asked for here: their endpoints make the vectors themselves, from the text.

    A source that holds something open, such as a loaded model, has `async aclose()` as well; it is
    called when the simulator stops or is reset, and the source may be asked again after it.
    """

    async def answer(self, call: ModelCall) -> Answer:
        """Return the answer to `call`.

        An exception becomes the provider's error 500.
        """
        ...


async def close_answers(answers: Answers) -> None:
    """Let a source go of what it holds open, where it holds anything."""
    aclose = getattr(answers, "aclose", None)
    if aclose is not None:
        await aclose()
