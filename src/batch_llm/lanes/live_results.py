"""What the live lane answered, as the result of a job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..base import JobResult
from ..base.json_text import json_value

if TYPE_CHECKING:
    from ..base import Job, WorkItemResult


def job_result_of(job: Job, ended: WorkItemResult[Any, Any]) -> JobResult:
    """Return how a job ended that went live, in the words of the batch lane.

    Args:
        job: what was asked.
        ended: what became of it: a success or a failure.
    """
    usage = ended.token_usage
    result = JobResult(
        job.id,
        input_tokens=usage.get("input_tokens", 0),
        output_tokens=usage.get("output_tokens", 0),
        cached_input_tokens=usage.get("cached_input_tokens", 0),
        cost_usd=ended.cost_usd,
        outcome="succeeded" if ended.success else "failed",
        error=ended.error,
        error_category=ended.error_category,
        finish_reason=ended.finish_reason,
        is_truncated=ended.is_truncated,
        lane="live",
    )
    if ended.success and job.response_model is None:
        result.response = str(ended.output)
    elif ended.success:
        result.parsed_response = ended.output
        # The value is what is left of the text: the strategy has read it already.
        result.response = json.dumps(json_value(ended.output), ensure_ascii=False)
    return result
