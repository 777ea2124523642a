"""Each SIMD function compared with NumPy, lane by lane, in small compiled functions of several widths."""

from functools import cache

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnkernels.jit import ORDERED
from nnkernels.kernels import simd
from nnkernels.kernels.simd import load, store, width, zeros

WIDTHS = (8, 24, 64)
NAN, INF = np.nan, np.inf
TINY = np.finfo(np.float32).tiny  # the smallest normal number
SUBNORMAL = np.finfo(np.float32).smallest_subnormal
GUARD = np.float32(-77)  # surrounds a result, and must not be overwritten

# Compiled like the kernels, but not cached: the cache's key would not detect changes of simd.py.
jit = numba.njit(nogil=True, error_model="numpy", fastmath=ORDERED)

# Compiling takes a few tenths of a second per width. 64 lanes are tested only with `-m slow`.
every_width = pytest.mark.parametrize(
    "lanes", [pytest.param(lanes, marks=pytest.mark.slow) if lanes == 64 else lanes for lanes in WIDTHS]
)
# Tests whose result depends on the CPU's instructions: ``.ci/run`` runs them for several CPUs.
instruction_set = pytest.mark.instruction_set

FLOATS = st.one_of(
    st.floats(-100, 100, width=32),
    st.sampled_from([0.0, -0.0, NAN, INF, -INF, float(TINY), -float(TINY), float(SUBNORMAL), -float(SUBNORMAL)]),
)


def rows(lanes, count=2):
    """Return a strategy of float32 rows, among them zeros, subnormals, infinities and NaN."""
    return hnp.arrays(np.float32, (count, lanes), elements=FLOATS)


# Arithmetic and comparisons: one compiled function per width, which writes one row per operation.

WITH_LANES = ("a + b", "a += b", "a - b", "a * b", "a / b", "maximum")
WITH_SCALARS = ("s + a", "a + s", "s - a", "a - s", "s * a", "a * s", "s / a", "a / s")
OF_ONE = ("relu", "is_positive", "sqrt", "without_subnormals", "exp_nonpositive")
NAMES = (*WITH_LANES, *WITH_SCALARS, *OF_ONE, "a == s")


@cache
def all_elementwise(lanes):
    @jit
    def compute(x, y, scalar, out):
        a, b, s = load(x, 0, zeros(lanes)), load(y, 0, zeros(lanes)), scalar
        accumulated = a
        accumulated += b
        store(out, 0 * lanes, a + b)
        store(out, 1 * lanes, accumulated)
        store(out, 2 * lanes, a - b)
        store(out, 3 * lanes, a * b)
        store(out, 4 * lanes, a / b)
        store(out, 5 * lanes, simd.maximum(a, b))
        store(out, 6 * lanes, s + a)
        store(out, 7 * lanes, a + s)
        store(out, 8 * lanes, s - a)
        store(out, 9 * lanes, a - s)
        store(out, 10 * lanes, s * a)
        store(out, 11 * lanes, a * s)
        store(out, 12 * lanes, s / a)
        store(out, 13 * lanes, a / s)
        store(out, 14 * lanes, simd.relu(a))
        store(out, 15 * lanes, simd.is_positive(a))
        store(out, 16 * lanes, simd.sqrt(a))
        store(out, 17 * lanes, simd.without_subnormals(a))
        store(out, 18 * lanes, simd.exp_nonpositive(a))
        store(out, 19 * lanes, simd.is_equal(a, s))

    return compute


def elementwise(a, b=None, scalar=0.0):
    """Return the results of all functions, by name."""
    lanes = len(a)
    out = np.full(len(NAMES) * lanes, GUARD)
    b = np.zeros(lanes, np.float32) if b is None else b
    all_elementwise(lanes)(a, b, np.float32(scalar), out)
    return dict(zip(NAMES, out.reshape(len(NAMES), lanes), strict=True))


