"""What this machine can do at most: float32 arithmetic, and reading from its caches and its memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Barrier
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.jit import kernel
from nnkernels.measure.correctness.compiled import require_compiled
from nnkernels.measure.roofline.caches import Caches, read_caches
from nnkernels.process_settings import kept_threads, limit_blas

GIGA = 1e9
SAMPLES = 7

# The larger the product, the nearer to its peak a BLAS comes, the more so on many threads. Sizes grow until one
# product takes long.
MATMUL_SIZES = (512, 1024, 2048, 4096)
LONG_SECONDS = 0.05
SAMPLE_SECONDS = 0.02

READ_BYTES = 2**30  # of one sample, a thread
STREAMS = 4  # of read_sum
LINE_BYTES = 64  # of a cache line, or a divisor of it
MOST_DRAM_BYTES = 2**30
REGISTER_BYTES = 32 * 64  # of a core's vector registers, where they are most and widest
BARRIER_SECONDS = 60.0


@dataclass(frozen=True)
class MachineLimits:
    """What the machine was seen to do at most, on a number of threads.

    They are rates that a program reached, not those of a data sheet: a matrix product comes to within some 10 % of
    what the processor's multipliers could do at the same clock. On a machine that others keep busy they are too low.

    Attributes
    ----------
    threads : int
        That all of these are for.
    peak_gflops : float
        Of a float32 matrix product, in GFLOP/s (1e9 operations); a multiply-add is two.
    l1_gbytes_per_second, l2_gbytes_per_second, dram_gbytes_per_second : float
        Of reading, all threads together, in GB/s (1e9 bytes).
    l1_bytes : float
        What L1 caches and vector registers of these threads hold at most; infinite where the machine does not tell.
    cache_bytes : float
        What all caches hold at most, likewise.
    """

    threads: int
    peak_gflops: float
    l1_gbytes_per_second: float
    l2_gbytes_per_second: float
    dram_gbytes_per_second: float
    l1_bytes: float = math.inf
    cache_bytes: float = math.inf


def measure_limits(threads: int, samples: int = SAMPLES, caches: Caches | None = None) -> MachineLimits:
    """Measure what this machine does at most on that many threads: some seconds.

    Parameters
    ----------
    threads : int
        At least 1.
    samples : int
        Of each number, of which the best counts, unlike with a contender's time: whoever else uses the machine can
        only lower a limit, and bounds that follow from a limit too low are too high.
    caches : Caches, optional
        This machine's.

    Raises
    ------
    ConfigurationError
        If Numba is told not to compile, or BLAS runs on another number of threads.
    """
    require_compiled()
    caches = caches or read_caches()
    sharers = [min(threads, cache.sharers) for cache in (caches.l1, caches.l2)]
    # What threads share is filled by all of them together. Cyclic reading of what is twice as large as the cache
    # below finds next to nothing there.
    l1_buffer = caches.l1.size // 2 // sharers[0]
    l2_buffer = max(caches.l2.size // 2 // sharers[1], 2 * caches.l1.size)
    dram_buffer = min(4 * caches.last_level_bytes, MOST_DRAM_BYTES) // threads
    l1_gbytes, l2_gbytes, dram_gbytes = (
        read_gbytes_per_second(size, threads, samples) for size in (l1_buffer, l2_buffer, dram_buffer)
    )
    private = REGISTER_BYTES + caches.l1.size
    return MachineLimits(
        threads,
        matmul_gflops(threads, samples),
        l1_gbytes,
        l2_gbytes,
        dram_gbytes,
        l1_bytes=threads * private if caches.known else math.inf,
        cache_bytes=threads * (private + caches.l2.size) + caches.last_level_bytes if caches.known else math.inf,
    )


def matmul_gflops(threads: int, samples: int = SAMPLES) -> float:
    """Return the GFLOP/s of the best of several square float32 matrix products, sustained over a sample."""
    best = 0.0
    rng = np.random.default_rng(0)
    with kept_threads():
        limit_blas(threads)
        for size in MATMUL_SIZES:
            left, right = (rng.random((size, size), np.float32) for _ in range(2))
            seconds = _least_seconds(partial(np.matmul, left, right, out=np.empty_like(left)), samples)
            best = max(best, 2 * size**3 / seconds / GIGA)
            if seconds > LONG_SECONDS:
                break
    return best


def read_gbytes_per_second(buffer_bytes: int, threads: int, samples: int = SAMPLES) -> float:
    """Return the GB/s at which threads read, again and again, each a buffer of its own.

    The best of the samples; the seconds of one go from the first thread's start to the last one's end.
    """
    floats = max(1, buffer_bytes // (4 * STREAMS)) * STREAMS
    repeats = math.ceil(READ_BYTES / (4 * floats))
    # A thread that fails to get its memory must not leave the others waiting for ever.
    barrier = Barrier(threads, timeout=BARRIER_SECONDS)

    def read() -> list[tuple[float, float]]:
        buffer = _aligned_ones(floats)
        read_sum(buffer, 1)
        spans = []
        for _ in range(samples):
            barrier.wait()
            started = time.perf_counter()
            read_sum(buffer, repeats)
            spans.append((started, time.perf_counter()))
        return spans

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(read) for _ in range(threads)]
    spans = np.array([future.result() for future in futures])
    seconds = spans[:, :, 1].max(axis=0) - spans[:, :, 0].min(axis=0)
    return float(threads * repeats * 4 * floats / seconds.min() / GIGA)


def _aligned_ones(floats: int) -> npt.NDArray[np.float32]:
    """Return ones from the start of a cache line on: a vector that lies across two lines would be read as two.

    They are written, because untouched memory would be one page of zeros, and by the thread that calls this, so that
    they lie near it.
    """
    room = np.ones(floats + LINE_BYTES // 4, np.float32)
    start = -room.ctypes.data % LINE_BYTES // 4
    return room[start : start + floats]


@kernel
def read_sum(values: npt.NDArray[np.float32], repeats: int) -> float:
    """Return the sum of ``repeats`` times all values, whose number is a multiple of four.

    One sum would wait for its own last addition, and four streams keep more lines of DRAM on their way than one.
    LLVM makes two vector registers of each of the four: eight additions under way, each of a load of its own.
    """
    length = len(values) // 4
    first, second = values[:length], values[length : 2 * length]
    third, fourth = values[2 * length : 3 * length], values[3 * length : 4 * length]
    a = b = c = d = np.float32(0)
    for _ in range(repeats):
        for i in range(length):
            a += first[i]
            b += second[i]
            c += third[i]
            d += fourth[i]
    return float(a + b + c + d)


def _least_seconds(run: Callable[[], Any], samples: int) -> float:
    """Return the least mean seconds of a call in a sample, which is as many calls as take some time."""
    run()
    calls = max(1, math.ceil(SAMPLE_SECONDS / _seconds(run, 1)))
    return min(_seconds(run, calls) for _ in range(samples))


def _seconds(run: Callable[[], Any], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - started) / calls
