"""Gemini, with settings for plain prompts in this package's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base.strategy import TOutput
from ..model_habits import is_cached_unasked
from ..token_bounds import expected_tokens
from .strategy import GeminiStrategy

if TYPE_CHECKING:
    from google.genai import Client

    from ...base.request import Prompt, RequestDefaults
    from ...base.retry_state import RetryState
    from ...base.schema import OutputSchema
    from ...base.strategy import PortableRequest
    from ...base.usage import TokenBound, TokenUsage
    from .client import EnvironmentClient


class GeminiRequestStrategy(GeminiStrategy[TOutput]):
    """Calls a Gemini model; a plain prompt becomes a whole request first.

    Args:
        model: such as "gemini-2.5-flash".
        client: the SDK's client, or an `EnvironmentClient`, which `aclose()` closes.
        defaults: what is asked besides the prompt, where the prompt does not say otherwise. With
            a schema the output is the value that fits it, else text.
        repair: see `GeminiStrategy`.
    """

    def __init__(
        self,
        model: str,
        client: Client | EnvironmentClient | None,
        defaults: RequestDefaults,
        *,
        repair: bool = True,
    ) -> None:
        super().__init__(model, client, repair=repair)
        self._defaults = defaults
        self.warms_cache = is_cached_unasked(defaults.system)

    async def execute(
        self, prompt: Prompt, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[TOutput, TokenUsage]:
        """Call the model once; see `GeminiStrategy.execute`."""
        return await super().execute(self._defaults.apply(prompt), attempt, timeout, state)

    def portable_request(self, prompt: Prompt) -> PortableRequest:
        """Return the whole request; see `LLMCallStrategy.portable_request`."""
        return self._portable(self._defaults.apply(prompt))

    def token_bound(self, prompt: Prompt) -> TokenBound:
        """Return the most that one call can be billed for; see `GeminiStrategy.token_bound`."""
        return super().token_bound(self._defaults.apply(prompt))

    def expected_input_tokens(self, prompt: Prompt) -> int:
        """Return roughly how many input tokens a call has, system prompt and schema included."""
        return expected_tokens(self._defaults.apply(prompt))

    async def dry_run(self, prompt: Prompt) -> tuple[TOutput, TokenUsage]:
        """Return a stand-in for `execute`, without a call."""
        return await super().dry_run(self._defaults.apply(prompt))

    def _settings(self) -> dict[str, object]:
        return {**super()._settings(), **self._defaults.settings()}

    def _schema_for(self, prompt: Prompt) -> OutputSchema | None:
        return self._defaults.schema_for(prompt)

    def _temperature_for(self, prompt: Prompt) -> float | None:
        return self._defaults.temperature_for(prompt)