@instruction_set
@every_width
@given(data=st.data(), scalar=st.floats(-100, 100, width=32))
def test_arithmetic_equals_numpy_exactly(lanes, data, scalar):
    a, b = data.draw(rows(lanes))
    s = np.float32(scalar)
    with np.errstate(all="ignore"):
        expected = {
            "a + b": a + b,
            "a += b": a + b,
            "a - b": a - b,
            "a * b": a * b,
            "a / b": a / b,
            "maximum": np.where(a > b, a, b),
            "s + a": s + a,
            "a + s": a + s,
            "s - a": s - a,
            "a - s": a - s,
            "s * a": s * a,
            "a * s": a * s,
            "s / a": s / a,
            "a / s": a / s,
        }
    found = elementwise(a, b, scalar)
    for name, row in expected.items():
        if "/" in name:  # the sign of zero is not specified, nor that of a quotient by zero
            np.testing.assert_array_equal(np.abs(found[name]), np.abs(row), err_msg=name)
            divisor = {"a / b": b, "s / a": a, "a / s": np.full(lanes, s)}[name]
            np.testing.assert_array_equal(found[name][divisor != 0], row[divisor != 0], err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], row, err_msg=name)


@instruction_set
@every_width
@given(data=st.data())
def test_functions_of_one_row_equal_numpy(lanes, data):
    a = data.draw(rows(lanes, 1))[0]
    found = elementwise(a)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(found["relu"], np.where(a < 0, 0, a))
        np.testing.assert_array_equal(found["is_positive"], (a > 0).astype(np.float32))
        np.testing.assert_array_equal(found["sqrt"], np.sqrt(a))
        np.testing.assert_array_equal(found["without_subnormals"], np.where(np.abs(a) < TINY, 0, a))


@instruction_set
def test_relu_propagates_nan_and_infinity():
    found = elementwise(np.array([NAN, INF, -INF, -1, 0, 1, -TINY, TINY], np.float32))
    np.testing.assert_array_equal(found["relu"], np.array([NAN, INF, 0, 0, 0, 1, 0, TINY], np.float32))


@instruction_set
def test_only_subnormals_are_flushed_to_zero():
    largest_subnormal = np.nextafter(TINY, np.float32(0))
    given_numbers = np.array([SUBNORMAL, -largest_subnormal, TINY, -TINY, NAN, INF, -INF, 0], np.float32)
    found = elementwise(given_numbers)["without_subnormals"]
    np.testing.assert_array_equal(found, np.array([0, 0, TINY, -TINY, NAN, INF, -INF, 0], np.float32))


@instruction_set
def test_lanes_that_equal_a_scalar_are_one():
    a = np.array([3, 0, NAN, -3, 3, INF, np.nextafter(np.float32(3), np.float32(4)), 2], np.float32)
    assert elementwise(a, scalar=3)["a == s"].tolist() == [1, 0, 0, 0, 1, 0, 0, 0]


@instruction_set
def test_maximum_is_second_operand_if_either_is_nan():
    a = np.array([NAN, 1, NAN, -INF, 2, -1, INF, 0], np.float32)
    b = np.array([1, NAN, NAN, -INF, 1, 3, NAN, 0], np.float32)
    np.testing.assert_array_equal(elementwise(a, b)["maximum"], np.array([1, NAN, NAN, -INF, 2, 3, NAN, 0], np.float32))


@cache
def adding_products(lanes):
    @jit
    def compute(a, b, c, scalar, out):
        like = zeros(lanes)
        x, y, z = load(a, 0, like), load(b, 0, like), load(c, 0, like)
        store(out, 0, z + simd.product(x, y))
        store(out, lanes, z + simd.product(scalar, y))

    return compute


@instruction_set
@every_width
@given(data=st.data(), scalar=st.floats(-100, 100, width=32))
def test_product_is_rounded_before_addition(lanes, data, scalar):
    (a, b, c), s = data.draw(rows(lanes, 3)), np.float32(scalar)
    out = np.zeros(2 * lanes, np.float32)
    adding_products(lanes)(a, b, c, s, out)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(out, np.concatenate([c + a * b, c + s * b]))


# The exponential

EXP_TOLERANCE = 2e-7
CUT = -87.27  # exp of anything less is 0


def assert_exponentials(x, found):
    expected = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=0, atol=EXP_TOLERANCE)
    assert np.all(found >= 0)
    assert np.all(found[x < CUT] == 0)
    # Elsewhere the relative error is a few parts in 2^24, plus 4e-6 because numbers near 87 are rounded by as much.
    normal = x > CUT + 0.02
    np.testing.assert_allclose(found[normal], expected[normal], rtol=2e-5)


@instruction_set
@every_width
@given(data=st.data())
def test_exponentials_are_close_to_numpy_in_float64(lanes, data):
    x = data.draw(hnp.arrays(np.float32, lanes, elements=st.floats(-120, 0, width=32)))
    assert_exponentials(x, elementwise(x)["exp_nonpositive"])


