"""All sources of answers: what they have in common, and what each of them says."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from pydantic import BaseModel

from batch_llm.base import LLMRequest, RequestStrategy
from batch_llm.exceptions import ConfigurationError, InputError, OutputTruncatedError, ServerError
from batch_llm.testing.simulator.answers import (
    Answers,
    AutoAnswers,
    EchoAnswers,
    FunctionAnswers,
    LocalAnswers,
    RecordedAnswers,
    SchemaAnswers,
    TableAnswers,
    answers_from,
    answers_named,
)
from batch_llm.testing.simulator.answers.recording import read_recording
from batch_llm.testing.simulator.call import Answer, ModelCall, Tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COLOR = {
    "type": "object",
    "properties": {"color": {"enum": ["red", "green"]}, "count": {"type": "integer"}},
    "required": ["color", "count"],
    "additionalProperties": False,
}
PAINT = Tool("paint", COLOR)
WASH = Tool("wash", {"type": "object", "properties": {"hot": {"type": "boolean"}}})


def call_of(prompt: str = "hello", **changes: Any) -> ModelCall:
    fields: dict[str, Any] = {
        "provider": "openai",
        "operation": "chat.completions",
        "model": "gpt-5",
        "key": "key",
        "messages": [("user", prompt)],
        "identity": prompt.encode(),
    }
    return ModelCall(**{**fields, **changes})


class Model(RequestStrategy[Any]):
    """A model that knows one answer."""

    def __init__(self, output: Any = "from the model", finish_reason: str = "stop") -> None:
        self.output = output
        self.finish_reason = finish_reason
        self.requests: list[LLMRequest] = []
        self.prepared = self.closed = 0

    async def prepare(self) -> None:
        self.prepared += 1

    async def execute(self, prompt, attempt, timeout, state=None):
        assert self.prepared > self.closed
        self.requests.append(prompt)
        if isinstance(self.output, Exception):
            raise self.output
        state.set("finish_reason", self.finish_reason)
        return self.output, {"input_tokens": 3, "output_tokens": 11, "total_tokens": 14}

    async def aclose(self) -> None:
        self.closed += 1


# --- what all of them have in common ------------------------------------------------------------

SOURCES: dict[str, Callable[[], Answers]] = {
    "echo": EchoAnswers,
    "schema": SchemaAnswers,
    "auto": AutoAnswers,
    "table": lambda: TableAnswers({"hello": "from the table"}, AutoAnswers()),
    "function": lambda: FunctionAnswers(lambda call: {"said": call.prompt}),
    "recorded": lambda: RecordedAnswers([], AutoAnswers()),
    "local": lambda: LocalAnswers(Model()),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> Callable[[], Answers]:
    return SOURCES[request.param]


async def test_a_source_answers_with_words(source: Callable[[], Answers]) -> None:
    answer = await source().answer(call_of())
    assert isinstance(answer, Answer)
    assert answer.text
    assert answer.ending == "stop"
    assert answer.tool is None


async def test_a_source_says_the_same_in_every_run(source: Callable[[], Answers]) -> None:
    calls = [call_of("hello", occurrence=count, schema=COLOR) for count in (1, 2, 3)]
    first, second = source(), source()
    assert [await first.answer(call) for call in calls] == [
        await second.answer(call) for call in calls
    ]


async def test_a_source_is_taken_as_it_is(source: Callable[[], Answers]) -> None:
    answers = source()
    assert answers_from(answers) is answers


async def test_an_empty_conversation_is_answered(source: Callable[[], Answers]) -> None:
    assert isinstance(await source().answer(call_of(messages=[("user", "")])), Answer)


# --- an object is the call of a forced tool, whoever says it -------------------------------------

OBJECTS: dict[str, Callable[[], Answers]] = {
    "schema": SchemaAnswers,
    "auto": AutoAnswers,
    "table": lambda: TableAnswers({"": {"color": "red", "count": 1}}, EchoAnswers()),
    "function": lambda: FunctionAnswers(lambda _: {"color": "red", "count": 1}),
    "recorded": lambda: RecordedAnswers(
        read_recording([b'{"prompt":"hello","answer":{"color":"red","count":1}}'], "r"),
        EchoAnswers(),
    ),
    "local": lambda: LocalAnswers(Model({"color": "red", "count": 1})),
}


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("forced", ["paint", ""])
async def test_an_object_becomes_the_call_of_a_forced_tool(name: str, forced: str) -> None:
    call = call_of(tools=[PAINT, WASH], forced_tool=forced)
    answer = await OBJECTS[name]().answer(call)
    assert (answer.ending, answer.tool) == ("tool_call", "paint")
    jsonschema_rs.validate(COLOR, json.loads(answer.text))


async def test_the_tool_that_is_named_is_called() -> None:
    call = call_of(tools=[PAINT, WASH], forced_tool="wash", schema=COLOR)
    answer = await AutoAnswers().answer(call)
    assert answer.tool == "wash"
    jsonschema_rs.validate(WASH.schema, json.loads(answer.text))


async def test_a_tool_that_is_not_forced_is_not_called() -> None:
    answer = await AutoAnswers().answer(call_of(tools=[PAINT]))
    assert answer == Answer("hello")
    said = await FunctionAnswers(lambda _: {"color": "red"}).answer(call_of(tools=[PAINT]))
    assert said == Answer('{"color":"red"}')


async def test_a_tool_that_nobody_knows_is_not_called() -> None:
    assert await AutoAnswers().answer(call_of(tools=[PAINT], forced_tool="sing")) == Answer("hello")


async def test_a_text_stays_a_text_where_a_tool_is_forced() -> None:
    source = TableAnswers({"hello": "no"}, EchoAnswers())
    answer = await source.answer(call_of(tools=[PAINT], forced_tool="paint"))
    assert answer == Answer("no")


# --- echo, schema, auto -------------------------------------------------------------------------


async def test_an_echo_is_the_last_turn_of_the_user() -> None:
    turns = [("user", "one"), ("assistant", "two"), ("user", "three"), ("assistant", "four")]
    assert await EchoAnswers().answer(call_of(messages=turns)) == Answer("three")


async def test_auto_makes_up_json_for_a_schema() -> None:
    answer = await AutoAnswers().answer(call_of(schema=COLOR))
    jsonschema_rs.validate(COLOR, json.loads(answer.text))
    assert answer.ending == "stop"


async def test_a_text_by_a_schema_is_in_quotes() -> None:
    answer = await SchemaAnswers().answer(call_of(schema={"type": "string"}))
    assert isinstance(json.loads(answer.text), str)


async def test_without_a_schema_there_is_an_object() -> None:
    answer = await SchemaAnswers().answer(call_of())
    assert json.loads(answer.text)


async def test_a_request_that_is_sent_again_gets_another_value() -> None:
    source = SchemaAnswers()
    calls = [call_of(schema=COLOR, occurrence=count) for count in range(1, 9)]
    assert len({(await source.answer(call)).text for call in calls}) > 4


async def test_another_seed_makes_other_values() -> None:
    calls = [call_of(f"prompt {number}", schema=COLOR) for number in range(5)]
    first, second = SchemaAnswers(seed=1), SchemaAnswers(seed="two")
    assert [await first.answer(call) for call in calls] != [
        await second.answer(call) for call in calls
    ]


async def test_schemas_do_not_mix() -> None:
    source = SchemaAnswers()
    for number in range(300):  # more than are remembered
        schema = {"const": number}
        assert await source.answer(call_of(schema=schema)) == Answer(str(number))


async def test_a_hopeless_schema_is_an_error_for_the_reader() -> None:
    with pytest.raises(InputError, match="No value fits the schema"):
        await SchemaAnswers().answer(call_of(schema={"type": "integer", "enum": ["a"]}))


# --- a table ------------------------------------------------------------------------------------


async def test_a_table_finds_the_whole_prompt_then_the_longest_part() -> None:
    source = TableAnswers(
        {"capital": "which?", "capital of France": "Paris", "The capital of France?": "PARIS"},
        EchoAnswers(),
    )
    prompts = ["The capital of France?", "What is the capital of France", "A capital", "A river"]
    said = [(await source.answer(call_of(prompt))).text for prompt in prompts]
    assert said == ["PARIS", "Paris", "which?", "A river"]


async def test_a_table_holds_texts_values_and_answers() -> None:
    refusal = Answer("I cannot.", "refusal", output_tokens=9)
    source = TableAnswers({"a": "text", "b": {"x": [1, None]}, "c": refusal}, EchoAnswers())
    assert await source.answer(call_of("a")) == Answer("text")
    assert await source.answer(call_of("b")) == Answer('{"x":[1,null]}')
    assert await source.answer(call_of("c")) is refusal


async def test_a_table_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text('{"hello": {"a": 1}}', encoding="utf-8")
    for source in map(answers_from, (f"table:{file}", file, str(file))):
        assert await source.answer(call_of()) == Answer('{"a":1}')
        assert await source.answer(call_of("other")) == Answer("other")


@pytest.mark.parametrize(
    ("content", "said"),
    [("[1]", "is no JSON object"), ("{", "is not JSON"), (None, "cannot be read: No such file")],
)
def test_a_table_that_is_none(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "table.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"table.json' {said}"):
        answers_from(file)


# --- a function ---------------------------------------------------------------------------------


class Color(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("text", Answer("text")),
        ({"a": [1, 2]}, Answer('{"a":[1,2]}')),
        ([1, "b"], Answer('[1,"b"]')),
        (Color(name="grün"), Answer('{"name":"grün"}')),
        (Answer("cut", "length"), Answer("cut", "length")),
    ],
)
async def test_what_a_function_says(said: object, answer: Answer) -> None:
    async def later(_: ModelCall) -> object:
        return said

    assert await FunctionAnswers(lambda _: said).answer(call_of()) == answer
    assert await FunctionAnswers(later).answer(call_of()) == answer


async def test_a_function_that_says_nothing_or_nonsense() -> None:
    with pytest.raises(TypeError, match="returned None"):
        await FunctionAnswers(lambda _: None).answer(call_of())
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        await FunctionAnswers(lambda _: object()).answer(call_of())


async def test_a_function_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_simulated_answers.py").write_text(
        "def shout(call):\n    return call.prompt.upper()\n\nvolume = 3\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    source = answers_named("function:my_simulated_answers:shout")
    assert await source.answer(call_of()) == Answer("HELLO")
    with pytest.raises(ConfigurationError, match="has no 'whisper'"):
        answers_named("function:my_simulated_answers:whisper")
    with pytest.raises(ConfigurationError, match="is no function; it is 'int'"):
        answers_named("function:my_simulated_answers:volume")
    monkeypatch.delitem(sys.modules, "my_simulated_answers")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module_here:f", "cannot be imported: ModuleNotFoundError"),
        ("shout", "is named as MODULE:NAME, not 'shout'"),
        (":shout", "is named as MODULE:NAME"),
    ],
)
def test_a_function_that_is_not_there(name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        answers_named(f"function:{name}")


# --- a recording --------------------------------------------------------------------------------


def recorded(*lines: dict[str, Any]) -> RecordedAnswers:
    encoded = [json.dumps(line).encode() for line in lines]
    return RecordedAnswers(read_recording(encoded, "answers.jsonl"), EchoAnswers())


async def texts(source: Answers, *calls: ModelCall) -> list[str]:
    return [(await source.answer(call)).text for call in calls]


async def test_recorded_answers_come_in_turn_and_the_last_one_for_ever() -> None:
    source = recorded(
        {"prompt": "hello", "answer": "first"},
        {"prompt": "other", "answer": "else"},
        {"prompt": "hello", "answer": {"second": 2}},
    )
    hello = call_of()
    assert await texts(source, hello, call_of("other"), hello, hello, call_of("unknown")) == [
        "first", "else", '{"second":2}', '{"second":2}', "unknown",
    ]  # fmt: skip


async def test_the_record_that_names_most_answers() -> None:
    source = recorded(
        {"model": "gpt-5", "answer": "by model"},
        {"prompt": "hello", "answer": "by prompt"},
        {"prompt": "hello", "model": "gpt-5", "answer": "by both"},
        {"custom_id": "line 1", "answer": "by id"},
        {"custom_id": "line 2", "prompt": "hello", "answer": "by id and prompt"},
    )
    assert await texts(
        source,
        call_of(),
        call_of(model="gpt-4"),
        call_of("other"),
        call_of(custom_id="line 1"),
        call_of(custom_id="line 2"),
        call_of("other", model="gpt-4", custom_id="line 2"),
    ) == ["by both", "by prompt", "by model", "by id", "by id and prompt", "other"]


async def test_rows_of_a_run_answer_again() -> None:
    row = {"id": "7", "line": 2, "status": "succeeded", "output": {"a": 1}, "error": None}
    source = recorded(
        {**row, "input": {"prompt": "hello"}},
        {**row, "id": "8", "status": "failed", "output": None},
    )
    calls = call_of(), call_of("x", custom_id="7"), call_of("y", custom_id="8")
    assert await texts(source, *calls) == ['{"a":1}', '{"a":1}', "y"]


def batch_input(custom_id: str, content: object) -> dict[str, Any]:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    body = {"model": "gpt-5", "messages": turns}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def batch_output(custom_id: str, text: str, status: int = 200) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    body = {"choices": [{"message": message}], "usage": {"completion_tokens": 77}}
    response = {"status_code": status, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": custom_id, "response": response, "error": None}


async def test_the_lines_of_an_openai_batch_answer_again() -> None:
    source = recorded(
        batch_output("1", "answer one"),
        batch_output("2", "answer two"),
        batch_output("3", "an error", status=500),
        batch_input("1", "hello"),
        batch_input("2", [{"type": "text", "text": "in parts"}, {"type": "image_url"}]),
        batch_input("3", "broken"),
        {"id": "b", "custom_id": "4", "response": None, "error": {"code": "batch_expired"}},
    )
    assert await source.answer(call_of()) == Answer("answer one", output_tokens=77)
    calls = call_of("in parts"), call_of("x", custom_id="1"), call_of("broken")
    assert await texts(source, *calls) == ["answer two", "answer one", "broken"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prompt": "a", "answer":', "truncated"),
        ("[1]", "Expected `object`"),
        ('{"question": "a"}', "a line is .* this one has the fields 'question'"),
        ('{"answer": "a"}', 'names no "prompt", "custom_id" or "model"'),
        ('{"prompt": 3, "answer": "a"}', "'prompt' is a text, not 3"),
        ('{"custom_id": "1", "response": 3}', "Expected `object . null`, got `int`"),
        (
            '{"custom_id": "1", "body": {"messages": [{"role": "user", "content": 3}]}}',
            "Expected `str . array . null`",
        ),
    ],
)
def test_a_broken_line_is_named(line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text(f'{{"prompt": "a", "answer": "b"}}\n\n{line}\n', encoding="utf-8")
    with pytest.raises(InputError, match=rf"answers\.jsonl, line 3: .*{said}"):
        answers_from(file)


async def test_a_recording_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"prompt": "hello", "answer": "hi"}\n')
    for source in map(answers_from, (f"recorded:{file}", file, str(file))):
        assert await texts(source, call_of(), call_of("other")) == ["hi", "other"]
    with pytest.raises(ConfigurationError, match=r"nowhere\.jsonl' cannot be read: No such file"):
        answers_from(tmp_path / "nowhere.jsonl")


# --- a model behind it --------------------------------------------------------------------------


async def test_a_model_is_asked_with_all_that_the_call_says() -> None:
    model = Model()
    source = LocalAnswers(model)
    turns = [("user", "one"), ("model", "two"), ("tool", "three")]
    call = call_of(messages=turns, system="Be brief.", max_output_tokens=5, stop=["END"])
    answer = await source.answer(call)
    assert answer == Answer("from the model", output_tokens=11)
    (request,) = model.requests
    assert [(turn.role, turn.text) for turn in request.messages] == [
        ("user", "one"), ("assistant", "two"), ("user", "three"),
    ]  # fmt: skip
    assert (request.system, request.max_output_tokens, request.stop) == ("Be brief.", 5, ("END",))
    assert request.output_schema is None


async def test_a_model_is_held_to_the_schema() -> None:
    model = Model({"color": "red", "count": 2})
    answer = await LocalAnswers(model).answer(call_of(schema=COLOR))
    assert answer == Answer('{"color":"red","count":2}', output_tokens=11)
    assert model.requests[0].output_schema is not None
    assert model.requests[0].output_schema.json_schema == COLOR


async def test_a_model_is_held_to_the_arguments_of_a_forced_tool() -> None:
    model = Model({"hot": True})
    await LocalAnswers(model).answer(call_of(tools=[WASH], forced_tool=""))
    assert model.requests[0].output_schema is not None
    assert model.requests[0].output_schema.json_schema == WASH.schema


async def test_an_answer_that_the_model_cuts() -> None:
    answer = await LocalAnswers(Model("cut he", "length")).answer(call_of())
    assert answer == Answer("cut he", "length", output_tokens=11)
    error = OutputTruncatedError("cut", usage={"output_tokens": 16})
    answer = await LocalAnswers(Model(error)).answer(call_of(schema=COLOR))
    assert answer == Answer("", "length", output_tokens=16)


async def test_a_model_that_fails_is_an_error() -> None:
    with pytest.raises(ServerError):
        await LocalAnswers(Model(ServerError("no"))).answer(call_of())


async def test_a_model_is_loaded_once_when_it_is_needed_and_closed_with_the_world() -> None:
    model = Model()
    source = LocalAnswers(model)
    await source.aclose()
    assert (model.prepared, model.closed) == (0, 0)
    await source.answer(call_of())
    await source.answer(call_of())
    assert (model.prepared, model.closed) == (1, 0)
    await source.aclose()
    assert (model.prepared, model.closed) == (1, 1)
    await source.answer(call_of())
    assert model.prepared == 2


async def test_what_stands_behind_a_table_is_closed_with_it() -> None:
    for make in (TableAnswers, RecordedAnswers):
        model = Model()
        source = make({}, LocalAnswers(model))
        await source.answer(call_of())
        await source.aclose()
        assert model.closed == 1


@pytest.mark.local_model
async def test_the_small_model_answers() -> None:
    source = answers_named("local")
    try:
        answer = await source.answer(call_of("Say hello.", max_output_tokens=8))
        made = await source.answer(call_of("Which color?", schema={"enum": ["red", "green"]}))
    finally:
        await source.aclose()
    assert answer.text
    assert 1 <= (answer.output_tokens or 0) <= 8
    assert json.loads(made.text) in ("red", "green")


# --- by name ------------------------------------------------------------------------------------


def test_names() -> None:
    assert isinstance(answers_named("auto"), AutoAnswers)
    assert isinstance(answers_named("echo"), EchoAnswers)
    assert isinstance(answers_named("schema"), SchemaAnswers)
    assert isinstance(answers_from("echo"), EchoAnswers)


@pytest.mark.parametrize("spec", ["", "parrot", "echo:x", "table", "table:", "recorded:"])
def test_a_name_of_nothing(spec: str) -> None:
    with pytest.raises(ConfigurationError, match=r"answers is .*recorded:FILE\.jsonl.* not"):
        answers_named(spec)


async def test_what_a_user_hands_in(tmp_path: Path) -> None:
    assert await texts(answers_from({"hello": "hi"}), call_of(), call_of("x")) == ["hi", "x"]
    assert await texts(answers_from(lambda call: call.model), call_of()) == ["gpt-5"]
    for nothing in (3, None, 3.5):
        with pytest.raises(ConfigurationError, match="answers= takes a function"):
            answers_from(nothing)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"a table \(\.json\) .* not .*answers\.csv"):
        answers_from(tmp_path / "answers.csv")


async def test_a_missing_answer_of_a_table_is_made_up_with_the_seed() -> None:
    call = call_of("x", schema=COLOR)
    assert await texts(answers_from({}, seed=5), call) == await texts(SchemaAnswers(5), call)
