"""Initial parameters, which are distributed as in Keras' layers and reproducible by seed, and their operations."""

import numpy as np
import pytest
from scipy import stats

from nnkernels import memory
from nnkernels.errors import ConfigurationError
from nnkernels.parameters import Parameters, copy, initial_parameters, max_abs_difference, zeros_like


def glorot_limit(fan_in, fan_out):
    # keras.initializers.GlorotUniform
    return np.sqrt(6 / (fan_in + fan_out))


def test_initial_parameters_have_default_shapes_float32_and_zero_biases():
    params = initial_parameters(0)
    assert [array.shape for array in params] == [(784, 20), (20,), (20, 10), (10,)]
    for array in params:
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert array.flags.writeable
    assert not params.b1.any()
    assert not params.b2.any()


def test_layer_sizes_can_be_chosen():
    params = initial_parameters(0, inputs=7, hidden=3, classes=2)
    assert [array.shape for array in params] == [(7, 3), (3,), (3, 2), (2,)]


@pytest.mark.parametrize("seed", range(3))
def test_weights_are_uniform_within_glorots_limit(seed):
    params = initial_parameters(seed, inputs=784, hidden=128, classes=64)
    for W in (params.W1, params.W2):
        limit = glorot_limit(*W.shape)
        assert np.abs(W).max() <= np.float32(limit)
        test = stats.kstest(W.ravel(), stats.uniform(loc=-limit, scale=2 * limit).cdf)
        assert test.pvalue > 1e-3, f"{test} for shape {W.shape}"


def test_same_seed_gives_same_weights_and_other_seed_different_ones():
    first, again, other = initial_parameters(5), initial_parameters(5), initial_parameters(6)
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.shares_memory(one, same)
    assert not np.array_equal(first.W1, other.W1)
    assert not np.array_equal(first.W2, other.W2)


def test_float32_weights_are_rounded_float64_weights_of_same_seed():
    single, double = initial_parameters(2), initial_parameters(2, dtype=np.float64)
    for one, other in zip(single, double, strict=True):
        assert other.dtype == np.float64
        np.testing.assert_array_equal(one, other.astype(np.float32))


@pytest.mark.parametrize("width", ["inputs", "hidden", "classes"])
@pytest.mark.parametrize("units", [0, -3])
def test_layer_sizes_below_one_are_rejected(width, units):
    with pytest.raises(ConfigurationError, match=f"{width} is {units}"):
        initial_parameters(0, **{width: units})


@pytest.mark.parametrize("dtype", [np.float16, np.int32, "complex64"])
def test_dtypes_other_than_float32_and_float64_are_rejected(dtype):
    with pytest.raises(ConfigurationError, match="use float32 or float64"):
        initial_parameters(0, dtype=dtype)


def test_copy_is_writable_contiguous_and_shares_no_memory():
    original = Parameters(*(np.asfortranarray(array) for array in initial_parameters(0)))
    for array in original:
        array.flags.writeable = False
    copied = copy(original)
    for array, source in zip(copied, original, strict=True):
        np.testing.assert_array_equal(array, source)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not np.shares_memory(array, source)


def test_zeros_like_keeps_shape_and_dtype():
    for dtype in (np.float32, np.float64):
        params = initial_parameters(0, dtype=dtype)
        for array, source in zip(zeros_like(params), params, strict=True):
            assert (array.shape, array.dtype) == (source.shape, source.dtype)
            assert not array.any()


def test_max_abs_difference_finds_the_largest_in_any_array():
    params = initial_parameters(0)
    for field in params._fields:
        other = copy(params)
        getattr(other, field).flat[-1] -= 0.25
        assert max_abs_difference(params, other) == pytest.approx(0.25, rel=1e-6)
        assert max_abs_difference(other, params) == pytest.approx(0.25, rel=1e-6)
    assert max_abs_difference(params, copy(params)) == 0


def test_max_abs_difference_does_not_hide_nan():
    params, other = initial_parameters(0), initial_parameters(0)
    other.b1[3] = np.nan
    assert np.isnan(max_abs_difference(params, other))
    assert np.isnan(max_abs_difference(other, params))


@pytest.mark.parametrize("hidden", [10**8, 10**15])
def test_network_that_does_not_fit_into_memory_is_refused_before_it_is_drawn(hidden):
    with pytest.raises(ConfigurationError, match=f"a network of 784-{hidden}-10 units needs at least .* GB"):
        initial_parameters(0, hidden=hidden)


def test_memory_is_limited_by_the_container(tmp_path, monkeypatch):
    limits = (tmp_path / "max", tmp_path / "none", tmp_path / "unlimited")
    limits[0].write_text("1000000\n")
    limits[2].write_text("max\n")
    monkeypatch.setattr(memory, "CGROUP_LIMITS", limits)
    assert memory.limit() == 1_000_000
    # (784 + 10) weights a unit, of 8 bytes in float64 and 4 in float32: 104.95 units fit.
    with pytest.raises(ConfigurationError, match="hidden units"):
        initial_parameters(0, hidden=106)
    assert initial_parameters(0, hidden=104).W1.shape == (784, 104)
