"""One request for a message: from the bytes of its body to what is asked of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..call import ModelCall
from .body import read_body
from .catalogue import model_named, unknown_model
from .prompt import read_prompt
from .prompt_cache import CacheUse
from .rules import check_counted, check_limits, check_prompt, check_sampling, thinking_of
from .tools import client_tools, forced_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..call import Sender
    from ..world import World
    from .body import Body, Thinking
    from .catalogue import Model
    from .documents import Document
    from .prompt import Prompt
    from .prompt_cache import PromptCache


@dataclass(slots=True)
class Asked:
    """A request for a message that is in order.

    Attributes:
        call: what is asked of the model.
        model: the model.
        cache: what the request reads from the prompt cache, and writes to it.
        documents: what the answer may cite.
        thinking: how it thinks; None where it does not.
    """

    call: ModelCall
    model: Model
    cache: CacheUse
    documents: Sequence[Document]
    thinking: Thinking | None

    @property
    def cites(self) -> bool:
        """Whether the answer cites documents."""
        return any(document.is_citable for document in self.documents)


class RequestReader:
    """Reads the bodies of requests for messages, live ones and those of batches.

    Args:
        world: where it happens.
        cache: prefixes that were read before.
    """

    def __init__(self, world: World, cache: PromptCache) -> None:
        self._world = world
        self._cache = cache

    def count(self, data: bytes) -> int:
        """Return the input tokens of a body, which need not say how long the answer may be.

        Raises:
            RefusedError: for what the API does not take.
        """
        body = self._body(data)
        self._model_of(body)
        check_counted(body)
        return read_prompt(body).tokens

    def read(self, data: bytes, sender: Sender) -> Asked:
        """Return what a body asks for.

        Raises:
            RefusedError: for what the API does not take.
        """
        body = self._body(data)
        model = self._model_of(body)
        check_limits(body, model)
        check_sampling(body, model)
        thinking = thinking_of(body, model)
        prompt = read_prompt(body)
        check_prompt(body, prompt, model)
        cache = self._cache_use(body, sender, prompt, model)
        call = _call(body, prompt, sender)
        call.forced_tool = forced_tool(body.tool_choice, body.tools or (), thinking)
        call.identity = self._identity(data, sender)
        call.cached_input_tokens = cache.read_tokens
        call.cache_write_tokens = cache.written_tokens
        call.hour_cache_write_tokens = cache.written_1h_tokens
        return Asked(call, model, cache, prompt.documents, thinking)

    def _body(self, data: bytes) -> Body:
        return read_body(data, self._world.settings.models)

    def _model_of(self, body: Body) -> Model:
        settings = self._world.settings
        model = model_named(body.model, settings.models, only_listed=settings.strict_models)
        if model is None or model.lifecycle == "retired":
            raise unknown_model(body.model)
        return model

    def _cache_use(self, body: Body, sender: Sender, prompt: Prompt, model: Model) -> CacheUse:
        if not any(piece.cached_seconds for piece in prompt.pieces):
            return CacheUse()
        # How tools are chosen and whether the model thinks are a part of what it reads.
        root = f"{sender.key}\0{body.model}\0{body.tool_choice}\0{body.thinking}\0".encode()
        return self._cache.look_up(root, prompt.pieces, model.least_cached_tokens)

    def _identity(self, data: bytes, sender: Sender) -> bytes:
        # Two lines of a batch that ask the same are two calls.
        line = b"" if sender.custom_id is None else sender.custom_id.encode() + b"\0"
        return self._world.chance.digest("anthropic messages", line + data)


def _call(body: Body, prompt: Prompt, sender: Sender) -> ModelCall:
    tools = client_tools(body.tools or ())
    may_use_tools = body.tool_choice is None or body.tool_choice.type != "none"
    return ModelCall(
        provider="anthropic",
        operation="messages",
        model=body.model,
        key=sender.key,
        messages=prompt.turns,
        system=prompt.system,
        input_tokens=prompt.tokens,
        schema=None if prompt.schema is None else prompt.schema.value,
        tools=tools if may_use_tools else (),
        max_output_tokens=body.max_tokens,
        stop=body.stop_sequences or (),
        streamed=bool(body.stream),
        lane=sender.lane,
        custom_id=sender.custom_id,
        headers=sender.headers,
    )
