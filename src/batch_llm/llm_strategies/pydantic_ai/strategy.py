"""Runs a pydantic-ai agent, or anything with its shape."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from ...base.fingerprint import fingerprint_of
from ...base.request import LLMRequest
from ...base.strategy import RequestStrategy, TOutput
from ...base.usage import add_usage, empty_usage
from ...exceptions import ConfigurationError, InputError, MalformedAnswerError
from ..composed import type_of_answers
from ..token_bounds import no_bound
from .answer import check_end
from .billed_as import billed_as_model, billed_as_name
from .errors import NOT_ITS_FORMAT, is_stumble
from .http_watch import HTTPWatch
from .messages import encode_content, encode_messages, encode_sampling, retries_off
from .opening import scope_of_model
from .usage import attach_usage, read_usage, usage_of

if TYPE_CHECKING:
    from pydantic_ai.agent import AbstractAgent

    from ...base.request import Prompt
    from ...base.retry_state import RetryState
    from ...base.schema import OutputSchema
    from ...base.strategy import PortableRequest, PricedModel
    from ...base.usage import TokenBound, TokenUsage
    from ...core.protocols import AgentLike, ResultLike


class PydanticAIStrategy(RequestStrategy[TOutput]):
    """Answers each prompt with one run of an agent.

    Where no tools and no output functions are needed, `PydanticAIModelStrategy` does the same for
    a fraction of the CPU.

    The retries of the SDK's client are off while a pydantic-ai agent runs here: retries are the
    processor's. What the agent does within a run (its tools, its output retries) stays the
    agent's. Errors of a run are handed on as they are, so that `on_error` of a subclass meets the
    library's own; but an answer that makes the library stumble is a `MalformedAnswerError`.

    Tokens of a run that fails are counted: those that the agent counted, and those billed for a
    last answer that pydantic-ai could not read. To see the latter, runs put a hook on the httpx2
    client of the agent's OpenAI, Anthropic or Gemini model, which `aclose()` takes off. What is
    billed for an unreadable answer of another provider is not counted, nor what comes over a
    WebSocket, or to a client of another HTTP library.

    Args:
        agent: a pydantic-ai `Agent`, or any object with `async run(prompt)` whose result has
            `output` (or `data`) and, if it knows, `usage`.
        fingerprint: a text of yours for `fingerprint()` that changes whenever the agent's answers
            would: tools and instructions may be any code, and cannot be told from outside.
    """

    _fingerprint: str | None = None

    def __init__(self, agent: AgentLike[TOutput], *, fingerprint: str | None = None) -> None:
        self.agent = agent
        self._fingerprint = fingerprint
        self.quota_scope = _scope_of_agent(agent)
        self.priced_as = _billed_as(agent)

    # Not in `__init__`, which a subclass with an `agent` of its own need not call.
    @cached_property
    def _http(self) -> HTTPWatch:
        return HTTPWatch()

    async def execute(
        self,
        prompt: Prompt,
        attempt: int,
        timeout: float,
        state: RetryState | None = None,
    ) -> tuple[TOutput, TokenUsage]:
        """Run the agent once.

        Args:
            prompt: text, or a whole request. Of a request, a pydantic-ai agent takes everything,
                in addition to its own instructions and in place of its own settings; another
                agent takes plain text only.
            attempt: 1 for the first attempt.
            timeout: seconds this attempt may take.
            state: the item's memory.

        Returns:
            The agent's output, and the tokens of all model requests it made.

        Raises:
            InputError: for a request that the agent cannot take.
            MalformedAnswerError: if pydantic-ai stumbled over an answer (an IndexError, a
                TypeError), or took the beginning of the last one, whose stream broke off, for
                the whole.
            Exception: whatever the run raised. From a pydantic-ai agent it carries the tokens that
                the run had used, under `_failed_token_usage` in its `__dict__`.
        """
        agent = _as_library_agent(self.agent)
        if agent is not None:
            return await _run_library_agent(agent, prompt, self._http, self.quota_scope)
        result = await self.agent.run(_plain_text(prompt))
        return _output_of(result), usage_of(result)

    def fingerprint(self) -> str:
        """Return the text that was given for it, as a digest.

        Raises:
            ConfigurationError: if none was given, and for a subclass that does not say what it
                adds.
        """
        if not self._fingerprint:
            raise ConfigurationError(
                f"What the answers of an agent depend on cannot be told: its tools and "
                f"instructions may be any code. Give {type(self).__name__} a text of yours, as in "
                f"fingerprint='invoices, version 1', and change it whenever the agent changes; or "
                f"take PydanticAIModelStrategy, which can tell."
            )
        return fingerprint_of(self, "agent", "-", settings={"fingerprint": self._fingerprint})

    def output_type(self, prompt: Prompt) -> Any:
        """Return the type of the agent's outputs where that is a class, else `Any`."""
        declared = super().output_type(prompt)
        if declared is not Any:
            return declared
        if isinstance(prompt, LLMRequest) and prompt.output_schema is not None:
            return type_of_answers(prompt.output_schema)
        kind = getattr(self.agent, "output_type", Any)
        return kind if isinstance(kind, type) else Any

    def portable_request(self, prompt: Prompt) -> PortableRequest:
        """Refuse: an agent's run is as many requests as the agent makes of it."""
        raise ConfigurationError(
            "An agent makes as many requests as it needs, with tools between them, and a batch "
            "answers one. Where none are needed, PydanticAIModelStrategy does the same."
        )

    def token_bound(self, prompt: Prompt) -> TokenBound | None:
        """Refuse: nothing bounds a run of an agent.

        Raises:
            ConfigurationError: always, naming the strategy that has a bound.
        """
        raise no_bound(
            "an agent may make any number of calls in one run, and use tools",
            "Where it has none, take PydanticAIModelStrategy.",
        )

    async def aclose(self) -> None:
        """Leave the agent's HTTP client as it was."""
        self._http.detach()

    async def dry_run(self, prompt: Prompt) -> tuple[TOutput, TokenUsage]:
        """Return a stand-in for `execute`, without a call.

        The output is a text that says so, or None where the agent's outputs are no strings: a
        value made up here could be taken for one of the model's.
        """
        output, usage = await super().dry_run(prompt)
        output_type = getattr(self.agent, "output_type", str)
        return output if output_type is str else cast("TOutput", None), usage


