"""Comparison of contenders with the float64 oracle by name, without timing anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnkernels import contenders
from nnkernels.data import Dataset
from nnkernels.errors import one_line
from nnkernels.measure.correctness.gate import TOLERANCES, GateResult, compare_with_oracle
from nnkernels.recipes import Recipe, benchmark_recipe


def verify(name: str, dataset: Dataset, recipe: Recipe | None = None) -> GateResult:
    """Create a contender and compare it with the oracle, without timing anything.

    Parameters
    ----------
    name : str
        Name of the contender.
    dataset : Dataset
        The source of the images.
    recipe : Recipe, optional
        The training recipe; by default, gradient descent as it is benchmarked.

    Returns
    -------
    result : GateResult
        The differences and the tolerance.

    Raises
    ------
    UnknownNameError
        If there is no contender of this name.
    MissingDependencyError
        If the contender's packages are not installed.
    """
    contender = contenders.create_anywhere(name)
    try:
        return compare_with_oracle(name, contender, dataset, recipe)
    finally:
        contender.close()


def verify_all(names: Sequence[str], dataset: Dataset, recipe: Recipe | None = None) -> list[GateResult]:
    """Compare several contenders with the oracle.

    If a contender raises an exception, its result contains the error, and the others are still compared.

    Parameters
    ----------
    names : sequence of str
        Names of the contenders.
    dataset : Dataset
        The source of the images.
    recipe : Recipe, optional
        The training recipe; by default, gradient descent as it is benchmarked.

    Returns
    -------
    results : list of GateResult
        One result per name, in the same order.
    """
    results = []
    for name in names:
        try:
            results.append(verify(name, dataset, recipe))
        except Exception as error:
            tried = recipe or benchmark_recipe()
            rule = tried.optimizer.name
            reason = one_line(error)
            results.append(GateResult(name, rule, tried.batch_size, np.nan, TOLERANCES[rule], np.nan, error=reason))
    return results