@instruction_set
def test_exponentials_are_close_over_their_whole_range():
    # Also on both sides of each half integer of x log2(e), where the polynomial changes.
    halves = -np.arange(0, 260) / 2 * np.log(2)
    edges = halves.astype(np.float32)
    edges = np.concatenate([edges, np.nextafter(edges, np.float32(-INF)), np.nextafter(edges, np.float32(0))])
    x = np.concatenate([np.linspace(-130, 0, 20_000), -np.logspace(-12, 2, 5_000), edges]).astype(np.float32)
    x = np.minimum(np.concatenate([x, np.zeros(-len(x) % 24, np.float32)]), 0)
    found = np.concatenate([elementwise(part)["exp_nonpositive"] for part in x.reshape(-1, 24)])
    assert_exponentials(x, found)


@instruction_set
@every_width
def test_exponentials_of_special_values(lanes):
    x = np.resize(np.array([0.0, -0.0, -INF, NAN, -1e30, -87.4, -SUBNORMAL, -3.4e38], np.float32), lanes)
    expected = np.resize(np.array([1, 1, 0, NAN, 0, 0, 1, 0], np.float32), lanes)
    np.testing.assert_array_equal(elementwise(x)["exp_nonpositive"], expected)


# Creating, loading and storing


@cache
def copying(lanes):
    @jit
    def copy_row(source, start, target, at_target):
        row = load(source, start, zeros(lanes))
        store(target, at_target, row)
        return width(row)

    return copy_row


@instruction_set
@every_width
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("start", [0, 1, 3, 8])
def test_row_is_loaded_and_stored_at_any_index_without_changing_neighbours(lanes, dtype, start):
    source = np.random.default_rng(lanes).integers(0, 256, lanes + start + 2).astype(dtype)
    source[start] = 255
    source.flags.writeable = False
    target = np.full(lanes + 10, GUARD)
    assert copying(lanes)(source, start, target, start + 1) == lanes
    expected = np.full(lanes + 10, GUARD)
    expected[start + 1 : start + 1 + lanes] = source[start : start + lanes]
    np.testing.assert_array_equal(target, expected)


@cache
def adding(lanes):
    @jit
    def add_row(target, at_target, row):
        simd.add_to(target, at_target, load(row, 0, zeros(lanes)))

    return add_row


@instruction_set
@every_width
@given(data=st.data(), start=st.sampled_from([0, 1, 8]))
def test_row_is_added_at_any_index_without_changing_neighbours(lanes, start, data):
    target, row = data.draw(rows(lanes + start + 2, 1))[0], data.draw(rows(lanes, 1))[0]
    expected = target.copy()
    with np.errstate(all="ignore"):
        expected[start : start + lanes] += row
    adding(lanes)(target, start, row)
    np.testing.assert_array_equal(target, expected)


@instruction_set
@every_width
def test_zeros_are_zero(lanes):
    @jit
    def fill(target):
        store(target, 1, zeros(lanes))

    target = np.full(lanes + 2, GUARD)
    fill(target)
    assert target.tolist() == [GUARD, *[0.0] * lanes, GUARD]


def test_number_of_lanes_is_next_multiple_of_eight():
    for units in range(1, 66):
        lanes = simd.lanes_for(units)
        assert lanes % 8 == 0
        assert lanes - 8 < units <= lanes


@jit
def element(array, index):
    return simd.at(array, index)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32])
def test_element_is_read_unchanged(dtype):
    array = np.array([0, 1, 200, 255, 7], dtype)
    for index, value in enumerate(array):
        assert element(array, index) == value
    assert element(np.array([NAN, -0.5], np.float32), 1) == -0.5
    assert np.isnan(element(np.array([NAN, -0.5], np.float32), 0))


@cache
def picking(lanes):
    @jit
    def compute(array, index, out):
        four, like = simd.load_four(array, index), zeros(lanes)
        store(out, 0, simd.pick(four, 0, like))
        store(out, lanes, simd.pick(four, 1, like))
        store(out, 2 * lanes, simd.pick(four, 2, like))
        store(out, 3 * lanes, simd.pick(four, 3, like))

    return compute


@instruction_set
@every_width
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("index", [0, 1, 4])
def test_each_of_four_elements_is_broadcast_to_all_lanes(lanes, dtype, index):
    array = np.array([3, 250, 0, 17, 128, 255, 1, 99], dtype)
    out = np.full(4 * lanes, GUARD)
    picking(lanes)(array, index, out)
    np.testing.assert_array_equal(out, np.repeat(array[index : index + 4], lanes).astype(np.float32))


