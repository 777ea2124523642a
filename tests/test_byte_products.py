"""Predictions by products of bytes: weights as three digits, their limits, and the choice of this path."""

import os

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnkernels import kernels
from nnkernels.contenders import create
from nnkernels.contenders.ours import prediction_entry
from nnkernels.errors import UnknownNameError
from nnkernels.jit import ordered_kernel
from nnkernels.kernels.fused import prediction
from nnkernels.kernels.fused.byte_products import byte_predictor
from nnkernels.kernels.fused.fixed_point import LARGEST, MAX_INPUTS, digits, fixed_point
from nnkernels.kernels.fused.nonzero import MAX_INPUTS as MORE_THAN_FUSED_INPUTS
from nnkernels.kernels.fused.paths import PATHS, SETTING, is_permitted
from nnkernels.kernels.simd import byte_sums, store
from nnkernels.measure.correctness.oracle import predict_float64
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.transforms import PIXEL_SCALE, as_features
from tests.processes import python

# Tests whose results depend on the CPU's instructions: ``.ci/run`` runs them for several CPUs.
instruction_set = pytest.mark.instruction_set
SLOW = pytest.mark.slow
TINY = np.finfo(np.float32).tiny
IMAGES = 70  # more than the fewest that take this path, and an incomplete group of sixteen


@pytest.fixture(autouse=True)
def path(monkeypatch):
    """Use the path on every CPU, also where LLVM has to replace its instruction."""
    monkeypatch.setenv(SETTING, "vnni")


def images(rng, N, inputs, inked=0.3):
    return rng.integers(1, 256, (N, inputs), np.uint8) * (rng.random((N, inputs)) < inked).astype(np.uint8)


def network(rng, inputs, hidden=20, classes=10):
    """Return a network whose weights are distributed as after training: most are small, and a few are large."""
    start = initial_parameters(int(rng.integers(2**31)), inputs, hidden, classes)
    sizes = (0.3 + rng.exponential(1, start.W1.shape)).astype(np.float32)
    b1, b2 = (rng.uniform(-0.3, 0.3, width).astype(np.float32) for width in (hidden, classes))
    return Parameters(start.W1 * sizes, b1, start.W2, b2)


def predict(params, X):
    return prediction_entry(kernels.load("fused"), params)(X)


def assert_accurate(params, X):
    """Require errors of at most 1e-5, or twice those of float32, compared with float64."""
    expected = predict_float64(params, as_features(X, np.float64))
    in_float32 = kernels.load("numpy").forward(params, as_features(X, np.float32)).probs
    allowed = max(1e-5, 2 * np.max(np.abs(in_float32 - expected)))
    np.testing.assert_allclose(predict(params, X), expected, rtol=0, atol=allowed)


# Fixed point


@given(values=st.lists(st.integers(-LARGEST, LARGEST), max_size=30))
@example(values=[LARGEST, -LARGEST, 0, 127, 128, -128, -129, 2**15, -(2**15) - 1, 2**22])
def test_digits_compose_the_integer(values):
    d2, d1, d0 = (digit.astype(np.int64) for digit in digits(np.array(values, np.int32)))
    assert (2**16 * d2 + 2**8 * d1 + d0).tolist() == values


REGULAR_WEIGHTS = {
    "as trained": lambda rng: network(rng, 300).W1,
    "scaled by column": lambda rng: network(rng, 300).W1 * np.float32(10) ** np.linspace(-30, 30, 20, dtype=np.float32),
    "largest just below a power of two": lambda rng: rng.choice([-1, 1], (300, 20)) * np.nextafter(np.float32(2), 0),
    "columns of zeros": lambda rng: network(rng, 300).W1 * (np.arange(20) % 2 == 0),
    "mostly zeros": lambda rng: rng.uniform(0.1, 1, (300, 20)) * (rng.random((300, 20)) < 0.05),
    "one number": lambda rng: np.full((300, 20), -0.1),
    "one input": lambda rng: network(rng, 1).W1,
}
IRREGULAR_WEIGHTS = {
    "outlier": lambda rng: np.where(np.arange(6000).reshape(300, 20) == 77, 1e6, rng.uniform(-1e-3, 1e-3, (300, 20))),
    "outliers": lambda rng: np.where(rng.random((300, 20)) < 0.2, 1e3, rng.uniform(-1, 1, (300, 20))),
    "many magnitudes": lambda rng: 10 ** rng.uniform(-20, 0, (300, 20)),
}


