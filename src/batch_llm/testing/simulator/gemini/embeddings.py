"""POST models/{model}:embedContent and :batchEmbedContents, live and in batches."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..call import Answer, ModelCall, Sender
from ..exchange import json_response
from ..faults import FaultKind
from ..serving import respond
from ..vectors import unit_vector
from .answer import encoded_tokens
from .refusal import RefusedError, refused_field
from .request import BatchEmbedContentsRequest, EmbedContentRequest, decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..exchange import Request, Response
    from ..serving import Outcome
    from ..world import World
    from .dialect import GeminiDialect
    from .models import Model, Models
    from .prompt import PromptReader

_MOST_AT_ONCE: Final = 100
"""Contents in one `batchEmbedContents`."""
_MOST_DIMENSIONS: Final = 3_072

_SMALL_DIMENSIONS: Final = 768
_ONE: Final = "embedContent"
_MANY: Final = "batchEmbedContents"
_REQUEST: Final = "EmbedContentRequest"


class Embeddings:
    """Makes vectors of texts: equal ones of equal texts, each of length 1.

    Args:
        world: where it happens.
        dialect: how errors are said.
        models: which there are.
        prompts: reads what is embedded.
    """

    def __init__(
        self, world: World, dialect: GeminiDialect, models: Models, prompts: PromptReader
    ) -> None:
        self._world = world
        self._dialect = dialect
        self._models = models
        self._prompts = prompts

    async def create(self, request: Request) -> Response:
        """Answer one request for one content."""
        return await self._answer_live(request, _ONE)

    async def create_many(self, request: Request) -> Response:
        """Answer one request for many contents."""
        return await self._answer_live(request, _MANY)

    async def answer(self, model: str, request: bytes, sender: Sender) -> Response:
        """Answer one line of a batch; see `GenerateContent.answer`."""
        try:
            embedding = self._read(model, request, sender, _ONE)
        except RefusedError as refused:
            return self._dialect.refused(refused)
        return await self._respond(embedding)

    def first_call(self, model: str, request: bytes, sender: Sender) -> ModelCall:
        """Return what a line asks of the model, which is not run; see `GenerateContent`."""
        return self._read(model, request, sender, _ONE).call

    async def _answer_live(self, request: Request, operation: str) -> Response:
        params = request.params
        sender = Sender(request.key, request.headers)
        embedding = self._read(params["model"], request.body, sender, operation, params["version"])
        return await self._respond(embedding)

    async def _respond(self, embedding: _Embedding) -> Response:
        return await respond(
            self._world, embedding.call, self._dialect, embedding.encode, embedding
        )

    def _read(
        self, name: str, body: bytes, sender: Sender, operation: str, version: str = "v1beta"
    ) -> _Embedding:
        model = self._models.named(name, operation, version, embeds=True)
        if operation == _MANY:
            written = decode(body, BatchEmbedContentsRequest).requests or []
            _check_many(written, model)
        else:
            written = [decode(body, EmbedContentRequest)]
        wanted = [self._wanted(request, sender.key, model) for request in written]
        call = ModelCall(
            provider="gemini",
            operation=operation,
            model=model.id,
            key=sender.key,
            lane=sender.lane,
            custom_id=sender.custom_id,
            headers=sender.headers,
            messages=[("user", content.text) for content in wanted],
            input_tokens=sum(content.tokens.total() for content in wanted),
            identity=self._world.chance.digest(
                f"gemini {operation}", b"\0".join((model.id.encode(), body))
            ),
        )
        return _Embedding(call, wanted)

    def _wanted(self, request: EmbedContentRequest, key: str, model: Model) -> _Wanted:
        if request.content is None or not request.content.parts:
            raise refused_field("content", "content is empty.", of=_REQUEST)
        prompt = self._prompts.read([request.content], None, (), key, of=_REQUEST)
        return _Wanted(prompt.turns[0][1], prompt.tokens, _dimensions(request, model))


class _Wanted(NamedTuple):
    """One content to embed: its text, its tokens by modality, and how long its vector is."""

    text: str
    tokens: Counter[str]
    dimensions: int


class _Embedding:
    """A call for vectors; it gives the answer itself, in the place of the world's answers."""

    def __init__(self, call: ModelCall, wanted: Sequence[_Wanted]) -> None:
        self.call = call
        self._wanted = wanted

    async def answer(self, call: ModelCall) -> Answer:
        """Return the vectors."""
        return Answer(
            vectors=[
                unit_vector(call.model, content.text, content.dimensions)
                for content in self._wanted
            ]
        )

    def encode(self, outcome: Outcome) -> Response:
        """Return what goes back."""
        told: dict[str, Any] = {"usageMetadata": self._usage()}
        embeddings = [{"values": values} for values in outcome.said.vectors or ()]
        if outcome.has(FaultKind.EMPTY):
            return json_response(told)
        if self.call.operation == _MANY:
            told["embeddings"] = embeddings
        else:
            told["embedding"] = embeddings[0]
        return json_response(told)

    def _usage(self) -> dict[str, object]:
        tokens: Counter[str] = Counter()
        for content in self._wanted:
            tokens += content.tokens
        return {
            "promptTokenCount": tokens.total(),
            "totalTokenCount": tokens.total(),
            "promptTokensDetails": encoded_tokens(tokens),
        }


def _check_many(requests: Sequence[EmbedContentRequest], model: Model) -> None:
    of = "BatchEmbedContentsRequest"
    if not requests:
        raise refused_field("requests", "requests is not specified", of=of)
    if len(requests) > _MOST_AT_ONCE:
        problem = f"at most {_MOST_AT_ONCE} requests can be in one batch"
        raise refused_field("requests", problem, of=of)
    for index, request in enumerate(requests):
        if request.model not in (model.name, model.id):
            problem = f"the model must be {model.name}, as in the address."
            raise refused_field(f"requests[{index}].model", problem, of=of)


def _dimensions(request: EmbedContentRequest, model: Model) -> int:
    most = _MOST_DIMENSIONS if model.id.startswith("gemini-") else _SMALL_DIMENSIONS
    asked = request.output_dimensionality
    if asked is None:
        return most
    if not 1 <= asked <= most:
        problem = f"output_dimensionality must be in the range [1, {most}]."
        raise refused_field("output_dimensionality", problem, of=_REQUEST)
    return asked
