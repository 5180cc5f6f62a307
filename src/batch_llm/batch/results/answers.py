"""What a provider answered, as the result of a job."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from ...base import JobResult, PricedModel
from ...base.schema import OutputSchema
from ...exceptions import BatchLLMError, OutputValidationError
from ...pricing import cost_usd
from ...strategies.errors import DefaultErrorClassifier
from ..citations import all_citations, map_citations, read_anthropic, read_gemini

if TYPE_CHECKING:
    from ...base import Job
    from ...base.results import Outcome
    from ...wire.batch_item import BatchAnswer, BatchOutcome
    from ...wire.remote_status import RemoteEnd, RemoteStatus
    from ..citations import CitedText

VALIDATION_ERROR: Final = "validation_error"
MISSING: Final = "missing"

_OUTCOMES: Final[dict[BatchOutcome, Outcome]] = {
    "succeeded": "succeeded",
    "errored": "failed",
    "expired": "expired",
    "canceled": "cancelled",
}
_OF_BATCHES: Final[dict[RemoteEnd, Outcome]] = {
    "completed": "failed",
    "failed": "failed",
    "expired": "expired",
    "cancelled": "cancelled",
}
_WHY: Final[dict[Outcome, str]] = {
    "expired": "The provider did not come to it in time.",
    "cancelled": "It was cancelled before it ran.",
}


@cache
def plain_schema() -> OutputSchema:
    """Return what any JSON fits, for an answer of which nobody knows what it was to fit."""
    return OutputSchema({})


def result_of(
    job: Job, answer: BatchAnswer, priced: PricedModel, remote_id: str, *, keeps_raw: bool = False
) -> JobResult:
    """Return how a job ended that the provider says something of.

    Args:
        job: what was asked.
        answer: what became of it.
        priced: what it is billed as.
        remote_id: of the remote batch.
        keeps_raw: whether to keep what the provider sent.
    """
    if answer.result is not None:
        return _as_told(job, answer.result, remote_id, keeps_raw=keeps_raw)
    outcome = _OUTCOMES[answer.outcome]
    result = JobResult(
        job.id,
        answer.text or "",
        outcome=outcome,
        finish_reason=answer.finish_reason,
        is_truncated=answer.is_truncated,
        batch_id=remote_id,
        embedding=None if answer.embedding is None else list(answer.embedding),
        raw_response=_json(answer.raw) if keeps_raw else None,
        lane="batch" if outcome in ("succeeded", "failed") else None,
    )
    _set_bill(result, answer, priced)
    if outcome != "succeeded":
        result.error = answer.error_message or _WHY.get(outcome, "The provider does not say why.")
        result.error_category = _category_of(answer) or outcome
        return result
    _set_parsed(result, job.output_schema)
    if job.enable_citations or _is_grounded(answer, priced.provider):
        _set_citations(result, answer, priced.provider)
    return result


def _category_of(answer: BatchAnswer) -> str | None:
    """Return what a failure means, in the words of either lane; None where nothing failed."""
    if answer.error is None or answer.outcome != "errored":
        return None
    return DefaultErrorClassifier().classify(answer.error).error_category


def missing_result(
    job_id: str, status: RemoteStatus, why: str | None = None, *, has_partial: bool = False
) -> JobResult:
    """Return how a job ended that the results of an ended batch say nothing of.

    Args:
        job_id: of the job.
        status: of the batch.
        why: what is known besides.
        has_partial: whether a batch that was cut short has the results of all that it has run.
    """
    ended_as = status.ended_as or "failed"
    reason = why or (status.error and status.error.message)
    said = f"The remote batch {status.id} ended as {ended_as}, and its results lack this job."
    return JobResult(
        job_id,
        outcome=_OF_BATCHES[ended_as],
        error=f"{said} {reason}" if reason else said,
        error_category=(status.error and status.error.code) or MISSING,
        cost_usd=None if _may_be_billed(status, has_partial=has_partial) else 0.0,
        batch_id=status.id,
    )


def _may_be_billed(status: RemoteStatus, *, has_partial: bool) -> bool:
    """Return whether a batch may have run jobs of which its results say nothing.

    Google keeps the answers of a batch that expired or was cancelled to itself, and bills them.
    The others give them all; a batch that they stop before they have counted it ran nothing.
    """
    counts = status.counts
    is_counted = has_partial or counts.total > 0 or status.ended_as == "failed"
    return status.ended_as == "completed" or counts.succeeded > 0 or not is_counted


def _as_told(job: Job, told: JobResult, remote_id: str, *, keeps_raw: bool) -> JobResult:
    """Return a result that a provider of the user's own gives, with what it leaves open."""
    is_answered = told.outcome in ("succeeded", "failed")
    result = replace(
        told,
        job_id=job.id,
        batch_id=told.batch_id or remote_id,
        raw_response=told.raw_response if keeps_raw else None,
        lane=told.lane or ("batch" if is_answered else None),
    )
    if result.is_success and result.parsed_response is None:
        _set_parsed(result, job.output_schema)
    return result


