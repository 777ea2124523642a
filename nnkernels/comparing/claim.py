"""An experiment on the write-up's claim: how much the framework, the width and the recipe contribute to its 97.9 %.

The write-up that this project re-creates compares 91.3 % from scratch with 97.9 % in Keras. The two models differ in
three factors: hidden width (20 or 128), recipe (gradient descent or Adam) and contender. Here a sweep trains all
combinations.
"""

from __future__ import annotations

from pathlib import Path

from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, Interruption
from nnkernels.measure.timing.threads import available_cpus
from nnkernels.recipes import named_recipe
from nnkernels.sweep.plan import make_plan
from nnkernels.sweep.pool import local_pool
from nnkernels.sweep.results import Row, SweepFolder
from nnkernels.sweep.run import Show, run

WIDTHS = (20, 128)
RECIPES = ("gradient-descent", "adam")
EARLIER = "trainings.json"  # results of versions that did not train in a sweep


def run_claim(ours: str, framework: str, dataset: Dataset, path: Path, seeds: int, show: Show) -> list[Row]:
    """Train every combination with several seeds, except for those whose results are already in a folder.

    Parameters
    ----------
    ours, framework : str
        The names of the contenders.
    dataset : Dataset
        The data. All training images are used, and the test images judge.
    path : Path
        The folder, as of :class:`~nnkernels.sweep.results.SweepFolder`. An interrupted experiment is resumed in it.
    seeds : int
        The number of seeds, at least 2.
    show : callable
        ``show(done, total, text)``, called after each training.

    Returns
    -------
    rows : list of dict
        The results, ordered by seed.

    Raises
    ------
    ConfigurationError
        If there are fewer than two seeds, if both contenders are the same, or if the folder has results of an earlier
        version of nnkernels.
    UnknownNameError, MissingDependencyError, InferenceOnlyError
        If a contender is unknown, not installed, or cannot train.
    DataError
        If a result in the folder is damaged.
    MeasurementError
        If workers are killed again and again.
    Interruption
        After Ctrl-C.
    """
    if seeds < 2:
        raise ConfigurationError(f"seeds is {seeds}; a confidence interval needs two or more")
    recipes = [named_recipe(name, len(dataset.X_train)) for name in RECIPES]
    plan = make_plan(dataset, recipes, seeds=range(seeds), names=(ours, framework), widths=WIDTHS, judge="test")
    if (path / EARLIER).exists():
        raise ConfigurationError(
            f"{path / EARLIER} contains results of an earlier version, which cannot be continued; delete it, or choose "
            "another folder (--out)"
        )
    results = SweepFolder(path)
    if not run(plan, results, local_pool(available_cpus()), resume=True, show=show):
        raise Interruption(f"stopped; the same command continues with what is in {path}")
    return [results.rows[training.key(plan.images)] for training in plan.trainings]
