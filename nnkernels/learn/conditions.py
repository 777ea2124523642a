"""The conditions that affect the last bits of a training, in addition to its data, its kernels and their versions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from nnkernels.errors import ReproducibilityWarning
from nnkernels.kernels import Backend
from nnkernels.measure.records import provenance

THREADS, BLAS, CPU = "threads", "BLAS", "CPU"


def conditions() -> dict[str, str]:
    """Return the conditions of this process.

    Returns
    -------
    conditions : dict of str to str
        The number of threads, the BLAS and the CPU as text, without paths and host names.
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
    }


def warn_of_other_conditions(there: Mapping[str, str], here: Mapping[str, str], backend: Backend) -> None:
    """Warn if a resumed training may differ in its last bits from an uninterrupted one.

    Parameters
    ----------
    there : mapping of str to str
        The :func:`conditions` in the checkpoint. Checkpoints of earlier versions of nnkernels have none.
    here : mapping of str to str
        The conditions of this process.
    backend : Backend
        The kernels. If they have ``SAME_BITS_ON_ANY_THREADS``, only the CPU matters.

    Warns
    -----
    ReproducibilityWarning
        If a condition that matters differs.
    """
    on_cpu_alone = getattr(backend, "SAME_BITS_ON_ANY_THREADS", False)
    names = (CPU,) if on_cpu_alone else (THREADS, BLAS, CPU)
    differences = [
        f"{name}: {there.get(name, 'not recorded')} in the checkpoint, {here[name]} now"
        for name in names
        if there.get(name) != here[name]
    ]
    if differences:
        warnings.warn(
            f"the training resumes under other conditions ({'; '.join(differences)}), so its last bits may differ from "
            "those of an uninterrupted training",
            ReproducibilityWarning,
            stacklevel=2,
        )
