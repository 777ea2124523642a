"""On what the last bits of a training depend, beside its data, its kernels and their versions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from nnkernels.errors import ReproducibilityWarning
from nnkernels.kernels import Backend
from nnkernels.measure.records import provenance

THREADS, BLAS, CPU = "threads", "BLAS", "CPU"


def conditions() -> dict[str, str]:
    """Return the threads, the BLAS and the CPU of this process, each as a text without a path or host name."""
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
    """Warn if a training goes on where its last bits may differ from those of one that never stopped.

    Parameters
    ----------
    there : mapping of str to str
        The checkpoint's :func:`conditions`; earlier versions of nnkernels kept none.
    here : mapping of str to str
        Those of this process.
    backend : Backend
        One with ``SAME_BITS_ON_ANY_THREADS`` depends on the CPU alone.
    """
    on_cpu_alone = getattr(backend, "SAME_BITS_ON_ANY_THREADS", False)
    names = (CPU,) if on_cpu_alone else (THREADS, BLAS, CPU)
    differences = [
        f"{name}: {there.get(name, 'not recorded')} there, {here[name]} here"
        for name in names
        if there.get(name) != here[name]
    ]
    if differences:
        warnings.warn(
            f"the training to resume ran under other conditions ({'; '.join(differences)}): it goes on, but its last "
            "bits may differ from those of a training that never stopped",
            ReproducibilityWarning,
            stacklevel=2,
        )
