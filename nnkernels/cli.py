"""The command line: parse and dispatch, nothing else."""

from __future__ import annotations

from nnkernels.errors import NNKernelsError
