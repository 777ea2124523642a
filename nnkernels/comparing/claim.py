"""An experiment on the write-up's claim: how much the framework, the width and the recipe contribute to its 97.9 %.

The write-up that this project re-creates compares 91.3 % from scratch with 97.9 % in Keras. The two models differ in
three factors: hidden width (20 or 128), recipe (gradient descent or Adam) and contender. Here all combinations are
trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

from nnkernels import contenders, kernels
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, DataError, one_line
from nnkernels.files import MALFORMED, read_json, write_json
from nnkernels.recipes import named_recipe
from nnkernels.training import train

WIDTHS = (20, 128)
RECIPES = ("gradient-descent", "adam")
SEEDS = 10
VERSION = 2


@dataclass(frozen=True)
class Cell:
    """A combination of width, recipe and contender.

    Attributes
    ----------
    hidden : int
        The number of hidden units.
    recipe : str
        The name of the recipe.
    contender : str
        The name of the contender.
    """

    hidden: int
    recipe: str
    contender: str


@dataclass(frozen=True)
class Training:
    """The result of one training run on all training images.

    Attributes
    ----------
    hidden : int
        The number of hidden units.
    recipe : str
        The name of the recipe.
    contender : str
        The name of the contender.
    seed : int
        The seed of the initial parameters and of the order of the images.
    train_error_rate, test_error_rate : float
        The final error rates, as fractions.
    seconds : float
        The time of the training alone. It includes compilation in the first call, so it is only indicative.
    """

    hidden: int
    recipe: str
    contender: str
    seed: int
    train_error_rate: float
    test_error_rate: float
    seconds: float

    @property
    def cell(self) -> Cell:
        """The combination that was trained."""
        return Cell(self.hidden, self.recipe, self.contender)


ShowTraining = Callable[[int, int, Training], None]


def cells(ours: str, framework: str) -> list[Cell]:
    """Return the eight combinations of two widths, two recipes and two contenders.

    Parameters
    ----------
    ours, framework : str
        The names of the contenders.

    Returns
    -------
    cells : list of Cell
        The combinations.
    """
    return [Cell(*values) for values in product(WIDTHS, RECIPES, (ours, framework))]


def run_claim(
    ours: str,
    framework: str,
    dataset: Dataset,
    path: Path,
    seeds: int = SEEDS,
    show: ShowTraining = lambda _done, _all, _training: None,
) -> list[Training]:
    """Train every combination with several seeds, except for those whose results are already in a file.

    Parameters
    ----------
    ours, framework : str
        The names of the contenders.
    dataset : Dataset
        The data. All training images are used.
    path : Path
        A JSON file that is rewritten after each training run, so that an interrupted experiment can be resumed.
    seeds : int, default: 10
        The number of seeds, at least 2.
    show : callable, optional
        ``show(done, total, training)``, called after each training run.

    Returns
    -------
    trainings : list of Training
        Ordered by seed, so that an interrupted run has about equally many results of each combination.

    Raises
    ------
    ConfigurationError
        If there are fewer than two seeds, if both contenders are the same, or if the file belongs to other data or
        recipes.
    UnknownNameError, MissingDependencyError, InferenceOnlyError
        If a contender is unknown, not installed, or cannot train.
    DataError
        If the file is damaged or has another version.
    """
    if seeds < 2:
        raise ConfigurationError(f"seeds is {seeds}; a confidence interval needs two or more")
    if ours == framework:
        raise ConfigurationError(f"{ours} is given twice; expected one contender from scratch and one on a framework")
    for name in (ours, framework):
        contenders.require_trainable(name)
    done = {(training.cell, training.seed): training for training in _read(path, dataset)}
    wanted = [(cell, seed) for seed in range(seeds) for cell in cells(ours, framework)]
    for number, (cell, seed) in enumerate(wanted, start=1):
        if (cell, seed) not in done:
            done[cell, seed] = _train(cell, seed, dataset)
            _write(path, dataset, list(done.values()))
        show(number, len(wanted), done[cell, seed])
    return [done[key] for key in wanted]


def _train(cell: Cell, seed: int, dataset: Dataset) -> Training:
    recipe = named_recipe(cell.recipe, len(dataset.X_train)).with_changes(hidden=cell.hidden)
    contender = contenders.create_anywhere(cell.contender)
    try:
        history = train(
            contender,
            dataset.training,
            recipe,
            seed=seed,
            validation=dataset.test,
            evaluate_every=0,
            judge=kernels.load("numpy"),
        )
    finally:
        contender.close()
    record = history.epochs[-1]
    return Training(
        **asdict(cell),
        seed=seed,
        train_error_rate=record.train_error_rate,
        test_error_rate=record.validation_error_rate,
        seconds=record.seconds,
    )


def _write(path: Path, dataset: Dataset, trainings: list[Training]) -> None:
    write_json(
        path,
        {
            "version": VERSION,
            "data": dataset.sha256,
            "recipes": _recipes(dataset),
            "trainings": [asdict(one) for one in trainings],
        },
    )


def _recipes(dataset: Dataset) -> list[dict[str, Any]]:
    return [asdict(named_recipe(name, len(dataset.X_train))) for name in RECIPES]


def _read(path: Path, dataset: Dataset) -> Iterator[Training]:
    if not path.exists():
        return
    names = {field.name for field in fields(Training)}
    try:
        content = read_json(path)
        found = [Training(**{name: one[name] for name in names}) for one in content["trainings"]]
        data, version, recipes = content["data"], content["version"], content.get("recipes")
    except (OSError, *MALFORMED) as error:
        raise DataError(f"{path} is damaged ({one_line(error)}); delete it to start again") from error
    if version != VERSION:
        raise DataError(f"{path} has the format version {version}; expected {VERSION}, so delete it to start again")
    if data != dataset.sha256:
        raise ConfigurationError(f"{path} contains results on other data than {dataset.name}; choose another folder")
    if recipes != _recipes(dataset):
        raise ConfigurationError(f"{path} contains results of recipes that have changed; choose another folder")
    yield from found
