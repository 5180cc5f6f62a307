"""The environments of the packages we compare with: each of its own, so that ours stays clean."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

HOME: Final = Path(__file__).resolve().parent.parent / ".bench"
PACKAGES: Final = ("async-batch-llm==0.28.0", "flexllm==0.17.10")
BATCHATA: Final = "batchata==0.4.7"


def python() -> Path:
    """Return the interpreter of the live lane's peers, made at first use."""
    return _environment(HOME / "peers", PACKAGES, sys.executable)


def batchata_python() -> Path:
    """Return the interpreter of batchata, which wants Python 3.12; made at first use."""
    return _environment(HOME / "batchata", (BATCHATA,), _python_3_12())


def _environment(home: Path, packages: tuple[str, ...], base: str) -> Path:
    interpreter = home / "bin" / "python"
    stamp = home / ".ready"
    wanted = "\n".join(packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing {', '.join(packages)}")
        subprocess.run([base, "-m", "venv", "--clear", home], check=True)
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *packages], check=True)
        stamp.write_text(wanted)
    return interpreter


def _python_3_12() -> str:
    """Return an interpreter of Python 3.12 or later: that of BENCH_PYTHON, ours, or one on PATH."""
    on_path = [shutil.which(f"python3.{minor}") for minor in (12, 13, 14)]
    for found in (os.environ.get("BENCH_PYTHON"), sys.executable, *on_path):
        if found and _is_3_12(found):
            return found
    raise SystemExit(
        f"{BATCHATA} needs Python 3.12 or later, and there is none on PATH: name one in "
        f"BENCH_PYTHON."
    )


def _is_3_12(interpreter: str) -> bool:
    question = "import sys; sys.exit(sys.version_info < (3, 12))"
    return subprocess.run([interpreter, "-c", question], check=False).returncode == 0
