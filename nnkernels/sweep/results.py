"""The folder of a sweep: a file per training while it runs, which are merged into one table at its end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nnkernels.errors import ConfigurationError, DataError, MissingDependencyError, one_line
from nnkernels.files import atomic_write, parse_json, read_json, write_json, write_text
from nnkernels.interchange import Preprocessing, save_parameters
from nnkernels.recipes import recipe_from_record
from nnkernels.sweep.plan import Training

TRAININGS, LOG, TABLE = "trainings", "trainings.jsonl", "trainings.parquet"
NETWORKS = "networks"
VERSION = 1

Row = dict[str, Any]

_KEY = re.compile("[0-9a-f]{32}")
# What every result has, of those columns that are used here and in figures.
_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("key", "judge", "started", "contender"), str),
    **dict.fromkeys(("error_rate", "train_error_rate", "seconds", "seconds_with_evaluation"), (float, int)),
    **dict.fromkeys(("recipe", "data", "curve"), dict),
    "seed": int,
}


class SweepFolder:
    """The results of a sweep, by the keys of its trainings.

    A result is written atomically to a file of its own as soon as it exists. :meth:`merge` moves all results to
    ``trainings.jsonl``, one line each, and also writes them as ``trainings.parquet`` if pyarrow is installed. At any
    moment, the results are those of both.

    Parameters
    ----------
    path : Path
        The folder. It need not exist.

    Raises
    ------
    DataError
        If a file in it is damaged or has another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, Row] = {}
        if (path / LOG).exists():
            for number, line in enumerate(_text(path / LOG).splitlines(), start=1):
                self._add(_parsed(line, f"{path / LOG}, line {number}"), f"{path / LOG}, line {number}")
        for file in sorted((path / TRAININGS).glob("*.json")):
            self._add(_record(file), str(file))

    def add(self, key: str, row: Row) -> None:
        """Write the result of a training to a file of its own, and its network to another one if it keeps it.

        Parameters
        ----------
        key : str
            The key of the training.
        row : dict
            Its result. Parameters in ``network`` are replaced by the path of their file, relative to the folder.
        """
        if row.get("network") is not None:
            name = _network_file(key)
            preprocessing = Preprocessing.of_recipe(recipe_from_record(row["recipe"]))
            save_parameters(row["network"], self.path / name, preprocessing=preprocessing)
            row = {**row, "network": name}
        record = {"version": VERSION, "key": key, **row}
        write_json(self.path / TRAININGS / f"{key}.json", record)
        self.rows[key] = record

    def has(self, key: str, training: Training) -> bool:
        """Return whether there is a result of a training, with its network if it keeps it.

        Parameters
        ----------
        key : str
            The key of the training.
        training : Training
            The training.

        Returns
        -------
        has : bool
            True also if the network was not kept because its parameters are not finite.
        """
        row = self.rows.get(key)
        if row is None or not training.keep_network:
            return row is not None
        return "network" in row and (row["network"] is None or (self.path / row["network"]).is_file())

    def merge(self) -> None:
        """Move all results to the table, in an order that does not depend on when and where the trainings ran."""
        rows = sorted(self.rows.values(), key=lambda row: (row["seed"], row["recipe"]["name"], row["key"]))
        write_text(self.path / LOG, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))
        if find_spec("pyarrow") is not None:
            write_parquet(rows, self.path / TABLE)
        for key in self.rows:
            (self.path / TRAININGS / f"{key}.json").unlink(missing_ok=True)
        if (self.path / TRAININGS).is_dir() and not any((self.path / TRAININGS).iterdir()):
            (self.path / TRAININGS).rmdir()

    def _add(self, row: Any, where: str) -> None:
        if not isinstance(row, dict) or row.get("version") != VERSION:
            raise _damaged(where, f"it is not the result of a training of version {VERSION}")
        for name, kind in _COLUMNS.items():
            if not isinstance(row.get(name), kind) or isinstance(row[name], bool):
                raise _damaged(where, f"{name} is {str(row.get(name))[:80]}")
        if not _KEY.fullmatch(row["key"]):  # it becomes the name of a file
            raise _damaged(where, f"its key is {row['key'][:80]!r}")
        if row.get("network") not in (None, _network_file(row["key"])):
            raise _damaged(where, f"its network is {str(row['network'])[:80]}")
        if not isinstance(row["data"].get("name"), str):
            raise _damaged(where, "its data has no name")
        if not _is_curve(*(row["curve"].get(name) for name in ("epoch", "error_rate", "train_error_rate"))):
            raise _damaged(where, "its curve is not one of epochs and error rates")
        try:
            recipe_from_record(row["recipe"])
        except ConfigurationError as error:
            raise _damaged(where, str(error)) from error
        self.rows[row["key"]] = row


def _network_file(key: str) -> str:
    return f"{NETWORKS}/{key}.safetensors"


def _is_curve(epochs: Any, *rates: Any) -> bool:
    """Return whether there are epochs, and as many numbers from 0 to 1 in each of the others."""
    return (
        all(isinstance(values, list) and values and len(values) == len(epochs) for values in (epochs, *rates))
        and all(isinstance(epoch, int) and epoch > 0 for epoch in epochs)
        and all(isinstance(rate, (float, int)) and 0 <= rate <= 1 for values in rates for rate in values)
    )


def write_parquet(rows: Iterable[Row], path: Path) -> None:
    """Write results as a Parquet table, atomically, with a column for each value such as ``recipe.epochs``.

    Parameters
    ----------
    rows : iterable of dict
        The results.
    path : Path
        The file.

    Raises
    ------
    MissingDependencyError
        If pandas or pyarrow is not installed.
    """
    try:
        import pandas as pd
        import pyarrow  # noqa: F401  (pandas writes with it)
    except ImportError as error:
        raise MissingDependencyError("writing a Parquet table", error.name or "pyarrow", "parquet") from error
    with atomic_write(path) as temporary:
        pd.json_normalize(list(rows)).to_parquet(temporary, index=False)


def _record(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise _damaged(str(path), one_line(error)) from error


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise _damaged(str(path), one_line(error)) from error


def _parsed(line: str, where: str) -> Any:
    try:
        return parse_json(line)
    except ValueError as error:
        raise _damaged(where, one_line(error)) from error


def _damaged(where: str, reason: str) -> DataError:
    return DataError(f"{where}: is damaged ({reason}); delete it, and the training is repeated on resuming")
