"""matplotlib figures, one subject a file; each function draws one figure from plain arrays or tables and returns it."""

from nnkernels.plots.comparison import horizontal_comparison

__all__ = ["horizontal_comparison"]