@pytest.mark.parametrize("case", REGULAR_WEIGHTS)
def test_fixed_point_is_off_by_half_a_step_at_most(case):
    W1 = REGULAR_WEIGHTS[case](np.random.default_rng(1)).astype(np.float32)
    integers, scales = fixed_point(W1)
    assert np.abs(integers).max() <= LARGEST
    assert np.all(np.abs(integers * scales - W1) <= scales * 0.500001)
    np.testing.assert_allclose(scales * LARGEST, np.abs(W1).max(axis=0), rtol=1e-12)


@pytest.mark.parametrize("case", IRREGULAR_WEIGHTS)
def test_fixed_point_is_refused_if_small_weights_would_lose_too_much(case):
    assert fixed_point(IRREGULAR_WEIGHTS[case](np.random.default_rng(1)).astype(np.float32)) is None


def test_fixed_point_is_refused_if_sums_could_overflow():
    assert MAX_INPUTS * 255 * 128 < 2**31 <= (MAX_INPUTS + 1) * 255 * 128
    assert fixed_point(np.ones((MAX_INPUTS, 1), np.float32)) is not None
    assert fixed_point(np.ones((MAX_INPUTS + 1, 1), np.float32)) is None


@pytest.mark.parametrize("largest", [TINY, 1e-36])
def test_weights_that_are_nearly_subnormal_take_another_path(largest):
    params = network(np.random.default_rng(2), 300)
    W1 = params.W1.copy()
    W1[:, 3] = largest
    assert byte_predictor(params, PIXEL_SCALE) is not None
    assert byte_predictor(params._replace(W1=W1), PIXEL_SCALE) is None


# Sums of products


@ordered_kernel
def sum_products(pixels, weights, sums):
    total = byte_sums.zero_sums(1)
    for quad in range(len(pixels) // 4):
        total = byte_sums.add_byte_products(total, byte_sums.load_quad(pixels, 4 * quad), weights, 64 * quad)
    store(sums, 0, byte_sums.joined_digits(total, 1, 16))


@instruction_set
def test_sums_of_products_are_exact():
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, 400, np.uint8)
    memory = np.empty(64 * 100 + 64, np.int8)
    weights = memory[-memory.ctypes.data % 64 :][: 64 * 100]
    weights[:] = rng.integers(-128, 128, len(weights))
    pixels[:80], weights[:640], weights[640:1280] = 255, -128, 127
    sums = np.zeros(16, np.float32)  # which can represent all integers below 2^24
    sum_products(pixels, weights, sums)
    by_quad = weights.reshape(100, 16, 4).astype(np.int64)
    np.testing.assert_array_equal(sums, np.einsum("qk,qsk->s", pixels.reshape(100, 4).astype(np.int64), by_quad))


# Probabilities


@instruction_set
@pytest.mark.parametrize("case", [*REGULAR_WEIGHTS, *IRREGULAR_WEIGHTS])
def test_probabilities_are_as_accurate_as_those_of_float32(case):
    rng = np.random.default_rng(4)
    W1 = {**REGULAR_WEIGHTS, **IRREGULAR_WEIGHTS}[case](rng).astype(np.float32)
    params = network(rng, len(W1))
    sizes = np.maximum(np.abs(W1).max(axis=0), TINY)
    assert_accurate(params._replace(W1=W1, W2=params.W2 / sizes[:, np.newaxis]), images(rng, IMAGES, len(W1)))


