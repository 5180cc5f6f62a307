"""A job: refused when it is made or not at all, and the same after it was kept."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from batch_llm import FilePart, ImagePart, Job, JobError, Message, TextPart
from batch_llm.exceptions import InputError

USER = [{"role": "user", "content": "Hello"}]
SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}


class Invoice(BaseModel):
    total: float

    class Line(BaseModel):
        price: float


class Unfinished(BaseModel):
    other: Nowhere  # noqa: F821 - it stands nowhere


CIRCULAR: dict[str, Any] = {"type": "object"}
CIRCULAR["properties"] = {"again": CIRCULAR}


def through_json(job: Job) -> Job:
    return Job.from_dict(json.loads(json.dumps(job.to_dict())))


# -- what it is made of


def test_the_seeds_fields_stand_in_their_order_with_their_defaults() -> None:
    job = Job("a", USER, None, None, "gpt-4o")
    assert (job.temperature, job.max_tokens) == (0.7, 1000)
    assert (job.response_model, job.enable_citations) == (None, False)
    assert job.messages == USER
    names = " ".join(field.name for field in dataclasses.fields(Job))
    assert names.startswith(
        "id messages file prompt model temperature max_tokens response_model enable_citations "
    )


def test_it_never_changes() -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    job = Job("a", messages, model="m")
    messages[0]["content"][0]["text"] = "changed"  # type: ignore[index]
    assert job.to_request().text == "Hello"
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.model = "other"  # type: ignore[misc]


def test_a_json_schema_is_copied() -> None:
    schema: dict[str, Any] = {"type": "object"}
    job = Job("a", prompt="p", model="m", response_model=schema)
    schema["type"] = "array"
    assert job.response_model == {"type": "object"}


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({}, "prompt", "none of these"),
        ({"messages": USER, "prompt": "p"}, "messages", "messages and prompt"),
        ({"messages": USER, "file": "a.pdf"}, "messages", "messages and file"),
        ({"file": "a.pdf"}, "file", "file and prompt"),
        ({"text": "t", "prompt": "p"}, "prompt", "prompt and text"),
        ({"prompt": " "}, "prompt", "not blank"),
        ({"prompt": 7}, "prompt", "not blank"),
        ({"file": "", "prompt": "p"}, "file", "a path"),
        ({"messages": []}, "messages", "no turn of the user"),
        ({"messages": "Hello"}, "messages", "a single text is a prompt"),
        ({"prompt": "p", "model": " "}, "model", r"defaults\(model="),
        ({"prompt": "p", "model": None}, "model", "a model's name"),
        ({"prompt": "p", "temperature": -0.1}, "temperature", "0 or more"),
        ({"prompt": "p", "temperature": True}, "temperature", "0 or more"),
        ({"prompt": "p", "temperature": float("nan")}, "temperature", "0 or more"),
        ({"prompt": "p", "top_p": 0}, "top_p", "above 0"),
        ({"prompt": "p", "max_tokens": 0}, "max_tokens", "1 or more"),
        ({"prompt": "p", "max_tokens": 1.5}, "max_tokens", "a whole number"),
        ({"prompt": "p", "seed": "7"}, "seed", "a whole number"),
        ({"prompt": "p", "stop": ["", "x"]}, "stop", "none of them empty"),
        ({"prompt": "p", "stop": 7}, "stop", "none of them empty"),
        ({"prompt": "p", "system": 7}, "system", "a text"),
        ({"prompt": "p", "response_model": int}, "response_model", "pydantic model class"),
        ({"prompt": "p", "response_model": {"type": 7}}, "response_model", "not a valid JSON"),
        ({"prompt": "p", "response_model": {"type": {1}}}, "response_model", "cannot be used"),
        ({"prompt": "p", "response_model": CIRCULAR}, "response_model", "Circular"),
        ({"prompt": "p", "response_model": BaseModel}, "response_model", "model BaseModel: "),
        ({"prompt": "p", "response_model": Unfinished}, "response_model", "model Unfinished: "),
        ({"prompt": "a \ud83d b"}, "prompt", "half of a surrogate pair"),
        ({"text": "\ud83d"}, "text", "half of a surrogate pair"),
        ({"prompt": "p", "system": "\udfff"}, "system", "half of a surrogate pair"),
        ({"prompt": "p", "model": "\udfff"}, "model", "half of a surrogate pair"),
        ({"prompt": "p", "stop": ["\udfff"]}, "stop", "half of a surrogate pair"),
        ({"prompt": "p", "file": "\udcfc.pdf"}, "file", "half of a surrogate pair"),
        ({"messages": [{"role": "user", "content": "\ud83d"}]}, "messages", "half of a surrogate"),
        ({"text": "t", "system": "s"}, "system", "embedded"),
        ({"text": "t", "enable_citations": True}, "enable_citations", "embedded"),
        ({"text": "t", "response_model": Invoice}, "response_model", "embedded"),
        (
            {"messages": [{"role": "system", "content": "s"}, *USER], "system": "s"},
            "system",
            "twice",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_by_job_and_field(
    fields: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(JobError, match=says) as caught:
        Job("invoice-7", **{"model": "m", **fields})
    assert str(caught.value).startswith("Job 'invoice-7': ")
    assert (caught.value.job_id, caught.value.field) == ("invoice-7", field)
    assert isinstance(caught.value, (InputError, ValueError))


@pytest.mark.parametrize("bad", ["", "  ", 7])
def test_an_id_names_something(bad: Any) -> None:
    with pytest.raises(JobError, match="A job: id is a text") as caught:
        Job(bad, prompt="p", model="m")
    assert (caught.value.job_id, caught.value.field) == (None, "id")


def test_an_id_is_one_that_a_file_can_hold() -> None:
    with pytest.raises(JobError, match=r"Job 'a\\ud83d': id has a text that is not Unicode"):
        Job("a\ud83d", prompt="p", model="m")


def test_whole_surrogate_pairs_are_texts_as_any() -> None:
    assert Job("\U0001f600", prompt="\U0001f600", model="m").prompt == "\U0001f600"


def test_the_error_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(JobError("no", job_id="a", field="file")))
    assert (str(error), error.job_id, error.field) == ("no", "a", "file")


# -- ids that are made


def test_an_id_is_made_of_the_content() -> None:
    first, again = (Job(prompt="p", model="m").id for _ in range(2))
    assert first == again
    assert first.startswith("job-")
    assert len({first, Job(prompt="q", model="m").id, Job(prompt="p", model="n").id}) == 3


def test_the_id_of_a_file_begins_with_its_name_in_letters_that_providers_take() -> None:
    made = Job(file="in/Rechnung für März 2026.pdf", prompt="p", model="m").id
    assert made.startswith("Rechnung-f-r-M-rz-2026-")
    assert len(Job(file=f"{'x' * 300}.pdf", prompt="p", model="m").id) <= 64


# -- what is asked


def test_a_prompt_becomes_a_request() -> None:
    request = Job(
        "a",
        prompt="p",
        model="m",
        system="s",
        top_p=0.5,
        stop="END",
        seed=3,
        temperature=None,
        max_tokens=None,
        response_model=Invoice,
        enable_citations=True,
    ).to_request()
    assert request.messages == (Message("user", "p"),)
    assert (request.system, request.top_p, request.stop, request.seed) == ("s", 0.5, ("END",), 3)
    assert (request.temperature, request.max_output_tokens) == (None, None)
    assert request.output_schema is not None
    assert request.output_schema.source is Invoice
    assert request.citations


def test_jobs_of_one_model_share_its_schema() -> None:
    jobs = [Job(str(n), prompt="p", model="m", response_model=Invoice) for n in range(2)]
    schemas = [job.to_request().output_schema for job in jobs]
    assert schemas[0] is schemas[1]


def test_turns_of_the_system_become_the_system_prompt() -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        *USER,
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "assistant", "content": "Hi"},
    ]
    request = Job("a", turns, model="m").to_request()
    assert request.system == "Be brief.\n\nBe kind."
    assert [turn.role for turn in request.messages] == ["user", "assistant"]


def test_a_file_comes_before_what_is_asked_of_it(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("Total: 12", encoding="utf-8")
    job = Job("a", file=path, prompt="How much?", model="m")
    assert job.to_request().messages[0].parts == (TextPart("Total: 12"), TextPart("How much?"))
    cited = dataclasses.replace(job, enable_citations=True).to_request()
    document = FilePart(data=b"Total: 12", media_type="text/plain", name="note.txt")
    assert cited.messages[0].parts == (document, TextPart("How much?"))


def test_a_file_that_is_gone_is_told_of_by_job_and_path(tmp_path: Path) -> None:
    job = Job("a", file=tmp_path / "gone.pdf", prompt="p", model="m")
    for call in (job.to_request, job.check_file, job.file_digest):
        with pytest.raises(JobError, match=r"Job 'a': file '.*gone\.pdf' cannot be read: No such"):
            call()


def test_an_embedding_asks_no_model() -> None:
    job = Job("a", text="t", model="text-embedding-3-small")
    assert job.kind == "embedding"
    assert Job("a", prompt="p", model="m").kind == "chat"
    with pytest.raises(JobError, match="embedded"):
        job.to_request()


# -- kept, and made again


@pytest.mark.parametrize("model", [Invoice, Invoice.Line, SCHEMA, None])
def test_the_response_model_comes_back(model: Any) -> None:
    job = Job("a", prompt="p", model="m", response_model=model)
    assert through_json(job) == job
    if model is SCHEMA:
        assert list(through_json(job).response_model["properties"]) == ["b", "a"]  # type: ignore[index]


def test_a_model_inside_of_a_function_is_kept_by_name_and_asked_for_again() -> None:
    class Local(BaseModel):
        x: int

    told = Job("a", prompt="p", model="m", response_model=Local).to_dict()
    with pytest.raises(JobError, match=r"Job 'a': response_model .*Local is defined inside of a"):
        Job.from_dict(told)
    assert Job.from_dict(told, response_model=Local).response_model is Local


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("no_such_module:Invoice", "cannot be imported"),
        ("__main__:Vanished", "resume it there"),
        ("json:dumps", "no pydantic model"),
    ],
)
def test_a_model_that_is_gone_is_told_of(path: str, says: str) -> None:
    told = {**Job("a", prompt="p", model="m").to_dict(), "response_model": path}
    with pytest.raises(JobError, match=says) as caught:
        Job.from_dict(told)
    assert caught.value.field == "response_model"


def test_a_field_of_a_later_version_is_not_lost_in_silence() -> None:
    with pytest.raises(JobError, match="'reasoning'"):
        Job.from_dict({**Job("a", prompt="p", model="m").to_dict(), "reasoning": "high"})


TEXTS = st.text(min_size=1).filter(lambda text: bool(text.strip()))
MEDIA_TYPES = st.sampled_from(["image/png", "application/pdf", "text/plain; charset=utf-8"])
IMAGES = st.builds(
    lambda data, kind: ImagePart(data=data, media_type=kind), st.binary(), MEDIA_TYPES
) | st.builds(
    lambda kind: ImagePart(url="https://example.org/a.png", media_type=kind),
    st.none() | MEDIA_TYPES,
)
FILES = st.builds(
    lambda data, kind, name: FilePart(data=data, media_type=kind, name=name),
    st.binary(),
    MEDIA_TYPES,
    st.none() | TEXTS,
) | st.builds(
    lambda kind, name: FilePart(url="https://example.org/a.pdf", media_type=kind, name=name),
    st.none() | MEDIA_TYPES,
    st.none() | TEXTS,
)
PARTS = st.builds(TextPart, TEXTS) | IMAGES | FILES
MESSAGES = st.builds(
    Message,
    st.sampled_from(["user", "assistant"]),
    TEXTS | st.lists(PARTS, min_size=1, max_size=3).map(tuple),
)
CONTENTS = st.one_of(
    st.fixed_dictionaries({"messages": st.lists(MESSAGES, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"prompt": TEXTS}),
    st.fixed_dictionaries({"file": TEXTS.map(Path), "prompt": TEXTS}),
)
SETTINGS = st.fixed_dictionaries(
    {"model": TEXTS},
    optional={
        "temperature": st.none() | st.floats(0, 2),
        "max_tokens": st.none() | st.integers(1, 10**9),
        "response_model": st.sampled_from([None, Invoice, SCHEMA]),
        "enable_citations": st.booleans(),
        "system": st.none() | st.text(),
        "top_p": st.none() | st.floats(0.01, 1),
        "stop": st.lists(st.text(min_size=1), max_size=2),
        "seed": st.none() | st.integers(),
    },
)


@given(st.none() | TEXTS, CONTENTS, SETTINGS)
def test_a_job_that_was_kept_is_the_same_job(
    job_id: str | None, content: dict[str, Any], settings: dict[str, Any]
) -> None:
    job = Job(job_id, **content, **settings)
    again = through_json(job)
    assert again == job
    assert hash(again) == hash(job)
    assert again.digest() == job.digest()


@given(st.lists(MESSAGES, min_size=1, max_size=3))
def test_messages_come_out_of_a_job_as_they_went_in(messages: list[Message]) -> None:
    assert Job("a", messages, model="m").to_request().messages == tuple(messages)


# -- when two jobs ask the same


def test_every_field_but_the_id_counts() -> None:
    plain: dict[str, Any] = {"prompt": "p", "model": "m"}
    changes: list[dict[str, Any]] = [
        {},
        {"prompt": "q"},
        {"model": "n"},
        {"temperature": 0.8},
        {"max_tokens": 7},
        {"response_model": Invoice},
        {"response_model": SCHEMA},
        {"enable_citations": True},
        {"system": "s"},
        {"top_p": 0.5},
        {"stop": "x"},
        {"seed": 1},
        {"file": "a.pdf"},
    ]
    digests = {Job("a", **{**plain, **change}).digest() for change in changes}
    assert len(digests) == len(changes)
    assert Job("a", **plain).digest() == Job("b", **plain).digest()


def test_a_model_whose_fields_change_is_another_and_one_that_moves_is_not() -> None:
    def job(fields: dict[str, Any], module: str) -> Job:
        model = type("Same", (BaseModel,), {"__annotations__": fields, "__module__": module})
        return Job("a", prompt="p", model="m", response_model=model)

    assert job({"x": int}, "one").digest() == job({"x": int}, "two").digest()
    assert job({"x": int}, "one").digest() != job({"x": str}, "one").digest()


def test_the_order_of_a_schemas_properties_counts() -> None:
    turned = {**SCHEMA, "properties": dict(reversed(SCHEMA["properties"].items()))}  # type: ignore[attr-defined]
    assert turned == SCHEMA
    jobs = [Job("a", prompt="p", model="m", response_model=each) for each in (SCHEMA, turned)]
    assert jobs[0].digest() != jobs[1].digest()


def test_the_bytes_of_a_file_have_a_digest_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one", encoding="utf-8")
    job = Job("a", file=path, prompt="p", model="m")
    before = job.digest(), job.file_digest()
    path.write_text("two", encoding="utf-8")
    assert job.digest() == before[0]
    assert job.file_digest() != before[1]
    assert Job("a", prompt="p", model="m").file_digest() is None


def test_no_text_of_a_job_shows_where_it_is_printed() -> None:
    assert repr(Job("a", prompt="secret", model="m")) == "Job(id='a', model='m', prompt)"


def test_an_object_of_the_response_model_is_told_from_its_class() -> None:
    wanted: Any = Invoice(total=1)
    with pytest.raises(JobError, match="is a class, not an object of it"):
        Job("a", prompt="p", model="m", response_model=wanted)
