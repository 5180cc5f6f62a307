"""What goes in: one prompt, and how to call a model with it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, cast

from typing_extensions import TypeVar

from .request import LLMRequest
from .strategy import LLMCallStrategy, TOutput, takes_requests

if TYPE_CHECKING:
    from .request import Prompt

TInput = TypeVar("TInput", default=str)
TContext = TypeVar("TContext", default=None)

LARGE_PROMPT_CHARACTERS = 1_000_000

logger = logging.getLogger("batch_llm")


@dataclass(slots=True)
class LLMWorkItem(Generic[TInput, TOutput, TContext]):
    """One piece of work.

    Args:
        item_id: names the item in results, logs and errors.
        strategy: how to call the model; one instance for many items.
        prompt: text, or an `LLMRequest` where the strategy takes one.
        context: anything of yours; it comes back with the result.

    Raises:
        ValueError: for an empty, blank or non-string id, for no strategy, or for an `LLMRequest`
            given to a strategy that takes text only.
    """

    item_id: str
    strategy: LLMCallStrategy[TOutput]
    prompt: Prompt = ""
    context: TContext = cast("TContext", None)  # noqa: RUF009 - a constant, typed for mypy

    def __post_init__(self) -> None:
        item_id = self.item_id
        if not isinstance(item_id, str) or not item_id or item_id.isspace():
            raise ValueError(
                f"item_id must be a non-blank string, not {item_id!r} "
                f"({type(item_id).__name__}). Give each work item a name of its own."
            )
        if self.strategy is None:
            raise ValueError(
                f"strategy must not be None for {item_id!r}. Give it an LLMCallStrategy instance."
            )
        prompt = self.prompt
        if isinstance(prompt, LLMRequest) and not takes_requests(self.strategy):
            raise ValueError(
                f"{type(self.strategy).__name__} takes text prompts, and {item_id!r} has an "
                f"LLMRequest. Use a RequestStrategy (all built-in ones are), or pass text."
            )
        if not isinstance(prompt, (str, LLMRequest)):
            raise ValueError(  # noqa: TRY004 - the contract names ValueError
                f"prompt of {item_id!r} must be a text or an LLMRequest, "
                f"not a {type(prompt).__name__}."
            )
        if len(prompt) > LARGE_PROMPT_CHARACTERS:
            logger.warning(
                "The prompt of %s has %d characters; it may exceed the model's context.",
                item_id,
                len(prompt),
            )
