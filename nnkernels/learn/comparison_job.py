"""The job of `nnkernels compare`: check each contender with the gate, train them, and write the report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from nnkernels import contenders
from nnkernels.comparing.pair import ShowEpoch, compare, require_comparable
from nnkernels.data import Dataset
from nnkernels.learn.comparison_report import Report, write_report
from nnkernels.learn.output import make_folder
from nnkernels.learn.training_request import TrainingRequest
from nnkernels.measure.correctness import gate


def run(names: Sequence[str], request: TrainingRequest, dataset: Dataset, folder: Path, show: ShowEpoch) -> Report:
    """Compare contenders with the requested recipe, and write the report.

    Parameters
    ----------
    names : sequence of str
        At least two contenders that can train.
    request : TrainingRequest
        The requested recipe and seed.
    dataset : Dataset
        The data. The last sixth of the training images is held out for validation.
    folder : Path
        Where to write the report.
    show : callable
        ``show(name, history)``, called after each epoch.

    Returns
    -------
    report : Report
        The numbers of the comparison.

    Raises
    ------
    GateError
        If a contender does not agree with the float64 oracle.
    ConfigurationError, UnknownNameError, MissingDependencyError, InferenceOnlyError
        If there are fewer than two contenders, or one is unknown, not installed or cannot train. Also if the request is
        invalid, or if the folder cannot be created.
    """
    recipe = request.recipe_for(len(dataset.validation_split().X_train))
    require_comparable(names)
    for name in names:
        with closing(contenders.create_anywhere(name)) as contender:
            gate.require(name, contender, dataset)
    make_folder(folder)
    return write_report(compare(names, dataset, recipe, request.seed or 0, show=show), dataset, folder)
