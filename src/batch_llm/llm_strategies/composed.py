"""What strategies have in common that compose the request themselves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from ..base.repair import forget_misfit, remember_misfit, repair_bytes, with_misfit
from ..base.strategy import RequestStrategy, TOutput
from ..exceptions import InvalidRequestError, OutputValidationError
from ..wire.answer import parse_output
from .token_bounds import expected_tokens

if TYPE_CHECKING:
    from ..base.request import LLMRequest, Prompt, RequestDefaults
    from ..base.retry_state import RetryState
    from ..base.schema import OutputSchema
    from ..base.usage import TokenUsage
    from ..exceptions import ProviderError
    from ..wire.answer import ChatAnswer

logger = logging.getLogger("batch_llm")


class ComposedRequestStrategy(RequestStrategy[TOutput]):
    """Puts its defaults under each prompt, and notes how answers ended.

    Attributes:
        repair: whether the attempt after an answer that does not fit its schema shows the model
            that answer and what was wrong with it.
        truncated_answers: plain texts that stopped at the token limit, so far.
    """

    _defaults: RequestDefaults
    repair: bool = True
    truncated_answers: int = 0

    def output_type(self, prompt: Prompt) -> Any:
        """Return `str`, or where a schema applies to `prompt` its pydantic model, else `Any`.

        A subclass that declares a type, `OpenAICompatibleStrategy[int]`, has that one.
        """
        declared = super().output_type(prompt)
        return (
            declared if declared is not Any else type_of_answers(self._defaults.schema_for(prompt))
        )

    def is_repeatable(self, prompt: Prompt) -> bool:
        """Return whether a temperature of 0 is asked for `prompt`, of a model that takes one."""
        return self._defaults.temperature_for(prompt) == 0

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

    # -- repair: see `base.repair`

    def _asked(self, prompt: Prompt, state: RetryState | None) -> LLMRequest:
        """Return the whole request for this attempt."""
        request = self._defaults.apply(prompt)
        return with_misfit(request, state) if self.repair else request

    def _parsed(self, answer: ChatAnswer, request: LLMRequest, state: RetryState | None) -> TOutput:
        """Return what `parse_output` returns; keep an answer that does not fit."""
        try:
            return cast("TOutput", parse_output(answer, request))
        except OutputValidationError as error:
            self._keep(answer.text, request.output_schema, error, state)
            raise

    def _keep(
        self,
        text: str,
        schema: OutputSchema | None,
        error: OutputValidationError,
        state: RetryState | None,
    ) -> None:
        if self.repair:
            keep_misfit(text, schema, error, state)

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


def type_of_answers(schema: OutputSchema | None) -> Any:
    """Return the type of the values that `OutputSchema.parse` makes; `str` without a schema."""
    if schema is None:
        return str
    return schema.source if isinstance(schema.source, type) else Any


def keep_misfit(
    text: str,
    schema: OutputSchema | None,
    error: OutputValidationError,
    state: RetryState | None,
) -> None:
    """Keep an answer that did not fit, and what the model is to be told of it."""
    problem = "" if schema is None else schema.explain(text)
    remember_misfit(state, text, problem or str(error))


def refused(error: ProviderError, state: RetryState | None) -> ProviderError:
    """Return the error to raise where a provider refuses a request.

    That is `error`, but for a request that showed the model an earlier answer: it may be refused
    for its length, and without that answer it would not be. The one returned then lets the item
    be tried again, and the next attempt asks anew.
    """
    if not isinstance(error, InvalidRequestError) or not repair_bytes(state):
        return error
    forget_misfit(state)
    return OutputValidationError(
        f"The answer did not fit the schema, and the request that showed the model why was "
        f"refused ({error}). The next attempt asks anew.",
        usage=error.usage,
        request_id=error.request_id,
    )
