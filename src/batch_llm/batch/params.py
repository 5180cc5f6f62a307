"""How a batch is run."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class BatchParams:
    """How a batch is run.

    Args:
        state_file: where the run is kept, so that it can go on after a crash; a folder is taken for
            the folder of that file. None keeps it nowhere.
        results_dir: the folder that results are written to; None writes none.
        max_concurrent: remote batches at a time, 1 and up.
        items_per_batch: jobs in one remote batch at most; None leaves the provider's limit.
        cost_limit_usd: what the run may cost, from 0 up: at 0 nothing is sent that costs anything;
            None sets no limit.
        default_params: what `Batch.defaults` sets.
        reuse_state: whether to go on with what `state_file` holds.
        save_raw_responses: whether results keep what the provider sent, and what it was sent.
        poll_interval_seconds: more than 0, between two looks at a remote batch, at first; it grows
            to ten times as much, and is shortened by chance, by up to a fifth.
        orphan_grace_seconds: how long a batch that may have been created is looked for before it
            is believed that there is none: the lists of providers lag behind. Results that are
            missing or cannot be read are fetched again for as long.
        keep_remote_files: whether files at the provider stay once their results are here.
        max_enqueued_tokens: input tokens that a model may have enqueued at its provider, as the
            account's limits say: one number for each model, or by the model's name; None, or a
            model that is not there, sets no limit. See `enqueued_tokens_of`.

    Raises:
        ConfigurationError: for a value that cannot work.
    """

    state_file: str | os.PathLike[str] | None = None
    results_dir: str | os.PathLike[str] | None = None
    max_concurrent: int = 10
    items_per_batch: int | None = None
    cost_limit_usd: float | None = None
    default_params: Mapping[str, object] = field(default_factory=dict)
    reuse_state: bool = True
    save_raw_responses: bool = False
    poll_interval_seconds: float = 30.0
    orphan_grace_seconds: float = 60.0
    keep_remote_files: bool = False
    max_enqueued_tokens: int | Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        for name in ("state_file", "results_dir"):
            path = getattr(self, name)
            is_path = isinstance(path, (str, os.PathLike)) and bool(os.fspath(path))
            if path is not None and not is_path:
                raise ConfigurationError(f"{name} is a path, not {path!r}.")
        _check_count("max_concurrent", self.max_concurrent)
        if self.items_per_batch is not None:
            _check_count("items_per_batch", self.items_per_batch)
        _check_seconds("poll_interval_seconds", self.poll_interval_seconds)
        if self.poll_interval_seconds == 0:
            raise ConfigurationError("poll_interval_seconds is more than 0 seconds, not 0.")
        _check_seconds("orphan_grace_seconds", self.orphan_grace_seconds)
        _check_enqueued_tokens(self.max_enqueued_tokens)
        limit = self.cost_limit_usd
        if limit is not None and not (_is_number(limit) and math.isfinite(limit) and limit >= 0):
            raise ConfigurationError(f"cost_limit_usd is a sum in USD from 0 up, not {limit!r}.")

    def enqueued_tokens_of(self, provider: str, model: str) -> int | None:
        """Return how many input tokens of a model may be enqueued; None where no limit is set.

        A model is named as jobs name it, with or without "PROVIDER:" before it.
        """
        limit = self.max_enqueued_tokens
        if limit is None or isinstance(limit, int):
            return limit
        own = limit.get(f"{provider}:{model}")
        return limit.get(model) if own is None else own


BatchConfig = BatchParams
"""The same under its other name."""


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"{name} is a whole number from 1 up, not {value!r}.")


def _check_enqueued_tokens(limit: object) -> None:
    if limit is None:
        return
    if not isinstance(limit, Mapping):
        _check_count("max_enqueued_tokens", limit)
        return
    for model, each in limit.items():
        if not isinstance(model, str):
            raise ConfigurationError(f"max_enqueued_tokens goes by models' names, not {model!r}.")
        _check_count(f"max_enqueued_tokens[{model!r}]", each)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_seconds(name: str, value: float) -> None:
    if not (_is_number(value) and math.isfinite(value) and value >= 0):
        raise ConfigurationError(f"{name} is seconds from 0 up, not {value!r}.")
