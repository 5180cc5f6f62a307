"""What strategies have in common that compose the request themselves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from ..base.strategy import RequestStrategy, TOutput
from .token_bounds import expected_tokens

if TYPE_CHECKING:
    from ..base.request import LLMRequest, Prompt, RequestDefaults
    from ..base.retry_state import RetryState
    from ..base.usage import TokenUsage

logger = logging.getLogger("batch_llm")


class ComposedRequestStrategy(RequestStrategy[TOutput]):
    """Puts its defaults under each prompt, and notes how answers ended.

    Attributes:
        truncated_answers: plain texts that stopped at the token limit, so far.
    """

    _defaults: RequestDefaults
    truncated_answers: int = 0

    def expected_input_tokens(self, prompt: Prompt) -> int:
        """Return roughly how many input tokens a call has, system prompt and schema included."""
        return expected_tokens(self._defaults.apply(prompt))

    async def dry_run(self, prompt: Prompt) -> tuple[TOutput, TokenUsage]:
        """Return a stand-in for `execute`, without a call.

        The output is a text that says so, or None where the answer would have to fit a schema:
        a value made up here could be taken for one of the model's. The usage is an estimate, the
        system prompt and the schema included.
        """
        request = self._defaults.apply(prompt)
        tokens = max(1, self.expected_input_tokens(request))
        usage: TokenUsage = {"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens}
        text = f"[dry run] {len(request)} characters of prompt"
        return cast("TOutput", text if request.output_schema is None else None), usage

    def _note_end(
        self,
        finish_reason: str | None,
        request: LLMRequest,
        state: RetryState | None,
        model: str | None,
    ) -> None:
        """Keep why an answer ended where a caller finds it; a text cut short is said once."""
        if state is not None:
            state.set("finish_reason", finish_reason)
        if finish_reason != "length" or request.output_schema is not None:
            return
        self.truncated_answers += 1
        if self.truncated_answers == 1:
            logger.warning(
                "An answer of %s stopped at the token limit (max_output_tokens=%s) and is cut. "
                "Further ones are counted in truncated_answers.",
                model,
                request.max_output_tokens,
            )
