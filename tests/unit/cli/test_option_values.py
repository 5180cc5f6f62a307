"""Words of the command line as values."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from batch_llm.base import OutputSchema
from batch_llm.cli.option_values import (
    read_above,
    read_duration,
    read_key,
    read_names,
    read_path,
    read_schema,
    read_text,
    read_workers,
)
from batch_llm.exceptions import ConfigurationError, MissingKeyError


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_dash_is_a_standard_stream() -> None:
    assert read_path("-") is None
    assert read_path("a.csv") == Path("a.csv")


def test_text_is_itself_or_stands_in_a_file() -> None:
    Path("prompt.txt").write_bytes(b"\xef\xbb\xbfSay {text}\n\n")

    assert read_text("--prompt", "Say {text}") == "Say {text}"
    assert read_text("--prompt", "@prompt.txt") == "Say {text}\n"
    assert read_text("--prompt", "@@ada, {text}") == "@ada, {text}"


def test_a_file_that_cannot_be_read_is_refused() -> None:
    Path("latin.txt").write_bytes(b"caf\xe9")

    with pytest.raises(ConfigurationError, match="--prompt: the file 'none' cannot be read: No su"):
        read_text("--prompt", "@none")
    with pytest.raises(ConfigurationError, match=r"--system: the file 'latin\.txt' is not UTF-8"):
        read_text("--system", "@latin.txt")


def test_workers_are_a_number_or_auto() -> None:
    assert read_workers("20") == 20
    assert read_workers("auto") == "auto"


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "", "²"])
def test_other_workers_are_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="--max-workers takes a whole number from 1 up"):
        read_workers(value)


def test_names_come_in_lists_and_one_by_one() -> None:
    assert read_names(["a, b", "c", "a", ""]) == ("a", "b", "c")


def test_a_key_comes_from_the_variable_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "k")
    monkeypatch.setenv("EMPTY_KEY", "")

    assert read_key(None) is None
    assert read_key("MY_KEY") == "k"
    for name in ("NO_SUCH_KEY", "EMPTY_KEY"):
        with pytest.raises(MissingKeyError, match=f"variable '{name}' is not set"):
            read_key(name)


def test_a_schema_stands_in_a_file() -> None:
    Path("schema.json").write_text('{"type": "object"}')

    assert read_schema("schema.json") == {"type": "object"}


def test_a_schema_is_a_model_in_a_module_of_the_current_directory() -> None:
    Path("my_models_for_test.py").write_text(
        "import pydantic\nclass Label(pydantic.BaseModel):\n    name: str\n"
        "class Outer:\n    Inner = Label\nnumber = 3\n"
    )
    before = list(sys.path)
    try:
        schema = read_schema("my_models_for_test:Label")
        assert OutputSchema(schema).name == "Label"
        assert read_schema("my_models_for_test:Outer.Inner") is schema
        for attribute in ("number", "Outer"):
            with pytest.raises(ConfigurationError, match="is no pydantic model class"):
                read_schema(f"my_models_for_test:{attribute}")
        with pytest.raises(ConfigurationError, match="has no 'Lable'"):
            read_schema("my_models_for_test:Lable")
    finally:
        sys.modules.pop("my_models_for_test", None)
    assert sys.path == before


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_number_that_must_be_above_another(value: float) -> None:
    assert read_above("--rpm", 0.5) == 0.5
    with pytest.raises(ConfigurationError, match="--rpm takes a number above 0, not"):
        read_above("--rpm", value)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ('{"properties": {"a": {"type": "strin"}}}', "at 'properties/a/type', \"strin\" is not"),
        ('{"$ref": "#/nope"}', "'/nope' does not exist"),
    ],
)
def test_a_schema_that_is_none_is_one_line_with_its_file(schema: str, said: str) -> None:
    Path("bad.json").write_text(schema)

    with pytest.raises(ConfigurationError) as caught:
        read_schema("bad.json")
    message = str(caught.value)
    assert message.startswith("--schema: 'bad.json': The output schema is not a valid JSON schema")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("none.json", "cannot be read: No such file"),
        ("bad.json", "is not JSON"),
        ("list.json", "holds no JSON object"),
        ("schema.yaml", "takes FILE.json or MODULE:MODEL"),
        (":Label", "takes FILE.json or MODULE:MODEL"),
        ("no_such_module_here:Label", "ModuleNotFoundError"),
        ("breaks_when_loaded:Label", "cannot be imported: ZeroDivisionError"),
    ],
)
def test_a_schema_that_cannot_be_read_is_refused(value: str, said: str) -> None:
    Path("bad.json").write_text("{")
    Path("list.json").write_text("[]")
    Path("breaks_when_loaded.py").write_text("1 / 0")

    with pytest.raises(ConfigurationError) as caught:
        read_schema(value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("90", 90), ("30s", 30), ("10m", 600), ("6h", 21_600), ("1.5h", 5_400), ("1h30m", 5_400)],
)
def test_durations(value: str, seconds: float) -> None:
    assert read_duration("--deadline", value) == seconds


@pytest.mark.parametrize("value", ["", "0", "0s", "-5", "soon", "5 m", "10x", "h", "1h30", "nan"])
def test_what_is_no_duration_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="--deadline takes a duration above 0, such as"):
        read_duration("--deadline", value)
