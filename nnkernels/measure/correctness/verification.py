"""Comparison of contenders with the float64 oracle by name, without timing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset
from nnkernels.errors import one_line
from nnkernels.kernels.fused.paths import only_path, training_paths
from nnkernels.measure.correctness.evaluations import first_wrong_evaluation, has_evaluation
from nnkernels.measure.correctness.gate import compare_with_oracle
from nnkernels.measure.correctness.gate_result import TOLERANCES, GateResult
from nnkernels.recipes import Recipe, benchmark_recipe


def verify(name: str, dataset: Dataset, recipe: Recipe | None = None) -> list[GateResult]:
    """Create a contender and compare it with the oracle, without timing anything.

    If its backend can train by several paths on this CPU, each is checked. If it has an evaluation kernel, its
    evaluation of parameters is compared too.

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
    results : list of GateResult
        The differences and the tolerance, for each path.

    Raises
    ------
    UnknownNameError
        If there is no contender of this name.
    MissingDependencyError
        If the contender's packages are not installed.
    """
    contender = contenders.create_anywhere(name)
    try:
        paths = training_paths() if _has_paths(contender) else ()
        if len(paths) < 2:
            return [_compare(name, contender, dataset, recipe)]
        results = []
        for path in paths:
            with only_path(path):
                results.append(_compare(name, contender, dataset, recipe))
        return results
    finally:
        contender.close()


def _has_paths(contender: Contender) -> bool:
    return isinstance(contender, KernelContender) and hasattr(contender.backend, "path_of")


def _compare(name: str, contender: Contender, dataset: Dataset, recipe: Recipe | None) -> GateResult:
    result = compare_with_oracle(name, contender, dataset, recipe)
    if not has_evaluation(contender):
        return result
    return replace(result, evaluation=first_wrong_evaluation(contender, dataset))


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
        One result per name, or per path of a contender that has several, in the same order.
    """
    results: list[GateResult] = []
    for name in names:
        try:
            results += verify(name, dataset, recipe)
        except Exception as error:
            tried = recipe or benchmark_recipe()
            rule = tried.optimizer.name
            reason = one_line(error)
            results.append(GateResult(name, rule, tried.batch_size, np.nan, TOLERANCES[rule], np.nan, error=reason))
    return results
