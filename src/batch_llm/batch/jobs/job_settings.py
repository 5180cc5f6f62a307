"""The settings of jobs: what a job may say, and what all of them have that do not."""

from __future__ import annotations

import difflib
import logging
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict

from ...base import Job
from ...exceptions import ConfigurationError, JobError
from ...providers.job_checks import usual_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ...base import ResponseModel
    from ...providers.abilities import Abilities

logger = logging.getLogger("batch_llm")


class JobSettings(TypedDict, total=False):
    """How jobs are answered; their meaning stands in `Job`."""

    model: str | None
    temperature: float | None
    max_tokens: int | None
    response_model: ResponseModel | None
    enable_citations: bool
    system: str | None
    top_p: float | None
    stop: str | Iterable[str]
    seed: int | None


SettingValues: TypeAlias = "dict[str, Any]"
"""Settings by their names, as `Job` takes them."""

_NAMES: Final = tuple(JobSettings.__annotations__)
_SAMPLINGS: Final = ("temperature", "top_p")


class SharedSettings:
    """What jobs have, unless they say otherwise.

    Args:
        abilities_of: returns what a model can do; None where nobody can tell before the run.
    """

    def __init__(self, abilities_of: Callable[[str], Abilities | None]) -> None:
        self._abilities_of = abilities_of
        self._values: SettingValues = {}
        self._warned: set[tuple[str, str]] = set()

    @property
    def values(self) -> SettingValues:
        """A copy of them."""
        return dict(self._values)

    def update(self, settings: SettingValues) -> None:
        """Add settings to those that are there.

        Raises:
            ConfigurationError: for a value that no job can have.
        """
        self._values.update(_usable(settings))

    def of_job(self, own: SettingValues, *, embeds: bool, has_system: bool) -> SettingValues:
        """Return the settings of a job: its own, and those of the shared that are of use to it.

        Args:
            own: what the job says.
            embeds: whether it is a text to embed, which is of a model, and that is all.
            has_system: whether its messages say what `system` would.
        """
        shared = _of_use(self._values, embeds=embeds, has_system=has_system)
        said = {name: value for name, value in own.items() if name != "model" or value is not None}
        settings = {**shared, **said}
        settings["model"] = settings.get("model") or ""
        able = None if embeds else self._abilities_of(settings["model"])
        if able is None:
            return settings
        for name in _refused_by(able, shared.keys() - said.keys()):
            self._tell(name, settings.pop(name), able.model)
        return {**settings, **usual_settings(able, settings)}

    def _tell(self, name: str, value: object, model: str) -> None:
        """Warn, once a model, of a setting that it refuses; not of the value it has anyhow."""
        if value in (None, 1) or (name, model) in self._warned:
            return
        self._warned.add((name, model))
        logger.warning("%s is left out: it cannot be set for %s.", name, model)


def known_settings(settings: Mapping[str, Any]) -> SettingValues:
    """Return settings that are all known by name.

    Raises:
        ConfigurationError: for a setting that jobs do not have.
    """
    for name in settings:
        if name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(_NAMES)}."
            raise ConfigurationError(f"Jobs have no setting {name!r}. {hint}")
    return dict(settings)


def _usable(settings: SettingValues) -> SettingValues:
    """Return settings that a job can have."""
    model = settings.get("model")
    try:
        job = Job(**{**settings, "prompt": "any", "model": "any" if model is None else model})
    except JobError as error:
        why = str(error).removeprefix("A job: ")
        raise ConfigurationError(f"Batch.defaults: {why}") from None
    # What can be read once only was read for the check.
    return {**settings, "stop": job.stop} if "stop" in settings else settings


def _of_use(shared: SettingValues, *, embeds: bool, has_system: bool) -> SettingValues:
    if embeds:
        return {"model": shared.get("model")}
    return {name: value for name, value in shared.items() if name != "system" or not has_system}


def _refused_by(able: Abilities, names: Iterable[str]) -> list[str]:
    """Return those settings that a model refuses, whatever their value."""
    return sorted(set(names).intersection(_SAMPLINGS)) if able.sampling == "refused" else []
