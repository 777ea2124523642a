"""A check that Numba's compiler is enabled before anything is timed."""

from __future__ import annotations

import sys

from nnkernels.errors import ConfigurationError


def require_compiled() -> None:
    """Check that kernels run compiled, not as plain Python.

    If Numba is not loaded, there is nothing to check.

    Raises
    ------
    ConfigurationError
        If Numba is loaded and its compiler is disabled.
    """
    if (numba := sys.modules.get("numba")) and numba.config.DISABLE_JIT:
        raise ConfigurationError(
            "NUMBA_DISABLE_JIT is set: compiled kernels would run as plain Python, hundreds of times slower, and are "
            "not timed. Unset it (or disable_jit in .numba_config.yaml). Training and `nnkernels verify` work with it"
        )
