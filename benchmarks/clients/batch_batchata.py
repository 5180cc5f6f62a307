"""Runs a batch through batchata, as `SETTINGS` (JSON) say; its last line is what the user sees.

Settings: `model`, `prompts`, `state_file`, `results_dir`, `items_per_batch`, `cost_limit_usd`,
`time_limit_seconds`, `answers_are_models`, `no_token_limit`. With `passage` and `fields`, only the
mapping of citations is asked, and no batch is run.
"""

import json
import sys
from typing import Literal

from batchata import Batch
from batchata.providers.anthropic.citation_mapper import map_citations_to_fields
from batchata.types import Citation
from pydantic import BaseModel, create_model


class Answer(BaseModel):
    """What is asked for where answers are models."""

    mood: Literal["good", "bad"]


def batch_of(settings):
    """Return the batch, built as the package's own pages do it."""
    results_dir, items = settings["results_dir"], settings.get("items_per_batch", 100)
    batch = Batch(results_dir=results_dir, max_parallel_batches=1, items_per_batch=items)
    batch.set_verbosity("error")
    batch.set_default_params(model=settings["model"], max_tokens=50)
    if settings.get("no_token_limit"):
        batch.set_default_params(max_tokens=None)
    if "state_file" in settings:
        batch.set_state(file=settings["state_file"], reuse_state=True)
    if "cost_limit_usd" in settings:
        batch.add_cost_limit(usd=settings["cost_limit_usd"])
    if "time_limit_seconds" in settings:
        batch.add_time_limit(seconds=settings["time_limit_seconds"])
    model = Answer if settings.get("answers_are_models") else None
    for prompt in settings["prompts"]:
        # A prompt alone is sent as no message at all, and refused by the providers.
        batch.add_job(messages=[{"role": "user", "content": prompt}], response_model=model)
    return batch


def seen_of(run):
    """Return what the results say, by their prompts where these are known."""
    ends = {"completed": "succeeded", "failed": "failed", "cancelled": "cancelled"}
    prompts = {job_id: job.messages[0]["content"] for job_id, job in run.jobs.items()}
    jobs = [
        {
            "prompt": prompts.get(result.job_id),
            "outcome": outcome,
            "response": result.raw_response,
            "is_model": isinstance(result.parsed_response, Answer),
            "error": result.error,
        }
        for name, outcome in ends.items()
        for result in run.results()[name]
    ]
    return {"jobs": jobs, "cost_usd": run.status()["cost_usd"]}


def cited_fields(settings):
    """Return the fields that the mapping gives a passage to."""
    fields = settings["fields"]
    model = create_model("Fields", **{name: (type(value), ...) for name, value in fields.items()})
    passage = settings["passage"]
    blocks = [(passage, Citation(text=passage, source="note"))]
    return sorted(map_citations_to_fields(blocks, model(**fields))[0])


def main(settings):
    """Print what was seen, or what was raised."""
    if "passage" in settings:
        print(json.dumps({"cited": cited_fields(settings)}))
        return
    try:
        seen = seen_of(batch_of(settings).run())
    except Exception as error:  # whatever its user would see
        seen = {"raised": f"{type(error).__name__}: {error}"}
    print(json.dumps(seen))


main(json.loads(sys.argv[1]))
