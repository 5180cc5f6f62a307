"""POST /responses, and what can be done with a response that is kept."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..call import ModelCall
from ..exchange import Response, json_response, stream_response
from .endpoint import Asked, ModelEndpoint
from .model_rules import checked_model, served_tier
from .named_files import check_files
from .pages import PageRequest
from .refusal import RefusedError
from .response_answer import ResponseAnswerer
from .response_body import (
    LOGPROBS,
    RESPONSE_BODIES,
    check_context,
    check_values,
    read_format,
)
from .response_events import events_of
from .response_input import Dialogue, hear, named_files
from .response_store import KeptResponse, ResponseStore
from .response_tools import read_choice, read_tools

if TYPE_CHECKING:
    from ..call import Answer, Sender
    from ..exchange import Request
    from ..world import World
    from .catalogue import ModelFacts
    from .dialect import OpenAIDialect
    from .file_store import FileStore
    from .prompt_cache import PromptCache
    from .response_body import ResponseBody, WantedFormat
    from .response_tools import WantedChoice, WantedTools

_MOST_ITEMS: Final = 100
_USUAL_ITEMS: Final = 20


class Responses(ModelEndpoint):
    """Answers requests for responses, live and as lines of batches, and keeps them.

    Args:
        world: where it happens.
        dialect: how errors are said.
        prompt_cache: shared with the other endpoints.
        files: that the input may name.
    """

    def __init__(
        self, world: World, dialect: OpenAIDialect, prompt_cache: PromptCache, files: FileStore
    ) -> None:
        super().__init__(world, dialect)
        self._prompt_cache = prompt_cache
        self._files = files
        self._kept = ResponseStore()

    def read(self, body: bytes, sender: Sender) -> Asked:
        """Read one body; see `ModelEndpoint.read`.

        Input tokens are those of the instructions, of the input and all that was said before it,
        of the tools and of the schema, whose JSON counts as it was sent.
        """
        wanted = RESPONSE_BODIES.read(body, self._world.settings.models)
        facts = checked_model(self._world, wanted.model)
        check_values(wanted, facts)
        dialogue = self._dialogue(sender.key, wanted)
        said = _with_instructions(dialogue, wanted.instructions)
        tools = read_tools(wanted.tools)
        choice = read_choice(wanted.tool_choice, tools.callable)
        answer_format = read_format(wanted, said.texts)
        tokens = said.tokens + tools.tokens + answer_format.tokens
        check_context(facts, tokens)
        cached = self._prompt_cache.look_up(sender.key, wanted.model or "", said.texts, tokens)
        echoed = _echoed(wanted, facts, answer_format, tools, choice)
        keep = _keep_nothing if wanted.store is False else partial(self._keep, sender.key, dialogue)
        answerer = ResponseAnswerer(
            self._world,
            echoed,
            reasons=facts.reasons(wanted.effort),
            custom_tools=tools.custom,
            top_logprobs=_logprobs(wanted),
            keep=keep,
        )
        call = self._call(body, sender, wanted, said, choice)
        call.schema, call.input_tokens = answer_format.schema, tokens
        call.cached_input_tokens = cached.cached_tokens
        encode = self._prompt_cache.keeping(cached, answerer.encode)
        return Asked(call, encode, encode_failed=answerer.encode_failed)

    def _call(
        self,
        body: bytes,
        sender: Sender,
        wanted: ResponseBody,
        said: Dialogue,
        choice: WantedChoice,
    ) -> ModelCall:
        return ModelCall(
            provider="openai",
            operation="responses",
            model=wanted.model or "",
            key=sender.key,
            messages=said.turns,
            system="\n".join(said.system),
            tools=choice.offer.tools,
            forced_tool=choice.offer.forced,
            max_output_tokens=wanted.max_output_tokens,
            streamed=bool(wanted.stream) and sender.lane == "live",
            lane=sender.lane,
            custom_id=sender.custom_id,
            headers=sender.headers,
            identity=self._world.chance.digest("openai responses", body),
        )

    def _dialogue(self, key: str, wanted: ResponseBody) -> Dialogue:
        """Return all that was said, the instructions of this request left out."""
        dialogue = Dialogue()
        if wanted.previous_response_id is not None:
            kept = self._kept.previous(key, wanted.previous_response_id)
            dialogue = kept.dialogue.continued()
        if wanted.input is not None:
            hear(dialogue, wanted.input, self._world.ids)
            check_files(self._files, key, named_files(dialogue))
        return dialogue

    def _keep(self, key: str, dialogue: Dialogue, response: dict[str, Any], answer: Answer) -> None:
        after = dialogue.continued()
        for item in response["output"]:
            if "call_id" in item:
                after.open_calls.append(item["call_id"])
        if response["output"]:
            after.say("assistant", answer.text)
        self._kept.put(key, KeptResponse(response, dialogue.items, after))

    # --- what is kept ----------------------------------------------------------------------

    async def retrieve(self, request: Request) -> Response:
        """Return a response, as an object or once more as events."""
        return _retrieved(self._kept_response(request), request)

    async def delete(self, request: Request) -> Response:
        """Keep a response no longer."""
        name = request.params["id"]
        self._kept.delete(request.key, name)
        return json_response({"id": name, "object": "response", "deleted": True})

    async def cancel(self, request: Request) -> Response:
        """Refuse: all responses here are made at once."""
        self._kept_response(request)
        raise RefusedError("Cannot cancel a synchronous response.")

    async def input_items(self, request: Request) -> Response:
        """Return the input of a response, page by page."""
        page = PageRequest.of(request.query, most=_MOST_ITEMS, usual=_USUAL_ITEMS)
        items = reversed(self._kept_response(request).input_items)
        return page.cut([(item["id"], item) for item in items], dict, _no_item)

    def _kept_response(self, request: Request) -> KeptResponse:
        return self._kept.get(request.key, request.params["id"])


def _with_instructions(dialogue: Dialogue, instructions: str | None) -> Dialogue:
    """Return a dialogue with the instructions of this request, which the next one forgets."""
    if instructions is None:
        return dialogue
    said = dialogue.continued()
    said.say("developer", instructions)
    said.system.insert(0, said.system.pop())
    said.texts = [*said.texts[-2:], *said.texts[:-2]]
    return said


def _keep_nothing(response: dict[str, Any], answer: Answer) -> None:
    """The client wants the response to be forgotten."""


def _logprobs(wanted: ResponseBody) -> int | None:
    return (wanted.top_logprobs or 0) if LOGPROBS in (wanted.include or ()) else None


def _echoed(
    wanted: ResponseBody,
    facts: ModelFacts,
    answer_format: WantedFormat,
    tools: WantedTools,
    choice: WantedChoice,
) -> dict[str, Any]:
    """Return the fields of a response that repeat what was asked, defaults filled in."""
    verbosity = None if wanted.text is None else wanted.text.verbosity
    summary = None if wanted.reasoning is None else wanted.reasoning.summary
    return {
        "background": False,
        "instructions": wanted.instructions,
        "max_output_tokens": wanted.max_output_tokens,
        "max_tool_calls": wanted.max_tool_calls,
        "metadata": wanted.metadata or {},
        "model": facts.snapshot,
        "parallel_tool_calls": wanted.parallel_tool_calls is not False,
        "previous_response_id": wanted.previous_response_id,
        "prompt_cache_key": wanted.prompt_cache_key,
        "prompt_cache_retention": wanted.prompt_cache_retention,
        "reasoning": {"effort": wanted.effort or facts.usual_effort(), "summary": summary},
        "safety_identifier": wanted.safety_identifier,
        "service_tier": served_tier(wanted.service_tier),
        "temperature": 1.0 if wanted.temperature is None else wanted.temperature,
        "text": {"format": answer_format.shown, "verbosity": verbosity or "medium"},
        "tool_choice": choice.shown,
        "tools": tools.shown,
        "top_logprobs": wanted.top_logprobs or 0,
        "top_p": 1.0 if wanted.top_p is None else wanted.top_p,
        "truncation": wanted.truncation or "disabled",
        "user": wanted.user,
    }


def _retrieved(kept: KeptResponse, request: Request) -> Response:
    if request.query.get("stream") != "true":
        return json_response(kept.response)
    after = request.query.get("starting_after", "-1")
    if not after.lstrip("-").isdecimal():
        message = f"Invalid 'starting_after': expected an integer, but got '{after}' instead."
        raise RefusedError(message, param="starting_after", code="invalid_type")
    return stream_response(events_of(kept.response, int(after)))


def _no_item(name: str) -> RefusedError:
    return RefusedError(f"Item with id '{name}' not found.", param="after", status=404)
