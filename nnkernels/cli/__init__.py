"""The command line: parsing and dispatch only, with one file per group of commands."""

from __future__ import annotations

import io
import sys
import warnings

from rich.markup import escape

# Importing a module registers its commands. The order is that of the help.
from nnkernels.cli import data, errors, learn, measure, publish, regress, sweep  # noqa: F401
from nnkernels.cli.shared import INTERRUPTED, app, err, note, show_error
from nnkernels.errors import Interruption, NNKernelsError, system_refusal


def main() -> None:
    """Run the command line. The exit status is 1 after an error of nnkernels or a full disk, and 130 after Ctrl-C."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    for stream in (sys.stdout, sys.stderr):
        # A file name that the terminal cannot encode is shown with escapes, and ends no command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except Interruption as error:
        note(str(error))
        sys.exit(INTERRUPTED)
    except NNKernelsError as error:
        show_error(str(error))
        sys.exit(1)
    except OSError as error:
        refusal = system_refusal(error)
        if refusal is None:
            raise
        show_error(refusal)
        sys.exit(1)


def _show_warning(message: Warning | str, category: type[Warning], *_where: object) -> None:
    err.print(f"[yellow]{category.__name__}:[/] {escape(str(message))}", highlight=False, soft_wrap=True)
