from __future__ import annotations

import asyncio
import os
import sys
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.fake_llama import FakeEngine, chunks, endless, install

from batch_llm.exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    InputError,
    InvalidRequestError,
    MissingExtraError,
    ServerError,
)
from batch_llm.llm_strategies import local_server
from batch_llm.llm_strategies.local_server import LocalServer, ServerSettings, usual_threads

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = {"type": "string"}
BODY: dict[str, object] = {"messages": [{"role": "user", "content": "Hello"}]}
PROMPT = "What colour has the sky on the day of the test?"


async def happened(event: threading.Event) -> None:
    """Wait for what another thread does, without holding up the loop."""
    assert await asyncio.to_thread(event.wait, 20), "it never happened"


# --- starting ------------------------------------------------------------------------------


def test_the_engine_is_started_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    started = install(monkeypatch, FakeEngine())
    LocalServer.start(ServerSettings(Path("m.gguf"), 3, 500, 2))
    (parameters,) = started
    assert parameters.model.path == "m.gguf"
    assert (parameters.n_parallel, parameters.n_ctx) == (3, 1500)
    assert parameters.cpuparams.n_threads == parameters.cpuparams_batch.n_threads == 2
    assert parameters.verbosity < 0
    assert parameters.cache_ram_mib == 0


def test_the_port_that_it_opens_is_shut_to_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    started = install(monkeypatch, FakeEngine(), FakeEngine())
    for _ in range(2):
        LocalServer.start(ServerSettings(Path("m.gguf"), 1, 500, 1))
    assert all(parameters.hostnames == ["127.0.0.1"] for parameters in started)
    assert all(parameters.port == 0 for parameters in started)
    (first,), (second,) = (parameters.api_keys for parameters in started)
    assert len(first) >= 32
    assert first != second


def test_a_model_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    with pytest.raises(ConfigurationError, match=r"cannot load .*m\.gguf"):
        LocalServer.start(ServerSettings(Path("m.gguf"), 1, 500, 1))


