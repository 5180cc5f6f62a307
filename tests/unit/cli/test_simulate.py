"""What `batch-llm simulate` makes of its options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.cli.simulate import SimulateOptions, read_settings
from batch_llm.exceptions import ConfigurationError
from batch_llm.testing.simulator import Fault, FaultKind, Latency, Limit, SimulatorSettings

if TYPE_CHECKING:
    from pathlib import Path


def _settings(**options: Any) -> SimulatorSettings:
    return read_settings(SimulateOptions(host="127.0.0.1", port=0, **options))


def test_without_options_all_is_as_by_default() -> None:
    assert _settings() == SimulatorSettings()


def test_each_option_sets_its_setting() -> None:
    settings = _settings(
        answers="echo",
        seed=3,
        keys=("a", "b"),
        requests_per_minute=60,
        tokens_per_minute=1_000,
        faults=("503:0.1", "dropped"),
        latency_seconds=0.5,
        latency_kind="lognormal",
        speed=10,
        books="sums",
    )
    assert settings == SimulatorSettings(
        answers="echo",
        seed=3,
        keys=("a", "b"),
        limits=(Limit(requests_per_minute=60, tokens_per_minute=1_000),),
        faults=(
            Fault(kind=FaultKind.STATUS, status=503, rate=0.1),
            Fault(kind=FaultKind.DROPPED),
        ),
        latency=Latency(kind="lognormal", seconds=0.5),
        speed=10,
        books="sums",
    )


def test_faults_of_many_kinds() -> None:
    kinds = {fault.kind for fault in _settings(fault_rate=0.2).faults}
    assert len(kinds) > 5


TOML = """
seed = 9
speed = 100
[latency]
seconds = 2
[[limits]]
provider = "openai"
requests_per_minute = 5
[[faults]]
kind = "hang"
rate = 0.01
"""


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_a_file_sets_all_and_options_go_before_it(tmp_path: Path, suffix: str) -> None:
    import tomllib

    path = tmp_path / f"sim.{suffix}"
    text = TOML if suffix == "toml" else json.dumps(tomllib.loads(TOML))
    path.write_text(text, encoding="utf-8")
    settings = _settings(config=str(path), speed=1)
    assert (settings.seed, settings.speed, settings.latency.seconds) == (9, 1, 2)
    assert settings.limits == (Limit(provider="openai", requests_per_minute=5),)
    assert settings.faults == (Fault(kind=FaultKind.HANG, rate=0.01),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Cannot read the settings"),
        ("[]", "no JSON object"),
        ('{"speeed": 1}', "speeed: .*Check"),
        ('{"faults": [{"kind": "none"}]}', "faults.0.kind"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_field(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "sim.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=reason):
        _settings(config=str(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        _settings(config=str(tmp_path / "nowhere.json"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"faults": ("nonsense",)}, "no such kind"),
        ({"requests_per_minute": -1.0}, "requests_per_minute"),
        ({"requests_per_minute": 0.0}, "requests_per_minute"),
        ({"tokens_per_minute": 0.0}, "tokens_per_minute"),
        ({"speed": 0.0}, "speed"),
        ({"fault_rate": 2.0}, "0 to 1"),
        ({"latency_seconds": -1.0}, "latency.seconds"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        _settings(**options)
