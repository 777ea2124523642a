"""Common parts of all commands: the application, the consoles and shared options."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

app = typer.Typer(
    help="How fast and how accurate is a neural network written from scratch, compared with a framework?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
out = Console()
err = Console(stderr=True)

INTERRUPTED = 130  # the exit status that shells report after Ctrl-C


def split_names(text: str) -> list[str]:
    """Split a comma-separated list of names.

    Parameters
    ----------
    text : str
        The list.

    Returns
    -------
    names : list of str
        The names, without surrounding spaces and empty entries.
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def note(text: str) -> None:
    """Print a note to the standard error stream.

    Parameters
    ----------
    text : str
        The note.
    """
    err.print(f"[yellow]note:[/] {escape(text)}", highlight=False, soft_wrap=True)


def show_error(text: str) -> None:
    """Print an error to the standard error stream.

    Parameters
    ----------
    text : str
        What was wrong, where, and what to do.
    """
    err.print(f"[bold red]error:[/] {escape(text)}", highlight=False, soft_wrap=True)


def new_folder(name: str) -> Path:
    """Return the default output folder of a command.

    Parameters
    ----------
    name : str
        What it will contain, in a word.

    Returns
    -------
    folder : Path
        A folder in ``trained/`` with the time in its name. It is not created.
    """
    return Path("trained") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"


def numbers(text: str, option: str) -> list[float]:
    """Return the numbers of a list such as ``0,255``.

    Parameters
    ----------
    text : str
        Numbers, separated by commas.
    option : str
        The name of the option, with which the error message begins.

    Returns
    -------
    numbers : list of float
        The numbers.

    Raises
    ------
    ConfigurationError
        If a part is not a number.
    """
    from nnkernels.errors import ConfigurationError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigurationError(f"{option} is {text!r}; expected numbers, such as 0,255") from None
