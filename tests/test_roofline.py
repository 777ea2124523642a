"""Limits of the machine and the bounds derived from them; no assertion depends on measured times."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import ThreadpoolController

from nnkernels import Dataset
from nnkernels.errors import ConfigurationError
from nnkernels.measure.records.provenance import blas_libraries
from nnkernels.measure.roofline import peaks
from nnkernels.measure.roofline.bounds import Bounds, Workload, epoch_bounds, inference_bounds, workload_of
from nnkernels.measure.roofline.caches import Cache, Caches
from nnkernels.measure.roofline.peaks import (
    MachineLimits,
    matmul_gflops,
    measure_limits,
    read_gbytes_per_second,
    read_sum,
)
from nnkernels.recipes import SGD
from nnkernels.training import batch_order

RATES = ("peak_gflops", "l2_gbytes_per_second", "dram_gbytes_per_second")
SMALL = Caches(Cache(1024), Cache(4096), 16384)

sizes = st.integers(1, 1000)
rates = st.floats(0.01, 1000)
capacities = st.one_of(st.floats(0, 1e8), st.just(math.inf))
machines = st.builds(
    MachineLimits,
    threads=st.integers(1, 64),
    peak_gflops=rates,
    l1_gbytes_per_second=rates,
    l2_gbytes_per_second=rates,
    dram_gbytes_per_second=rates,
    l1_bytes=capacities,
    cache_bytes=capacities,
)


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    inputs = draw(sizes)
    return Workload(
        images=draw(st.integers(1, 100_000)),
        inputs=inputs,
        hidden=draw(sizes),
        classes=draw(sizes),
        batch_size=draw(sizes),
        nonzero=inputs * draw(st.floats(0, 1)),
        common=inputs * draw(st.floats(0, 1)),
    )


@given(machines, workloads())
def test_epoch_bounds_agree_with_scalar_arithmetic(limits: MachineLimits, work: Workload) -> None:
    def expected(inputs: float, common: float) -> float:
        flops_of_an_image = 0.0
        for rows, columns in (
            (inputs, work.hidden),  # Z1 = X W1
            (work.hidden, work.classes),  # logits = A1 W2
            (work.classes, work.hidden),  # dA1 = dlogits W2.T
            (work.hidden, work.classes),  # dW2 = A1.T dlogits
            (inputs, work.hidden),  # dW1 = X.T dZ1
        ):
            flops_of_an_image += 2 * rows * columns
        image_bytes = work.images * inputs
        batches = work.images // work.batch_size + (1 if work.images % work.batch_size else 0)
        excess_of_a_step = max(0, common * work.hidden * 4 - limits.l1_bytes)
        return max(
            work.images * flops_of_an_image / (1e9 * limits.peak_gflops),
            (image_bytes - limits.l1_bytes) / (1e9 * limits.l2_gbytes_per_second),
            (batches - 1) * excess_of_a_step / (1e9 * limits.l2_gbytes_per_second),
            (image_bytes - limits.cache_bytes) / (1e9 * limits.dram_gbytes_per_second),
        )

    bounds = epoch_bounds(limits, work)
    assert bounds.dense_seconds == pytest.approx(expected(work.inputs, work.inputs), rel=1e-12)
    assert bounds.sparse_seconds == pytest.approx(expected(work.nonzero, work.common), rel=1e-12)


@given(machines, workloads())
def test_inference_bounds_agree_with_scalar_arithmetic(limits: MachineLimits, work: Workload) -> None:
    def expected(inputs: float) -> float:
        flops = work.images * (2 * inputs * work.hidden + 2 * work.hidden * work.classes)
        pixels = work.images * work.inputs
        return max(
            flops / limits.peak_gflops / 1e9,
            (pixels - limits.l1_bytes) / limits.l2_gbytes_per_second / 1e9,
            (pixels - limits.cache_bytes) / limits.dram_gbytes_per_second / 1e9,
        )

    bounds = inference_bounds(limits, work)
    assert bounds.dense_seconds == pytest.approx(expected(work.inputs), rel=1e-12)
    assert bounds.sparse_seconds == pytest.approx(expected(work.nonzero), rel=1e-12)


def test_bounds_on_mnist_agree_with_manual_calculation() -> None:
    machine = MachineLimits(1, 100.0, 200.0, 80.0, 20.0, l1_bytes=32_768, cache_bytes=33_554_432)
    work = Workload(60_000, 784, 20, 10, 32, nonzero=150.0, common=420.0)
    # 2 x 60,000 x (2 x 784 x 20 + 600) = 3,835.2e6, and with 150 for 784 it is 792e6.
    assert epoch_bounds(machine, work) == Bounds(pytest.approx(38.352e-3), pytest.approx(7.92e-3))
    assert inference_bounds(machine, replace(work, images=10_000)) == Bounds(
        pytest.approx(3.176e-3), pytest.approx(0.64e-3)
    )
    # With an infinite peak only memory traffic remains: 47.04 MB of pixels minus the caches from DRAM;
    # sparse, 9 MB minus L1 from L2.
    fast = replace(machine, peak_gflops=math.inf)
    dram, l2 = (47.04e6 - 33_554_432) / 20e9, (9e6 - 32_768) / 80e9
    assert epoch_bounds(fast, work) == Bounds(pytest.approx(max(dram, 1874 * 29_952 / 80e9)), pytest.approx(l2))


@given(machines, workloads(), st.sampled_from(["images", "inputs", "hidden", "classes", "nonzero", "common"]), sizes)
def test_more_work_does_not_lower_bounds(limits: MachineLimits, work: Workload, field: str, more: int) -> None:
    larger = replace(work, **{field: getattr(work, field) + more})
    for bounds in (epoch_bounds, inference_bounds):
        assert bounds(limits, larger).dense_seconds >= bounds(limits, work).dense_seconds
        assert bounds(limits, larger).sparse_seconds >= bounds(limits, work).sparse_seconds


@given(machines, workloads(), st.sampled_from([*RATES, "l1_bytes", "cache_bytes"]), st.floats(1, 100))
def test_better_machine_does_not_raise_bounds(limits: MachineLimits, work: Workload, field: str, factor: float) -> None:
    better = replace(limits, **{field: getattr(limits, field) * factor})
    for bounds in (epoch_bounds, inference_bounds):
        assert bounds(better, work).dense_seconds <= bounds(limits, work).dense_seconds
        assert bounds(better, work).sparse_seconds <= bounds(limits, work).sparse_seconds


@given(machines, workloads())
def test_sparse_bound_does_not_exceed_dense_bound(limits: MachineLimits, work: Workload) -> None:
    for bounds in (epoch_bounds(limits, work), inference_bounds(limits, work)):
        assert 0 < bounds.sparse_seconds <= bounds.dense_seconds < math.inf
    full = replace(work, nonzero=work.inputs, common=work.inputs)
    assert epoch_bounds(limits, full).sparse_seconds == epoch_bounds(limits, full).dense_seconds


@given(machines, workloads())
def test_bounds_with_unknown_caches_depend_only_on_arithmetic(limits: MachineLimits, work: Workload) -> None:
    unknown = replace(limits, l1_bytes=math.inf, cache_bytes=math.inf)
    twice = replace(unknown, peak_gflops=2 * limits.peak_gflops)
    for bounds in (epoch_bounds, inference_bounds):
        assert bounds(twice, work).dense_seconds == pytest.approx(bounds(unknown, work).dense_seconds / 2)


def test_workload_counts_nonzero_pixels_of_images(small_digits: Dataset) -> None:
    X = small_digits.X_train[:100]
    work = workload_of(X)
    assert (work.images, work.inputs, work.hidden, work.classes, work.batch_size) == (100, 784, 20, 10, 32)
    assert work.nonzero * 100 == pytest.approx(sum(1 for image in X.tolist() for pixel in image if pixel))
    order = batch_order(0, 0, 100).tolist()
    inked = [
        {column for image in order[start : start + 32] for column in range(784) if X[image, column]}
        for start in range(0, 100, 32)
    ]
    assert work.common * 3 == pytest.approx(sum(len(inked[i] & inked[i + 1]) for i in range(3)))
    assert 0 < work.nonzero < work.common < 784


def test_workload_of_a_single_batch_and_of_another_recipe(small_digits: Dataset) -> None:
    work = workload_of(small_digits.X_train[:7], SGD.with_changes(hidden=5, batch_size=8), classes=3)
    assert (work.images, work.hidden, work.classes, work.batch_size, work.common) == (7, 5, 3, 8, 0.0)


@pytest.mark.parametrize("threads", [1, 2])
def test_measured_limits_are_positive_and_finite(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks, "MATMUL_SIZES", (64,))
    monkeypatch.setattr(peaks, "SAMPLE_SECONDS", 1e-4)
    monkeypatch.setattr(peaks, "READ_BYTES", 2**16)
    before = blas_libraries()
    measured = measure_limits(threads, samples=1, caches=SMALL)
    assert blas_libraries() == before
    assert measured.threads == threads
    assert all(0 < getattr(measured, field.name) < math.inf for field in fields(measured))
    assert measured.l1_bytes == threads * (2048 + 1024)
    assert measured.cache_bytes == threads * (2048 + 1024 + 4096) + 16384
    unknown = measure_limits(threads, samples=1, caches=replace(SMALL, known=False))
    assert unknown.l1_bytes == unknown.cache_bytes == math.inf


def test_buffer_sizes_follow_cache_sizes_and_sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, int]] = []

    def record(buffer_bytes: int, threads: int, samples: int) -> float:
        read.append((buffer_bytes, threads))
        return 1.0

    monkeypatch.setattr(peaks, "matmul_gflops", lambda threads, samples: 1.0)
    monkeypatch.setattr(peaks, "read_gbytes_per_second", record)
    kib, mib, gib = 2**10, 2**20, 2**30
    plain = Caches(Cache(32 * kib), Cache(512 * kib), 32 * mib)
    shared = Caches(Cache(32 * kib, 2), Cache(512 * kib, 2), 512 * mib)
    narrow = Caches(Cache(64 * kib), Cache(128 * kib), 8 * mib)
    for caches, threads in ((plain, 1), (plain, 4), (shared, 1), (shared, 4), (narrow, 1)):
        measure_limits(threads, 1, caches)
    assert [size for size, _ in read] == [
        *(16 * kib, 256 * kib, 128 * mib),
        *(16 * kib, 256 * kib, 32 * mib),
        *(16 * kib, 256 * kib, 1 * gib),
        *(8 * kib, 128 * kib, 256 * mib),
        *(32 * kib, 128 * kib, 32 * mib),
    ]


def test_rates_are_in_billions_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(peaks, "time", SimpleNamespace(perf_counter=lambda: float(next(clock))))
    monkeypatch.setattr(peaks, "MATMUL_SIZES", (100,))
    monkeypatch.setattr(peaks, "READ_BYTES", 3000)
    # The clock advances by a second per reading: 2e6 operations in a second, three times 1,024 bytes in a second.
    assert peaks.matmul_gflops(1, samples=3) == pytest.approx(2e6 / 1e9)
    assert read_gbytes_per_second(1024, threads=1, samples=3) == pytest.approx(3 * 1024 / 1e9)


@given(st.integers(0, 50), st.integers(0, 3))
def test_reading_kernel_reads_all_values(quarter: int, repeats: int) -> None:
    values = np.random.default_rng(quarter).integers(0, 100, 4 * quarter).astype(np.float32)
    assert read_sum(values, repeats) == repeats * values.sum(dtype=np.float64)


def test_blas_that_ignores_thread_limit_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    library = {"user_api": "blas", "internal_api": "stubborn", "num_threads": 7}
    monkeypatch.setattr(ThreadpoolController, "info", lambda self: [library])
    with pytest.raises(ConfigurationError, match="stubborn runs on 7 threads instead of 1"):
        matmul_gflops(1, samples=1)
