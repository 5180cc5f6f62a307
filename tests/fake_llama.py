"""A stand-in for the package `xllamacpp`: an engine whose every answer a test writes out."""

from __future__ import annotations

import importlib.machinery
import json
import sys
import threading
from collections.abc import Callable, Iterable
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

Reply = Callable[[dict[str, Any]], Iterable[dict[str, Any]]]

USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 4,
    "total_tokens": 34,
    "prompt_tokens_details": {"cached_tokens": 24},
}


def chunks(*pieces: str, finish_reason: str | None = "stop") -> list[dict[str, Any]]:
    """Return what the engine sends for an answer of `pieces`."""
    opening = {"choices": [{"index": 0, "finish_reason": None, "delta": {"content": None}}]}
    said = [
        {"choices": [{"index": 0, "finish_reason": None, "delta": {"content": piece}}]}
        for piece in pieces
    ]
    end = {"choices": [{"index": 0, "finish_reason": finish_reason, "delta": {}}]}
    return [opening, *said, end, {"choices": [], "usage": USAGE}]


class FakeEngine:
    """Answers requests with `reply`, one chunk after the other, until told to stop.

    Attributes:
        requests: the bodies it got, but for those that only try a grammar.
        tried: the grammars that were tried.
        stopped: set once a caller had no use for the rest of an answer.
    """

    def __init__(self, reply: Reply | None = None) -> None:
        self.reply = reply or (lambda _: chunks("fine"))
        self.requests: list[dict[str, Any]] = []
        self.tried: list[str] = []
        self.grammars_hold = True
        self.started = threading.Event()
        self.stopped = threading.Event()

    def handle_chat_completions(self, prompt: bytes, callback: Callable[[bytes], bool], /) -> None:
        body = json.loads(prompt)
        if "logit_bias" in body:
            self.tried.append(body["grammar"])
            wanted = body["logit_bias"][0][0]
            sent: Iterable[dict[str, Any]] = chunks("{" if self.grammars_hold else wanted)
        else:
            self.requests.append(body)
            self.started.set()
            sent = self.reply(body)
        for chunk in sent:
            if callback(json.dumps(chunk).encode()):
                self.stopped.set()
                return


def endless(body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Reply for longer than any test waits, a chunk every millisecond."""
    pause = threading.Event()
    for _ in range(30_000):
        pause.wait(0.001)
        yield chunks("on and ")[1]


def install(monkeypatch: pytest.MonkeyPatch, *engines: FakeEngine) -> list[Any]:
    """Put the stand-in in the package's place; return the parameters it was started with."""
    started: list[Any] = []
    left = list(engines)

    def start(parameters: Any) -> FakeEngine:
        started.append(parameters)
        if not left:
            raise RuntimeError("Failed to init server, please check the input params.")
        return left.pop(0)

    def new_parameters() -> SimpleNamespace:
        return SimpleNamespace(
            model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace()
        )

    module: Any = ModuleType("xllamacpp")
    module.__spec__ = importlib.machinery.ModuleSpec("xllamacpp", None)
    module.CommonParams = new_parameters
    module.Server = start
    module.json_schema_to_grammar = json.dumps
    monkeypatch.setitem(sys.modules, "xllamacpp", module)
    return started
