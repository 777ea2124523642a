"""The options of all commands that take a data set: where it is, and what its files leave open."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnkernels.cli.shared import note

if TYPE_CHECKING:
    from nnkernels.data import Dataset

PANEL = "Data"
SOURCE = (
    "a file, folder or .zip in a format of nnkernels/data/README.md, mnist, or mnist-5k (default: "
    "$NNKERNELS_DATA, otherwise mnist, or mnist-5k if there is no network connection)."
)
SourceOption = Annotated[
    str | None, typer.Option("--data", metavar="SOURCE", help=f"Data set: {SOURCE}", rich_help_panel=PANEL)
]
SourceArgument = Annotated[str | None, typer.Argument(metavar="SOURCE", help=f"Data set: {SOURCE}")]
OPTIONS = {
    "label": Annotated[
        str | None,
        typer.Option(
            metavar="first|last", help="Column of the labels in a table (default: found).", rich_help_panel=PANEL
        ),
    ],
    "index_base": Annotated[
        int | None,
        typer.Option(metavar="0|1", help="First index in LIBSVM text (default: 1).", rich_help_panel=PANEL),
    ],
    "transposed": Annotated[
        bool | None,
        typer.Option(
            "--transposed/--not-transposed",
            help="Whether to turn images whose rows and columns are exchanged (default: only EMNIST's).",
            rich_help_panel=PANEL,
        ),
    ],
    "labels_from": Annotated[
        int | None,
        typer.Option(
            metavar="0|1", help="Label of the first class (default: 0; 1 for EMNIST letters).", rich_help_panel=PANEL
        ),
    ],
}


@dataclass(frozen=True)
class DataRequest:
    """The data set that the user has chosen. None means that an option was not given.

    Attributes
    ----------
    source : str or None
        A path or a name.
    options : dict
        Keyword arguments of :func:`nnkernels.data.load_mnist`.
    """

    source: str | None
    options: dict[str, Any]

    def load(self, announce: bool = True) -> Dataset:
        """Load the data set.

        Parameters
        ----------
        announce : bool, default: True
            Whether to print how it was read, unless it is a known one.

        Returns
        -------
        dataset : Dataset
            The data set.
        """
        from nnkernels.data import load_mnist

        dataset = load_mnist(self.source, **self.options)
        if announce and dataset.origin and dataset.name.startswith("custom-"):
            note(f"data set {dataset.name}: {dataset.origin.format}, {dataset.classes} classes, {dataset.origin.split}")
            for text in dataset.origin.notes:
                if text not in dataset.origin.split:
                    note(text)
        return dataset


DEFAULT_DATA = DataRequest(None, {})


def takes_data(source: Any = SourceOption) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace the parameter ``data`` of a command by the options of a data set.

    Parameters
    ----------
    source : type
        The annotation of the option or argument that says where the data are.

    Returns
    -------
    decorator : callable
        The command then takes a :class:`DataRequest` as ``data``.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            if parameter.name != "data":
                parameters.append(parameter)
                continue
            for name, annotation in {"data": source, **OPTIONS}.items():
                parameters.append(parameter.replace(name=name, annotation=annotation, default=None))

        @functools.wraps(command)
        def run(**given: Any) -> None:
            options = {name: given.pop(name) for name in OPTIONS}
            command(data=DataRequest(given.pop("data"), options), **given)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate
