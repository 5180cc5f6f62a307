"""Code as users write it: it is never run, and must pass mypy --strict and pyright."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_type

import polars
from pydantic import BaseModel

from batch_llm import (
    AgentLike,
    AnthropicStrategy,
    BaseMiddleware,
    BaseObserver,
    BatchProcessor,
    BatchResult,
    DefaultErrorClassifier,
    ErrorClassifier,
    ErrorInfo,
    EscalatingStrategy,
    ExponentialBackoffStrategy,
    FailureGroup,
    FilePart,
    FixedDelayStrategy,
    FrameworkTimeoutError,
    ImagePart,
    LLMCallStrategy,
    LLMRequest,
    LLMWorkItem,
    Message,
    MetricsObserver,
    OpenAICompatibleStrategy,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorConfig,
    ProcessorObserver,
    PydanticAIStrategy,
    RateLimitConfig,
    RateLimitStrategy,
    RequestStrategy,
    RetryConfig,
    RetryState,
    RichProgressBar,
    StrategyPool,
    TextPart,
    TokenUsage,
    WorkItemResult,
    process_prompts,
    process_stream,
    work_items,
)
from batch_llm.llm_strategies.pydantic_ai.model import PydanticAIModelStrategy
from batch_llm.testing import MockAgent, MockResult, MockUsage, mock_strategy


class Review(BaseModel):
    """What is asked of the model."""

    stars: int
    summary: str


@dataclass
class Row:
    """Where a prompt came from."""

    number: int
    source: str


# --- strategies ----------------------------------------------------------------------------


class ReviewStrategy(LLMCallStrategy[Review]):
    """Calls a client of the user's; does not call `super().__init__()`."""

    def __init__(self, model: str) -> None:
        self.model = model

    async def prepare(self) -> None:
        self.model = self.model.lower()

    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[Review, TokenUsage]:
        if state is not None and attempt > 1:
            state.set("escalated", True)
        usage: TokenUsage = {"input_tokens": len(prompt), "output_tokens": 5, "total_tokens": 5}
        return Review(stars=5, summary=prompt), usage

    async def on_error(
        self, exception: Exception, attempt: int, state: RetryState | None = None
    ) -> None:
        if state is not None and isinstance(exception, ValueError):
            state.set("last_error", str(exception))

    async def cleanup(self) -> None:
        self.model = ""

    async def dry_run(self, prompt: str) -> tuple[Review, TokenUsage]:
        return Review(stars=0, summary=prompt), {"input_tokens": 1}


class AnyRequestStrategy(RequestStrategy[str]):
    """Takes whole requests."""

    async def execute(
        self,
        prompt: str | LLMRequest,
        attempt: int,
        timeout: float,
        state: RetryState | None = None,
    ) -> tuple[str, TokenUsage]:
        text = prompt if isinstance(prompt, str) else prompt.text
        return text, {}


class TextStrategy(LLMCallStrategy):
    """Without a parameter, outputs are strings."""

    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[str, TokenUsage]:
        return prompt, {}


# --- around the items ----------------------------------------------------------------------


class SkipEmpty(BaseMiddleware[str, Review, Row]):
    """Skips, changes, and answers for failures."""

    async def before_process(
        self, work_item: LLMWorkItem[str, Review, Row]
    ) -> LLMWorkItem[str, Review, Row] | None:
        assert_type(work_item.context, Row)
        return work_item if work_item.prompt else None

    async def after_process(
        self, result: WorkItemResult[Review, Row]
    ) -> WorkItemResult[Review, Row]:
        if result.output is not None:
            result.output.summary = result.output.summary.strip()
        return result

    async def on_error(
        self, work_item: LLMWorkItem[str, Review, Row], exception: Exception
    ) -> WorkItemResult[Review, Row] | None:
        if isinstance(exception, FrameworkTimeoutError):
            return WorkItemResult(work_item.item_id, success=False, context=work_item.context)
        return None


class PrintingObserver(BaseObserver):
    """An async observer."""

    async def on_event(self, event: ProcessingEvent, data: dict[str, Any]) -> None:
        if event is ProcessingEvent.ITEM_FAILED:
            print(data["item_id"], data["error_type"])


class CountingObserver(ProcessorObserver):
    """A plain one."""

    def __init__(self) -> None:
        self.events = 0

    def on_event(self, event: ProcessingEvent, data: dict[str, Any]) -> None:
        self.events += 1


