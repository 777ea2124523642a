"""Checks that the content of a result file has the types and lengths on which the reports rely."""

from __future__ import annotations

import dataclasses
import functools
import math
import typing
from typing import Any, TypeVar, cast

from typing_extensions import TypedDict

Record = TypeVar("Record")  # a dataclass


class DatasetProvenance(TypedDict):
    """What the reports need to know of the data set."""

    name: str
    sha256: str
    training_images: int
    test_images: int


class Origin(TypedDict):
    """What the reports need of the provenance of any record; it has more."""

    python: str
    packages: dict[str, str]
    os: str
    architecture: str
    cpu: str
    microarchitecture: str
    cpus: int
    blas: list[dict[str, Any]]
    dataset: DatasetProvenance


class Provenance(Origin):
    """What the reports need of the provenance of a run."""

    tree: str


class CheckMethod(TypedDict):
    """What the reports need of the settings of a check; they have more."""

    version: int
    comparison_error: float
    resolve: float
    minutes: float


class AsvResults(TypedDict):
    """What the reports need of asv's results; they have more."""

    result_columns: list[str]
    results: dict[str, list[Any]]
    parameter_names: dict[str, list[str]]
    units: dict[str, str]


class AsvColumns(TypedDict, total=False):
    """The columns of a benchmark in asv's results."""

    result: list[float | None] | None
    params: list[list[str]]
    samples: list[list[float] | None] | None


def conforming(record: Record) -> Record:
    """Check the types of all fields of a record, including those of nested lists and dictionaries.

    Parameters
    ----------
    record : dataclass
        A record that was built from the content of a file.

    Returns
    -------
    record : dataclass
        The same record.

    Raises
    ------
    ValueError
        If a value has another type; the message says where and which.
    """
    for name, validator in _validators(cast("type", type(record))).items():
        _validate(validator, getattr(record, name), name)
    return record


def check_provenance(provenance: dict[str, Any]) -> None:
    """Check the part of a run's provenance on which the reports rely.

    Parameters
    ----------
    provenance : dict
        See ``nnkernels.measure.records.provenance``.

    Raises
    ------
    ValueError
        If a key is missing, or a value has another type.
    """
    _validate(_validator(Provenance), provenance, "provenance")


def check_origin(provenance: dict[str, Any]) -> None:
    """Check the part of a record's provenance on which the reports rely.

    Parameters
    ----------
    provenance : dict
        See ``nnkernels.measure.records.provenance``.

    Raises
    ------
    ValueError
        If a key is missing, or a value has another type.
    """
    _validate(_validator(Origin), provenance, "provenance")


def check_method(method: dict[str, Any]) -> None:
    """Check the part of a check's settings on which the reports rely.

    Parameters
    ----------
    method : dict
        See :meth:`nnkernels.measure.regression.measuring.Plan.method`.

    Raises
    ------
    ValueError
        If a key is missing, or a value has another type.
    """
    _validate(_validator(CheckMethod), method, "method")


def check_asv_results(content: dict[str, Any]) -> None:
    """Check the part of asv's results on which the reports rely.

    Parameters
    ----------
    content : dict
        Results in asv's format, with the additions of ``nnkernels.measure.asv_driver``.

    Raises
    ------
    ValueError
        If a key is missing, a value has another type, or a list another length than the parameters require.
    """
    _validate(_validator(AsvResults), content, "asv")
    processes = content.get("processes", {})
    _validate(_validator(dict[str, list[list[float]]]), processes, "processes")
    for name, values in content["results"].items():
        columns: dict[str, Any] = dict(zip(content["result_columns"], values, strict=False))
        if columns.get("result") is None:
            continue
        _validate(_validator(AsvColumns), columns, name)
        if "params" not in columns or name not in content["parameter_names"]:
            raise ValueError(f"{name}: has no parameters")
        combinations = math.prod(len(choices) for choices in columns["params"])
        lengths = {
            "names of parameters": (len(content["parameter_names"][name]), len(columns["params"])),
            "results": (len(columns["result"]), combinations),
            "samples": (len(columns.get("samples") or range(combinations)), combinations),
            "processes": (len(processes.get(name) or range(combinations)), combinations),
        }
        for what, (found, expected) in lengths.items():
            if found != expected:
                raise ValueError(f"{name}: has {found} {what}; expected {expected}")


@functools.cache
def _validators(record: type) -> dict[str, Any]:
    hints = typing.get_type_hints(record)
    return {field.name: _validator(hints[field.name]) for field in dataclasses.fields(record)}


@functools.cache
def _validator(expected: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(expected)


def _validate(validator: Any, value: Any, where: str) -> None:
    from pydantic import ValidationError

    try:
        validator.validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join([where, *(str(part) for part in first["loc"])])
        raise ValueError(f"{place}: {first['msg']}") from error
