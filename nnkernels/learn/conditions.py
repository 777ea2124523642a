"""Conditions, besides data, kernels and versions, that affect the last bits of trained parameters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from nnkernels.errors import ReproducibilityWarning
from nnkernels.kernels import Backend
from nnkernels.kernels.fused.paths import LISTS, training_path
from nnkernels.measure.records import provenance

THREADS, BLAS, CPU, PATH = "threads", "BLAS", "CPU", "path of the fused kernels"


def conditions() -> dict[str, str]:
    """Return the current conditions of this process.

    Returns
    -------
    conditions : dict of str to str
        The number of threads, the BLAS, the CPU and the path of the fused kernels as text, without folders and host
        names.
    """
    import numba

    libraries = provenance.blas_libraries()
    threads = "/".join(sorted({str(library["num_threads"]) for library in libraries}))
    names = {
        " ".join(str(library[key]) for key in ("internal_api", "version", "architecture")) for library in libraries
    }
    return {
        THREADS: f"{threads or 'none'} of BLAS and {numba.get_num_threads()} of Numba",
        BLAS: ", ".join(sorted(names)),
        CPU: f"{provenance.cpu_name()} ({provenance.microarchitecture()})",
        PATH: training_path(),
    }


def warn_of_other_conditions(there: Mapping[str, str], here: Mapping[str, str], backend: Backend) -> None:
    """Warn if a resumed training run may differ in its last bits from an uninterrupted one.

    Parameters
    ----------
    there : mapping of str to str
        The :func:`conditions` recorded in the checkpoint. Earlier versions of nnkernels did not record them.
    here : mapping of str to str
        The conditions of this process.
    backend : Backend
        The kernels. If they have ``SAME_BITS_ON_ANY_THREADS``, only the CPU and the path matter.

    Warns
    -----
    ReproducibilityWarning
        If a condition that matters differs.
    """
    same_bits_on_any_threads = getattr(backend, "SAME_BITS_ON_ANY_THREADS", False)
    names = (CPU, PATH) if same_bits_on_any_threads else (THREADS, BLAS, CPU)
    there = {PATH: LISTS, **there}  # the only path when it was not recorded
    differences = [
        f"{name}: {there.get(name, 'not recorded')} in the checkpoint, {here[name]} now"
        for name in names
        if there.get(name) != here[name]
    ]
    if differences:
        warnings.warn(
            f"training resumes under different conditions ({'; '.join(differences)}), so its last bits may differ from "
            "those of uninterrupted training",
            ReproducibilityWarning,
            stacklevel=2,
        )