def _set_bill(result: JobResult, answer: BatchAnswer, priced: PricedModel) -> None:
    usage = answer.usage
    if usage is None:
        # Providers bill what they answer. An answer without its bill has a cost nobody knows.
        is_answered = answer.outcome == "succeeded" or answer.may_be_billed
        result.cost_usd = None if is_answered else 0.0
        return
    result.input_tokens = usage.get("input_tokens", 0)
    result.output_tokens = usage.get("output_tokens", 0)
    result.cached_input_tokens = usage.get("cached_input_tokens", 0)
    result.reasoning_tokens = usage.get("reasoning_tokens", 0)
    result.cost_usd = cost_usd(priced, usage, lane="batch")


def parse_plainly(result: JobResult) -> None:
    """Let a result hold what JSON gives of its text: what it was to fit is not known any longer."""
    _set_parsed(result, plain_schema())


def _set_parsed(result: JobResult, schema: OutputSchema | None) -> None:
    if schema is None:
        return
    try:
        result.parsed_response = schema.parse(result.response)
    except OutputValidationError as error:
        _fail_parse(result, str(error))
    except Exception as error:  # validators are the user's, and may raise anything
        _fail_parse(result, f"A validator of the model raised {type(error).__name__}.")


def _fail_parse(result: JobResult, why: str) -> None:
    """Let a result be one whose text, which is kept, does not fit what was asked for."""
    if result.is_truncated:
        why = f"The answer ends at the limit of its tokens (max_tokens). {why}"
    result.outcome, result.error, result.error_category = "failed", why, VALIDATION_ERROR
    result.parsed_response = {"error": why}


def _set_citations(result: JobResult, answer: BatchAnswer, provider: str) -> None:
    parts = _cited_parts(_json(answer.raw), provider)
    result.citations = all_citations(parts)
    if result.parsed_response is None or not result.citations:
        return
    # No citation is worth the answer: a model of the user's may not be walked through.
    with suppress(BatchLLMError, TypeError, ValueError):
        result.citation_mappings = map_citations(result.parsed_response, (), blocks=parts)


def _is_grounded(answer: BatchAnswer, provider: str) -> bool:
    """Tell whether a search brought sources along: no job asks for one, but a client's own may."""
    return provider == "gemini" and b'"groundingMetadata"' in answer.raw


def _cited_parts(raw: dict[str, Any] | None, provider: str) -> list[CitedText]:
    try:
        if raw is not None and provider == "anthropic":
            return read_anthropic(raw["result"]["message"]["content"])
        if raw is not None and provider == "gemini":
            return read_gemini(raw["response"]["candidates"][0])
    except (KeyError, IndexError, TypeError):
        return []
    return []


def _json(raw: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
