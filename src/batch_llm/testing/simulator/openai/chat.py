"""POST /chat/completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..call import ModelCall
from .chat_answer import ChatAnswerer
from .chat_body import CHAT_BODIES, check_context, check_values, read_format
from .chat_messages import conversation_of, named_files
from .chat_tools import custom_names, offered, read_tools
from .endpoint import Asked, ModelEndpoint
from .model_rules import checked_model, fingerprint_of, served_tier
from .named_files import check_files

if TYPE_CHECKING:
    from ..call import Sender
    from ..world import World
    from .catalogue import ModelFacts
    from .chat_body import ChatBody
    from .dialect import OpenAIDialect
    from .file_store import FileStore
    from .prompt_cache import PromptCache


class ChatCompletions(ModelEndpoint):
    """Answers chat completions, live and as lines of batches.

    Args:
        world: where it happens.
        dialect: how errors are said.
        prompt_cache: shared with the other endpoints.
        files: that messages may name.
    """

    def __init__(
        self, world: World, dialect: OpenAIDialect, prompt_cache: PromptCache, files: FileStore
    ) -> None:
        super().__init__(world, dialect)
        self._prompt_cache = prompt_cache
        self._files = files

    def read(self, body: bytes, sender: Sender) -> Asked:
        """Read one body; see `ModelEndpoint.read`.

        Input tokens are those of the messages, of the tools and of the schema, whose JSON counts
        as it was sent.
        """
        wanted = CHAT_BODIES.read(body, self._world.settings.models)
        facts = checked_model(self._world, wanted.model)
        check_values(wanted, facts)
        messages = wanted.messages or ()
        talk = conversation_of(messages)
        check_files(self._files, sender.key, named_files(messages))
        schema, schema_tokens = read_format(wanted, talk)
        tools, tool_tokens = read_tools(wanted.tools)
        offer = offered(tools, wanted.tool_choice)
        answerer = self._answerer(wanted, facts, named=bool(offer.forced))
        tokens = talk.tokens + schema_tokens + tool_tokens
        check_context(facts, tokens, wanted.most_tokens)
        model = wanted.model or ""
        cached = self._prompt_cache.look_up(sender.key, model, talk.texts, tokens)
        call = ModelCall(
            provider="openai",
            operation="chat.completions",
            model=model,
            key=sender.key,
            messages=talk.turns,
            system=talk.system,
            input_tokens=tokens,
            schema=schema,
            tools=offer.tools,
            forced_tool=offer.forced,
            max_output_tokens=wanted.most_tokens,
            stop=wanted.stops,
            choices=wanted.n or 1,
            streamed=bool(wanted.stream) and sender.lane == "live",
            lane=sender.lane,
            custom_id=sender.custom_id,
            headers=sender.headers,
            identity=self._world.chance.digest("openai chat.completions", body),
            cached_input_tokens=cached.cached_tokens,
        )
        return Asked(call, self._prompt_cache.keeping(cached, answerer.encode))

    def _answerer(self, wanted: ChatBody, facts: ModelFacts, *, named: bool) -> ChatAnswerer:
        options = wanted.stream_options
        return ChatAnswerer(
            self._world,
            facts.snapshot,
            fingerprint_of(facts),
            service_tier=served_tier(wanted.service_tier),
            custom_tools=custom_names(wanted.tools),
            tool_named=named,
            top_logprobs=(wanted.top_logprobs or 0) if wanted.logprobs else None,
            include_usage=options is not None and bool(options.include_usage),
            obfuscated=options is None or options.include_obfuscation is not False,
            metadata=wanted.metadata,
        )
