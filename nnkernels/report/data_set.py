"""What a data set contains: its format, its parts, and the number of images of each class."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.markup import escape

from nnkernels.data import Dataset
from nnkernels.report.layout import Column, show


def show_dataset(console: Console, dataset: Dataset) -> None:
    """Print how a data set was read, and a table with one row per class.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    dataset : Dataset
        The data set.
    """
    for name, text in facts(dataset).items():
        console.print(f"[bold]{name:8}[/]{escape(text)}", highlight=False, soft_wrap=True)
    parts = {"training": dataset.y_train, "validation": dataset.y_validation, "test": dataset.y_test}
    counts = {part: np.bincount(y, minlength=dataset.classes).tolist() for part, y in parts.items() if y is not None}
    names = dataset.names_of_classes
    numbers = [str(number) for number in range(dataset.classes)]
    columns = [Column("class", [*numbers, "all"], identity=True, right=True)]
    if list(names) != numbers:
        columns.append(Column("name", [*names, ""]))
    columns += [
        Column(part, [f"{count:,}" for count in (*counted, sum(counted))], right=True)
        for part, counted in counts.items()
    ]
    show(console, "Images of each class", columns)


def facts(dataset: Dataset) -> dict[str, str]:
    """Describe a data set: name, format, split, and the grey values of the training images.

    Parameters
    ----------
    dataset : Dataset
        The data set.

    Returns
    -------
    facts : dict of str to str
        A text by its heading.
    """
    X, origin = dataset.X_train, dataset.origin
    found = {"name": dataset.name, "sha256": dataset.sha256}
    if origin:
        found |= {"format": f"{origin.format} ({', '.join(origin.files[:8])}{', ...' * (len(origin.files) > 8)})"}
        found |= {"split": origin.split}
        other = [note for note in origin.notes if note not in origin.split]
        if other:
            found |= {"notes": "; ".join(other)}
    inked = np.count_nonzero(X) / X.size
    found["pixels"] = f"{X.min()} to {X.max()}, mean {X.mean():.1f}, {100 * inked:.1f} % are not 0"
    return found
