"""Which of several kernels for the same work may run on this CPU: the paths of the fused backends.

The setting ``NNKERNELS_FUSED_PATHS`` names the permitted paths, for tests and comparisons. Without it, all paths are
permitted whose instructions Numba compiles for and this CPU has.
"""

from __future__ import annotations

import os

from nnkernels.cpu_features import compiled_features
from nnkernels.errors import UnknownNameError
from nnkernels.kernels.simd.byte_sums import AVX512_VNNI

SETTING = "NNKERNELS_FUSED_PATHS"
# By name, the CPU features without which a path would be slower than the lists of nonzero pixels. The latter suit every
# CPU and every network that the fused kernels support, so they are always permitted.
PATHS: dict[str, frozenset[str]] = {"lists": frozenset(), "vnni": AVX512_VNNI}


def is_permitted(path: str) -> bool:
    """Return whether a path may be used.

    Parameters
    ----------
    path : str
        A key of ``PATHS``.

    Returns
    -------
    permitted : bool
        Whether ``NNKERNELS_FUSED_PATHS`` names the path, or, if it is not set, whether the CPU has its features. The
        setting can name a path without these, because LLVM then generates other instructions for it.

    Raises
    ------
    UnknownNameError
        If the setting contains an unknown name.
    """
    setting = os.environ.get(SETTING)
    if setting is None:
        return compiled_features() >= PATHS[path]
    names = [name.strip() for name in setting.split(",")]
    for name in names:
        if name not in PATHS:
            raise UnknownNameError(f"path in the setting {SETTING}", name, tuple(PATHS))
    return path == "lists" or path in names
