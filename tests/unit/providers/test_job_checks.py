"""A job that its model cannot do is refused before anything is sent, with field and reason."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, RootModel

from batch_llm import Batch, JobError
from batch_llm.base import Job, Message
from batch_llm.base.request import FilePart, ImagePart, TextPart
from batch_llm.providers import AnthropicBatchClient, OpenAIBatchClient
from batch_llm.providers.abilities import ROOM_TO_THINK_TOKENS
from batch_llm.providers.job_checks import abilities_for, check_job, fitted

PDF = b"%PDF-1.4\n%%EOF\n"
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00"


class Invoice(BaseModel):
    total: float


class Tree(BaseModel):
    branches: list[Tree] = []


class Totals(RootModel[list[int]]):
    pass


class TotalsByName(RootModel[dict[str, int]]):
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in (("a.pdf", PDF), ("a.gif", GIF), ("a.png", PNG), ("a.txt", b"text")):
        (tmp_path / name).write_bytes(content)
    return tmp_path


def refusal(model: str, folder: Path | None = None, **fields: Any) -> tuple[str, str] | None:
    """Return the field that a job is refused for and the reason; None where it is not."""
    if folder is not None and "file" in fields:
        fields["file"] = folder / fields["file"]
    if not {"messages", "text"} & fields.keys():
        fields.setdefault("prompt", "p")
    batch = Batch()
    try:
        batch.add_job("x", model=model, **fields)
    except JobError as error:
        refused = error
    else:
        return None
    assert refused.job_id == "x"
    assert str(refused).startswith("Job 'x': ")
    assert batch.jobs == []
    return refused.field, str(refused)


@pytest.mark.parametrize(
    ("model", "file", "is_read"),
    [
        ("gpt-4o-mini", "a.pdf", True),
        ("gpt-4o-mini", "a.gif", True),
        ("o3-mini", "a.pdf", False),
        ("gpt-3.5-turbo", "a.png", False),
        ("gpt-3.5-turbo", "a.txt", True),
        ("claude-haiku-4-5", "a.pdf", True),
        ("gemini-2.5-flash", "a.png", True),
        ("gemini-2.5-flash", "a.gif", False),
        ("claude-sonnet-9", "a.gif", True),
        ("openai:brand-new", "a.pdf", True),
    ],
)
def test_files_that_a_model_cannot_read(folder: Path, model: str, file: str, is_read: bool) -> None:
    refused = refusal(model, folder, file=file)
    assert (refused is None) == is_read
    if refused is not None:
        assert refused[0] == "file"
        assert file in refused[1]
        assert model in refused[1]


@pytest.mark.parametrize(
    "part",
    [
        ImagePart(url="https://example.org/a.png"),
        ImagePart(data=PNG, media_type="image/png"),
        FilePart(data=PDF, media_type="application/pdf"),
    ],
    ids=["image by address", "image", "file"],
)
def test_parts_of_messages_that_a_model_cannot_read(part: Any) -> None:
    messages = [Message("user", (part, TextPart("What is it?")))]
    refused = refusal("gpt-3.5-turbo", messages=messages)
    assert refused is not None
    assert refused[0] == "messages"
    assert refusal("gpt-4o", messages=messages) is None


@pytest.mark.parametrize(
    ("model", "fields", "field"),
    [
        ("gpt-4o", {"enable_citations": True}, "enable_citations"),
        ("claude-3-haiku-20240307", {"enable_citations": True}, "enable_citations"),
        ("gemini-2.5-flash", {"enable_citations": True}, "enable_citations"),
        ("gemini-9-flash", {"enable_citations": True}, "enable_citations"),
        ("gpt-3.5-turbo", {"response_model": Invoice}, "response_model"),
        ("gpt-4o-mini", {"response_model": Totals}, "response_model"),
        ("gpt-9", {"response_model": {"type": "array"}}, "response_model"),
        ("gpt-4o", {"response_model": {"anyOf": [{"type": "object"}]}}, "response_model"),
        ("gpt-4o", {"response_model": {"properties": {}}}, "response_model"),
        ("claude-haiku-4-5", {"text": "embed me"}, "text"),
        ("gpt-4o", {"text": "embed me"}, "text"),
        ("text-embedding-3-small", {}, "prompt"),
        ("gemini-embedding-001", {"messages": [{"role": "user", "content": "x"}]}, "messages"),
        ("gpt-4o-mini", {"max_tokens": 16_385}, "max_tokens"),
        ("claude-haiku-4-5", {"max_tokens": 64_001}, "max_tokens"),
        ("gemini-2.0-flash", {"max_tokens": 8_193}, "max_tokens"),
        ("o3", {"temperature": 0.7}, "temperature"),
        ("gpt-5-mini", {"top_p": 0.5}, "top_p"),
        ("gpt-5-mini", {"stop": ["END"]}, "stop"),
        ("claude-opus-5", {"temperature": 0}, "temperature"),
        ("claude-haiku-4-5", {"temperature": 1.5}, "temperature"),
        ("gpt-4o", {"temperature": 2.5}, "temperature"),
        ("claude-haiku-4-5", {"temperature": 0.5, "top_p": 0.5}, "top_p"),
        ("gpt-4o", {"stop": list("abcde")}, "stop"),
        ("gemini-2.5-pro", {"stop": list("abcdef")}, "stop"),
        ("claude-haiku-4-5", {"stop": " \n"}, "stop"),
    ],
)
def test_what_a_model_cannot_do(model: str, fields: dict[str, Any], field: str) -> None:
    refused = refusal(model, **fields)
    assert refused is not None
    assert refused[0] == field


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("claude-haiku-4-5", {"enable_citations": True, "response_model": Invoice}),
        ("claude-haiku-4-5", {"response_model": Totals}),
        ("gemini-2.5-flash", {"response_model": {"type": "array"}}),
        ("gpt-4o-mini", {"response_model": TotalsByName}),
        ("gpt-4o-mini", {"response_model": Tree}),
        ("text-embedding-3-small", {"text": "embed me"}),
        ("openai:brand-new", {"text": "embed me"}),
        ("gpt-4o-mini", {"max_tokens": 16_384}),
        ("gpt-5.9", {"max_tokens": 1_000_000, "temperature": 0}),
        ("claude-sonnet-9", {"max_tokens": 1_000_000}),
        ("o3", {"temperature": 1, "top_p": 1.0}),
        ("o1", {"stop": ["END"]}),
        ("gpt-5.1", {"temperature": 0}),
        ("claude-haiku-4-5", {"top_p": 0.5}),
    ],
)
def test_what_a_model_can_do_or_may(model: str, fields: dict[str, Any]) -> None:
    assert refusal(model, **fields) is None


@pytest.mark.parametrize(
    ("endpoint", "is_refused"), [("/v1/responses", True), ("/v1/chat/completions", False)]
)
@pytest.mark.parametrize("fields", [{"stop": ["END"]}, {"max_tokens": 15}], ids=["stop", "limit"])
def test_what_cannot_be_asked_by_responses(endpoint: Any, is_refused: bool, fields: Any) -> None:
    batch = Batch(clients={"openai": OpenAIBatchClient(api_key="k", chat_endpoint=endpoint)})
    if not is_refused:
        batch.add_job("x", model="gpt-4o-mini", prompt="p", **fields)
        return
    with pytest.raises(JobError, match="OpenAI's Responses") as refused:
        batch.add_job("x", model="gpt-4o-mini", prompt="p", **fields)
    assert [refused.value.field] == list(fields)


# -- what nobody asked for


@pytest.mark.parametrize(
    ("model", "temperature", "max_tokens"),
    [
        ("gpt-4o-mini", 0.7, 1000),
        ("claude-haiku-4-5", 0.7, 1000),
        ("o3", None, ROOM_TO_THINK_TOKENS),
        ("gpt-5-mini", None, ROOM_TO_THINK_TOKENS),
        ("gpt-5.1", None, ROOM_TO_THINK_TOKENS),
        ("claude-opus-5", None, 1000),
        ("gemini-2.5-flash", 0.7, ROOM_TO_THINK_TOKENS),
    ],
)
def test_defaults_that_do_not_become_a_model(
    model: str, temperature: float | None, max_tokens: int
) -> None:
    (added,) = Batch().add_job("a", prompt="p", model=model).jobs
    (row,) = Batch().add_jobs([{"t": "x"}], "{t}", model=model).jobs
    able = abilities_for(model, {})
    assert able is not None
    made = fitted(Job("a", prompt="p", model=model), able)
    for job in (added, row, made):
        assert (job.temperature, job.max_tokens) == (temperature, max_tokens)
        check_job(job, able)


def test_what_was_asked_for_stays() -> None:
    able = abilities_for("gemini-2.5-flash", {})
    assert able is not None
    job = Job("a", prompt="p", model="gemini-2.5-flash", temperature=0, max_tokens=50)
    assert fitted(job, able) is job
    (added,) = Batch().defaults(max_tokens=50).add_job(prompt="p", model="gpt-5-mini").jobs
    assert added.max_tokens == 50


def test_the_default_temperature_does_not_stand_beside_top_p_where_both_are_refused() -> None:
    (job,) = Batch().add_job(prompt="p", model="claude-haiku-4-5", top_p=0.5).jobs
    assert (job.temperature, job.top_p) == (None, 0.5)


def test_a_shared_temperature_is_for_the_models_that_take_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    batch = Batch().defaults(temperature=0.2, top_p=None)
    with caplog.at_level(logging.WARNING, "batch_llm"):
        for n in range(3):
            batch.add_job(f"a{n}", prompt="p", model="gpt-5-mini")
        batch.add_job("b", prompt="p", model="gpt-4o-mini")
    assert [job.temperature for job in batch.jobs] == [None, None, None, 0.2]
    assert caplog.text.count("temperature is left out") == 1
    with pytest.raises(JobError, match="temperature cannot be set for gpt-5-mini"):
        batch.add_job("c", prompt="p", model="gpt-5-mini", temperature=0.2)


# -- rows, and clients of the user's own


def test_rows_that_their_model_cannot_do_are_refused_together() -> None:
    batch = Batch().add_job("z", prompt="p", model="gpt-4o")
    rows = [{"id": "a", "t": "x"}, {"id": "b", "t": "y"}]
    with pytest.raises(JobError, match="Job 'a': max_tokens is 20,000"):
        batch.add_jobs(rows, "{t}", model="gpt-4o", max_tokens=20_000)
    assert [job.id for job in batch.jobs] == ["z"]
    batch.add_jobs(rows, "{t}", model="gpt-4o")
    assert [job.id for job in batch.jobs] == ["z", "a", "b"]


def test_a_client_of_ones_own_is_asked_what_its_api_can_say() -> None:
    speaks_openai = OpenAIBatchClient(base_url="http://127.0.0.1:9/v1", api_key="k")
    speaks_anthropic = AnthropicBatchClient(base_url="http://127.0.0.1:9", api_key="k")
    batch = Batch(clients={"mine": speaks_openai, "other": speaks_anthropic})
    batch.add_job("a", prompt="p", model="mine:llama", max_tokens=1_000_000, temperature=0.1)
    batch.add_job("b", text="p", model="mine:llama")
    batch.add_job("d", prompt="p", model="mine:llama", response_model=Totals)
    with pytest.raises(JobError, match="enable_citations"):
        batch.add_job("c", prompt="p", model="mine:llama", enable_citations=True)
    with pytest.raises(JobError, match="makes no vectors"):
        batch.add_job("d", text="p", model="other:llama")


def test_a_model_of_no_provider_is_refused_unless_one_may_come() -> None:
    assert refusal("unheard-of") is not None
    assert refusal("somebodys:unheard-of") is None