class MyClassifier(ErrorClassifier):
    """Knows one more failure than the default."""

    def __init__(self) -> None:
        self.default = DefaultErrorClassifier()

    def classify(self, exception: Exception) -> ErrorInfo:
        if "overloaded" in str(exception):
            return ErrorInfo(
                is_retryable=True,
                is_rate_limit=True,
                is_timeout=False,
                error_category="rate_limit",
                suggested_wait=5.0,
            )
        return self.default.classify(exception)


class Patient(RateLimitStrategy):
    """A cooldown of the user's."""

    async def on_rate_limit(self, worker_id: int, consecutive_limits: int) -> float:
        return 30.0 * consecutive_limits

    def should_apply_slow_start(self, items_since_resume: int) -> tuple[bool, float]:
        return items_since_resume < 10, 1.0


async def save(result: WorkItemResult[Review, Row]) -> None:
    """Post-process asynchronously."""
    assert_type(result.output, Review | None)
    assert_type(result.context, Row)
    print(result.item_id, result.error, result.token_usage.get("input_tokens", 0))


def save_now(result: WorkItemResult[Review, Row]) -> None:
    """Post-process on the spot."""
    if result.success and result.output:
        print(result.output.stars)


def show(completed: int, total: int, current_item_id: str) -> None:
    """Report progress."""
    print(f"{completed}/{total} {current_item_id}")


async def show_later(completed: int, total: int, current_item_id: str) -> None:
    """Report progress asynchronously."""
    show(completed, total, current_item_id)


# --- runs ----------------------------------------------------------------------------------


CONFIG = ProcessorConfig(
    max_workers=20,
    timeout_per_item=60.0,
    retry=RetryConfig(max_attempts=5, initial_wait=0.5, jitter=False),
    rate_limit=RateLimitConfig(cooldown_seconds=30.0, slow_start_items=10),
    max_requests_per_minute=600,
    progress_interval=1,
)


async def run(rows: list[Row]) -> BatchResult[Review, Row]:
    """Use everything at once."""
    strategy = ReviewStrategy("m")
    metrics = MetricsObserver()
    async with ParallelBatchProcessor[str, Review, Row](
        config=CONFIG,
        post_processor=save,
        error_classifier=MyClassifier(),
        rate_limit_strategy=Patient(),
        middlewares=[SkipEmpty()],
        observers=[metrics, PrintingObserver(), CountingObserver()],
        progress_callback=RichProgressBar(),
    ) as processor:
        for row in rows:
            await processor.add_work(
                LLMWorkItem(
                    item_id=f"row-{row.number}", strategy=strategy, prompt=row.source, context=row
                )
            )
        result = await processor.process_all()
        stats = await processor.get_stats()
    counted = await metrics.get_metrics()
    assert_type(stats["duration"], Any)
    assert_type(counted["success_rate"], float)
    assert_type(await metrics.export_json(), str)
    return result


def read(result: BatchResult[Review, Row]) -> list[str]:
    """Read results."""
    lines = [f"{result.succeeded} of {result.total_items}", f"{result.cache_hit_rate():.1f} %"]
    for item in result.results:
        assert_type(item, WorkItemResult[Review, Row])
        if item.success and item.output is not None:
            assert_type(item.output, Review)
            lines.append(f"{item.context.number}: {item.output.stars}")
        else:
            lines.append(f"{item.item_id}: {item.error} ({item.attempts} attempts)")
    if result.results[0].cost_usd is not None:
        lines.append(f"{result.results[0].cost_usd:.4f} USD")
    return lines


async def shortest() -> None:
    """Leave out what can be left out."""
    async with ParallelBatchProcessor[str, Review, None](max_workers="auto") as processor:
        await processor.add_work(LLMWorkItem("a", ReviewStrategy("m"), "prompt"))
        result = await processor.process_all()
    assert_type(result.results[0].output, Review | None)
    assert_type(result.results[0].context, None)


async def callbacks_of_both_kinds() -> None:
    """Pass plain and async callbacks."""
    ParallelBatchProcessor[str, Review, Row](
        post_processor=save_now,
        progress_callback=show,
        rate_limit_strategy=ExponentialBackoffStrategy(initial_cooldown=10.0),
    )
    ParallelBatchProcessor[str, Review, Row](
        5, progress_callback=show_later, rate_limit_strategy=FixedDelayStrategy(cooldown=1.0)
    )


def any_processor(processor: BatchProcessor[str, Review, Row]) -> BatchProcessor[str, Review, Row]:
    """Accept any processor."""
    return processor


any_processor(ParallelBatchProcessor[str, Review, Row]())


# --- prompts, requests ---------------------------------------------------------------------


