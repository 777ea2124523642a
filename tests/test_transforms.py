"""Deskewing and augmentation agree with SciPy, and depend on nothing but their arguments."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from bench._scipy_transforms import augmented, deskewed
from nnkernels.augmentation import LIMITS, Augmentation
from nnkernels.data import Dataset
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.transforms import augment, deskew

AFFINE = Augmentation(rotation_radians=0.3, scale=0.2, shear=0.2, shift_pixels=2.5)
ELASTIC = Augmentation(rotation_radians=0.1, scale=0.1, shear=0.1, shift_pixels=0.6, elastic_alpha=34, elastic_sigma=4)
SEED, EPOCH = 7, 3
ROUNDING = 1.0  # 0.5 of the result, and what positions in units of 1/2048 pixel add
IMAGES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 40)))
AUGMENTATIONS = st.builds(
    Augmentation,
    rotation_radians=st.floats(0, 3),
    scale=st.floats(0, 0.5),
    shear=st.floats(0, 1),
    shift_pixels=st.floats(0, 30),
    elastic_alpha=st.sampled_from([0, 0, 20, 1000]),
    elastic_sigma=st.floats(0.5, 6),
)


def largest_difference(result: np.ndarray, images: np.ndarray, used: Augmentation) -> float:
    expected = [augmented(image, used, SEED, EPOCH, number) for number, image in enumerate(images)]
    return float(np.abs(result - np.array(expected)).max())


@pytest.fixture(scope="module")
def images(digits: Dataset) -> np.ndarray:
    return digits.X_train[:300].reshape(-1, 28, 28)


@pytest.mark.parametrize("used", [AFFINE, Augmentation(0.1, 0.1, 0.1, 0.6), Augmentation(shift_pixels=40.0), ELASTIC])
def test_augmented_digits_agree_with_scipy(images: np.ndarray, used: Augmentation) -> None:
    assert largest_difference(augment(images, used, seed=SEED, epoch=EPOCH), images, used) <= ROUNDING


@pytest.mark.parametrize("shape", [(1, 1), (2, 9), (17, 5), (8, 40), (61, 33)])
@pytest.mark.parametrize("used", [AFFINE, ELASTIC])
def test_images_of_any_size_agree_with_scipy(shape: tuple[int, int], used: Augmentation) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, *shape)).astype(np.uint8)  # ink at every edge
    assert largest_difference(augment(noise, used, seed=SEED, epoch=EPOCH), noise, used) <= ROUNDING


@pytest.mark.parametrize("normalize_size", [False, True])
def test_deskewed_digits_agree_with_scipy(images: np.ndarray, normalize_size: bool) -> None:
    expected = np.array([deskewed(image, normalize_size) for image in images])
    assert np.abs(deskew(images, normalize_size=normalize_size) - expected).max() <= ROUNDING


@pytest.mark.parametrize("shape", [(4, 9), (17, 5), (8, 40), (61, 33)])
def test_deskewed_images_of_any_size_agree_with_scipy(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, *shape)).astype(np.uint8)  # ink at every edge
    sparse = np.where(noise > 200, noise, 0).astype(np.uint8)
    sparse[:, [0, -1], 0] = 255  # ink in two rows
    for images, normalize_size in ((noise, False), (noise, True), (sparse, True)):
        expected = np.array([deskewed(image, normalize_size) for image in images])
        assert np.abs(deskew(images, normalize_size=normalize_size) - expected).max() <= ROUNDING


def test_digits_of_normalised_size_are_equally_large(images: np.ndarray) -> None:
    mass = deskew(images, normalize_size=True).astype(np.float64)
    mass /= mass.sum(axis=(1, 2), keepdims=True)
    rows, columns = np.indices((28, 28)) - 14
    height, width = (np.sqrt((mass * places**2).sum(axis=(1, 2))) / 28 for places in (rows, columns))
    assert np.abs(np.quantile(height, [0.1, 0.5, 0.9]) - 0.2).max() < 0.005  # the edge cuts off a little
    assert np.abs(np.quantile(width, [0.3, 0.5, 0.9]) - 0.15).max() < 0.005  # and ones remain narrow
    # Two sizes of the same digit become nearly the same image.
    digits = images[width > 0.14]  # ones remain narrow
    large, small = np.kron(digits, np.ones((2, 2), np.uint8)), np.pad(digits, ((0, 0), (14, 14), (14, 14)))
    before = np.abs(large.astype(int) - small).mean()
    after = np.abs(deskew(large, normalize_size=True).astype(int) - deskew(small, normalize_size=True)).mean()
    assert after < 0.3 * before  # edges are drawn differently


def test_deskewed_digits_are_upright_and_centred(images: np.ndarray) -> None:
    mass = deskew(images).astype(np.float64)
    mass /= mass.sum(axis=(1, 2), keepdims=True)
    rows, columns = np.indices((28, 28)) - 14
    assert np.abs((mass * rows).sum(axis=(1, 2))).max() < 0.1
    assert np.abs((mass * columns).sum(axis=(1, 2))).max() < 0.1
    slant = (mass * rows * columns).sum(axis=(1, 2)) / (mass * rows**2).sum(axis=(1, 2))
    assert np.median(np.abs(slant)) < 0.02  # interpolation and rounding leave a little


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 6), (28, 28), (3, 50)])
def test_single_pixel_is_centred(shape: tuple[int, int]) -> None:
    image = np.zeros((1, *shape), np.uint8)
    image[0, shape[0] - 1, 0] = 99
    expected = np.zeros_like(image)
    expected[0, shape[0] // 2, shape[1] // 2] = 99
    np.testing.assert_array_equal(deskew(image), expected)
    large = deskew(image, normalize_size=True)
    assert np.unravel_index(large.argmax(), large.shape) == (0, shape[0] // 2, shape[1] // 2)
    assert large.max() == 99


@given(IMAGES, st.booleans())
def test_deskewing_survives_any_image(image: np.ndarray, normalize_size: bool) -> None:
    result = deskew(image, normalize_size=normalize_size)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)
    np.testing.assert_array_equal(result[:1], deskew(image[:1], normalize_size=normalize_size))
    assert (result[~image.any(axis=(1, 2))] == 0).all()


@given(IMAGES, AUGMENTATIONS, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_augmentation_survives_any_image(image: np.ndarray, used: Augmentation, seed: int, epoch: int) -> None:
    result = augment(image, used, seed=seed, epoch=epoch)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)
    assert result.max() <= image.max()
    np.testing.assert_array_equal(augment(np.zeros_like(image), used, seed=seed, epoch=epoch), 0)


@pytest.mark.parametrize("transform", [deskew, lambda images: augment(images, AFFINE, seed=0, epoch=0)])
def test_constant_images_keep_their_brightness_in_the_middle(transform: Any) -> None:
    full = np.full((2, 28, 28), 255, np.uint8)
    np.testing.assert_array_equal(transform(full)[:, 10:18, 10:18], 255)
    expected = full[0].copy()  # moved by half a pixel in both directions, which is rounded upwards
    expected[0], expected[:, 0], expected[0, 0] = 128, 128, 64
    np.testing.assert_array_equal(deskew(full)[0], expected)


@pytest.mark.parametrize("used", [AFFINE, ELASTIC])
def test_augmentation_does_not_depend_on_threads_chunks_or_order(digits: Dataset, used: Augmentation) -> None:
    X = digits.X_train[:1100]
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        expected, upright = augment(X, used, seed=SEED, epoch=EPOCH), deskew(X)
        if numba.config.NUMBA_NUM_THREADS > 1:
            numba.set_num_threads(2)
            np.testing.assert_array_equal(augment(X, used, seed=SEED, epoch=EPOCH), expected)
            np.testing.assert_array_equal(deskew(X), upright)
    finally:
        numba.set_num_threads(before)
    order = np.random.default_rng(0).permutation(len(X))
    for part in np.array_split(order, 7):
        np.testing.assert_array_equal(augment(X[part], used, seed=SEED, epoch=EPOCH, indices=part), expected[part])
    in_place = X.copy()
    assert augment(in_place, used, seed=SEED, epoch=EPOCH, out=in_place) is in_place
    np.testing.assert_array_equal(in_place, expected)
    for seed, epoch in ((SEED + 1, EPOCH), (SEED, EPOCH + 1)):
        assert (augment(X[:50], used, seed=seed, epoch=epoch) != expected[:50]).any(axis=1).all()


def test_identity_returns_a_copy(images: np.ndarray) -> None:
    result = augment(images, Augmentation(), seed=0, epoch=0)
    np.testing.assert_array_equal(result, images)
    assert not np.shares_memory(result, images)
    tiny = Augmentation(rotation_radians=1e-12)  # computed, unlike the identity
    np.testing.assert_array_equal(augment(images, tiny, seed=0, epoch=0), images)


@pytest.mark.parametrize("layout", ["rows", "read-only", "strided", "empty"])
def test_memory_layouts(images: np.ndarray, layout: str) -> None:
    expected_upright, expected = deskew(images), augment(images, AFFINE, seed=0, epoch=0)
    given_images = {
        "rows": images.reshape(-1, 784),
        "read-only": np.frombuffer(images.tobytes(), np.uint8).reshape(images.shape),
        "strided": np.asfortranarray(images),
        "empty": images[:0],
    }[layout]
    count = len(given_images)
    np.testing.assert_array_equal(deskew(given_images), expected_upright[:count].reshape(given_images.shape))
    result = augment(given_images, AFFINE, seed=0, epoch=0)
    np.testing.assert_array_equal(result, expected[:count].reshape(given_images.shape))


def test_drawn_shifts_are_uniform() -> None:
    """A single pixel shows its shift. The streams of images, epochs and seeds are independent."""
    X = np.zeros((3000, 9, 9), np.uint8)
    X[:, 4, 4] = 255
    columns = np.arange(9) - 4

    def shifts(seed: int, epoch: int) -> np.ndarray:
        mass = augment(X, Augmentation(shift_pixels=3.0), seed=seed, epoch=epoch).astype(np.float64)
        return (mass.sum(axis=1) @ columns) / mass.sum(axis=(1, 2))

    drawn = np.array([shifts(0, 0), shifts(0, 1), shifts(1, 0)])
    for sample in drawn:
        assert stats.kstest(sample, stats.uniform(-3, 6).cdf).pvalue > 1e-3
    correlations = np.corrcoef(np.vstack([drawn, np.roll(drawn[0], 1)]))
    assert np.abs(correlations - np.eye(4)).max() < 0.08  # 4.4 standard errors


BYTES = np.zeros((2, 16), np.uint8)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((2, 16), np.float32), {}, "images have dtype float32; expected pixels from 0 to 255 as uint8"),
        (np.zeros((2, 15), np.uint8), {}, "images have 15 pixels, which is not a square number; pass them as"),
        (np.zeros(16, np.uint8), {}, "images have shape (16,); expected (N, height, width)"),
        (np.zeros((2, 0, 3), np.uint8), {}, "images have 0 x 3 pixels; expected 1 to 1024"),
        (np.zeros((1, 1, 1025), np.uint8), {}, "images have 1 x 1025 pixels; expected 1 to 1024"),
        (BYTES, {"out": np.zeros((2, 16))}, "out has dtype float64 and shape (2, 16); expected a uint8 array"),
        (BYTES, {"out": np.zeros((2, 4, 4), np.uint8)}, "out has dtype uint8 and shape (2, 4, 4); expected"),
        (BYTES, {"out": [0]}, "out has type <class 'list'>; expected a uint8 array of shape (2, 16)"),
        (BYTES, {"out": np.zeros((16, 2), np.uint8).T}, "out must be a C-contiguous array"),
        (
            BYTES,
            {"out": np.frombuffer(bytes(32), np.uint8).reshape(2, 16)},
            "out must be a C-contiguous array",
        ),
    ],
)
def test_unsuitable_arrays_are_refused(images: np.ndarray, options: dict[str, Any], message: str) -> None:
    for transform in (deskew, lambda X, **given: augment(X, AFFINE, seed=0, epoch=0, **given)):
        with pytest.raises(DataError, match=re.escape(message)):
            transform(images, **options)


def test_overlapping_out_is_refused() -> None:
    memory = np.zeros((3, 16), np.uint8)
    with pytest.raises(DataError, match="out overlaps the images"):
        deskew(memory[:2], out=memory[1:])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seed": -1}, ConfigurationError, "seed is -1; expected an integer from 0"),
        ({"epoch": 2**64}, ConfigurationError, "epoch is 18446744073709551616"),
        ({"seed": 1.5}, ConfigurationError, "seed is 1.5"),
        ({"indices": np.arange(3)}, DataError, "indices have dtype int64 and shape (3,); expected 2 integers"),
        ({"indices": np.zeros(2)}, DataError, "indices have dtype float64 and shape (2,)"),
        ({"indices": np.array([0, -1])}, DataError, "indices has -1; expected numbers of images from 0"),
    ],
)
def test_unsuitable_keys_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        augment(BYTES, AFFINE, **{"seed": 0, "epoch": 0, **options})


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), "1", True, None, 2000])
def test_record_refuses_values_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"augmentation: {name} is {value!r}; expected"):
        Augmentation(**{name: value})


def test_importing_transforms_does_not_import_numba() -> None:
    code = "import sys, nnkernels.transforms; print('numba' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
