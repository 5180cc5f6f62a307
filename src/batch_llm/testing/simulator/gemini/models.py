"""The models: which names there are, what each can do, and GET /models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ....pricing.model_limits import ModelLimits, limits_of
from ..exchange import json_response
from .pages import PageRequest
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..exchange import Request, Response
    from ..world import World

_LISTED: Final = (
    "gemini-2.0-flash",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-3-flash-preview",
    "gemini-3-pro-preview",
    "gemini-3.1-pro-preview",
    "gemini-3.5-flash",
    "gemini-embedding-001",
)
_GENERATIVE_PREFIXES: Final = ("gemini-", "gemma-", "learnlm-")
_EMBEDDING_PREFIXES: Final = ("gemini-embedding", "text-embedding", "embedding-")
_ACTIONS: Final = ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent")
_EMBEDDING_ACTIONS: Final = ("embedContent", "countTextTokens", "countTokens")

# The guide to context caching (ai.google.dev/gemini-api/docs/caching) names 1,024 tokens for the
# Flash models up to 3, and 4,096 for Pro and for what came later; the service's own error of
# these models ("min_total_token_count=…") says the same.
_SMALL_CACHE: Final = ("gemini-2.0-flash", "gemini-2.5-flash", "gemini-3-flash")
_SMALL_CACHE_TOKENS: Final = 1_024
_CACHE_TOKENS: Final = 4_096

_EMBEDDING_LIMITS: Final = ModelLimits(2_048, 1)
# Of models whose limits nobody knows.
_OTHER_LIMITS: Final = ModelLimits(1_048_576, 65_536)

_USUAL_PAGE: Final = 50
_MOST_ON_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Attributes:
        id: "gemini-2.5-flash".
        embeds: whether it makes vectors, not words.
    """

    id: str
    embeds: bool

    @property
    def name(self) -> str:
        """The name in the API: "models/gemini-2.5-flash"."""
        return f"models/{self.id}"

    @property
    def minimum_cached_tokens(self) -> int:
        """The fewest tokens that can be cached for it."""
        return _SMALL_CACHE_TOKENS if self.id.startswith(_SMALL_CACHE) else _CACHE_TOKENS

    @property
    def input_token_limit(self) -> int:
        """The most tokens that a prompt may have, those of a cache included."""
        return self._limits.context_tokens

    @property
    def output_token_limit(self) -> int:
        """The most tokens that an answer may have, and that a request may ask for."""
        return self._limits.output_tokens

    def check_input(self, tokens: int) -> None:
        """Refuse a prompt that is too long.

        Args:
            tokens: of the prompt, those of a cache included.

        Raises:
            RefusedError: in the words of github.com/google-gemini/gemini-cli/issues/4231.
        """
        if tokens > self.input_token_limit:
            raise RefusedError(
                f"The input token count ({tokens}) exceeds the maximum number of tokens allowed "
                f"({self.input_token_limit})."
            )

    def check_output(self, tokens: int) -> None:
        """Refuse a request that wants more tokens than the model can write.

        Args:
            tokens: that the answer may have, as the request says.

        Raises:
            RefusedError: in the words of github.com/stackblitz-labs/bolt.diy/issues/955.
        """
        if tokens > self.output_token_limit:
            raise RefusedError(
                f"Unable to submit request because it has a maxOutputTokens value of {tokens} but "
                f"the supported range is from 1 (inclusive) to {self.output_token_limit + 1} "
                f"(exclusive). Update the value and try again."
            )

    @property
    def reports_log_probabilities(self) -> bool:
        """Whether answers tell how sure the model was: those of 2.0 do, later ones do not."""
        return self.id.startswith("gemini-2.0-")

    @property
    def thinks(self) -> bool:
        """Whether it thinks before it speaks."""
        return not self.embeds and not self.id.startswith(("gemini-2.0-", "gemma-", "learnlm-"))

    @property
    def _limits(self) -> ModelLimits:
        if self.embeds:
            return _EMBEDDING_LIMITS
        return limits_of("gemini", self.id) or _OTHER_LIMITS

    def encoded(self) -> dict[str, object]:
        """Return the model as the API tells it; what is set follows `google.genai.types.Model`."""
        told: dict[str, object] = {
            "name": self.name,
            "version": "001",
            "displayName": self.id.replace("-", " ").title(),
            "description": f"Simulated {self.id}",
            "inputTokenLimit": self.input_token_limit,
            "outputTokenLimit": self.output_token_limit,
            "supportedGenerationMethods": list(_EMBEDDING_ACTIONS if self.embeds else _ACTIONS),
        }
        if not self.embeds:
            told |= {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2}
        if self.thinks:
            told["thinking"] = True
        return told


class Models:
    """Knows the models, and answers questions about them.

    Args:
        world: whose settings may name further ones, and say that there are no others.
    """

    def __init__(self, world: World) -> None:
        self._further = world.settings.models
        self._only_listed = world.settings.strict_models

    def find(self, name: str) -> Model | None:
        """Return the model "gemini-2.5-flash", also named "models/…"; None where there is none.

        Whatever is named like one of Google's is one, or with strict models what the list names;
        and so are the settings' own.
        """
        name = name.removeprefix("models/")
        if self._only_listed and name not in _LISTED and name not in self._further:
            return None
        if name.startswith(_EMBEDDING_PREFIXES):
            return Model(name, embeds=True)
        if name.startswith(_GENERATIVE_PREFIXES) or name in self._further:
            return Model(name, embeds=False)
        return None

    def named(self, name: str, action: str, version: str, *, embeds: bool | None = None) -> Model:
        """Return the model that a request names.

        Args:
            name: as `find` takes it.
            action: what is asked of it: "generateContent".
            version: of the API, as the address has it.
            embeds: whether it must make vectors, or words; None takes either.

        Raises:
            RefusedError: where there is none, or it cannot do this.
        """
        model = self.find(name)
        if model is not None and embeds in (None, model.embeds):
            return model
        name = name.removeprefix("models/")
        raise RefusedError(
            f"models/{name} is not found for API version {version}, or is not supported for "
            f"{action}. Call ModelService.ListModels to see the list of available models and "
            f"their supported methods.",
            status=404,
        )

    async def get(self, request: Request) -> Response:
        """Answer GET /models/{model}."""
        params = request.params
        model = self.named(params["model"], "generateContent", params["version"])
        return json_response(model.encoded())

    async def page(self, request: Request) -> Response:
        """Answer GET /models, page by page."""
        found = (self.find(name) for name in (*_LISTED, *self._further))
        models = [model for model in found if model is not None]
        page = PageRequest.of(request.query, most=_MOST_ON_PAGE, usual=_USUAL_PAGE)
        return page.cut("models", models, Model.encoded)

    async def page_of_tuned(self, request: Request) -> Response:
        """Answer GET /tunedModels: nobody tunes a model here, and Google leaves out empty lists."""
        return json_response({})