REQUEST = LLMRequest(
    [
        Message("user", "Look at these."),
        Message("assistant", "Show me."),
        Message(
            "user",
            (
                TextPart("Here."),
                ImagePart(data=b"", media_type="image/png"),
                FilePart(url="https://example.org/a.pdf"),
            ),
        ),
    ],
    system="Be brief.",
    output_schema=Review,
    temperature=0.0,
    max_output_tokens=200,
    stop=["END"],
)
REQUEST_ITEM = LLMWorkItem("a", AnyRequestStrategy(), REQUEST)
TEXT_ITEM = LLMWorkItem("b", TextStrategy(), "text")


async def one_call() -> None:
    """Let one call do it all."""
    result = await process_prompts(["a", ("b", "c"), REQUEST], AnyRequestStrategy(), max_workers=3)
    assert_type(result.results[0].output, str | None)
    async for item in process_stream(["a"], ReviewStrategy("m")):
        assert_type(item.output, Review | None)


def built_in_strategies() -> None:
    """Have outputs typed by their schema."""
    assert_type(OpenAICompatibleStrategy("m"), OpenAICompatibleStrategy[str])
    assert_type(
        OpenAICompatibleStrategy("m", output_schema=Review), OpenAICompatibleStrategy[Review]
    )
    assert_type(AnthropicStrategy("m", system_cache_ttl="1h"), AnthropicStrategy[str])
    assert_type(AnthropicStrategy("m", output_schema=Review), AnthropicStrategy[Review])
    assert_type(PydanticAIModelStrategy("openai:m"), PydanticAIModelStrategy[str])
    assert_type(
        PydanticAIModelStrategy("openai:m", output_schema=Review, temperature=0.1),
        PydanticAIModelStrategy[Review],
    )


# --- several strategies --------------------------------------------------------------------


def several() -> None:
    """Have outputs typed by the members."""
    cheap = OpenAICompatibleStrategy("small", output_schema=Review, repair=False)
    strong = AnthropicStrategy("large", output_schema=Review)
    assert_type(StrategyPool([cheap, cheap]), StrategyPool[Review])
    either: list[LLMCallStrategy[Review]] = [StrategyPool([cheap]), strong]
    assert_type(EscalatingStrategy(either), EscalatingStrategy[Review])
    assert_type(EscalatingStrategy(either, on=["server_error"]), EscalatingStrategy[Review])


# --- agents --------------------------------------------------------------------------------


class TheirResult:
    """A result as another library has it."""

    output: Review

    def usage(self) -> MockUsage:
        return MockUsage()


class TheirAgent:
    """An agent of another library."""

    async def run(self, prompt: str) -> TheirResult:
        return TheirResult()


def make_review(prompt: str) -> Review:
    """Answer in place of a model."""
    return Review(stars=3, summary=prompt)


def agents() -> None:
    """Have outputs typed by the agent."""
    agent = MockAgent(response_factory=make_review, latency=0.01, rate_limit_on_call=3)
    assert_type(PydanticAIStrategy(agent=agent), PydanticAIStrategy[Review])
    assert_type(mock_strategy(agent), PydanticAIStrategy[Review])
    assert_type(PydanticAIStrategy(TheirAgent()), PydanticAIStrategy[Review])
    anything_alike: AgentLike[Review] = agent
    assert_type(PydanticAIStrategy(anything_alike), PydanticAIStrategy[Review])
    assert_type(MockResult("x").output, str)


class AgentsOfTheLibrary:
    """Have outputs typed by pydantic-ai's own agents."""

    def __init__(self) -> None:
        from pydantic_ai import Agent

        self.texts = PydanticAIStrategy(Agent("test"))
        self.reviews = PydanticAIStrategy(Agent("test", output_type=Review))
        assert_type(self.texts, PydanticAIStrategy[str])
        assert_type(self.reviews, PydanticAIStrategy[Review])


async def tables(
    strategy: LLMCallStrategy[Review],
    frame: polars.DataFrame,
    rows: list[dict[str, str]],
    processor: ParallelBatchProcessor[str, Review, Mapping[str, object]],
) -> None:
    """Make work of tables, and tables of results."""
    results = await processor.process_all(work_items(frame, strategy, "{text}"))
    assert_type(results, BatchResult[Review, Mapping[str, object]])
    for item in work_items(rows, strategy, "{text}", context="number"):
        assert_type(item, LLMWorkItem[str, Review, int])
    for bare in work_items((row for row in rows), strategy, "{text}", context=None):
        assert_type(bare, LLMWorkItem[str, Review, None])
    assert_type(results.to_dataframe("polars"), polars.DataFrame)
    assert_type(results.latency_percentiles(50), dict[str, float])
    assert_type(results.failures(), list[FailureGroup])
