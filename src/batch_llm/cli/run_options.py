"""What one `batch-llm run` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

from ..exceptions import ConfigurationError
from ..rows.identity import IdRule
from ..rows.plan import RowPlan
from ..rows.template import PromptTemplate
from .option_values import (
    read_above,
    read_duration,
    read_key,
    read_names,
    read_path,
    read_schema,
    read_text,
    read_workers,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ..llm_strategies.by_name import RequestOptions


class RowFlags(TypedDict):
    """What `batch-llm run` and `batch-llm batch` take alike, as it stands on the command line."""

    source: str
    output: str | None
    model: str
    prompt: str
    system: str | None
    schema: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    seed: int | None
    stop: list[str] | None
    api_key_env: str | None
    input_format: str | None
    id_field: str | None
    limit: int | None
    output_format: str | None
    order: str
    keep: list[str] | None
    keep_all: bool
    force: bool
    max_cost: float | None
    estimate: bool
    quiet: bool


class RunFlags(RowFlags):
    """The parameters of `run_command`."""

    then: list[str] | None
    priced_as: str | None
    ledger: str | None
    resume: bool
    keep_prompts: bool
    durability: Literal["process", "power"]
    cache: bool
    share: bool | None
    max_workers: str | None
    max_attempts: int
    timeout: float
    row_deadline: str | None
    deadline: str | None
    rpm: float | None
    tpm: float | None
    input_tpm: float | None
    output_tpm: float | None
    cooldown: float
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """Where rows come from and results go; None stands for the standard stream."""

    input: Path | None
    output: Path | None
    input_format: str | None = None
    output_format: str | None = None
    overwrite: bool = False
    in_input_order: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOptions:
    """Where a run keeps what it has done, and whether it goes on with what is kept there."""

    path: Path
    resume: bool
    store_prompts: bool = True
    durability: Literal["process", "power"] = "process"
    cache: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceOptions:
    """How many calls, how often, how long, for how much."""

    max_workers: int | Literal["auto"] | None = None
    max_attempts: int = 3
    timeout_seconds: float = 120.0
    row_deadline_seconds: float | None = None
    run_deadline_seconds: float | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    input_tokens_per_minute: float | None = None
    output_tokens_per_minute: float | None = None
    cooldown_seconds: float = 60.0
    max_cost_usd: float | None = None
    share_identical: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Which models, and what each request asks of them besides the prompt.

    Attributes:
        spec: the model.
        then: those that take over from it, one after the other, where it answers badly.
        priced_as: what calls of `spec` are billed as, where that is not known by itself.
    """

    spec: str
    then: tuple[str, ...] = ()
    api_key: str | None = None
    priced_as: str | None = None
    request: RequestOptions

    @property
    def specs(self) -> tuple[str, ...]:
        """All models, in the order in which they are asked."""
        return (self.spec, *self.then)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What one `batch-llm run` was asked for."""

    files: FileOptions
    plan: RowPlan
    model: ModelOptions
    pace: PaceOptions
    ledger: LedgerOptions | None = None
    dry_run: bool = False


def read_run_options(flags: RunFlags) -> RunOptions:
    """Return what `flags` ask for.

    Raises:
        ConfigurationError: for the first value that cannot be read, or does not go with another.
    """
    return RunOptions(
        files=read_files(flags, is_trial=flags["estimate"] or flags["dry_run"]),
        plan=read_plan(flags),
        model=_model(flags),
        pace=_pace(flags),
        ledger=_ledger(flags),
        dry_run=flags["dry_run"],
    )


def read_files(flags: RowFlags, *, is_trial: bool) -> FileOptions:
    """Return where rows come from and results go; a trial needs no place for them.

    Raises:
        ConfigurationError: if there is none.
    """
    output = flags["output"]
    if output is None and not is_trial:
        raise ConfigurationError(
            "There is no place for the results: add --output FILE, or --output - for standard "
            "output."
        )
    return FileOptions(
        input=read_path(flags["source"]),
        output=None if output is None else read_path(output),
        input_format=flags["input_format"],
        output_format=flags["output_format"],
        overwrite=flags["force"],
        in_input_order=flags["order"] == "input",
    )


def read_plan(flags: RowFlags) -> RowPlan:
    """Return what is made of each row.

    Raises:
        ConfigurationError: if the prompt cannot be read, or is no template.
    """
    return RowPlan(
        template=PromptTemplate(read_text("--prompt", flags["prompt"])),
        ids=IdRule(flags["id_field"]),
        keep=None if flags["keep_all"] else read_names(flags["keep"] or ()),
        limit=flags["limit"],
    )


def read_request(flags: RowFlags) -> RequestOptions:
    """Return what each request asks besides its prompt.

    Raises:
        ConfigurationError: for a value that cannot be read.
    """
    system, schema, top_p = flags["system"], flags["schema"], flags["top_p"]
    return {
        "system": None if system is None else read_text("--system", system),
        "output_schema": None if schema is None else read_schema(schema),
        "temperature": flags["temperature"],
        "top_p": None if top_p is None else read_above("--top-p", top_p),
        "max_output_tokens": flags["max_tokens"],
        "stop": tuple(flags["stop"] or ()),
        "seed": flags["seed"],
    }


def _ledger(flags: RunFlags) -> LedgerOptions | None:
    if flags["ledger"] is None:
        asked = {
            "--resume": flags["resume"],
            "--cache": flags["cache"],
            "--no-prompts": not flags["keep_prompts"],
            "--durability": flags["durability"] != "process",
        }
        for option, is_asked in asked.items():
            if is_asked:
                raise ConfigurationError(
                    f"{option} needs a ledger: add --ledger FILE, such as --ledger run.db."
                )
        return None
    path = read_path(flags["ledger"])
    if path is None or not flags["ledger"].strip():
        raise ConfigurationError(f"--ledger takes the path of a file, not {flags['ledger']!r}.")
    return LedgerOptions(
        path=path,
        resume=flags["resume"],
        store_prompts=flags["keep_prompts"],
        durability=flags["durability"],
        cache=flags["cache"],
    )


def _model(flags: RunFlags) -> ModelOptions:
    then = tuple(flags["then"] or ())
    if 1 + len(then) > flags["max_attempts"]:
        raise ConfigurationError(
            f"--model and --then name {1 + len(then)} models, of which a row can reach "
            f"{flags['max_attempts']} by its attempts: add --max-attempts {1 + len(then)}."
        )
    return ModelOptions(
        spec=flags["model"],
        then=then,
        api_key=read_key(flags["api_key_env"]),
        priced_as=flags["priced_as"],
        request=read_request(flags),
    )


def _pace(flags: RunFlags) -> PaceOptions:
    workers = flags["max_workers"]
    return PaceOptions(
        max_workers=None if workers is None else read_workers(workers),
        max_attempts=flags["max_attempts"],
        timeout_seconds=read_above("--timeout", flags["timeout"]),
        row_deadline_seconds=_duration("--row-deadline", flags["row_deadline"]),
        run_deadline_seconds=_duration("--deadline", flags["deadline"]),
        requests_per_minute=_above("--rpm", flags["rpm"]),
        tokens_per_minute=_above("--tpm", flags["tpm"]),
        input_tokens_per_minute=_above("--input-tpm", flags["input_tpm"]),
        output_tokens_per_minute=_above("--output-tpm", flags["output_tpm"]),
        cooldown_seconds=flags["cooldown"],
        max_cost_usd=_above("--max-cost", flags["max_cost"]),
        share_identical=flags["share"],
    )


def _above(option: str, value: float | None) -> float | None:
    return None if value is None else read_above(option, value)


def _duration(option: str, value: str | None) -> float | None:
    return None if value is None else read_duration(option, value)
