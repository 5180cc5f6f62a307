"""llama.cpp's server, inside this process."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec

from ..exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    InputError,
    InvalidRequestError,
    MissingExtraError,
)
from .local_answer import StreamedAnswer, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import ModuleType

    from ..wire.answer import ChatAnswer

T = TypeVar("T")

_SILENT: Final = -1
# Nothing that JSON begins with. Asked for with all force, it comes unless a grammar forbids it.
_NOT_JSON: Final = "Z"
_MOST_GRAMMARS: Final = 256


class ChatEngine(Protocol):
    """The part of `xllamacpp.Server` that is used here. It is safe to call from many threads."""

    def handle_chat_completions(self, prompt: bytes, callback: Callable[[bytes], bool], /) -> None:
        """Answer one request; give each chunk to `callback`, and stop where that returns True."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a model is loaded.

    Attributes:
        file: its GGUF file.
        parallel_slots: requests answered at once.
        context_tokens: tokens of one request, prompt and answer together.
        threads: CPU threads that compute.
    """

    file: Path
    parallel_slots: int
    context_tokens: int
    threads: int


class LocalServer:
    """A loaded model, and as many threads as it has slots, each waiting for one answer.

    A request holds its thread until its answer ends, so no more of them reach the model than it
    has slots, and one that is cancelled while it waits for a thread is never seen by the model.

    Args:
        engine: answers requests; freed with its last reference, which is held here.
        parallel_slots: requests it answers at once.
    """

    def __init__(self, engine: ChatEngine, parallel_slots: int) -> None:
        self._engine: ChatEngine | None = engine
        self._closing = threading.Event()
        self._waiters = ThreadPoolExecutor(parallel_slots, thread_name_prefix="batch_llm_local")
        self._held: set[str] = set()

    @classmethod
    def start(cls, settings: ServerSettings) -> LocalServer:
        """Load a model. Blocks, for seconds.

        Raises:
            MissingExtraError: if llama.cpp is not installed.
            ConfigurationError: if it cannot load the file.
        """
        xllamacpp = _import_engine()
        try:
            engine: ChatEngine = xllamacpp.Server(_engine_parameters(xllamacpp, settings))
        except (RuntimeError, ValueError, MemoryError) as error:
            raise ConfigurationError(
                f"llama.cpp cannot load {settings.file}: it is damaged, of a kind that this "
                f"version does not know, or needs more memory than there is."
            ) from error
        return cls(engine, settings.parallel_slots)

    async def ask(self, body: dict[str, object], private: Iterable[str] = ()) -> ChatAnswer:
        """Answer one chat completion.

        Cancelled, it returns at once. The model stops at its next token, or, while it still reads
        the prompt, at its first one; only then is its slot free again.

        Args:
            body: the request, as `encode_chat` makes it.
            private: prompts, of which an error's message must hold no part.

        Raises:
            InputError: for a text that no JSON can hold.
            InvalidRequestError: if the request is refused.
            ServerError: if llama.cpp fails.
            ConnectionFailedError: if the server is closed before the answer is whole.
        """
        data = _encode({**body, "stream": True, "stream_options": {"include_usage": True}})
        abandoned = threading.Event()
        try:
            return await self._submit(partial(self._answer, data, abandoned.is_set, private))
        finally:
            abandoned.set()

    async def grammar(self, schema: dict[str, Any]) -> str:
        """Return the grammar that holds answers to `schema`.

        llama.cpp answers freely, and says nothing, where it cannot follow a grammar. So each new
        one is tried first, with a request for a single token.

        Raises:
            InvalidRequestError: if llama.cpp cannot follow the schema.
        """
        try:
            grammar: str = _import_engine().json_schema_to_grammar(schema)
        except RuntimeError as error:
            raise _cannot_hold() from error
        if grammar not in self._held:
            if not await self._submit(partial(self._holds, grammar)):
                raise _cannot_hold()
            if len(self._held) >= _MOST_GRAMMARS:
                self._held.clear()
            self._held.add(grammar)
        return grammar

    async def aclose(self) -> None:
        """Stop what is being answered, and free the model's memory, threads and port."""
        self._closing.set()
        await asyncio.to_thread(self._free)

    def _submit(self, call: Callable[[], T]) -> asyncio.Future[T]:
        if self._closing.is_set():
            raise _closed()
        return asyncio.get_running_loop().run_in_executor(self._waiters, call)

    def _free(self) -> None:
        self._waiters.shutdown(wait=True)
        self._engine = None

    def _answer(
        self, data: bytes, is_abandoned: Callable[[], bool], private: Iterable[str] = ()
    ) -> ChatAnswer:
        answer = StreamedAnswer(private)

        def take(chunk: bytes) -> bool:
            answer.add(chunk)
            return answer.has_failed or is_abandoned() or self._closing.is_set()

        # Never in a variable of its own: the error of a failed item, which a result keeps, would
        # hold this frame, and with it the model.
        if self._engine is None or self._closing.is_set():
            raise _closed()
        try:
            self._engine.handle_chat_completions(data, take)
        except (ValueError, RuntimeError) as error:
            # Raised while a request is read, before any answer. `from None`: it may quote it.
            raise refusal(str(error), private) from None
        if self._closing.is_set() and not answer.is_whole:
            raise _closed()
        return answer.finish()

    def _holds(self, grammar: str) -> bool:
        """Return whether `grammar` keeps the model from what it is made to say."""
        body = {
            "messages": [{"role": "user", "content": _NOT_JSON}],
            "max_tokens": 1,
            "temperature": 0,
            "logit_bias": [[_NOT_JSON, 1000]],
            "grammar": grammar,
            "stream": True,
        }
        try:
            return self._answer(_encode(body), bool).text != _NOT_JSON
        except InvalidRequestError:
            return False


