"""Which weights each thread of a team updates."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nnkernels.kernels.fused.model import Layout
from nnkernels.kernels.simd import VECTOR
from nnkernels.kernels.team import share

# What a row of :func:`shares_of_threads` is.
PIXELS, UNITS, RANGES = 0, 1, 2


@lru_cache
def shares_of_threads(layout: Layout, threads: int) -> npt.NDArray[np.int64]:
    """Return each thread's part of the weights, shape (threads, panels + 5, 2): begin and end of ranges.

    Of pixels; of hidden units, in whole vectors; and, from row ``RANGES`` on, of a model's memory: the rows of these
    pixels in each panel of W1, the units' biases, their rows of W2, and ``b2``, which is the first thread's.
    Short calls ask for the same again and again, so the last answers are kept; nobody writes into them.
    """
    W1_end, b1_end, W2_end, b2_end = layout.ends
    panel_size = layout.inputs * layout.panel_lanes
    shares = []
    for thread in range(threads):
        pixels = VECTOR * np.array(share(layout.inputs // VECTOR, thread, threads))
        if thread == threads - 1:
            pixels[1] = layout.inputs
        units = VECTOR * np.array(share(layout.hidden_lanes // VECTOR, thread, threads))
        panels = [panel * panel_size + pixels * layout.panel_lanes for panel in range(layout.panels)]
        b2 = np.array([W2_end, b2_end if thread == 0 else W2_end])
        shares.append([pixels, units, *panels, W1_end + units, b1_end + units * layout.class_lanes, b2])
    return np.array(shares, np.int64)