@cache
def four_times(lanes):
    @jit
    def compute(array, index, stride, row, out):
        store(out, 0, simd.outer_four(array, index, stride, load(row, 0, zeros(lanes))))

    return compute


@instruction_set
@every_width
@given(data=st.data(), place=st.sampled_from([(0, 1), (3, 1), (2, 5), (1, 0)]))
def test_row_is_multiplied_by_each_of_four_elements(lanes, place, data):
    index, stride = place
    array, row = data.draw(rows(20, 1))[0], data.draw(rows(lanes, 1))[0]
    found = np.full(4 * lanes + 8, GUARD)
    four_times(lanes)(array, index, stride, row, found)
    with np.errstate(all="ignore"):
        expected = [array[index + i * stride] * row for i in range(4)]
    np.testing.assert_array_equal(found[: 4 * lanes], np.concatenate(expected))
    assert (found[4 * lanes :] == GUARD).all()


@cache
def rows_times(lanes, count):
    product_lanes = count * lanes

    @jit
    def compute(array, index, row, out):
        store(out, 0, simd.outer_rows(array, index, load(row, 0, zeros(lanes)), zeros(product_lanes)))

    return compute


@instruction_set
@every_width
@pytest.mark.parametrize("count", [1, 4, 8])
def test_row_is_multiplied_by_consecutive_elements(lanes, count):
    rng = np.random.default_rng(count)
    array, row = rng.normal(size=12).astype(np.float32), rng.normal(size=lanes).astype(np.float32)
    found = np.full(count * lanes + 8, GUARD)
    rows_times(lanes, count)(array, 3, row, found)
    np.testing.assert_array_equal(found[: count * lanes], np.outer(array[3 : 3 + count], row).ravel())
    assert (found[count * lanes :] == GUARD).all()


def test_four_places_are_loaded_as_one_number_and_unpacked():
    @jit
    def places(array, index):
        four = simd.load_four_indices(array, index)
        first, second = simd.pick_index(four, 0), simd.pick_index(four, 1)
        return four, (first, second, simd.pick_index(four, 2), simd.pick_index(four, 3))

    array = np.array([1, 65535, 0, 784, 32768, 9], np.uint16)
    for index in range(3):
        number, each = places(array, index)
        expected = array[index : index + 4].astype("<u2").tobytes()
        assert int(number).to_bytes(8, "little") == expected
        assert each == tuple(array[index : index + 4].tolist())


def test_prefetching_beyond_the_end_is_harmless():
    @jit
    def hint(array, index):
        simd.prefetch(array, index, 3)
        return array[0]

    for array in (np.array([5], np.uint8), np.array([5], np.uint16), np.array([5, 6], np.int64)):
        before = array.copy()
        for index in (0, 1, 10**6, 2**40, -(2**40)):
            assert hint(array, index) == 5
        np.testing.assert_array_equal(array, before)


# Across lanes


@cache
def reducing(lanes):
    @jit
    def compute(x):
        row = load(x, 0, zeros(lanes))
        return simd.total(row), simd.highest(row)

    return compute


@instruction_set
@every_width
@given(data=st.data())
def test_total_and_highest_equal_numpy(lanes, data):
    # Sums of eighths are exact in any order.
    x = data.draw(hnp.arrays(np.int64, lanes, elements=st.integers(-800, 800))).astype(np.float32) / np.float32(8)
    assert reducing(lanes)(x) == (x.sum(dtype=np.float64), x.max())


@instruction_set
@every_width
def test_highest_is_found_in_every_lane(lanes):
    for place in range(lanes):
        x = np.full(lanes, -INF, np.float32)
        x[place] = -5
        assert reducing(lanes)(x)[1] == -5
        x[place] = NAN
        assert np.isnan(reducing(lanes)(x)[0])  # a sum does not skip NaN
    assert reducing(lanes)(np.full(lanes, -INF, np.float32))[1] == -INF


@jit
def transpose(source, start, stride, target, at_target, target_stride):
    simd.transpose_eight(source, start, stride, target, at_target, target_stride)


