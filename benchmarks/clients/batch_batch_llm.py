"""Runs one batch through this package, as `SETTINGS` (JSON) say; see `batch_batchata.py`."""

import json
import sys
from typing import Literal

from pydantic import BaseModel, create_model

from batch_llm.batch import Batch, Citation
from batch_llm.batch.citations import map_citations


class Answer(BaseModel):
    """What is asked for where answers are models."""

    mood: Literal["good", "bad"]


def batch_of(settings):
    """Return the batch."""
    batch = Batch(
        settings.get("state_file"),
        settings["results_dir"],
        max_concurrent=1,
        items_per_batch=settings.get("items_per_batch", 100),
        poll_interval_seconds=0.5,
        orphan_grace_seconds=1,
    )
    batch.defaults(model=settings["model"], max_tokens=50)
    if settings.get("no_token_limit"):
        batch.defaults(max_tokens=None)
    if "cost_limit_usd" in settings:
        batch.add_cost_limit(usd=settings["cost_limit_usd"])
    model = Answer if settings.get("answers_are_models") else None
    for prompt in settings["prompts"]:
        batch.add_job(prompt, prompt=prompt, response_model=model)
    return batch


def seen_of(run):
    """Return what the results say; a job's id is its prompt."""
    jobs = [
        {
            "prompt": job_id,
            "outcome": result.outcome,
            "response": result.response,
            "is_model": isinstance(result.parsed_response, Answer),
            "error": result.error,
        }
        for job_id, result in run.results().items()
    ]
    return {"jobs": jobs, "cost_usd": run.status().cost_usd}


def cited_fields(settings):
    """Return the fields that the mapping gives a passage to."""
    fields = settings["fields"]
    model = create_model("Fields", **{name: (type(value), ...) for name, value in fields.items()})
    passage = settings["passage"]
    citation = Citation(passage, 0, "note", "char", 0, len(passage))
    return sorted(map_citations(model(**fields), [citation]))


def main(settings):
    """Print what was seen, or what was raised."""
    if "passage" in settings:
        print(json.dumps({"cited": cited_fields(settings)}))
        return
    try:
        limit = settings.get("time_limit_seconds")
        seen = seen_of(batch_of(settings).run(wait=True, time_limit_seconds=limit))
    except Exception as error:  # whatever its user would see
        seen = {"raised": f"{type(error).__name__}: {error}"}
    print(json.dumps(seen))


main(json.loads(sys.argv[1]))