def test_without_the_extra_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'batch-llm\[local\]'"):
        LocalServer.start(ServerSettings(Path("m.gguf"), 1, 500, 1))


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (4, 2), (9, 4)])
def test_half_of_the_cores_are_left_to_others(
    cores: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert usual_threads() == threads
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert usual_threads() == threads


# --- asking --------------------------------------------------------------------------------


async def test_an_answer_is_streamed_and_put_together() -> None:
    engine = FakeEngine(lambda _: chunks("bl", "ue"))
    server = LocalServer(engine, 1)
    answer = await server.ask(BODY)
    assert answer.text == "blue"
    assert engine.requests == [{**BODY, "stream": True, "stream_options": {"include_usage": True}}]
    await server.aclose()


@pytest.mark.parametrize("kind", [ValueError, RuntimeError])
async def test_what_the_engine_raises_is_a_refused_request(kind: type[Exception]) -> None:
    def refuse(_: dict[str, Any]) -> Iterable[dict[str, Any]]:
        raise kind(f"roles must alternate in {PROMPT}")

    server = LocalServer(FakeEngine(refuse), 1)
    with pytest.raises(InvalidRequestError) as caught:
        await server.ask(BODY, private=(PROMPT,))
    assert str(caught.value) == "The local model refuses the request: roles must alternate in …"
    assert caught.value.__cause__ is None
    await server.aclose()


async def test_a_failed_answer_is_read_no_further() -> None:
    error = {"error": {"code": 500, "message": "broken", "type": "server_error"}}
    engine = FakeEngine(lambda _: [error, *chunks("never read")])
    server = LocalServer(engine, 1)
    with pytest.raises(ServerError, match="broken"):
        await server.ask(BODY)
    assert engine.stopped.is_set()
    await server.aclose()


async def test_half_a_surrogate_pair_is_named_before_anything_is_sent() -> None:
    engine = FakeEngine()
    server = LocalServer(engine, 1)
    with pytest.raises(InputError, match="at character 2 of a text") as caught:
        await server.ask({"messages": [{"role": "user", "content": "ab\ud800"}]})
    assert caught.value.__cause__ is None
    assert engine.requests == []
    await server.aclose()


async def test_a_cancelled_call_returns_at_once_and_stops_the_model() -> None:
    engine = FakeEngine(endless)
    server = LocalServer(engine, 1)
    call = asyncio.create_task(server.ask(BODY))
    await happened(engine.started)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await happened(engine.stopped)
    engine.reply = lambda _: chunks("next")
    assert (await server.ask(BODY)).text == "next"
    await server.aclose()


async def test_no_more_calls_reach_the_model_than_it_has_slots() -> None:
    slots, proceed, now, most = 3, threading.Event(), [0], [0]
    full = threading.Event()
    lock = threading.Lock()

    def reply(_: dict[str, Any]) -> Iterable[dict[str, Any]]:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == slots:
                full.set()
        assert proceed.wait(20)
        with lock:
            now[0] -= 1
        return chunks("ok")

    server = LocalServer(FakeEngine(reply), slots)
    calls = [asyncio.create_task(server.ask(BODY)) for _ in range(8)]
    await happened(full)
    proceed.set()
    assert [answer.text for answer in await asyncio.gather(*calls)] == ["ok"] * 8
    assert most[0] == slots
    await server.aclose()


async def test_a_call_cancelled_while_it_waits_never_reaches_the_model() -> None:
    proceed = threading.Event()

    def reply(_: dict[str, Any]) -> Iterable[dict[str, Any]]:
        assert proceed.wait(20)
        return chunks("ok")

    engine = FakeEngine(reply)
    server = LocalServer(engine, 1)
    first = asyncio.create_task(server.ask(BODY))
    await happened(engine.started)
    second = asyncio.create_task(server.ask(BODY))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    proceed.set()
    assert (await first).text == "ok"
    assert (await server.ask(BODY)).text == "ok"
    assert len(engine.requests) == 2
    await server.aclose()


# --- grammars ------------------------------------------------------------------------------


async def test_a_grammar_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    engine = FakeEngine()
    server = LocalServer(engine, 1)
    for _ in range(3):
        assert await server.grammar(SCHEMA) == '{"type": "string"}'
    await server.grammar({"type": "integer"})
    assert engine.tried == ['{"type": "string"}', '{"type": "integer"}']
    await server.aclose()


async def test_a_grammar_that_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    engine = FakeEngine()
    engine.grammars_hold = False
    server = LocalServer(engine, 1)
    for _ in range(2):
        with pytest.raises(InvalidRequestError, match="cannot be held to the output schema"):
            await server.grammar(SCHEMA)
    await server.aclose()


async def test_a_schema_that_the_engine_turns_down_is_refused_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def turn_down(_: object) -> str:
        raise RuntimeError("json_schema_to_grammar: unrecognized type")

    install(monkeypatch)
    monkeypatch.setattr("xllamacpp.json_schema_to_grammar", turn_down)
    server = LocalServer(FakeEngine(), 1)
    with pytest.raises(InvalidRequestError, match="cannot be held to the output schema"):
        await server.grammar(SCHEMA)
    await server.aclose()


async def test_the_memory_of_grammars_does_not_grow_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch)
    monkeypatch.setattr(local_server, "_MOST_GRAMMARS", 2)
    engine = FakeEngine()
    server = LocalServer(engine, 1)
    for number in (1, 2, 3, 3, 1):
        await server.grammar({"const": number})
    assert [grammar[-2] for grammar in engine.tried] == ["1", "2", "3", "1"]
    await server.aclose()


# --- closing -------------------------------------------------------------------------------


async def test_closing_ends_the_calls_under_way_and_those_that_wait() -> None:
    engine = FakeEngine(endless)
    server = LocalServer(engine, 1)
    calls = [asyncio.create_task(server.ask(BODY)) for _ in range(3)]
    await happened(engine.started)
    await server.aclose()
    assert engine.stopped.is_set()
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(failure) for failure in failures] == [ConnectionFailedError] * 3
    with pytest.raises(ConnectionFailedError, match="was closed"):
        await server.ask(BODY)


async def test_an_answer_that_is_whole_when_it_closes_is_kept() -> None:
    ended, proceed = threading.Event(), threading.Event()

    def reply(_: dict[str, Any]) -> Iterable[dict[str, Any]]:
        *most, last = chunks("ok")
        yield from most
        ended.set()
        assert proceed.wait(20)
        yield last

    server = LocalServer(FakeEngine(reply), 1)
    call = asyncio.create_task(server.ask(BODY))
    await happened(ended)
    closing = asyncio.create_task(server.aclose())
    await asyncio.sleep(0)
    proceed.set()
    await closing
    assert (await call).text == "ok"


async def test_a_kept_error_does_not_keep_the_model() -> None:
    def reply(_: dict[str, Any]) -> Iterable[dict[str, Any]]:
        return [{"error": {"code": 400, "message": "no"}}]

    engine = FakeEngine(reply)
    server = LocalServer(engine, 1)
    with pytest.raises(InvalidRequestError) as kept:
        await server.ask(BODY)
    freed = weakref.ref(engine)
    del engine
    await server.aclose()
    assert freed() is None
    assert kept.value.__traceback__ is not None


async def test_its_threads_end_with_it() -> None:
    server = LocalServer(FakeEngine(), 2)
    await asyncio.gather(*(server.ask(BODY) for _ in range(4)))

    def ours() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("batch_llm_local")]

    assert ours()
    await server.aclose()
    assert not ours()
