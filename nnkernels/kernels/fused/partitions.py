"""The partition of the weights among threads."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.fused.layout import Layout
from nnkernels.kernels.simd import VECTOR
from nnkernels.team import partition

# Rows of the result of :func:`thread_partitions`.
WEIGHT_ROWS, UNITS, MODEL_RANGES = 0, 1, 2


@lru_cache
def thread_partitions(layout: Layout, threads: int) -> npt.NDArray[np.int64]:
    """Return the weights that each thread updates, as ranges.

    The results are cached, because every training call needs one.

    Parameters
    ----------
    layout : Layout
        Layout of the network.
    threads : int
        Number of threads.

    Returns
    -------
    ranges : ndarray of int64, shape (threads, n_panels + 5, 2)
        Start and end of each range; do not change them. Row ``WEIGHT_ROWS`` is a range of rows of W1 (pixels, or blocks
        of pixels), ``UNITS`` one of hidden units in whole vectors. The rows from ``MODEL_RANGES`` on are ranges of a
        model's memory: these rows in each panel of W1, the biases of these units, their rows of W2, and ``b2``, which
        the first thread updates.
    """
    W1_end, b1_end, W2_end, b2_end = layout.ends
    panel_size = layout.rows * layout.row_floats
    partitions = []
    for thread in range(threads):
        rows = layout.row_group * np.array(partition(layout.rows // layout.row_group, thread, threads))
        if thread == threads - 1:
            rows[1] = layout.rows
        units = VECTOR * np.array(partition(layout.hidden_lanes // VECTOR, thread, threads))
        panels = [panel * panel_size + rows * layout.row_floats for panel in range(layout.panels)]
        b2 = np.array([W2_end, b2_end if thread == 0 else W2_end])
        partitions.append([rows, units, *panels, W1_end + units, b1_end + units * layout.class_lanes, b2])
    return np.array(partitions, np.int64)
