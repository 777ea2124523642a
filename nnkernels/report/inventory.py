"""Listings of contenders, backends, recipes, profiles and benchmarks."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

from rich.console import Console

from nnkernels import contenders, kernels, recipes
from nnkernels.accuracy.design import MINUTES as ACCURACY_MINUTES
from nnkernels.accuracy.design import Design
from nnkernels.augmentation import Augmentation
from nnkernels.kernels.contract import FUNCTIONS
from nnkernels.measure.asv_driver.plan import ACCURACY, PROFILES
from nnkernels.measure.timing.distinct import prediction_owner
from nnkernels.report.layout import Column, show

MNIST_IMAGES = 60_000  # number of training images, for the recipes that depend on it


def show_contenders(console: Console) -> None:
    """Print one row per contender, and below the table how to install what is missing.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    """
    names = contenders.names()
    missing = [name for name in names if not contenders.is_installed(name)]
    columns = [
        Column("name", names, identity=True),
        Column("installed", ["no" if name in missing else "yes" for name in names]),
        Column("description", [contenders.entry(name).description for name in names]),
    ]
    notes = [f"{name} is not installed: {contenders.install_command(name)}" for name in missing]
    show(console, "Contenders: implementations that can be measured", columns, notes)


def show_backends(console: Console) -> None:
    """Print one row per backend of the kernel contract, and which functions it shares with another backend.

    Shared functions are timed only once, in the row of the backend that defines them.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    """
    names = kernels.names()
    many_batches = ["yes" if hasattr(kernels.load(name), "train_inplace") else "no" for name in names]
    shared = []
    for name in names:
        owners = {"kernels": kernels.owner(name, *FUNCTIONS), "predictions": prediction_owner(name)}
        shared.append(", ".join(f"{owner} ({what})" for what, owner in owners.items() if owner != name))
    columns = [
        Column("name", names, identity=True),
        Column("many batches per call", many_batches),
        Column("shares functions with", shared),
    ]
    show(console, "Backends: the from-scratch kernels", columns)


def show_recipes(console: Console) -> None:
    """Print one row per recipe.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    """
    named = [recipes.named_recipe(name, MNIST_IMAGES) for name in recipes.RECIPE_NAMES]
    named += [recipes.SGD, recipes.accuracy_recipe(MNIST_IMAGES)]
    columns = []
    for field in fields(recipes.Recipe):
        values = [getattr(recipe, field.name) for recipe in named]
        texts = [_text(value) for value in values]
        columns.append(Column(field.name, texts, identity=field.name == "name"))
    show(console, f"Training recipes, for {MNIST_IMAGES:,} training images", columns)


def _text(value: object) -> str:
    """Return a value of a recipe; of a record its name, and what differs from its default."""
    if isinstance(value, recipes.Optimizer | Augmentation):
        default = type(value)()
        given = [(field.name, getattr(value, field.name)) for field in fields(value) if field.name != "name"]
        changed = [f"{name} {number:g}" for name, number in given if number != getattr(default, name)]
        return ", ".join([value.name, *changed] if isinstance(value, recipes.Optimizer) else changed)
    return str(value)


def show_profiles(console: Console) -> None:
    """Print one row per profile of `nnkernels bench`.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    """
    rows = [(name, profile.minutes, profile.ratio_passes, profile.resumable) for name, profile in PROFILES.items()] + [
        (ACCURACY, ACCURACY_MINUTES, Design.processes, True)
    ]
    columns = [
        Column("name", [name for name, *_ in rows], identity=True),
        Column("minutes on two cores", [str(minutes) for _, minutes, *_ in rows], right=True),
        Column("processes per ratio", [str(processes) for *_, processes, _ in rows], right=True),
        Column("resumable", ["yes" if resumable else "no" for *_, resumable in rows]),
    ]
    show(console, "Profiles of `nnkernels bench`", columns)


def show_benchmarks(console: Console, folder: Path) -> None:
    """Print one table per benchmark file, titled with the first line of the file's docstring.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    folder : Path
        The folder of the benchmark files. They are parsed, not imported.
    """
    for path in sorted(folder.glob("[!_]*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        question = (ast.get_docstring(tree) or "").split("\n")[0]
        functions = [
            f"{node.name.lstrip('_')}.{item.name}"
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            for item in node.body
            if isinstance(item, ast.FunctionDef) and item.name.startswith(("time_", "timeraw_", "track_"))
        ]
        show(console, f"{path.stem}: {question}", [Column("benchmark", functions)])
