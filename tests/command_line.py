"""Commands that run in the test's own process, for tests of their output."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

import pytest

from nnkernels import cli


def run_command_in_process(
    arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[object, str, str]:
    """Run a command as ``python -m nnkernels.cli`` does; return its status, output and error output."""
    monkeypatch.setattr(sys, "argv", ["nnkernels", *arguments])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # restored after `main` has replaced it
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, *capsys.readouterr()
