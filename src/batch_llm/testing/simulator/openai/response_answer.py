"""A response, as an object or as events."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..call import Answer
from ..exchange import json_response, stream_response
from ..faults import FaultKind
from .logprobs import logprobs_of
from .response_events import events_of
from .response_input import ID_DIGITS
from .usage import response_usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..call import Usage
    from ..exchange import Response
    from ..serving import Outcome
    from ..world import World

_INCOMPLETE: Final = {"length": "max_output_tokens", "safety": "content_filter"}
_FAILURE: Final = {
    "code": "server_error",
    "message": (
        "An error occurred while processing your request. You can retry your request, or contact "
        "us through our help center at help.openai.com if the error persists."
    ),
}


@dataclass(frozen=True, slots=True)
class ResponseAnswerer:
    """Writes one response.

    Attributes:
        world: where it happens.
        echoed: the fields that repeat what the client asked, defaults filled in.
        reasons: whether an item of reasoning stands before the answer.
        custom_tools: names of the tools that take free text.
        top_logprobs: alternatives that are told for each token; None tells no probabilities.
        keep: called with each response, and with what the model said.
    """

    world: World
    echoed: dict[str, Any]
    reasons: bool
    custom_tools: frozenset[str]
    top_logprobs: int | None
    keep: Callable[[dict[str, Any], Answer], None]

    def encode(self, outcome: Outcome) -> Response:
        """Return the response to a call that was executed."""
        answer = outcome.said
        reason = _INCOMPLETE.get(answer.ending)
        status = "completed" if reason is None else "incomplete"
        output = [] if outcome.has(FaultKind.EMPTY) else self._output(answer, status)
        response = self._response(status, output, outcome.usage)
        if reason is not None:
            response["incomplete_details"] = {"reason": reason}
        return self._sent(response, answer, outcome.call.streamed)

    def encode_failed(self, outcome: Outcome) -> Response:
        """Return a response that reports a failure, with status 200."""
        response = self._response("failed", [], None)
        response["error"] = dict(_FAILURE)
        return self._sent(response, Answer(), outcome.call.streamed)

    def _sent(self, response: dict[str, Any], answer: Answer, streamed: bool) -> Response:
        self.keep(response, answer)
        return stream_response(events_of(response)) if streamed else json_response(response)

    def _response(
        self, status: str, output: list[dict[str, Any]], usage: Usage | None
    ) -> dict[str, Any]:
        now = int(self.world.clock.now())
        return {
            "id": self._id("resp_"),
            "object": "response",
            "created_at": now,
            "status": status,
            "completed_at": now if status == "completed" else None,
            "error": None,
            "incomplete_details": None,
            "output": output,
            "usage": None if usage is None else response_usage(usage),
            **self.echoed,
        }

    def _output(self, answer: Answer, status: str) -> list[dict[str, Any]]:
        items = [self._reasoning()] if self.reasons else []
        if answer.tool is None:
            items.append(self._message(answer, status))
        else:
            items.append(self._tool_call(answer.tool, answer.text, status))
        return items

    def _reasoning(self) -> dict[str, Any]:
        thoughts = base64.b64encode(self._id("").encode()).decode()
        return {
            "id": self._id("rs_"),
            "type": "reasoning",
            "summary": [],
            "encrypted_content": thoughts,
        }

    def _message(self, answer: Answer, status: str) -> dict[str, Any]:
        part: dict[str, Any]
        if answer.ending == "refusal":
            part = {"type": "refusal", "refusal": answer.text}
        else:
            wanted = self.top_logprobs
            logprobs = [] if wanted is None else logprobs_of(answer.text, wanted)
            part = {
                "type": "output_text",
                "annotations": [],
                "logprobs": logprobs,
                "text": answer.text,
            }
        return {
            "id": self._id("msg_"),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [part],
        }

    def _tool_call(self, name: str, given: str, status: str) -> dict[str, Any]:
        call_id = self.world.ids.letters("call_", 24)
        if name in self.custom_tools:
            return {
                "id": self._id("ctc_"),
                "type": "custom_tool_call",
                "call_id": call_id,
                "input": given,
                "name": name,
            }
        return {
            "id": self._id("fc_"),
            "type": "function_call",
            "status": status,
            "arguments": given,
            "call_id": call_id,
            "name": name,
        }

    def _id(self, prefix: str) -> str:
        return self.world.ids.hexadecimal(prefix, ID_DIGITS)
