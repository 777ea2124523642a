"""The instruction sets that kernels may use: those that Numba compiles for and that this machine's CPU has.

LLVM aborts the process if code asks for an instruction that is not among the features that it compiles for. An
instruction that the CPU lacks stops the process too. So kernels with special instructions ask here first.
"""

from __future__ import annotations

from functools import cache

from llvmlite import binding
from numba.core.registry import cpu_target

# What each feature builds on. As in LLVM, a feature comes with all that it builds on, and switching one off switches
# off all that build on it.
PREREQUISITES = {
    "avx512vnni": ("avx512f",),
    "avx512bw": ("avx512f",),
    "avx512dq": ("avx512f",),
    "avx512vl": ("avx512f",),
    "avx512f": ("avx2", "fma", "f16c"),
    "avx2": ("avx",),
    "fma": ("avx",),
    "f16c": ("avx",),
    "avx": ("sse4.2",),
    "sse4.2": ("sse4.1",),
    "sse4.1": ("ssse3",),
    "ssse3": ("sse3",),
    "sse3": ("sse2",),
    "sse2": ("sse",),
    "amx-int8": ("amx-tile",),
}


@cache
def compiled_features() -> frozenset[str]:
    """Return the CPU features that Numba compiles for and that this machine's CPU has.

    Numba's settings ``NUMBA_CPU_NAME``, ``NUMBA_CPU_FEATURES`` and ``NUMBA_ENABLE_AVX`` restrict what it compiles for.
    Features that LLVM derives only from the name of a CPU are omitted, so the result can be too small, but never too
    large.

    Returns
    -------
    features : frozenset of str
        LLVM's names, such as ``avx512vnni``. Empty if LLVM cannot detect the features of this CPU.
    """
    try:
        host = {name for name, present in binding.get_host_cpu_features().items() if present}
    except RuntimeError:
        return frozenset()
    _triple, _cpu, flags = _target()
    return frozenset(enabled(flags) & host)


def compiled_cpu() -> str:
    """Return LLVM's name of the CPU that Numba compiles for.

    Returns
    -------
    name : str
        Such as ``znver4``. ``NUMBA_CPU_NAME`` changes it.
    """
    return _target()[1]


def _target() -> tuple[str, str, str]:
    """Return what Numba stores with cached code: triple, name of the CPU, flags of features."""
    triple, cpu, flags = cpu_target.target_context.codegen().magic_tuple()
    return triple, cpu, flags


def enabled(flags: str) -> set[str]:
    """Return the features that a list of flags leaves on.

    Parameters
    ----------
    flags : str
        Comma-separated names, each after ``+`` or ``-``. Later flags override earlier ones.

    Returns
    -------
    features : set of str
        The names.
    """
    features: set[str] = set()
    for flag in filter(None, (flag.strip() for flag in flags.split(","))):
        name = flag[1:]
        if flag.startswith("+"):
            features |= _closure(name)
        else:
            features -= {feature for feature in features if name in _closure(feature)}
    return features


def _closure(name: str) -> set[str]:
    return {name}.union(*(_closure(base) for base in PREREQUISITES.get(name, ())))
