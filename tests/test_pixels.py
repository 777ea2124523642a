"""The scaling rule: integers are pixels and floats are features; other values are rejected or cause a warning."""

import sys
import warnings

import numpy as np
import pytest

from nnkernels import LabelledImages, evaluate, initial_parameters
from nnkernels.data.pixels import UnscaledPixelsWarning
from nnkernels.errors import DataError
from nnkernels.transforms import as_features, as_images, feature_scale


def test_bytes_become_features_between_zero_and_one():
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    for dtype in (np.float32, np.float64):
        features = as_features(pixels, dtype)
        assert features.dtype == dtype
        assert features.flags.c_contiguous
        np.testing.assert_allclose(features.ravel(), np.arange(256) / 255, rtol=2 * np.finfo(dtype).eps)
        assert features.min() == 0
        assert features.max() == 1
    assert as_features(pixels).dtype == np.float32


def test_features_are_unchanged_and_copied_only_if_needed():
    X = np.random.default_rng(0).random((3, 4), np.float32)
    assert as_features(X) is X
    np.testing.assert_array_equal(as_features(X, np.float64), X.astype(np.float64))
    transposed = as_features(np.asfortranarray(X))
    assert transposed.flags.c_contiguous
    np.testing.assert_array_equal(transposed, X)


def test_feature_scale_is_factor_of_as_features():
    X = np.array([[51, 255]], np.uint8)
    np.testing.assert_allclose(X * feature_scale(X), as_features(X), rtol=1e-7)
    assert feature_scale(as_features(X)) == 1.0


@pytest.mark.parametrize("shape", [(784,), (2, 28, 28), ()])
def test_images_must_have_two_dimensions(shape):
    with pytest.raises(DataError, match="one image per row"):
        as_features(np.zeros(shape, np.uint8))


INTEGERS = [np.uint8, np.int8, np.int16, np.uint16, np.int32, np.int64, np.uint64, ">i4", ">u2"]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_of_any_dtype_are_pixels(dtype):
    pixels = np.array([[0, 1, 2, 51, 127]])
    images = as_images(pixels.astype(dtype))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, pixels)
    np.testing.assert_allclose(as_features(pixels.astype(dtype)), pixels / 255, rtol=1e-7)
    assert feature_scale(pixels.astype(dtype)) == feature_scale(images) == 1 / 255


@pytest.mark.parametrize("dtype", [bool, np.float16, np.float32, np.float64, np.longdouble, ">f4", ">f2"])
def test_floats_and_booleans_are_features(dtype):
    features = np.array([[0.0, 1.0, 0.0, 1.0]]).astype(dtype)
    images = as_images(features)
    assert images.dtype == (np.float64 if images.itemsize == 8 else np.float32)
    assert images.dtype.isnative
    np.testing.assert_array_equal(images, features)
    np.testing.assert_array_equal(as_features(features), features)
    assert feature_scale(images) == 1


@pytest.mark.parametrize(
    ("values", "dtype", "description"),
    [
        ([0, 256], np.int64, "int64 and values from 0 to 256"),
        ([-1, 127], np.int8, "int8 and values from -1 to 127"),
        ([0, 65535], np.uint16, "uint16 and values from 0 to 65535"),
        ([0, 2**64 - 1], np.uint64, "uint64 and values from 0 to 18446744073709551615"),
    ],
)
def test_integers_out_of_pixel_range_raise_error_stating_rule(values, dtype, description):
    with pytest.raises(DataError, match=rf"{description}.*0 to 255 and are scaled by 1/255") as caught:
        as_images(np.array([values], dtype))
    assert "X.astype(np.float32)" in str(caught.value)


@pytest.mark.parametrize("dtype", [object, complex, str, "datetime64[s]"])
def test_dtypes_other_than_integers_and_floats_raise_error_stating_rule(dtype):
    with pytest.raises(DataError, match=r"expected integers or floats: integers are pixels"):
        as_features(np.zeros((2, 3)).astype(int).astype(dtype))


UNSCALED = np.random.default_rng(0).integers(0, 256, (300, 7))


USERS = {
    "as_features": as_features,
    "LabelledImages": lambda X: LabelledImages(X, np.zeros(len(X), int)),
    "evaluate": lambda X: evaluate(initial_parameters(0, 7), X, np.zeros(len(X), int)),
}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_that_look_like_pixels_warn(user, dtype):
    use = USERS[user]
    with pytest.warns(UnscaledPixelsWarning, match=r"look like pixels .* 1/255.*X\.astype\(np\.uint8\)"):
        use(UNSCALED.astype(dtype))
    with pytest.warns(UnscaledPixelsWarning, match="look like pixels"):
        use(UNSCALED + 0.25 * (UNSCALED < 255))  # fractions, as after resizing


def test_conversions_advised_by_warning_are_silent_and_correct():
    floats = UNSCALED.astype(np.float64)
    for advised in (floats / 255, floats.astype(np.uint8)):
        np.testing.assert_allclose(as_features(advised), UNSCALED / 255, rtol=1e-6)


@pytest.mark.parametrize(
    "X",
    [
        UNSCALED / 255,
        (UNSCALED - 128) / 64,  # standardised
        UNSCALED - 1.0,  # below zero
        UNSCALED * 2.0,  # above 255
        UNSCALED / 16,
        100 + UNSCALED / 64,
        np.where(UNSCALED > 250, np.nan, UNSCALED / 255),
        np.where(UNSCALED > 250, np.nan, UNSCALED.astype(float)),
        np.zeros((0, 7)),
        np.zeros((3, 0)),
        np.zeros((3, 7), int),
        np.zeros((0, 7), int),
    ],
    ids=str,
)
def test_values_unlike_pixels_do_not_warn(X):
    as_images(X)


def test_integers_that_look_like_features_warn():
    with pytest.warns(UnscaledPixelsWarning, match=r"no value above 1.*X\.astype\(np\.float32\)"):
        as_images(np.eye(5, dtype=np.int64))
    np.testing.assert_array_equal(as_features(np.eye(5, dtype=bool)), np.eye(5))


def test_warning_is_issued_once_at_line_of_caller():
    X, y = UNSCALED.astype(np.float32), np.zeros(len(UNSCALED), int)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        line = sys._getframe().f_lineno + 1
        evaluate(initial_parameters(0, 7), LabelledImages(np.tile(X, (20, 1)), np.tile(y, 20)).X, np.tile(y, 20))
    assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line)]
