"""Nothing is measured where Numba is told not to compile."""

from __future__ import annotations

import sys

from nnkernels.errors import ConfigurationError


def require_compiled() -> None:
    """Refuse to measure kernels that run as plain Python.

    Numba is asked if it is loaded; contenders that do not need it are measured without it.

    Raises
    ------
    ConfigurationError
        If Numba is loaded, and its compiler disabled.
    """
    if (numba := sys.modules.get("numba")) and numba.config.DISABLE_JIT:
        raise ConfigurationError(
            "NUMBA_DISABLE_JIT is set: compiled kernels would run as plain Python, hundreds of times slower, and are "
            "not measured. Unset it (or disable_jit in .numba_config.yaml); verifying and training work with it"
        )