async def _run_library_agent(
    agent: AbstractAgent[Any, TOutput], prompt: Prompt, http: HTTPWatch, scope: str | None
) -> tuple[TOutput, TokenUsage]:
    from pydantic_ai.usage import RunUsage

    request = LLMRequest(prompt) if isinstance(prompt, str) else prompt
    arguments = _arguments_of(request)
    settings = retries_off(agent.model)
    settings.update(encode_sampling(request))
    # The agent counts into this object as it goes, so that a run that fails is counted too.
    spent = RunUsage()

    def counted() -> object:
        return spent.requests, spent.total_tokens

    with http.calls(agent.model, counted, scope) as unread:
        try:
            result = await agent.run(
                encode_content(request.messages[-1]),
                usage=spent,
                model_settings=settings,
                **arguments,
            )
        except BaseException as error:  # a cancelled run was billed as well
            usage = add_usage(read_usage(spent), unread.usage or empty_usage())
            # A tool's own TypeError is another matter: the answer that called it has been read.
            if unread and is_stumble(error):
                raise MalformedAnswerError(
                    NOT_ITS_FORMAT, usage=usage, request_id=unread.request_id
                ) from error
            attach_usage(error, usage)
            raise
    usage = read_usage(spent)
    check_end(result.response, usage)
    return result.output, usage


def _arguments_of(request: LLMRequest) -> dict[str, Any]:
    """Return what `run` takes besides the last message and the settings."""
    *history, last = request.messages
    if last.role != "user":
        raise InputError("The last message of a request to an agent is the user's.")
    arguments: dict[str, Any] = {}
    if history:
        arguments["message_history"] = encode_messages(history, None)
    if request.system:
        arguments["instructions"] = request.system
    if request.output_schema is not None:
        arguments["output_type"] = _output_type(request.output_schema)
    return arguments


def _output_type(schema: OutputSchema) -> Any:
    from pydantic_ai.output import StructuredDict

    if isinstance(schema.source, type):
        return schema.source
    return StructuredDict(schema.json_schema, name=schema.name)


def _as_library_agent(agent: AgentLike[TOutput]) -> AbstractAgent[Any, TOutput] | None:
    # Whoever holds an agent of the library has imported it: looking is enough, and costs nothing.
    library = sys.modules.get("pydantic_ai.agent")
    if library is None or not isinstance(agent, library.AbstractAgent):
        return None
    return cast("AbstractAgent[Any, TOutput]", agent)


def _billed_as(agent: AgentLike[TOutput]) -> PricedModel | None:
    library_agent = _as_library_agent(agent)
    model = None if library_agent is None else library_agent.model
    if model is None or isinstance(model, str):
        return None if model is None else billed_as_name(model, None)
    return billed_as_model(model)


def _scope_of_agent(agent: AgentLike[TOutput]) -> str | None:
    library_agent = _as_library_agent(agent)
    model = None if library_agent is None else library_agent.model
    return scope_of_model(model) if model is not None and not isinstance(model, str) else model


def _plain_text(prompt: Prompt) -> str:
    if isinstance(prompt, str):
        return prompt
    if prompt == LLMRequest(prompt.text):
        return prompt.text
    raise InputError(
        "This agent takes text only. A request with more than one plain user message needs a "
        "pydantic-ai Agent, or another strategy."
    )


def _output_of(result: ResultLike[TOutput]) -> TOutput:
    for name in ("output", "data"):
        if hasattr(result, name):
            return cast("TOutput", getattr(result, name))
    raise TypeError(
        f"The agent's run returned a {type(result).__name__}, which has neither output nor data."
    )