def _encode(body: dict[str, object]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError as error:
        # `from None`: the codec's error holds the whole text.
        raise InputError(
            f"The prompt cannot be sent: at character {error.start} of a text it has half of a "
            f"surrogate pair, which no JSON can hold."
        ) from None


def usual_threads() -> int:
    """Return half of the cores this process may use, and at least one.

    llama.cpp's threads wait for each other after every step: where two share a core, or the rest
    of the program needs one, all of them stand still.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, cores // 2)


def _cannot_hold() -> InvalidRequestError:
    return InvalidRequestError(
        "The local model cannot be held to the output schema: either no value fits it, or it has "
        "a type, a pattern or a $ref that llama.cpp cannot follow.",
        status_code=400,
    )


def _closed() -> ConnectionFailedError:
    return ConnectionFailedError("The local model was closed before its answer was whole.")


def _import_engine() -> ModuleType:
    try:
        import xllamacpp  # type: ignore[import-untyped]  # it ships no types
    except ImportError as error:
        raise MissingExtraError("The local model", "local") from error
    module: ModuleType = xllamacpp
    return module


def _engine_parameters(xllamacpp: ModuleType, settings: ServerSettings) -> object:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(settings.file)
    parameters.n_parallel = settings.parallel_slots
    parameters.n_ctx = settings.parallel_slots * settings.context_tokens
    for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
        cpu.n_threads = settings.threads
    parameters.verbosity = _SILENT
    # By default, 8 GB of finished prompts would be kept, which a batch hardly ever reads again.
    parameters.cache_ram_mib = 0
    parameters.cache_idle_slots = False
    # It opens a port on the loopback interface, unasked and unused: whoever finds it, a page in
    # the user's browser included, would need a key that nobody has.
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [secrets.token_hex()]
    parameters.cors_origins = "http://127.0.0.1"
    parameters.n_threads_http = 1
    parameters.ui = False
    parameters.endpoint_slots = False
    return parameters
