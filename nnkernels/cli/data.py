"""The command that shows a data set: data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nnkernels.cli.data_options import DEFAULT_DATA, DataRequest, SourceArgument, takes_data
from nnkernels.cli.shared import app, out


@app.command("data", rich_help_panel="Learn")
@takes_data(SourceArgument)
def show_data(
    data: DataRequest = DEFAULT_DATA,
    sheet: Annotated[
        Path,
        typer.Option("--out", metavar="FILE.png", help="Figure with samples of each class."),
    ] = Path("contact-sheet.png"),
    page: Annotated[
        bool, typer.Option("--page", help="Write the table of formats into nnkernels/data/README.md instead.")
    ] = False,
) -> None:
    """Show what a file or folder of digits contains: format, split, images of each class, and samples in a figure.

    Use it before training: it shows whether images are turned, inverted, shifted, or labelled wrongly.
    """
    from nnkernels.measure.asv_driver.workspace import find_root
    from nnkernels.plots import contact_sheet, save_figure
    from nnkernels.report import data_formats
    from nnkernels.report.data_set import show_dataset

    if page:
        data_formats.BLOCK.update(find_root() / data_formats.PAGE, data_formats.block())
        return

    dataset = data.load(announce=False)
    show_dataset(out, dataset)
    origin = f", {dataset.origin.format}" if dataset.origin else ""
    subtitle = f"{dataset.name}{origin}: the first training images of each class, 0 black and 255 white"
    figure = contact_sheet(dataset.X_train, dataset.y_train, dataset.names_of_classes, "Contact sheet", subtitle)
    save_figure(figure, sheet)
    out.print(f"samples  {sheet}", highlight=False, soft_wrap=True)
