"""Interpreters of their own, in which tests run programs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def heed_interrupts() -> None:
    """Have SIGINT heeded in a child (as ``preexec_fn``) even where a background shell has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def python(
    *arguments: object, folder: Path | None = None, environment: Mapping[str, str] | None = None, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with those arguments until it ends with that status; return what it printed."""
    answer = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == status, answer.stdout + answer.stderr
    return answer
