"""Mistakes that the types must catch: each marked line, and no other, is an error to mypy."""

from __future__ import annotations

from pydantic import BaseModel

from batch_llm import (
    AnthropicStrategy,
    BaseMiddleware,
    ErrorClassifier,
    ErrorInfo,
    LLMCallStrategy,
    LLMRequest,
    LLMWorkItem,
    Message,
    MetricsObserver,
    ParallelBatchProcessor,
    ProcessorConfig,
    PydanticAIStrategy,
    RetryConfig,
    RetryState,
    TokenUsage,
    WorkItemResult,
)
from batch_llm.llm_strategies.pydantic_ai.model import PydanticAIModelStrategy
from batch_llm.testing import MockAgent


class Review(BaseModel):
    stars: int


class Unfinished(LLMCallStrategy[str]):
    pass


class WithoutUsage(LLMCallStrategy[str]):
    async def execute(  # E: override
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> str:
        return prompt


class Texts(LLMCallStrategy[str]):
    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[str, TokenUsage]:
        usage: TokenUsage = {"prompt_tokens": 3}  # E: typeddict-unknown-key
        return prompt, usage


class Reviews(LLMCallStrategy[Review]):
    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[Review, TokenUsage]:
        return prompt, {}  # E: return-value


class NotAsync(BaseMiddleware[str, Review, None]):
    def before_process(  # E: override
        self, work_item: LLMWorkItem[str, Review, None]
    ) -> LLMWorkItem[str, Review, None] | None:
        return work_item


class ByName(ErrorClassifier):
    def classify(self, exception: Exception) -> str:  # E: override
        return type(exception).__name__


def two_of_three(completed: int, total: int) -> None:
    print(completed, total)


async def save_text(result: WorkItemResult[str, None]) -> None:
    print(result.output)


Unfinished()  # E: abstract
LLMWorkItem("a", "gpt-5", "prompt")  # E: arg-type
LLMWorkItem(7, Texts(), "prompt")  # E: arg-type
LLMRequest([Message("system", "Be brief.")])  # E: arg-type
LLMRequest("prompt", max_tokens=5)  # E: call-arg
ErrorInfo(is_retryable=True, is_rate_limit=False)  # E: call-arg
ProcessorConfig(max_workers="many")  # E: arg-type
ProcessorConfig(workers=5)  # E: call-arg
ProcessorConfig(retry=RetryConfig(max_attempts="3"))  # E: arg-type
AnthropicStrategy("claude-haiku-4-5", system_cache_ttl="2h")  # E: call-overload
PydanticAIStrategy("openai:gpt-5")  # E: arg-type
PydanticAIModelStrategy("openai:gpt-5", temprature=0.5)  # E: call-overload
MockAgent(latency="slow")  # E: arg-type
ParallelBatchProcessor[str, Review, None](progress_callback=two_of_three)  # E: arg-type
ParallelBatchProcessor[str, Review, None](post_processor=save_text)  # E: arg-type


async def run(processor: ParallelBatchProcessor[str, Review, None]) -> None:
    await processor.add_work(LLMWorkItem("a", Texts(), "prompt"))  # E: arg-type
    await processor.add_work("prompt")  # E: arg-type
    print(processor.process_all().results)  # E: attr-defined
    result = await processor.process_all()
    print(result.results[0].output.stars)  # E: union-attr
    print(result.results[0].context.number)  # E: attr-defined
    metrics = MetricsObserver()
    print(metrics.get_metrics()["success_rate"])  # E: index
    print((await metrics.get_metrics())["items_done"])  # E: typeddict-item
