"""Float features that are exactly scaled pixels become bytes, and no others do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnkernels import LabelledImages
from nnkernels.contenders import create
from nnkernels.contenders.ours import KernelContender
from nnkernels.evaluation import Evaluator
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import Recipe
from nnkernels.training import train
from nnkernels.transforms import as_features, recover_pixels

RECIPE = Recipe("short", epochs=2, learning_rate=0.1)
SCALINGS = {
    "float32 quotient": lambda X: X.astype(np.float32) / np.float32(255),
    "float32 product": as_features,
    "float64 quotient": lambda X: X / 255,
    "float64 product": lambda X: as_features(X, np.float64),
    "float32 of float64 quotient": lambda X: (X / 255).astype(np.float32),
    "float64 of float32 quotient": lambda X: (X.astype(np.float32) / np.float32(255)).astype(np.float64),
    "float64 of float32 product": lambda X: as_features(X).astype(np.float64),
}
ALL_BYTES = np.arange(256, dtype=np.uint8).reshape(4, 64)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda X: np.repeat(X, 2, axis=1)[:, ::2]])
def test_scaled_pixels_are_recovered_in_any_memory_order(scaling, layout):
    X = np.random.default_rng(0).permutation(np.tile(ALL_BYTES, (40, 1)).ravel()).reshape(320, 32)
    features = layout(SCALINGS[scaling](X))
    features.flags.writeable = False
    found = recover_pixels(features)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, X)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 30))), st.sampled_from(sorted(SCALINGS)))
def test_recovered_pixels_scale_back_to_the_features(X, scaling):
    found = recover_pixels(SCALINGS[scaling](X))
    np.testing.assert_array_equal(found, X)


@pytest.mark.parametrize("place", [(0, 0), (299, 16), (4000, 29), (4999, 30)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", ["next", 0.3, -1 / 255, 256 / 255, np.nan, np.inf, -np.inf, 1e30, 1e-30])
def test_one_other_value_leaves_features_as_they_are(place, dtype, value):
    X = np.random.default_rng(1).integers(0, 256, (5000, 31), np.uint8)
    features = X.astype(dtype) / dtype(255)
    features[place] = np.nextafter(features[place], dtype(2)) if value == "next" else value
    assert recover_pixels(features) is features


@pytest.mark.parametrize(
    "X",
    [
        ALL_BYTES,
        ALL_BYTES.astype(np.float32),
        ALL_BYTES / 256,
        (ALL_BYTES / 255).astype(np.float16),
        (ALL_BYTES / 255).astype(">f8"),
        np.zeros((0, 5), np.float32),
        np.zeros((5, 0)),
        np.zeros(5),
        # Quotients and products of float32 differ for some pixels, so this is neither.
        np.concatenate([SCALINGS["float32 quotient"](ALL_BYTES), SCALINGS["float32 product"](ALL_BYTES)]),
    ],
    ids=lambda X: f"{X.dtype} {X.shape}",
)
def test_other_arrays_are_returned_as_they_are(X):
    assert recover_pixels(X) is X


@pytest.mark.parametrize("name", ["numpy", "numba", "fused"])
def test_pixels_and_scaled_pixels_give_the_same_bits(small_digits, name):
    trained = []
    for scaling in (lambda X: X, SCALINGS["float32 quotient"], SCALINGS["float64 product"]):
        data, validation = (
            LabelledImages(scaling(part.X), part.y) for part in (small_digits.training, small_digits.test)
        )
        contender = create(name)
        history = train(contender, data, RECIPE, seed=5, validation=validation)
        values = [vars(record) | {"seconds": 0} for record in history.epochs]
        trained.append((*(array.tobytes() for array in contender.parameters()), values))
    assert trained[0] == trained[1] == trained[2]


def test_float64_parameters_train_on_the_features_as_they_are(small_digits):
    features = SCALINGS["float32 quotient"](small_digits.X_train)  # which pixels give to seven digits only
    contender = KernelContender("numpy")
    contender.prepare(initial_parameters(0, dtype=np.float64), LabelledImages(features, small_digits.y_train), RECIPE)
    assert contender.packed.images.dtype == np.float32


def test_evaluator_of_scaled_pixels_and_of_pixels_agree(small_digits):
    X, y, params = small_digits.X_test, small_digits.y_test, initial_parameters(2)
    assert Evaluator(X / 255, y)(params) == Evaluator(X, y)(params)
