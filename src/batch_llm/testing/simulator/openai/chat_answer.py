"""A chat completion, whole or in chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..exchange import event, json_response, stream_response
from ..faults import FaultKind
from .logprobs import logprobs_of
from .pieces import padding, pieces_of
from .usage import completion_usage

if TYPE_CHECKING:
    from ..call import Answer, Ending
    from ..exchange import Response
    from ..serving import Outcome
    from ..world import World

_FINISH: Final[dict[Ending, str]] = {
    "stop": "stop",
    "length": "length",
    "stop_sequence": "stop",
    "refusal": "stop",
    "safety": "content_filter",
    "tool_call": "tool_calls",
}
_DONE: Final = event(b"[DONE]")
_CALL_ID_LETTERS: Final = 24


@dataclass(frozen=True, slots=True)
class ChatAnswerer:
    """Writes the answer to one chat completion.

    Attributes:
        world: where it happens.
        model: the name that the answer carries.
        fingerprint: of the system that answers; None for a reasoning model.
        service_tier: that served it.
        custom_tools: names of the tools that take free text.
        tool_named: whether the client named the tool that must be used.
        top_logprobs: alternatives that are told for each token; None tells no probabilities.
        include_usage: whether a stream ends with the usage.
        obfuscated: whether a stream's chunks are padded.
        metadata: that the client sent; None for none.
    """

    world: World
    model: str
    fingerprint: str | None
    service_tier: str = "default"
    custom_tools: frozenset[str] = frozenset()
    tool_named: bool = False
    top_logprobs: int | None = None
    include_usage: bool = False
    obfuscated: bool = True
    metadata: dict[str, str] | None = None

    def encode(self, outcome: Outcome) -> Response:
        """Return the response."""
        return self._streamed(outcome) if outcome.call.streamed else self._whole(outcome)

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.world.ids.letters("chatcmpl-", 29),
            "object": kind,
            "created": int(self.world.clock.now()),
            "model": self.model,
        }

    def _whole(self, outcome: Outcome) -> Response:
        answer = outcome.said
        count = 0 if outcome.has(FaultKind.EMPTY) else outcome.call.choices
        whole = self._head("chat.completion")
        whole["choices"] = [
            {
                "index": index,
                "message": self._message(answer),
                "logprobs": self._logprobs(answer.text, answer),
                "finish_reason": self._finish(answer),
            }
            for index in range(count)
        ]
        whole["usage"] = completion_usage(outcome.usage)
        whole["service_tier"] = self.service_tier
        whole["system_fingerprint"] = self.fingerprint
        if self.metadata is not None:
            whole["metadata"] = self.metadata
        return json_response(whole)

    def _finish(self, answer: Answer) -> str:
        if answer.ending == "tool_call" and self.tool_named:
            return "stop"
        return _FINISH[answer.ending]

    def _message(self, answer: Answer) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": answer.text,
            "refusal": None,
            "annotations": [],
        }
        if answer.ending == "refusal":
            message["content"], message["refusal"] = None, answer.text
        elif answer.tool is not None:
            message["content"] = None
            message["tool_calls"] = [self._tool_call(answer.tool, answer.text)]
        return message

    def _tool_call(self, name: str, arguments: str) -> dict[str, Any]:
        call_id = self.world.ids.letters("call_", _CALL_ID_LETTERS)
        if name in self.custom_tools:
            custom = {"name": name, "input": arguments}
            return {"id": call_id, "type": "custom", "custom": custom}
        function = {"name": name, "arguments": arguments}
        return {"id": call_id, "type": "function", "function": function}

    def _logprobs(self, text: str, answer: Answer) -> dict[str, Any] | None:
        if self.top_logprobs is None or answer.tool is not None:
            return None
        told = logprobs_of(text, self.top_logprobs)
        refused = answer.ending == "refusal"
        return {"content": None if refused else told, "refusal": told if refused else None}

    # --- in chunks -------------------------------------------------------------------------

    def _streamed(self, outcome: Outcome) -> Response:
        head = self._head("chat.completion.chunk")
        head["service_tier"] = self.service_tier
        head["system_fingerprint"] = self.fingerprint
        answer = outcome.said
        count = 0 if outcome.has(FaultKind.EMPTY) else outcome.call.choices
        pieces = [
            self._chunk(head, index, delta, text, answer)
            for index in range(count)
            for delta, text in self._deltas(answer)
        ]
        pieces += [self._last_chunk(head, index, answer) for index in range(count)]
        told = []
        if self.include_usage:
            told.append((len(pieces), outcome.usage))
            usage = completion_usage(outcome.usage)
            pieces.append(event({**head, "choices": [], "usage": usage}))
        pieces.append(_DONE)
        return stream_response(pieces, told=told)

    def _deltas(self, answer: Answer) -> list[tuple[dict[str, Any], str]]:
        """Return each delta, and the text that it adds."""
        first: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
        if answer.tool is not None:
            call = self._tool_call(answer.tool, "")
            first["content"], first["tool_calls"] = None, [{"index": 0, **call}]
            field = "custom" if answer.tool in self.custom_tools else "function"
            part = "input" if field == "custom" else "arguments"
            rest = [
                {"tool_calls": [{"index": 0, field: {part: piece}}]}
                for piece in pieces_of(answer.text)
            ]
            return [(first, ""), *((delta, "") for delta in rest)]
        field = "refusal" if answer.ending == "refusal" else "content"
        return [(first, ""), *(({field: piece}, piece) for piece in pieces_of(answer.text))]

    def _chunk(
        self, head: dict[str, Any], index: int, delta: dict[str, Any], text: str, answer: Answer
    ) -> bytes:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": self._logprobs(text, answer) if text else None,
            "finish_reason": None,
        }
        return self._event({**head, "choices": [choice]}, len(text))

    def _last_chunk(self, head: dict[str, Any], index: int, answer: Answer) -> bytes:
        finish = self._finish(answer)
        choice = {"index": index, "delta": {}, "logprobs": None, "finish_reason": finish}
        return self._event({**head, "choices": [choice]}, 0)

    def _event(self, chunk: dict[str, Any], letters: int) -> bytes:
        if self.include_usage:
            chunk["usage"] = None
        if self.obfuscated:
            chunk["obfuscation"] = padding(letters)
        return event(chunk)