@instruction_set
@given(data=st.data())
def test_probabilities_for_any_width_density_and_number_of_images(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    inputs = data.draw(st.one_of(st.integers(1, 20), st.integers(240, 300), st.integers(500, 800)))
    hidden, classes = data.draw(st.tuples(st.integers(17, 20), st.integers(9, 16)))
    N, inked = data.draw(st.tuples(st.integers(64, 100), st.sampled_from([0, 0.02, 0.3, 1])))
    params = network(rng, inputs, hidden, classes)
    X = images(rng, N, inputs, inked)
    np.testing.assert_allclose(
        predict(params, X), predict_float64(params, as_features(X, np.float64)), rtol=0, atol=2e-6
    )


@instruction_set
@pytest.mark.parametrize(
    ("hidden", "classes"), [(70, 10), *(pytest.param(*sizes, marks=SLOW) for sizes in ((1, 2), (64, 64), (130, 3)))]
)
def test_probabilities_of_narrow_and_wide_networks(hidden, classes):
    rng = np.random.default_rng(5)
    assert_accurate(network(rng, 259, hidden, classes), images(rng, IMAGES, 259))


@instruction_set
def test_largest_sums_do_not_overflow():
    inputs = MORE_THAN_FUSED_INPUTS - 1
    params = network(np.random.default_rng(6), inputs)
    signs = np.where(np.arange(20) % 2, -1, 1).astype(np.float32)
    params = params._replace(W1=np.tile(signs, (inputs, 1)), W2=params.W2 / np.float32(inputs))
    assert byte_predictor(params, PIXEL_SCALE) is not None
    white = np.full((64, inputs), 255, np.uint8)
    expected = predict_float64(params, np.ones((1, inputs)))
    np.testing.assert_allclose(predict(params, white), expected.repeat(64, axis=0), rtol=0, atol=1e-5)


@instruction_set
def test_probabilities_depend_on_neither_threads_nor_other_images(monkeypatch):
    rng = np.random.default_rng(7)
    run, X = prediction_entry(kernels.load("fused"), network(rng, 300)), images(rng, 1000, 300)
    monkeypatch.setattr(numba, "get_num_threads", lambda: 1)
    expected = run(X)
    np.testing.assert_array_equal(run(X[::-1].copy()), expected[::-1])
    np.testing.assert_array_equal(run(X[37:137]), expected[37:137])
    monkeypatch.setattr(prediction, "MIN_IMAGES_PER_THREAD", 1)
    for threads in (2, 3, 5):
        monkeypatch.setattr(numba, "get_num_threads", lambda threads=threads: threads)
        np.testing.assert_array_equal(run(X), expected)


@instruction_set
def test_probabilities_of_other_forms_of_images():
    rng = np.random.default_rng(8)
    params, X = network(rng, 300), images(rng, IMAGES, 300)
    expected = predict(params, X)
    for same in (np.asfortranarray(X), X.repeat(2, axis=0)[::2], np.pad(X, ((0, 0), (0, 3)))[:, :300]):
        np.testing.assert_array_equal(predict(params, same), expected)
    np.testing.assert_allclose(predict(params, as_features(X)), expected, rtol=0, atol=2e-6)


def test_probabilities_agree_with_onnx_runtime():
    pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(9)
    params, X = network(rng, 784), images(rng, 200, 784)
    peer = create("onnxruntime")
    peer.prepare(params, None, None)
    np.testing.assert_allclose(predict(params, X), peer.predict(X), rtol=0, atol=1e-5)
    peer.close()


@pytest.mark.parametrize("name", Parameters._fields)
def test_parameters_that_are_not_finite_give_what_numpy_gives(name):
    rng = np.random.default_rng(10)
    params, X = network(rng, 30), images(rng, IMAGES, 30, 1)
    getattr(params, name).flat[3] = np.inf
    with np.errstate(invalid="ignore"):
        expected = kernels.load("numpy").forward(params, as_features(X)).probs
    np.testing.assert_allclose(predict(params, X), expected, rtol=0, atol=1e-5)


# The choice of the path


def chosen_paths(monkeypatch, params, X):
    """Return the paths for which the predictor converts its parameters."""
    asked = []
    recorded = [
        path._replace(prepare=lambda *arguments, path=path: asked.append(path.name) or path.prepare(*arguments))
        for path in prediction.BYTE_PATHS
    ]
    monkeypatch.setattr(prediction, "BYTE_PATHS", recorded)
    run = prediction_entry(kernels.load("fused"), params)
    for _ in range(3):
        run(X)
    return asked


def test_path_is_for_many_images_of_bytes_and_converts_parameters_once(monkeypatch):
    rng = np.random.default_rng(11)
    params, X = network(rng, 30), images(rng, IMAGES, 30)
    few = X[: prediction.MIN_IMAGES_OF_BYTE_PATH - 1]
    assert chosen_paths(monkeypatch, params, few) == []
    assert chosen_paths(monkeypatch, params, as_features(X)) == []
    assert chosen_paths(monkeypatch, params, X) == ["vnni"]


def test_predictor_keeps_parameters_from_its_creation():
    rng = np.random.default_rng(12)
    params, X = network(rng, 30), images(rng, IMAGES, 30)
    expected, run = predict(params, X), prediction_entry(kernels.load("fused"), params)
    for array in params:
        array += 1
    np.testing.assert_array_equal(run(X), expected)


def test_setting_forbids_paths(monkeypatch):
    monkeypatch.setenv(SETTING, "lists")
    rng = np.random.default_rng(13)
    assert chosen_paths(monkeypatch, network(rng, 30), images(rng, IMAGES, 30)) == []
    assert [name for name in PATHS if is_permitted(name)] == ["lists"]


def test_setting_permits_named_paths(monkeypatch):
    monkeypatch.setenv(SETTING, " vnni ,lists")
    assert is_permitted("vnni")
    monkeypatch.delenv(SETTING)
    assert is_permitted("lists")


@pytest.mark.parametrize("setting", ["", "avx", "lists,", "lists vnni"])
def test_unknown_path_is_an_error(monkeypatch, setting):
    monkeypatch.setenv(SETTING, setting)
    with pytest.raises(UnknownNameError, match=f"{SETTING}.*expected one of: lists, tiles, vnni"):
        is_permitted("lists")


PROGRAM = """
import numpy as np
from nnkernels import kernels
from nnkernels.contenders.ours import prediction_entry
from nnkernels.kernels.fused.paths import is_permitted
from nnkernels.measure.correctness.oracle import predict_float64
from nnkernels.parameters import initial_parameters
from nnkernels.transforms import as_features

params = initial_parameters(1, 300)
X = np.random.default_rng(1).integers(0, 256, (100, 300), np.uint8)
probs = prediction_entry(kernels.load("fused"), params)(X)
np.testing.assert_allclose(probs, predict_float64(params, as_features(X, np.float64)), rtol=0, atol=1e-5)
print(is_permitted("vnni"))
"""


# Each compiles the kernels in a process of its own.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "permitted"),
    [
        ({"NUMBA_CPU_NAME": "generic"}, False),
        ({"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}, False),
        ({"NUMBA_ENABLE_AVX": "0"}, False),
        ({"NUMBA_CPU_NAME": "generic", SETTING: "vnni"}, True),
        ({"NUMBA_CPU_NAME": "haswell"}, None),
        ({}, None),
    ],
)
def test_no_setting_of_the_cpu_aborts_the_process(settings, permitted, tmp_path):
    removed = ("NUMBA_CPU", "NUMBA_ENABLE", SETTING)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(removed)}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path), **settings}
    if "avx2" not in byte_sums.compiled_features() and settings.get("NUMBA_CPU_NAME") == "haswell":
        pytest.skip("this CPU cannot run code for Haswell")
    answer = python("-c", PROGRAM, environment=environment).stdout.strip()
    assert answer == str(byte_sums.compiled_features() >= byte_sums.AVX512_VNNI if permitted is None else permitted)
