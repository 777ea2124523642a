"""A comparison as a learner asks for it: the gate first, then the trainings, then numbers and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from nnkernels import contenders
from nnkernels.comparing.pair import ShowEpoch, compare, require_comparable
from nnkernels.data import Dataset
from nnkernels.learn.comparison_report import Report, write_report
from nnkernels.learn.output import make_folder
from nnkernels.learn.training_job import TrainingRequest
from nnkernels.measure.correctness import gate


def run(names: Sequence[str], request: TrainingRequest, dataset: Dataset, folder: Path, show: ShowEpoch) -> Report:
    """Compare contenders by the recipe that was asked for, and write the report into ``folder``.

    Raises
    ------
    GateError
        If a contender's mathematics is not the suite's: it is compared with nobody.
    ConfigurationError, UnknownNameError, MissingDependencyError
        If there are not two known and installed contenders that can train, the recipe cannot be carried out,
        or there can be no such folder.
    """
    recipe = request.recipe_for(len(dataset.validation_split().X_train))
    require_comparable(names)
    for name in names:
        with closing(contenders.create_anywhere(name)) as contender:
            gate.require(name, contender, dataset)
    make_folder(folder)
    return write_report(compare(names, dataset, recipe, request.seed or 0, show=show), dataset, folder)
