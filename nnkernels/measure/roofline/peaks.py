"""Measured limits of this machine: float32 matrix products, and reading from caches and memory."""

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
from nnkernels.process_settings import limit_blas, preserved_thread_counts

GIGA = 1e9
SAMPLES = 7

# BLAS gets closer to its peak with larger products, especially on many threads. Sizes increase until a product takes
# ``LONG_SECONDS``.
MATMUL_SIZES = (512, 1024, 2048, 4096)
LONG_SECONDS = 0.05
SAMPLE_SECONDS = 0.02

READ_BYTES = 2**30  # per sample and thread
STREAMS = 4  # in read_sum
LINE_BYTES = 64  # size of a cache line, or a divisor of it
MAX_DRAM_BYTES = 2**30
REGISTER_BYTES = 32 * 64  # vector registers of a core: at most 32, of 64 bytes
BARRIER_SECONDS = 60.0


@dataclass(frozen=True)
class MachineLimits:
    """The best measured rates of this machine for a number of threads.

    These are rates that a program has reached, not those of a data sheet. A matrix product reaches about 90 % of the
    processor's peak at the same clock rate. On a busy machine, the measured rates are too low.

    Attributes
    ----------
    threads : int
        Number of threads of all rates.
    peak_gflops : float
        Rate of a float32 matrix product in GFLOP/s (1e9 operations per second). A multiply-add is two operations.
    l1_gbytes_per_second, l2_gbytes_per_second, dram_gbytes_per_second : float
        Rates of reading, all threads together, in GB/s (1e9 bytes per second).
    l1_bytes : float
        Capacity of these threads' L1 caches and vector registers in bytes; infinite if unknown.
    cache_bytes : float
        Capacity of all caches and vector registers in bytes; infinite if unknown.
    """

    threads: int
    peak_gflops: float
    l1_gbytes_per_second: float
    l2_gbytes_per_second: float
    dram_gbytes_per_second: float
    l1_bytes: float = math.inf
    cache_bytes: float = math.inf


def measure_limits(threads: int, samples: int = SAMPLES, caches: Caches | None = None) -> MachineLimits:
    """Measure the limits of this machine. This takes a few seconds.

    Each rate is the best of its samples, unlike the times of contenders. Other load can only lower a measured limit,
    and a limit that is too low gives a bound that is too high.

    Parameters
    ----------
    threads : int
        Number of threads, at least 1.
    samples : int
        Number of samples of each rate.
    caches : Caches, optional
        The machine's caches; by default, as reported by the system.

    Returns
    -------
    limits : MachineLimits
        The limits.

    Raises
    ------
    ConfigurationError
        If Numba's compiler is disabled, or if BLAS does not use the requested number of threads.
    """
    require_compiled()
    caches = caches or read_caches()
    sharers = [min(threads, cache.sharers) for cache in (caches.l1, caches.l2)]
    # Threads that share a cache fill it together. Cyclic reading of a buffer twice as large as the lower-level cache
    # has almost no hits there.
    l1_buffer = caches.l1.size // 2 // sharers[0]
    l2_buffer = max(caches.l2.size // 2 // sharers[1], 2 * caches.l1.size)
    dram_buffer = min(4 * caches.last_level_bytes, MAX_DRAM_BYTES) // threads
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
    """Measure the best rate of square float32 matrix products of several sizes, each sustained over a sample.

    Parameters
    ----------
    threads : int
        Number of threads of BLAS.
    samples : int
        Number of samples per size.

    Returns
    -------
    rate : float
        GFLOP/s.
    """
    best = 0.0
    rng = np.random.default_rng(0)
    with preserved_thread_counts():
        limit_blas(threads)
        for size in MATMUL_SIZES:
            left, right = (rng.random((size, size), np.float32) for _ in range(2))
            seconds = _least_seconds(partial(np.matmul, left, right, out=np.empty_like(left)), samples)
            best = max(best, 2 * size**3 / seconds / GIGA)
            if seconds > LONG_SECONDS:
                break
    return best


def read_gbytes_per_second(buffer_bytes: int, threads: int, samples: int = SAMPLES) -> float:
    """Measure the rate at which threads read repeatedly, each from its own buffer.

    The time of a sample is from the start of the first thread to the end of the last one. The best sample is used.

    Parameters
    ----------
    buffer_bytes : int
        Size of each thread's buffer.
    threads : int
        Number of threads.
    samples : int
        Number of samples.

    Returns
    -------
    rate : float
        GB/s of all threads together.
    """
    floats = max(1, buffer_bytes // (4 * STREAMS)) * STREAMS
    repeats = math.ceil(READ_BYTES / (4 * floats))
    # With a timeout, a thread that cannot allocate its buffer does not block the others forever.
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
    """Return ones aligned to a cache line, because a vector load that crosses two lines is slower.

    The array is written, because untouched pages would all map to one page of zeros. The calling thread writes it, so
    that the memory is local to that thread.

    Returns
    -------
    buffer : ndarray of float32, shape (floats,)
        Ones.
    """
    buffer = np.ones(floats + LINE_BYTES // 4, np.float32)
    start = -buffer.ctypes.data % LINE_BYTES // 4
    return buffer[start : start + floats]


@kernel
def read_sum(values: npt.NDArray[np.float32], repeats: int) -> float:
    """Return the sum of all values, repeated ``repeats`` times.

    Four accumulators avoid waiting for the latency of each addition, and four streams keep more cache lines of DRAM in
    flight than one. LLVM uses two vector registers per accumulator, so eight additions overlap, each with its own load.

    Parameters
    ----------
    values : ndarray of float32, shape (N,)
        Values to read; N is a multiple of four.
    repeats : int
        Number of passes.

    Returns
    -------
    total : float
        The sum of all passes.
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
    """Return the smallest mean time of a call among samples, each with enough calls to take ``SAMPLE_SECONDS``."""
    run()
    calls = max(1, math.ceil(SAMPLE_SECONDS / _seconds(run, 1)))
    return min(_seconds(run, calls) for _ in range(samples))


def _seconds(run: Callable[[], Any], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - started) / calls
