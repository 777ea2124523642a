"""Every public function accepts arrays of any byte order, dtype and memory layout, and returns the same result."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from nnkernels import kernels
from nnkernels.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from nnkernels.contenders import create
from nnkernels.data import Dataset, LabelledImages
from nnkernels.errors import ConfigurationError, DataError
from nnkernels.evaluation import evaluate, probabilities
from nnkernels.history import History
from nnkernels.interchange import from_keras, from_onnx, load_parameters, save_parameters, to_keras, to_onnx
from nnkernels.kernels import OptimizerState
from nnkernels.parameters import Parameters, copy, initial_parameters, max_abs_difference
from nnkernels.recipes import Optimizer, Recipe
from tests import reference
from tests.array_forms import (
    FEATURES,
    LAYOUTS,
    PIXELS,
    SAME_NUMBERS,
    WRITABLE,
    backwards,
    big_endian,
    fortran,
    fortran_memory_map,
    memory_map,
    sliced,
)
from tests.backends import distinct_backend  # noqa: F401  (the fixture `backend`)
from tests.forms import INSTALLED, TRAINABLE

SUFFIXES = (".safetensors", ".npz", ".onnx", ".keras")

D, HIDDEN, CLASSES, IMAGES = 33, 20, 10, 72  # as in most tests, so that nothing is compiled for this file alone
RECIPE = Recipe("test", batch_size=32, hidden=HIDDEN)
# Keras' fit has to know at `prepare` whether the learning rate will change.
CHANGING = RECIPE.with_changes(schedule="linear")
RATES = np.full(3, 0.1, np.float32)
# The same float32 arithmetic, but some runtimes choose the order of summation by the number of images.
TOLERANCE = 2e-6


def random_pixels(seed=0, images=IMAGES):
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 256, (images, D)) * (rng.random((images, D)) < 0.3)).astype(np.uint8)


def random_features(seed=0, images=IMAGES):
    # Multiples of 1/64, which float16 represents exactly; mostly zeros, so that the sparse kernels run.
    return (random_pixels(seed, images) // 4 / np.float32(64)).astype(np.float32)


def random_labels(seed=1):
    return np.random.default_rng(seed).integers(0, CLASSES, IMAGES)


def random_parameters(dtype=np.float32, seed=2):
    rng = np.random.default_rng(seed)
    shapes = ((D, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,))
    return Parameters(*(rng.normal(0, 0.5, shape).astype(dtype) for shape in shapes))


def in_form(params, form, folder):
    return Parameters(*(form(array, folder) for array in params))


def prepared_contender(name):
    """Return a contender that has already predicted from plain arrays, because stale cached data could mislead it."""
    params = random_parameters()
    made = create(name)
    made.prepare(params, LabelledImages(random_features(), random_labels()), RECIPE)
    for images in (random_features(), random_pixels()):
        made.predict(images)
        made.predict(images[:1])
    return made, params


# Numba recompiles for read-only features. A test of the kernels below covers these, and tests/test_fused.py covers
# read-only pixels.
COMPILED = [name for name in INSTALLED if name in kernels.names() and name != "numpy"]


# Inputs of contenders


@pytest.mark.parametrize("name", INSTALLED)
def test_predict_accepts_any_array_form(name, tmp_path):
    contender, params = prepared_contender(name)
    features = FEATURES | WRITABLE if name in COMPILED else FEATURES
    with closing(contender):
        for forms, random_images, scale in ((features, random_features, 1), (PIXELS, random_pixels, 255)):
            for count in (1, 40) if name in kernels.names() else (40,):  # fused has a kernel for one image
                X = random_images(5, count)
                expected = reference.probabilities(params, X / scale)
                for form, formed_by in forms.items():
                    found = np.asarray(contender.predict(formed_by(X, tmp_path)))
                    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE, err_msg=f"{form} of {count}")


def big_endian_fortran(array, folder):
    return np.asfortranarray(big_endian(array, folder))


def wide_reversed(array, folder):
    wider = {"f": np.float64, "i": np.int32, "u": np.int64}[array.dtype.kind]
    return backwards(sliced(array.astype(wider), folder), folder)


@pytest.mark.parametrize("name", TRAINABLE)
def test_training_accepts_any_array_form(name, tmp_path):
    y, order = random_labels(), np.random.default_rng(3).permutation(IMAGES)
    rates = np.array([0.3, 0.2, 0.1], np.float32)

    def trained(X, form=lambda array, _folder: array, by=name):
        labels, rows, steps = (form(array, tmp_path) for array in (y, order, rates))
        with closing(create(by)) as contender:
            start = in_form(
                random_parameters(), big_endian_fortran if form is big_endian_fortran else backwards, tmp_path
            )
            contender.prepare(start, LabelledImages(form(X, tmp_path), labels), CHANGING)
            contender.advance(rows, steps)
            return contender.parameters()

    features, pixels = random_features(), random_pixels()
    # Kernels for float64 take seconds to compile; tests/test_fused.py covers them.
    forms = (big_endian_fortran, wide_reversed) if name in COMPILED else (wide_reversed, big_endian_fortran)
    for X, plain, form in ((features, features, forms[0]), (pixels, pixels / np.float32(255), forms[1])):
        expected = trained(plain, by="numpy")
        assert max_abs_difference(expected, random_parameters()) > 1e-3
        assert max_abs_difference(trained(X, form), expected) <= TOLERANCE


@pytest.mark.parametrize("name", kernels.names())
@pytest.mark.parametrize("form", SAME_NUMBERS)
def test_restore_accepts_optimizer_state_in_any_form(name, form, tmp_path):
    form = SAME_NUMBERS[form]
    recipe = RECIPE.with_changes(optimizer=Optimizer("adam"))
    data = LabelledImages(random_pixels(), random_labels())
    step, first = np.array([7]), random_parameters(seed=8)
    second = Parameters(*(np.abs(array) for array in random_parameters(seed=9)))

    def trained(state):
        contender = create(name)
        contender.prepare(random_parameters(), data, recipe)
        contender.restore(state)
        contender.advance(np.arange(IMAGES), RATES)
        return contender.parameters()

    given = OptimizerState(form(step, tmp_path), in_form(first, form, tmp_path), in_form(second, form, tmp_path))
    assert max_abs_difference(trained(given), trained(OptimizerState(step, first, second))) == 0


@pytest.mark.parametrize("name", INSTALLED)
def test_prepare_rejects_parameters_of_unsupported_dtype(name):
    data = LabelledImages(random_features(), random_labels())
    with closing(create(name)) as contender, pytest.raises(DataError, match="W1 is float16; expected float32"):
        contender.prepare(random_parameters(np.float16), data, RECIPE)


# Evaluation and kernels


@pytest.mark.parametrize("form", SAME_NUMBERS)
def test_evaluate_and_probabilities_accept_any_array_form(backend, form, tmp_path):
    form, X, y, params = (SAME_NUMBERS | WRITABLE)[form], random_features(), random_labels(), random_parameters()
    given = form(X, tmp_path), form(y, tmp_path)
    loss, error_rate = evaluate(in_form(params, form, tmp_path), *given, backend)
    expected = reference.probabilities(params, X)
    assert loss == pytest.approx(-np.log(expected[np.arange(IMAGES), y]).mean(), abs=1e-6)
    assert error_rate == (expected.argmax(axis=1) != y).mean()
    found = probabilities(backend, in_form(params, form, tmp_path), given[0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def forward_and_backward(backend, X, y, params, passed_on=lambda activations: activations):
    activations = passed_on(backend.forward(params, X))
    return activations.probs, backend.loss(activations.logits, y), *backend.backward(params, X, y, activations)


def assert_same_step(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE)


def read_only(arrays):
    for array in arrays:
        array.flags.writeable = False
    return arrays


@pytest.mark.filterwarnings("ignore:'@' is faster on contiguous arrays")
def test_kernels_accept_read_only_arrays_of_mixed_layouts(backend, tmp_path):
    # All in one step, because Numba compiles for seconds for each memory order.
    X, y, params = random_features(), random_labels(), random_parameters()
    forms = (fortran, sliced, backwards, fortran_memory_map)
    mixed = Parameters(*(form(array, tmp_path) for form, array in zip(forms, params, strict=True)))
    changed_X, changed_y = read_only([memory_map(X, tmp_path), backwards(y, tmp_path)])
    found = forward_and_backward(backend, changed_X, changed_y, read_only(mixed), read_only)
    assert_same_step(found, forward_and_backward(backend, X, y, params))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'@' is faster on contiguous arrays")
@pytest.mark.parametrize("form", ["fortran", "backwards"])
def test_kernels_accept_any_memory_order_and_strides(backend, form, tmp_path):
    # A slice has the same Numba type as a reversed array, so it is not tested.
    X, y, params = random_features(), random_labels(), random_parameters()
    changed = [LAYOUTS[form](array, tmp_path) for array in (X, y, *params)]
    assert_same_step(
        forward_and_backward(backend, *changed[:2], Parameters(*changed[2:])),
        forward_and_backward(backend, X, y, params),
    )


# Data sets


@pytest.mark.parametrize("form", {**FEATURES, **PIXELS})
def test_labelled_images_stores_uint8_or_native_floats_in_c_order(form, tmp_path):
    forms, X = (FEATURES, random_features()) if form in FEATURES else (PIXELS, random_pixels())
    data = LabelledImages(forms[form](X, tmp_path), random_labels())
    assert data.X.dtype in ((np.float32, np.float64) if form in FEATURES else (np.uint8,))
    assert data.X.dtype.isnative
    assert data.X.flags.c_contiguous
    np.testing.assert_array_equal(data.X, X)


def test_labelled_images_does_not_copy_native_c_order_arrays():
    X, y = random_pixels(), random_labels()
    data = LabelledImages(X, y)
    assert np.shares_memory(data.X, X)
    assert np.shares_memory(data.y, y)


@pytest.mark.parametrize("form", LAYOUTS)
def test_dataset_stores_read_only_c_order_arrays_from_any_layout(form, tmp_path):
    X, y = np.random.default_rng(0).integers(0, 256, (6, 784)).astype(np.uint8), np.arange(6, dtype=np.uint8)
    given = LAYOUTS[form](X, tmp_path), LAYOUTS[form](y, tmp_path)
    data = Dataset(*given, *given)
    assert data.sha256 == Dataset(X, y, X, y).sha256
    for array in (data.X_train, data.y_train, data.X_test, data.y_test):
        assert array.flags.c_contiguous
        assert not array.flags.writeable


# Saving, conversion and copying


def require_library(suffix, request):
    if suffix == ".onnx":
        pytest.importorskip("onnx")
    if suffix == ".keras":
        request.getfixturevalue("tf")


def assert_identical(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype.isnative
        np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", SAME_NUMBERS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_save_parameters_accepts_any_array_form(suffix, form, dtype, request, tmp_path):
    require_library(suffix, request)
    params = random_parameters(dtype)
    save_parameters(in_form(params, SAME_NUMBERS[form], tmp_path), tmp_path / f"p{suffix}")
    assert_identical(load_parameters(tmp_path / f"p{suffix}"), params)


@pytest.mark.parametrize("form", SAME_NUMBERS)
def test_to_onnx_and_to_keras_accept_any_array_form(form, request, tmp_path):
    params = random_parameters()
    given = in_form(params, SAME_NUMBERS[form], tmp_path)
    for suffix, there, back in ((".onnx", to_onnx, from_onnx), (".keras", to_keras, from_keras)):
        require_library(suffix, request)
        assert_identical(back(there(given)), params)


@pytest.mark.parametrize("form", SAME_NUMBERS)
def test_save_checkpoint_accepts_any_array_form(form, tmp_path):
    form = SAME_NUMBERS[form]
    params, first, second = (random_parameters(seed=seed) for seed in (2, 3, 4))
    state = OptimizerState(
        form(np.array([3]), tmp_path), in_form(first, form, tmp_path), in_form(second, form, tmp_path)
    )
    given = Checkpoint(in_form(params, form, tmp_path), state, History(RECIPE, 0, IMAGES), {"data": "test"})
    save_checkpoint(tmp_path / "checkpoint", given)
    found = load_checkpoint(tmp_path / "checkpoint")
    assert_identical(found.parameters, params)
    assert_identical(found.state.first, first)
    assert_identical(found.state.second, second)
    np.testing.assert_array_equal(found.state.step, np.array([3]), strict=True)


@pytest.mark.parametrize("form", SAME_NUMBERS)
def test_copy_returns_independent_native_c_order_parameters(form, tmp_path):
    params = initial_parameters(0, D, HIDDEN, CLASSES)
    given = in_form(params, SAME_NUMBERS[form], tmp_path)
    copied = copy(given)
    assert_identical(copied, params)
    for array, original in zip(copied, given, strict=True):
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not np.shares_memory(array, original)


def test_copy_rejects_mixed_or_unsupported_dtypes():
    params = random_parameters()
    with pytest.raises(DataError, match="differ in dtype"):
        copy(params._replace(b2=params.b2.astype(np.float64)))
    with pytest.raises((DataError, ConfigurationError), match="W1 is float16"):
        copy(random_parameters(np.float16))
