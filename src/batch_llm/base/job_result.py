"""How a job of the batch lane ended."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

from ..exceptions import InputError
from .citation import Citation
from .cited_value import CitedValue
from .json_text import as_json, json_value
from .results import Outcome
from .schema import OutputSchema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from .job import ResponseModel

Lane: TypeAlias = Literal["batch", "live"]
"""Which way a request went: in a remote batch, or in a call of its own."""


@dataclass(slots=True)
class JobResult:
    """How a job ended.

    Attributes:
        job_id: the job's id.
        response: the answer's text; "" where there is none.
        parsed_response: what the text holds, where the job has a `response_model`: an instance of
            it, or what JSON gives. Where the text does not fit, `{"error": "…"}`.
        citations: the passages that the answer rests on; None where none were asked for.
        input_tokens: billed, those read from a cache included.
        output_tokens: billed, reasoning included.
        cost_usd: what it cost; None where the price is not known. At the live price, and so up to
            twice of what is billed, where no price of batches is listed.
        error: why it did not succeed; None where it did.
        outcome: "succeeded", "failed", "expired" (the provider did not come to it in time) or
            "cancelled". Where it is not given, `error` decides.
        error_category: what the failure means: a word as in `WorkItemResult`, or "input_error" (it
            could not be sent), "submission_refused" (nor could its batch), "missing" or the
            provider's word (its batch ended without it), "expired" or "cancelled".
        finish_reason: why the answer ends where it does, in the provider's word.
        is_truncated: whether the answer ends at the limit of its tokens.
        cached_input_tokens: the part of the input that was read from a cache.
        reasoning_tokens: the part of the output that no one sees.
        embedding: the vector, for a job that embeds.
        citation_mappings: which passages each field of `parsed_response` rests on and how sure
            that is, best first, by the path of the field ("lines.0.total"). A field that no
            passage states is absent; None where there is nothing to map.
        batch_id: the remote batch that it came with.
        raw_response: what the provider sent, where it was asked for.
        raw_request: what it was sent, made anew from the job, without the content of files; as
            `raw_response`.
        lane: which lane answered: "batch", or "live" after a deadline; None where none did.

    Raises:
        InputError: for an outcome that is none.
    """

    job_id: str
    response: str = ""
    parsed_response: Any = None
    citations: list[Citation] | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    error: str | None = None
    outcome: Outcome = cast("Outcome", None)  # noqa: RUF009 - a constant, typed for mypy
    error_category: str | None = None
    finish_reason: str | None = None
    is_truncated: bool = False
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    embedding: list[float] | None = field(default=None, repr=False)
    citation_mappings: dict[str, list[CitedValue]] | None = None
    batch_id: str | None = None
    raw_response: dict[str, Any] | None = field(default=None, repr=False)
    raw_request: dict[str, Any] | None = field(default=None, repr=False)
    lane: Lane | None = None

    def __post_init__(self) -> None:
        if self.outcome is None:
            self.outcome = "succeeded" if self.error is None else "failed"  # type: ignore[unreachable]  # None is what stands for no outcome given
        if self.outcome not in get_args(Outcome):
            raise InputError(
                f"JobResult.outcome is one of {', '.join(get_args(Outcome))}, not {self.outcome!r}."
            )

    @property
    def is_success(self) -> bool:
        """Whether the job succeeded."""
        return self.outcome == "succeeded"

    @property
    def total_tokens(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens

    def to_dict(self) -> dict[str, object]:
        """Return the fields as values of JSON, from which `from_dict` makes an equal result."""
        told: dict[str, object] = {name: getattr(self, name) for name in _FIELDS}
        told["parsed_response"] = _plain(self.parsed_response)
        told["is_model"] = _is_model(self.parsed_response)
        if self.citations is not None:
            told["citations"] = [citation.to_dict() for citation in self.citations]
        if self.citation_mappings is not None:
            told["citation_mappings"] = {
                path: [value.to_dict() for value in found]
                for path, found in self.citation_mappings.items()
            }
        return told

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, response_model: ResponseModel | None = None
    ) -> JobResult:
        """Return the result that `to_dict` was called on.

        Args:
            data: what `to_dict` returned; a field that is not there has its default.
            response_model: the job's; without it a parsed answer stays a dictionary.

        Raises:
            InputError: if `data` is of no result, or the answer does not fit the model any longer.
        """
        known = dict(data)
        was_model = known.pop("is_model", False)
        unknown = [name for name in known if name not in _FIELDS]
        if unknown or "job_id" not in known:
            what = f"a field {unknown[0]!r}, which this version does not know" if unknown else ""
            raise InputError(f"A result of a job has {what or 'no job_id'}.")
        if was_model and isinstance(response_model, type):
            known["parsed_response"] = _revived(known, response_model)
        if known.get("citations") is not None:
            known["citations"] = [Citation.from_dict(each) for each in known["citations"]]
        if known.get("citation_mappings") is not None:
            mapped = known["citation_mappings"].items()
            known["citation_mappings"] = {
                path: [CitedValue.from_dict(each) for each in found] for path, found in mapped
            }
        return cls(**known)


_FIELDS: Final = tuple(field.name for field in fields(JobResult))


def _is_model(value: object) -> bool:
    return hasattr(type(value), "model_fields")


def _plain(value: object) -> object:
    """Return a parsed answer as JSON has it, a model in the form in which it reads itself."""
    if not _is_model(value):
        return json_value(value)
    model = cast("BaseModel", value)
    try:
        return model.model_dump(mode="json", by_alias=True, round_trip=True)
    except Exception:  # fields of a foreign model may raise anything
        return json_value(value)


def _are_same(value: object, kept: object) -> bool:
    """Whether a file has the same of both: of NaN and of an infinity it has null."""
    return value == kept or json.loads(as_json(value)) == json.loads(as_json(kept))


def _revived(known: Mapping[str, Any], response_model: type[BaseModel]) -> BaseModel:
    """Return the model that was kept.

    What it was first made of was the text. A model need not read what it writes (aliases,
    serializers of its own), and JSON has no NaN; but a provider of the user's may have made it of
    something else. Whatever comes back has to be what was kept.
    """
    kept = known.get("parsed_response")
    ways = (
        lambda: OutputSchema(response_model).parse(known.get("response") or ""),
        lambda: response_model.model_validate(kept),
    )
    for way in ways:
        with suppress(Exception):  # validators are the user's, and may raise anything
            found: BaseModel = way()
            if _are_same(_plain(found), kept):
                return found
    raise InputError(
        f"The answer that is kept for {known['job_id']!r} does not fit {response_model.__name__} "
        f"as it is now. If the model has changed, ask again in a new state file."
    )