@instruction_set
@given(
    start=st.integers(0, 5), stride=st.integers(8, 30), at_target=st.integers(0, 5), target_stride=st.integers(8, 30)
)
@example(start=0, stride=8, at_target=0, target_stride=8)
def test_eight_rows_become_columns_and_nothing_else_changes(start, stride, at_target, target_stride):
    source = np.arange(300, dtype=np.float32)
    target = np.full(300, GUARD)
    expected = target.copy()
    for a in range(8):
        for b in range(8):
            expected[at_target + a * target_stride + b] = source[start + b * stride + a]
    transpose(source, start, stride, target, at_target, target_stride)
    np.testing.assert_array_equal(target, expected)


# Which pixels are nonzero


@jit
def mask_of(array, i, j, k, m):
    return simd.nonzero_mask(array, i, j, k, m)


def bits(values):
    return sum(1 << i for i, value in enumerate(values) if value)


def assert_mask_of_any(elements, starts):
    expected = np.any([elements[start : start + simd.MASK_BITS] != 0 for start in starts], axis=0)
    assert mask_of(elements, *starts) == bits(expected)


STARTS = st.tuples(*[st.integers(0, 20)] * 4)


@instruction_set
@given(pixels=hnp.arrays(np.uint8, 36, elements=st.sampled_from([0, 0, 0, 0, 1, 128, 255])), starts=STARTS)
def test_mask_has_a_bit_for_each_place_where_any_byte_is_nonzero(pixels, starts):
    assert_mask_of_any(pixels, starts)
    assert_mask_of_any(pixels, starts[:1] * 4)


@instruction_set
@given(
    pixels=hnp.arrays(
        np.float32, 36, elements=st.sampled_from([0.0, 0.0, -0.0, 0.5, -1.0, NAN, INF, float(SUBNORMAL)])
    ),
    starts=STARTS,
)
@example(pixels=np.resize(np.array([NAN, -0.0, 0.0, SUBNORMAL, -INF, 1], np.float32), 36), starts=(0, 0, 0, 0))
def test_mask_counts_nan_and_subnormals_as_nonzero_and_minus_zero_as_zero(pixels, starts):
    assert_mask_of_any(pixels, starts)


@jit
def feature_of(images, index, floats):
    return simd.feature(images, index, floats)


def test_feature_of_byte_is_looked_up_and_of_float_is_unchanged():
    floats = np.linspace(-1, 1, 256, dtype=np.float32)
    every_byte = np.arange(256, dtype=np.uint8)[::-1].copy()
    assert [feature_of(every_byte, i, floats) for i in range(256)] == floats[::-1].tolist()
    assert feature_of(np.array([3, -0.25], np.float32), 1, floats) == -0.25


@jit
def use_stack_arrays(numbers, out):
    kept = simd.stack_array(np.float32, 24)
    for i in range(24):
        kept[i] = numbers[i]
    later = simd.stack_array(np.int64, 3)
    for i in range(3):
        later[i] = i - 1
    store(out, 0, load(kept, 8, zeros(16)))
    return kept.size, later.sum()


@instruction_set
def test_stack_arrays_contain_written_values_and_are_independent():
    numbers, out = np.arange(24, dtype=np.float32), np.zeros(16, np.float32)
    assert use_stack_arrays(numbers, out) == (24, 0)
    assert out.tolist() == list(range(8, 24))


@jit
def fetch(array, index, length):
    simd.prefetch_row(array, index, length)
    return array[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_prefetching_row_beyond_end_changes_nothing(dtype):
    array = np.arange(10, dtype=dtype)
    assert fetch(array, 5, 10_000_000) == 0
    assert array.tolist() == list(range(10))


@jit
def move(target, index, table, row, distance):
    simd.store_shifted(target, index, table, row, distance)


@instruction_set
@given(distance=st.integers(0, 65528), row=st.integers(0, 2), index=st.integers(0, 4))
@example(distance=65528, row=1, index=0)
def test_distance_is_added_to_stored_row_of_table(distance, row, index):
    table = np.random.default_rng(1).integers(0, 8, (3, 8)).astype(np.uint16)
    table[1] = np.arange(8)
    target = np.full(14, 77, np.uint16)
    expected = target.copy()
    expected[index : index + 8] = table[row] + np.uint16(distance)
    move(target, index, table, row, distance)
    np.testing.assert_array_equal(target, expected)


@jit
def bit_count_of(mask):
    return simd.bit_count(mask)


@instruction_set
@given(mask=st.integers(0, 2**62))
@example(mask=0)
@example(mask=255)
@example(mask=-1)
def test_bit_count_equals_that_of_python(mask):
    assert bit_count_of(mask) == (mask % 2**64).bit_count()
