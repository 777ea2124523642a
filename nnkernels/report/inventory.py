"""What there is to measure, and what of it is installed here."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

from rich import box
from rich.table import Table

from nnkernels import contenders, kernels, recipes
from nnkernels.kernels.contract import FUNCTIONS
from nnkernels.measure.distinct import prediction_owner
from nnkernels.measure.plan import PROFILES

MNIST_IMAGES = 60_000  # what the recipes that depend on it are shown for


def contenders_table() -> Table:
    """Return a row a contender."""
    table = _table("contenders", "name", "what it is", "installed")
    for name in contenders.names():
        installed = "yes" if contenders.is_installed(name) else f"no: {contenders.install_command(name)}"
        table.add_row(name, contenders.entry(name).description, installed.replace("[", "\\["))
    return table


def backends_table() -> Table:
    """Return a row a backend of the kernel contract, with what it shares: rows of another backend have its time."""
    table = _table("backends", "name", "whole stretches in one call", "same functions as")
    for name in kernels.names():
        shared = {
            "kernels": kernels.owner(name, *FUNCTIONS),
            "predictions": prediction_owner(name),
        }
        others = [f"{owner} ({what})" for what, owner in shared.items() if owner != name]
        whole_stretches = "yes" if hasattr(kernels.load(name), "train_inplace") else "no, step by step"
        table.add_row(name, whole_stretches, ", ".join(others))
    return table


def recipes_table() -> Table:
    """Return a row a recipe."""
    names = [field.name for field in fields(recipes.Recipe)]
    table = _table("recipes", *names)
    named = [recipes.named_recipe(name, MNIST_IMAGES) for name in recipes.RECIPE_NAMES]
    for recipe in (*named, recipes.SGD, recipes.accuracy_recipe(MNIST_IMAGES)):
        values = [getattr(recipe, name) for name in names]
        table.add_row(*(value.name if isinstance(value, recipes.Optimizer) else str(value) for value in values))
    return table


def profiles_table() -> Table:
    """Return a row a profile of `nnkernels bench`."""
    table = _table("profiles", "name", "minutes on two cores", "processes a ratio", "resumable")
    for name, profile in PROFILES.items():
        table.add_row(name, str(profile.minutes), str(profile.ratio_passes), "yes" if profile.resumable else "no")
    return table


def benchmarks_table(folder: Path) -> Table:
    """Return a row a benchmark file, with the question that its first line asks."""
    table = _table("benchmarks", "file", "question", "benchmarks")
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
        table.add_row(path.stem, question, ", ".join(functions))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAVY, collapse_padding=True, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
