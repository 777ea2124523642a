"""Separate Python processes, in which tests run programs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def python(
    *arguments: object, folder: Path | None = None, environment: Mapping[str, str] | None = None, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run this Python interpreter, require the exit status, and return the completed process."""
    answer = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == status, answer.stdout + answer.stderr
    return answer
