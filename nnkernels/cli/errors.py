"""The command `errors`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnkernels.cli.data_options import DEFAULT_DATA, DataRequest, takes_data
from nnkernels.cli.learn import PANEL
from nnkernels.cli.shared import app, err, new_folder, out


@app.command("errors", rich_help_panel=PANEL)
@takes_data()
def show_errors(
    networks: Annotated[
        list[Path],
        typer.Argument(
            metavar="NETWORK...",
            help="Files with networks, such as those that `nnkernels train` writes with different seeds, in a format "
            "of nnkernels/interchange/README.md.",
        ),
    ],
    judge: Annotated[
        str,
        typer.Option(
            metavar="test|validation",
            help="Images that judge. Validation images are training images of `nnkernels train`: use them only for "
            "networks that were trained without them.",
        ),
    ] = "test",
    folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Output folder (default: a new folder in trained/)."),
    ] = None,
    data: DataRequest = DEFAULT_DATA,
) -> None:
    """Show which digits networks get wrong, which ones all of them do, and how well they are calibrated.

    Writes figures, errors.json, and errors.csv with every image that at least one network gets wrong.
    """
    from nnkernels.accuracy.errors import load_networks
    from nnkernels.errors import ConfigurationError
    from nnkernels.learn.errors_report import write_report
    from nnkernels.learn.errors_terminal import class_table, sentences
    from nnkernels.learn.output import make_folder
    from nnkernels.sweep.plan import JUDGES

    if judge not in JUDGES:
        raise ConfigurationError(f"--judge is {judge!r}; expected one of: {', '.join(JUDGES)}")
    loaded = load_networks(networks)
    dataset = data.load()
    folder = folder or new_folder("errors")
    make_folder(folder)
    with err.status("predicting the images, drawing figures"):
        report = write_report(loaded, dataset, judge, folder)
    out.print(class_table(report))
    for sentence in sentences(report):
        out.print(sentence, highlight=False, markup=False)
    out.print(f"numbers, images and figures  {folder}", highlight=False, soft_wrap=True)
