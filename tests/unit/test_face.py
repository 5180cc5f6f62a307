"""The package's face: its names, its import paths, its version."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import batch_llm

# The live lane's section of the contract, and what the root has of the batch lane's.
ROOT = [
    "LLMWorkItem",
    "LLMRequest",
    "WorkItemResult",
    "BatchResult",
    "TokenUsage",
    "RetryState",
    "ProcessingStats",
    "ParallelBatchProcessor",
    "BatchProcessor",
    "ProgressCallbackFunc",
    "PostProcessorFunc",
    "ProcessorConfig",
    "RetryConfig",
    "RateLimitConfig",
    "LLMCallStrategy",
    "PydanticAIStrategy",
    "GeminiStrategy",
    "GeminiCachedStrategy",
    "GeminiResponse",
    "ErrorInfo",
    "ErrorClassifier",
    "DefaultErrorClassifier",
    "GeminiErrorClassifier",
    "FrameworkTimeoutError",
    "RateLimitStrategy",
    "ExponentialBackoffStrategy",
    "FixedDelayStrategy",
    "Middleware",
    "BaseMiddleware",
    "ProcessorObserver",
    "BaseObserver",
    "ProcessingEvent",
    "MetricsObserver",
    "AgentLike",
    "ResultLike",
    "UsageLike",
    "RichProgressBar",
    "ERROR_MESSAGE_MAX_LENGTH",
    "process_prompts",
    "process_stream",
    "process_prompts_sync",
    "process_stream_sync",
    "Batch",
    "Job",
    "JobResult",
]

HOMES = {
    "batch_llm.base": """LLMWorkItem WorkItemResult BatchResult TokenUsage RetryState LLMRequest
        ProcessingStats BatchProcessor ProgressCallbackFunc PostProcessorFunc""",
    "batch_llm.batch": "Batch Job JobResult",
    "batch_llm.core": "ProcessorConfig RetryConfig RateLimitConfig AgentLike ResultLike UsageLike",
    "batch_llm.parallel": "ParallelBatchProcessor",
    "batch_llm.llm_strategies": """LLMCallStrategy PydanticAIStrategy GeminiStrategy
        GeminiCachedStrategy GeminiResponse""",
    "batch_llm.strategies": """ErrorInfo ErrorClassifier DefaultErrorClassifier
        FrameworkTimeoutError RateLimitStrategy ExponentialBackoffStrategy FixedDelayStrategy""",
    "batch_llm.strategies.errors": """ErrorInfo ErrorClassifier DefaultErrorClassifier
        FrameworkTimeoutError""",
    "batch_llm.strategies.rate_limit": """RateLimitStrategy ExponentialBackoffStrategy
        FixedDelayStrategy""",
    "batch_llm.classifiers": "GeminiErrorClassifier",
    "batch_llm.middleware": "Middleware BaseMiddleware",
    "batch_llm.observers": "ProcessorObserver BaseObserver ProcessingEvent MetricsObserver",
    "batch_llm.observers.metrics": "MetricsObserver",
    "batch_llm.progress": "RichProgressBar",
    "batch_llm.testing": "MockAgent MockResult MockUsage mock_strategy",
    "batch_llm.testing.mocks": "MockAgent MockResult MockUsage mock_strategy",
}


@pytest.mark.parametrize("name", ROOT)
def test_the_root_exports_every_name_of_the_live_lane(name: str) -> None:
    assert getattr(batch_llm, name) is not None
    assert name in batch_llm.__all__
    assert name in dir(batch_llm)


@pytest.mark.parametrize(
    ("home", "name"), [(home, name) for home, names in HOMES.items() for name in names.split()]
)
def test_every_import_path_gives_the_same_thing(home: str, name: str) -> None:
    here = getattr(importlib.import_module(home), name)
    if "testing" not in home:
        assert here is getattr(batch_llm, name)


def test_all_of_all_is_there() -> None:
    for name in batch_llm.__all__:
        assert getattr(batch_llm, name) is not None
    assert len(set(batch_llm.__all__)) == len(batch_llm.__all__)


def test_type_checkers_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING, and the table that serves them, are two lists of one set."""
    tree = ast.parse(Path(batch_llm.__file__).read_text(encoding="utf-8"))
    (checked,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    imported = {
        alias.asname or alias.name: (node.module or "").split(".")[0]
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(imported) | {"__version__"} == set(batch_llm.__all__)
    for name, home in imported.items():
        assert hasattr(importlib.import_module(f"batch_llm.{home}"), name)


@pytest.mark.parametrize("name", ["Missing", "MockAgent", "_private"])
def test_what_is_not_there_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(batch_llm, name)


def test_the_version_is_that_of_the_installed_package() -> None:
    assert batch_llm.__version__ == importlib.metadata.version("batch-llm")


def in_a_fresh_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_not_installed_it_says_so() -> None:
    code = """
import importlib.metadata as metadata
def missing(name):
    raise metadata.PackageNotFoundError(name)
metadata.version = missing
import batch_llm
print(batch_llm.__version__)
"""
    assert in_a_fresh_python(code) == "0.0.0+dev"


SDKS = [
    "google.genai",
    "openai",
    "anthropic",
    "pydantic_ai",
    "rich",
    "typer",
    "aiohttp",
    "httpx2",
    "httpx",
    "pydantic",
    "jsonschema_rs",
    "xllamacpp",
    "fastapi",
    "aiolimiter",
    "pandas",
    "polars",
    "pyarrow",
]

LIGHT = [
    "batch_llm",
    "batch_llm.base",
    "batch_llm.batch",
    "batch_llm.core",
    "batch_llm.strategies",
    "batch_llm.middleware",
    "batch_llm.observers",
    "batch_llm.progress",
    "batch_llm.classifiers",
    "batch_llm.parallel",
    "batch_llm.prompts",
    "batch_llm.rows",
    "batch_llm.llm_strategies",
    "batch_llm.testing",
]


@pytest.mark.parametrize("module", LIGHT)
def test_importing_costs_no_sdk(module: str) -> None:
    code = f"""
import sys
import {module}
print(*[name for name in {SDKS!r} if name in sys.modules])
"""
    assert in_a_fresh_python(code) == ""


def test_using_every_name_of_the_root_imports_no_sdk() -> None:
    code = f"""
import sys
import batch_llm
for name in batch_llm.__all__:
    getattr(batch_llm, name)
sdks = set({SDKS!r}) - {{"pydantic", "httpx2", "aiolimiter", "jsonschema_rs"}}
print(*sorted(sdks & set(sys.modules)))
"""
    assert in_a_fresh_python(code) == ""


def test_star_import_brings_the_names_and_no_others() -> None:
    code = """
import batch_llm
before = set(globals()) | {"before"}
from batch_llm import *
print(*sorted((set(globals()) - before) ^ set(batch_llm.__all__)))
"""
    assert in_a_fresh_python(code) == ""


def signature(of: Any) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(of).parameters.items()
        if name != "self"
    }


def test_the_processor_takes_what_it_always_took_in_that_order() -> None:
    *always, later = signature(batch_llm.ParallelBatchProcessor)
    assert later == "payments"  # by its name alone
    assert always == [
        "max_workers",
        "post_processor",
        "timeout_per_item",
        "rate_limit_cooldown",
        "config",
        "error_classifier",
        "rate_limit_strategy",
        "middlewares",
        "observers",
        "progress_callback",
        "ledger",
        "max_cost_usd",
    ]
    assert set(signature(batch_llm.ParallelBatchProcessor).values()) == {None}


def public_members(thing: Any) -> dict[str, Any]:
    """Return the public methods and properties that a class of ours defines itself."""
    return {
        f"{thing.__qualname__}.{name}": member
        for name, member in vars(thing).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    }


@pytest.mark.parametrize("name", sorted(set(batch_llm.__all__) - {"__version__"}))
def test_every_public_name_has_a_docstring_and_so_have_its_members(name: str) -> None:
    thing = getattr(batch_llm, name)
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return
    assert thing.__doc__, name
    if inspect.isclass(thing):
        for member, value in public_members(thing).items():
            assert inspect.getdoc(value), member


SOURCES = sorted(Path(batch_llm.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_broad_except_has_its_reason_beside_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler) and is_broad(node):
            around = lines[node.lineno - 2 : node.body[0].lineno]
            assert any("#" in line for line in around), f"{path}:{node.lineno}"


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler catches everything, and does not raise it on untouched."""
    caught = "" if handler.type is None else ast.unparse(handler.type)
    re_raises = any(isinstance(part, ast.Raise) and part.exc is None for part in handler.body)
    return caught in ("", "Exception", "BaseException") and not re_raises
