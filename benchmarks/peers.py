"""The environment of the packages we compare with: one of its own, so that ours stays clean."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent / ".bench" / "peers"
PACKAGES = ("async-batch-llm==0.28.0", "flexllm==0.17.10")


def python() -> Path:
    """Return the interpreter of the peers' environment, made at first use."""
    interpreter = HOME / "bin" / "python"
    stamp = HOME / ".ready"
    wanted = "\n".join(PACKAGES)
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing {', '.join(PACKAGES)}")
        venv.create(HOME, with_pip=True, clear=True)
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        stamp.write_text(wanted)
    return interpreter
