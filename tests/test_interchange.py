"""Saving and loading parameters: each format is compared with its own runtime; invalid files are rejected."""

import contextlib
import functools
import io
import itertools
import json
import os
import pickle
import re
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from nnkernels.errors import ConfigurationError, DataError, MissingDependencyError
from nnkernels.interchange import (
    checked_parameters,
    from_keras,
    from_onnx,
    load_parameters,
    parameter_files,
    save_parameters,
    to_keras,
    to_onnx,
    zip_sizes,
)
from nnkernels.kernels import numpy_kernels
from nnkernels.parameters import Parameters
from tests.processes import python

LIGHT = (".safetensors", ".npz", ".onnx")  # a round trip in milliseconds
ALL = (*LIGHT, ".keras")
DTYPES = (np.float32, np.float64)
D, H, C = 6, 4, 3

# Absolute, for probabilities: each runtime rounds float32 sums of 784 products differently. The tolerance of float64
# shows that no other dtype was used on the way.
TOLERANCE = {np.float32: 1e-6, np.float64: 1e-14}


def network(dtype=np.float32, inputs=D, hidden=H, classes=C, seed=0):
    """Return random parameters: positive and negative values, no zeros."""
    rng = np.random.default_rng(seed)
    shapes = ((inputs, hidden), (hidden,), (hidden, classes), (classes,))
    scales = (1 / np.sqrt(inputs), 1, 1, 1)
    return Parameters(*(rng.normal(0, scale, shape).astype(dtype) for scale, shape in zip(scales, shapes, strict=True)))


def features(samples, dtype=np.float32, inputs=D):
    return np.random.default_rng(1).random((samples, inputs)).astype(dtype)


def assert_identical(actual, expected):
    for name, ours, theirs in zip(Parameters._fields, actual, expected, strict=True):
        assert ours.dtype == theirs.dtype, name
        assert ours.dtype.isnative
        assert ours.flags.c_contiguous
        assert ours.flags.writeable
        np.testing.assert_array_equal(ours, theirs, err_msg=name, strict=True)


def onnx_session(path_or_bytes):
    runtime = pytest.importorskip("onnxruntime")
    return runtime.InferenceSession(path_or_bytes, providers=["CPUExecutionProvider"])


def skip_unless_installed(suffix, request):
    """Skip the test if the package of a format is not installed; import TensorFlow without its messages."""
    if suffix == ".onnx":
        pytest.importorskip("onnx")
    if suffix == ".keras":
        request.getfixturevalue("tf")


@pytest.fixture(scope="session")
def contents(tmp_path_factory, request):
    """A function that returns the content of a file in a format, the same at each call."""
    written = {}

    def content(suffix):
        skip_unless_installed(suffix, request)
        if suffix not in written:
            path = tmp_path_factory.mktemp("contents") / f"p{suffix}"
            save_parameters(network(), path)
            written[suffix] = path.read_bytes()
        return written[suffix]

    return content


# Round trips


@pytest.mark.parametrize("suffix", LIGHT)
@given(
    inputs=st.integers(1, 40),
    hidden=st.integers(1, 20),
    classes=st.integers(1, 12),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 99),
)
def test_round_trip_is_exact(tmp_path, request, suffix, inputs, hidden, classes, dtype, seed):
    skip_unless_installed(suffix, request)
    params = network(dtype, inputs, hidden, classes, seed)
    params.b1[0], params.W2[0, 0] = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    path = tmp_path / f"p{suffix}"
    save_parameters(params, path)
    assert_identical(load_parameters(path), params)


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip_through_keras_is_exact(tmp_path, tf, dtype):
    params = network(dtype, 784, 20, 10)
    save_parameters(params, tmp_path / "p.keras")
    assert_identical(load_parameters(str(tmp_path / "p.keras")), params)


@pytest.mark.parametrize("suffix", LIGHT)
def test_views_and_read_only_arrays_are_saved_by_value(tmp_path, request, suffix):
    skip_unless_installed(suffix, request)
    wide = network(inputs=2 * D)
    params = Parameters(np.asfortranarray(wide.W1)[::2], wide.b1[::-1], wide.W2[::-1, ::-1], wide.b2)
    for array in params:
        array.flags.writeable = False
    save_parameters(params, tmp_path / f"p{suffix}")
    assert_identical(load_parameters(tmp_path / f"p{suffix}"), params)


def test_equal_parameters_give_identical_files_in_every_process(tmp_path, request):
    for suffix in LIGHT:
        skip_unless_installed(suffix, request)
    code = (
        "import sys, numpy; from nnkernels.interchange import save_parameters;"
        "from nnkernels.parameters import initial_parameters;"
        "[save_parameters(initial_parameters(0, 4, 3, 2), path) for path in sys.argv[1:]]"
    )
    # With two hash seeds, anything that is written in the order of a set would differ.
    for run in range(2):
        files = [tmp_path / f"{run}{suffix}" for suffix in LIGHT]
        python("-c", code, *files, environment=os.environ | {"PYTHONHASHSEED": str(run)})
    for suffix in LIGHT:
        contents = [(tmp_path / f"{run}{suffix}").read_bytes() for run in range(2)]
        assert contents[0] == contents[1], suffix


def test_loading_and_saving_converts_between_formats(tmp_path, tf):
    pytest.importorskip("onnx")
    params = network()
    save_parameters(params, tmp_path / "0.npz")
    for number, suffix in enumerate([".keras", ".onnx", ".SafeTensors"]):
        (source,) = tmp_path.glob(f"{number}.*")
        save_parameters(load_parameters(source), tmp_path / f"{number + 1}{suffix}")
    assert_identical(load_parameters(tmp_path / "3.SafeTensors"), params)


# Other runtimes read our files


@pytest.mark.parametrize("dtype", DTYPES)
def test_safetensors_reads_our_file(tmp_path, dtype):
    params = network(dtype)
    path = tmp_path / "p.safetensors"
    save_parameters(params, path)
    theirs = safetensors.numpy.load_file(path)
    assert sorted(theirs) == sorted(Parameters._fields)
    for name, array in params._asdict().items():
        np.testing.assert_array_equal(theirs[name], array, strict=True)
    with safetensors.safe_open(path, framework="np") as file:
        assert file.metadata() == {"format": "nnkernels-parameters 1"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_reads_our_file(tmp_path, dtype):
    params = network(dtype)
    save_parameters(params, tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz", allow_pickle=False) as theirs:
        assert sorted(theirs) == sorted([*Parameters._fields, "format"])
        assert str(theirs["format"]) == "nnkernels-parameters 1"
        for name, array in params._asdict().items():
            np.testing.assert_array_equal(theirs[name], array, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_keras_predictions_from_our_file_equal_ours(tmp_path, tf, dtype):
    import keras

    params, X = network(dtype, 784, 20, 10), features(33, dtype, 784)
    save_parameters(params, tmp_path / "p.keras")
    model = keras.saving.load_model(tmp_path / "p.keras")
    expected = numpy_kernels.forward(params, X)
    # predict() itself rounds X to float32.
    probs = softmax(model.predict(X, verbose=0), axis=1)
    np.testing.assert_allclose(probs, expected.probs, rtol=0, atol=1e-6)
    logits = model(X).numpy()
    assert logits.dtype == dtype
    np.testing.assert_allclose(softmax(logits, axis=1), expected.probs, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("samples", [0, 1, 33])
@pytest.mark.parametrize("dtype", DTYPES)
def test_onnx_runtime_predictions_from_our_file_equal_ours(tmp_path, dtype, samples):
    pytest.importorskip("onnx")
    params, X = network(dtype, 784, 20, 10), features(samples, dtype, 784)
    save_parameters(params, tmp_path / "p.onnx")
    session = onnx_session(str(tmp_path / "p.onnx"))
    assert [value.name for value in session.get_inputs()] == ["X"]
    assert [value.name for value in session.get_outputs()] == ["probs", "logits"]
    probs, logits = session.run(None, {"X": X})
    expected = numpy_kernels.forward(params, X)
    assert probs.dtype == logits.dtype == dtype
    np.testing.assert_allclose(probs, expected.probs, rtol=0, atol=TOLERANCE[dtype])
    np.testing.assert_allclose(logits, expected.logits, rtol=0, atol=10 * TOLERANCE[dtype])


def test_onnx_model_is_valid_and_self_contained():
    onnx = pytest.importorskip("onnx")
    model = to_onnx(network())
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert [node.op_type for node in model.graph.node] == ["Gemm", "Relu", "Gemm", "Softmax"]
    assert_identical(from_onnx(model), network())


# Files written by other programs


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_load_reads_safetensors_file_of_another_program(tmp_path, metadata):
    params = network(np.float64)
    safetensors.numpy.save_file(params._asdict(), tmp_path / "p.safetensors", metadata=metadata)
    assert_identical(load_parameters(tmp_path / "p.safetensors", activation="relu"), params)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_load_reads_npz_file_of_any_memory_and_byte_order(tmp_path, save):
    params = network()
    foreign = {name: np.asfortranarray(array).astype(">f4") for name, array in params._asdict().items()}
    save(tmp_path / "p.npz", **foreign)
    assert_identical(load_parameters(tmp_path / "p.npz", activation="relu"), params)


def keras_models():
    """Return builders of Keras models that are the same network, by name."""
    import keras

    layers = keras.layers

    def functional():
        inputs = keras.Input((D,))
        hidden = layers.Dropout(0.5)(layers.ReLU()(layers.Dense(H)(inputs)))
        return keras.Model(inputs, layers.Softmax()(layers.Dense(C)(hidden)))

    return {
        "softmax in the layer": lambda: keras.Sequential(
            [keras.Input((D,)), layers.Dense(H, activation="relu"), layers.Dense(C, activation="softmax")]
        ),
        "images": lambda: keras.Sequential(
            [
                keras.Input((2, 3, 1)),
                layers.Flatten(),
                layers.Dense(H, activation=keras.activations.relu, kernel_regularizer="l2"),
                layers.Dropout(0.5),
                layers.Dense(C, kernel_initializer=keras.initializers.HeNormal(seed=1)),
                layers.Softmax(axis=1),
            ]
        ),
        "functional": functional,
    }


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", ["softmax in the layer", "images", "functional"])
def test_load_reads_keras_model_of_same_network(tmp_path, tf, name, compiled):
    model = keras_models()[name]()
    if compiled:
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(np.ones((2, *model.input_shape[1:])), np.zeros(2), verbose=0)
    model.set_weights(list(network()))
    model.save(tmp_path / "p.keras")
    params = load_parameters(tmp_path / "p.keras")
    assert_identical(params, network())
    X = features(9)
    theirs = model.predict(X.reshape(9, *model.input_shape[1:]), verbose=0)
    np.testing.assert_allclose(numpy_kernels.forward(params, X).probs, theirs, rtol=0, atol=1e-6)


HEAD = '<ir_version: 8, opset_import: ["" : 17]>\nagraph (float[N, 6] X) => (float[N, 3] out)\n'
WEIGHTS = "<float[6, 4] A = {%s}, float[4] a = {%s}, float[4, 3] B = {%s}, float[3] b = {%s}>\n"


def onnx_text(body, *, head=HEAD, weights=WEIGHTS, transposed=False, functions=""):
    """Return the bytes of an ONNX model written as text, with the weights of ``network()``."""
    onnx = pytest.importorskip("onnx")
    arrays = [array.T if transposed else array for array in network()]
    numbers = tuple(", ".join(repr(float(value)) for value in array.ravel()) for array in arrays)
    return onnx.parser.parse_model(head + weights % numbers + "{\n" + body + "\n}" + functions).SerializeToString()


LEAKY = '<domain: "", opset_import: ["" : 17]>\nRelu (x) => (y) { y = LeakyRelu<alpha = 0.2>(x) }'
ROWS = "m = MatMul(X, A) p = Add(m, a) q = Relu(p) n = MatMul(q, B) o = Add(n, b) out = Softmax<axis = 1>(o)"
DENSE_1, DENSE_2 = "p = Gemm(X, A, a)  q = Relu(p)", "out = Gemm(q, B, b)"
SAME_NETWORKS = {
    "logits": {"body": f"{DENSE_1} {DENSE_2}"},
    "as PyTorch exports it": {
        "body": """
            f = Flatten(X)
            p = Gemm<alpha = 1.0, beta = 1.0, transB = 1>(f, A, a)
            q = Relu(p)
            logits = Gemm<alpha = 1.0, beta = 1.0, transB = 1>(q, B, b)
            out = LogSoftmax<axis = 1>(logits)""",
        "weights": WEIGHTS.replace("[6, 4]", "[4, 6]").replace("[4, 3]", "[3, 4]"),
        "transposed": True,
    },
    "as Keras exports it": {
        "body": """
            shape = Constant<value = int64[2] {-1, 6}>()
            f = Reshape(X, shape)
            m = MatMul(f, A)
            p = Add(m, a)
            q = Relu(p)
            n = MatMul(q, B)
            logits = Add(b, n)
            probs = Softmax(logits)
            out = Identity(probs)""",
        "head": HEAD.replace("float[N, 6]", "float[N, 3, 2]"),
    },
    "dropout in inference": {"body": f"{DENSE_1.replace('q', 'r')} q = Dropout(r) {DENSE_2}"},
    "a bias of one row": {"body": f"{DENSE_1} {DENSE_2}", "weights": WEIGHTS.replace("float[4] a", "float[1, 4] a")},
}


@pytest.mark.parametrize("name", SAME_NETWORKS)
def test_load_reads_onnx_model_of_same_network(tmp_path, name):
    content = onnx_text(**SAME_NETWORKS[name])
    (tmp_path / "p.onnx").write_bytes(content)
    params = load_parameters(tmp_path / "p.onnx")
    assert_identical(params, network())
    session, X = onnx_session(content), features(9)
    shape = session.get_inputs()[0].shape[1:]
    theirs = session.run(None, {"X": X.reshape(9, *shape)})[0]
    operators = SAME_NETWORKS[name]["body"]
    expected = numpy_kernels.forward(params, X)
    ours = {
        "LogSoftmax" in operators: np.log(expected.probs),
        "Softmax(" in operators: expected.probs,
    }.get(True, expected.logits)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


# Other networks are rejected, and the message says what was found


def other_keras_models():
    """Return Keras models of other networks, each with a part of the expected message."""
    import keras

    layers = keras.layers

    def sequential(*stack, shape=(D,)):
        return keras.Sequential([keras.Input(shape), *stack])

    def dense(units, activation=None, **options):
        return layers.Dense(units, activation, **options)

    def skipping():
        inputs = keras.Input((D,))
        return keras.Model(inputs, [dense(D, "relu")(inputs), dense(C)(inputs)])

    def twice():
        inputs, layer = keras.Input((D,)), dense(D, "relu")
        return keras.Model(inputs, dense(C)(layer(layer(inputs))))

    def two_outputs():
        inputs = keras.Input((D,))
        hidden = dense(H, "relu")(inputs)
        return keras.Model(inputs, [dense(C)(hidden), hidden])

    return [
        (sequential(dense(C)), "contains dense; expected dense -> relu -> dense"),
        (sequential(dense(H, "tanh"), dense(C)), "dense -> function tanh -> dense"),
        (sequential(dense(H), dense(C)), "contains dense -> dense;"),
        (sequential(dense(H, "relu"), dense(H, "relu"), dense(C)), "dense -> relu -> dense -> relu -> dense"),
        (sequential(dense(H, "relu"), dense(C, "sigmoid")), "relu -> dense -> function sigmoid"),
        (sequential(layers.Rescaling(1), dense(H, "relu"), dense(C)), "nothing states the range of this input"),
        (sequential(layers.Normalization(), dense(H, "relu"), dense(C)), "nothing states the range of this input"),
        (sequential(dense(H), layers.ReLU(max_value=6), dense(C)), "dense -> ReLU 're_lu"),
        (sequential(dense(H), layers.ReLU(negative_slope=0.1), dense(C)), "dense -> ReLU 're_lu"),
        (sequential(dense(H, "relu"), dense(C), shape=(5, D)), "takes 30 features per sample"),
        (
            sequential(layers.Flatten("channels_first"), dense(H, "relu"), dense(C), shape=(2, 3)),
            "Flatten of channels_first",
        ),
        (sequential(dense(H, "relu"), layers.Dense(C, dtype="float64")), "differ in dtype"),
        (sequential(dense(H, "relu", dtype="float16"), dense(C, dtype="float16")), "computes in float16"),
        (skipping(), "do not form a chain from one input to one output"),
        (twice(), "do not form a chain from one input to one output"),
        (two_outputs(), "do not form a chain from one input to one output"),
        (sequential(sequential(dense(H, "relu"), dense(C)), dense(C)), "dense -> relu -> dense -> dense;"),
    ]


def test_keras_models_of_other_networks_are_rejected(tmp_path, tf):
    path = tmp_path / "other.keras"
    for model, message in other_keras_models():
        with pytest.raises(DataError, match=r"^the Keras model: ") as refused:
            from_keras(model)
        assert message in str(refused.value)
        model.save(path)
        with pytest.raises(DataError, match=r"other\.keras: ") as refused:
            load_parameters(path)
        # Unknown layers are already detected in the file's configuration.
        assert message in str(refused.value) or f"contains {message};" in str(refused.value)


def misleading_keras_models():
    """Return Keras models that only resemble this network, each with a part of the expected message.

    Not all of them can be saved: Keras replaces a custom function by its own function of the same name.
    """
    import keras

    layers, ops = keras.layers, keras.ops

    def relu(x):
        return ops.leaky_relu(x, 0.2)

    def softmax(x):
        return ops.sigmoid(x)

    class Twice(layers.Dense):
        def call(self, inputs, training=None):
            return 2 * super().call(inputs)

    class Halved(keras.Sequential):
        def call(self, inputs, training=None, mask=None):
            return super().call(inputs) / 2

    class Functional(keras.Model):
        pass

    def sequential(*stack, shape=(D,), **options):
        return keras.Sequential([keras.Input(shape, **options), *stack])

    def dense(units, activation=None, **options):
        return layers.Dense(units, activation, **options)

    def two_inputs():
        one, other = keras.Input((D,)), keras.Input((D,))
        return keras.Model([one, other], dense(C)(dense(H, "relu")(one)))

    def both(policy):
        return sequential(dense(H, "relu", dtype=policy), dense(C, dtype=policy))

    hidden = dense(H, "relu")
    return [
        (sequential(dense(H, relu), dense(C)), "dense -> function relu -> dense"),
        (sequential(dense(H), layers.Activation(relu), dense(C)), "dense -> function relu -> dense"),
        (sequential(dense(H, "relu"), dense(C, softmax)), "relu -> dense -> function softmax"),
        (sequential(dense(H, "relu"), dense(C), layers.Activation(softmax)), "relu -> dense -> function softmax"),
        (sequential(dense(H, functools.partial(ops.relu)), dense(C)), "dense -> function functools.partial("),
        (sequential(dense(H, layers.ReLU(negative_slope=0.2)), dense(C)), "dense -> ReLU 're_lu"),
        (sequential(dense(H), layers.Lambda(relu), dense(C)), "dense -> Lambda 'lambda"),
        (sequential(dense(H), layers.ReLU(threshold=0.5), dense(C)), "dense -> ReLU 're_lu"),
        (sequential(Twice(H, "relu"), dense(C)), "contains Twice 'twice"),
        (Halved([keras.Input((D,)), dense(H, "relu"), dense(C)]), "is a Halved; expected a Sequential"),
        (Functional(), "is a Functional; expected a Sequential or a functional model"),
        (two_inputs(), "do not form a chain from one input to one output"),
        (sequential(dense(H, "relu"), dense(C), layers.Softmax(axis=0)), "relu -> dense -> Softmax 'softmax"),
        (sequential(dense(H, "relu"), dense(C), layers.Softmax(axis=1), shape=(1, D)), "-> dense -> Softmax 'softmax"),
        (
            sequential(dense(H, "relu"), dense(C), layers.Softmax(axis=1), layers.Flatten(), shape=(1, D)),
            "-> dense -> Softmax 'softmax",
        ),
        (sequential(dense(H, "relu"), dense(C), shape=(None, D)), f"takes arrays of shape (None, None, {D})"),
        (both("mixed_float16"), "Dense 'dense_{}' computes in float16"),
        (both("mixed_bfloat16"), "Dense 'dense_{}' computes in bfloat16"),
        (sequential(hidden, dense(C), layers.Softmax(dtype="float16")), "Softmax 'softmax_{}' computes in float16"),
        (sequential(dense(H, "relu"), dense(C), dtype="float16"), "takes features of float16"),
        (sequential(dense(H, "relu"), dense(C), dtype="uint8"), "takes features of uint8"),
    ]


def test_keras_models_that_only_resemble_network_are_rejected(tf):
    for model, message in misleading_keras_models():
        with pytest.raises(DataError, match=r"^the Keras model: ") as refused:
            from_keras(model)
        assert message in re.sub(r"_\d+' computes", "_{}' computes", str(refused.value))


def test_functions_of_keras_and_tensorflow_are_recognised(tf):
    import keras

    for home in (keras.activations, keras.ops, tf.nn):
        layers = [keras.layers.Dense(H, home.relu), keras.layers.Dense(C), keras.layers.Activation(home.softmax)]
        model = keras.Sequential([keras.Input((D,)), *layers])
        model.set_weights(list(network()))
        assert_identical(from_keras(model), network())
        theirs = model.predict(features(9) - 0.5, verbose=0)
        np.testing.assert_allclose(numpy_kernels.forward(network(), features(9) - 0.5).probs, theirs, rtol=0, atol=1e-6)


def test_keras_replaces_custom_function_by_its_own_of_same_name(tmp_path, tf):
    # We cannot detect this, as `from_keras` documents. If this test fails, Keras distinguishes them, and we can too.
    import keras

    def relu(x):
        return keras.ops.leaky_relu(x, 0.2)

    model = keras.Sequential([keras.Input((D,)), keras.layers.Dense(H, relu), keras.layers.Dense(C)])
    model.save(tmp_path / "own.keras")
    loaded = keras.saving.load_model(tmp_path / "own.keras")
    assert loaded.layers[0].activation is keras.activations.relu


def test_from_keras_rejects_subclassed_and_unbuilt_models_and_other_objects(tf):
    import keras

    class Subclassed(keras.Model):
        pass

    for model in (Subclassed(), "no model"):
        with pytest.raises(DataError, match=f"is a {type(model).__name__}; expected a Sequential or a functional"):
            from_keras(model)
    with pytest.raises(DataError, match="of 0 arrays"):
        from_keras(keras.Sequential([keras.layers.Dense(H, "relu"), keras.layers.Dense(C)]))


OTHER_GRAPHS = [
    ({"body": "r = Gemm(X, A, a) q = Relu(r) p = Gemm(q, B, b) out = Relu(p)"}, "relu -> dense -> relu; expected"),
    ({"body": "p = Gemm(X, A, a) q = Tanh(p) out = Gemm(q, B, b)"}, "contains dense -> Tanh -> dense"),
    ({"body": "q = Gemm(X, A, a) out = Gemm(q, B, b)"}, "contains dense -> dense;"),
    ({"body": "out = Relu(X)"}, "contains relu;"),
    ({"body": "p = Gemm<transA = 1>(X, A, a) q = Relu(p) out = Gemm(q, B, b)"}, "contains Gemm -> relu"),
    ({"body": "m = MatMul(A, X) p = Add(m, a) q = Relu(p) out = Gemm(q, B, b)"}, "contains MatMul -> Add -> relu"),
    ({"body": f"{DENSE_1} r = Gemm(q, B, b) out = Softmax<axis = 0>(r)"}, "dense -> Softmax;"),
    (
        {"body": f"{DENSE_1} s = Constant<value = int64[2] {{4, -1}}>() r = Reshape(q, s) out = Gemm(r, B, b)"},
        "relu -> Reshape -> dense",
    ),
    ({"body": f"{DENSE_1} r = Flatten<axis = 0>(q) out = Gemm(r, B, b)"}, "relu -> Flatten -> dense"),
    (
        {
            "body": f"{DENSE_1} h = Constant<value = float {{0.5}}>() t = Constant<value = bool {{1}}>() "
            "r = Dropout(q, h, t) out = Gemm(r, B, b)"
        },
        "relu -> Dropout in training -> dense",
    ),
    ({"body": "p = Gemm(X, A, a) q = Relu(p) out = Gemm(p, B, b)"}, "contains dense -> dense;"),
    ({"body": "p = Gemm(X, A, a) out = Relu(p) r = Gemm(out, B, b)"}, "contains dense -> relu; expected"),
    (
        {"body": "p = Gemm(X, A, a) r = Add(p, p) q = Relu(r) out = Gemm(q, B, b)"},
        "dense -> Add of several branches -> relu",
    ),
    ({"body": f"{DENSE_1} {DENSE_2}", "head": HEAD.replace("X)", "X, float[N, 6] Y)")}, "has 2 inputs"),
    ({"body": f"{DENSE_1} {DENSE_2}", "head": HEAD.replace("[N, 6]", "[N, 2, 6]")}, "takes 12 features per sample"),
    (
        {
            "body": "p = other.Gemm(X, A, a) q = Relu(p) out = Gemm(q, B, b)",
            "head": HEAD.replace('"" : 17', '"" : 17, "other" : 1'),
        },
        "contains other.Gemm -> relu",
    ),
    (
        {"body": "p = Gemm(X, B, b) q = Relu(p) out = Gemm(q, A, a)"},
        "takes 6 features per sample, but W1 has shape (4, 3)",
    ),
    (
        {"body": f"{DENSE_1} t = Constant<value = bool {{1}}>() r = Dropout(q,, t) out = Gemm(r, B, b)"},
        "relu -> Dropout in training -> dense",
    ),
    # Max and Clip are ReLU only with a bound of 0.
    (
        {"body": "c = Constant<value = float {0.1}>() p = Gemm(X, A, a) q = Max(p, c) out = Gemm(q, B, b)"},
        "dense -> Max -> dense",
    ),
    (
        {
            "body": "c = Constant<value = float {0}>() d = Constant<value = float {6}>() "
            "p = Gemm(X, A, a) q = Clip(p, c, d) out = Gemm(q, B, b)"
        },
        "dense -> Clip -> dense",
    ),
    (
        {
            "body": "axis = Constant<value = int64[1] {0}>() f = Squeeze(X, axis) "
            f"{DENSE_1.replace('X', 'f')} {DENSE_2}",
            "head": HEAD.replace("[N, 6]", "[1, 1, 6]"),
        },
        "contains Squeeze -> dense",
    ),
    # The label of an axis other than the classes
    (
        {
            "body": f"{DENSE_1} r = Gemm(q, B, b) out = ArgMax<axis = 0>(r)",
            "head": HEAD.replace("float[N, 3]", "int64[N]"),
        },
        "dense -> ArgMax of an axis other than the classes;",
    ),
    # Softmax over the rows of a sample, not over the classes
    ({"body": ROWS, "head": HEAD.replace("[N, 6]", "[N, 1, 6]")}, "relu -> dense -> Softmax;"),
    ({"body": ROWS, "head": HEAD.replace("[N, 6]", "[N, M, 6]")}, "takes arrays of shape (?, ?, 6)"),
    # Add along the first axis
    (
        {"body": ROWS.replace("Add(m", "Add<broadcast = 1, axis = 0>(m"), "head": HEAD.replace('"" : 17', '"" : 6')},
        "uses opset 6; expected 7 or later",
    ),
    (
        {"body": f"{DENSE_1} {DENSE_2}", "functions": LEAKY},
        "redefines the operators Relu; expected ONNX's own",
    ),
]


@pytest.mark.parametrize(("graph", "message"), OTHER_GRAPHS)
def test_onnx_models_of_other_networks_are_rejected(tmp_path, graph, message):
    (tmp_path / "other.onnx").write_bytes(onnx_text(**graph))
    with pytest.raises(DataError, match=r"other\.onnx: ") as refused:
        load_parameters(tmp_path / "other.onnx")
    assert message in str(refused.value)


def test_description_of_long_onnx_model_is_abbreviated(tmp_path):
    body = " ".join(f"x{i + 1} = Abs(x{i})" for i in range(99)).replace("x0)", "X)") + " out = Abs(x99)"
    (tmp_path / "long.onnx").write_bytes(onnx_text(body))
    with pytest.raises(DataError, match=r"Abs -> \.\.\. \(100 in all\)") as refused:
        load_parameters(tmp_path / "long.onnx")
    assert len(str(refused.value)) < 400


def test_onnx_model_in_memory_with_external_weights_is_rejected(tmp_path):
    onnx = pytest.importorskip("onnx")
    onnx.save(
        to_onnx(network()), tmp_path / "p.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    assert (tmp_path / "weights.bin").exists()
    with pytest.raises(DataError, match=r"stores its weights in another file; load it with load_parameters, or save"):
        from_onnx(onnx.load(tmp_path / "p.onnx", load_external_data=False))


# Invalid arrays

BAD_ARRAYS = [
    ({"b2": None}, "has no b2; it contains W1, W2, b1"),
    ({"W3": np.zeros(3, np.float32)}, "also contains W3"),
    ({"W1": np.zeros((D, H + 1), np.float32)}, r"W1 \(6, 5\), b1 \(4,\)"),
    ({"b1": np.zeros((H, 1), np.float32)}, "the shapes do not form a network"),
    ({"W2": np.zeros((H, C, 1), np.float32)}, "the shapes do not form a network"),
    ({"b2": np.float32(0)}, "the shapes do not form a network"),
    ({"W1": np.zeros((0, H), np.float32)}, "all sizes at least 1"),
    ({"W2": np.zeros((H, 0), np.float32), "b2": np.zeros(0, np.float32)}, "all sizes at least 1"),
    ({"W1": np.zeros((D, H), np.float64)}, r"differ in dtype \(W1 float64, b1 float32"),
    ({"b1": np.zeros(H, np.int64)}, "b1 is int64"),
]


def network_arrays_with(changes):
    return {name: array for name, array in (network()._asdict() | changes).items() if array is not None}


@pytest.mark.parametrize(("changes", "message"), BAD_ARRAYS)
def test_arrays_that_form_no_network_are_rejected(tmp_path, changes, message):
    arrays = network_arrays_with(changes)
    with pytest.raises(DataError, match=f"^here: .*{message}"):
        checked_parameters(arrays, "here")
    safetensors.numpy.save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()}, tmp_path / "bad.safetensors"
    )
    np.savez(tmp_path / "bad.npz", **arrays)
    for file in ("bad.safetensors", "bad.npz"):
        with pytest.raises(DataError, match=rf"^{tmp_path}/{file}: "):
            load_parameters(tmp_path / file)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "index"), [("W1", (2, 3)), ("b1", (1,)), ("W2", (0, 0)), ("b2", (2,))])
def test_nonfinite_entry_is_named(tmp_path, name, index, value):
    params = network()
    getattr(params, name)[index] = value
    entry = ", ".join(map(str, index))
    np.savez(tmp_path / "p.npz", **params._asdict())
    with pytest.raises(DataError, match=rf"p\.npz: {name}\[{entry}\] is {value}, and 1 of its "):
        load_parameters(tmp_path / "p.npz")
    with pytest.raises(DataError, match=rf"the parameters: {name}\[{entry}\] is {value}"):
        save_parameters(params, tmp_path / "q.npz")
    assert not (tmp_path / "q.npz").exists()


def test_models_can_contain_nonfinite_weights(tf):
    pytest.importorskip("onnx")
    params = network()
    params.W1[:] = np.nan
    assert_identical(from_keras(to_keras(params)), params)
    assert_identical(from_onnx(to_onnx(params)), params)


def test_checked_parameters_are_copies():
    params = network()
    for ours, given_array in zip(checked_parameters(params._asdict(), "here"), params, strict=True):
        assert not np.shares_memory(ours, given_array)


# Damaged and malicious files


@pytest.mark.parametrize("suffix", ALL)
@given(data=st.data())
def test_truncated_file_is_rejected(tmp_path, contents, suffix, data):
    content = contents(suffix)
    length = data.draw(st.integers(0, len(content) - 1), "length")
    path = tmp_path / f"short{suffix}"
    path.write_bytes(content[:length])
    with pytest.raises(DataError, match=f"short{suffix}: not a readable .* so save it again"):
        load_parameters(path)


@pytest.mark.parametrize("suffix", LIGHT)
def test_every_truncation_is_rejected(tmp_path, contents, suffix):
    content = contents(suffix)
    path = tmp_path / f"short{suffix}"
    for length in itertools.chain(range(len(content) - 100, len(content)), range(0, len(content) - 100, 7)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            load_parameters(path)
    path.write_bytes(content)
    assert_identical(load_parameters(path), network())


@pytest.mark.parametrize("suffix", LIGHT)
@given(data=st.data())
def test_damaged_byte_gives_data_error_or_finite_parameters(tmp_path, contents, suffix, data):
    content = bytearray(contents(suffix))
    place = data.draw(st.integers(0, len(content) - 1), "place")
    content[place] ^= data.draw(st.integers(1, 255), "flip")
    path = tmp_path / f"flipped{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        params = load_parameters(path, activation="relu")
        assert all(np.isfinite(array).all() for array in params)


@pytest.mark.parametrize(("suffix", "other"), list(itertools.permutations(ALL, 2)))
def test_file_of_another_format_is_rejected(tmp_path, request, contents, suffix, other):
    skip_unless_installed(suffix, request)
    path = tmp_path / f"wrong{suffix}"
    path.write_bytes(contents(other))
    with pytest.raises(DataError, match=f"wrong{suffix}: "):
        load_parameters(path)


@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"hello, world\n" * 9, b"\x93NUMPY", b"PK\x03\x04", b"\xff" * 99])
def test_content_of_no_format_is_rejected(tmp_path, request, suffix, content):
    skip_unless_installed(suffix, request)
    path = tmp_path / f"nothing{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"nothing{suffix}: "):
        load_parameters(path)


@pytest.mark.parametrize("suffix", ALL)
def test_missing_file_and_folder_are_rejected(tmp_path, suffix):
    with pytest.raises(DataError, match=rf"none{suffix}: cannot be read \(No such file"):
        load_parameters(tmp_path / f"none{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(DataError, match=rf"folder{suffix}: cannot be read \("):
        load_parameters(tmp_path / f"folder{suffix}")


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_pickles_are_never_loaded(tmp_path):
    bomb, exploded = Bomb(tmp_path / "exploded"), tmp_path / "exploded"
    np.savez(tmp_path / "objects.npz", **(network()._asdict() | {"W1": np.array([[bomb]], object)}), allow_pickle=True)
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"W1": bomb}))
    np.save(tmp_path / "array.npy", np.array([bomb], object), allow_pickle=True)
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    for file in ("objects.npz", "pickle.npz", "array.npz"):
        with pytest.raises(DataError, match=rf"{file}: not a readable NumPy archive of plain arrays"):
            load_parameters(tmp_path / file)
    assert not exploded.exists()
    # The file is indeed harmful if it is unpickled.
    with np.load(tmp_path / "objects.npz", allow_pickle=True) as archive:
        assert archive["W1"].shape == (1, 1)
    assert exploded.exists()


def test_keras_file_with_lambda_is_rejected_without_running_it(tmp_path, tf):
    import keras

    # Keras' safe mode, which is on by default, would reject it too.
    witness = str(tmp_path / "ran")
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((D,)),
            layers.Lambda(lambda x: open(witness, "w").close() or x, output_shape=(D,)),
            layers.Dense(H, "relu"),
            layers.Dense(C),
        ]
    )
    model.save(tmp_path / "trap.keras")
    Path(witness).unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"trap\.keras: contains Lambda, __lambda__; expected"):
        load_parameters(tmp_path / "trap.keras")
    assert not Path(witness).exists()
    with warnings.catch_warnings(action="ignore"):
        keras.saving.load_model(tmp_path / "trap.keras", safe_mode=False).predict(features(1), verbose=0)
    assert Path(witness).exists()


FOREIGN_OBJECTS = [
    ({"module": "builtins", "class_name": "function", "config": "eval"}, "builtins.function"),
    ({"module": "os", "class_name": "system", "config": {}}, "os.system"),
    ({"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}}, "TFSMLayer"),
    ({"module": "keras.src.utils.file_utils", "class_name": "get_file", "config": {}}, "get_file"),
    ({"class_name": "__lambda__", "config": {"value": ""}}, "__lambda__"),
    ({"module": "kerasevil.layers", "class_name": "Dense", "config": {}}, "kerasevil.layers.Dense"),
]


def with_changed_configuration(content, change):
    """Return a ``.keras`` file whose configuration was modified in place by ``change``."""
    changed_content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(changed_content, "w") as target:
        for name in source.namelist():
            member = source.read(name)
            if name == "config.json":
                configuration = json.loads(member)
                change(configuration)
                member = json.dumps(configuration).encode()
            target.writestr(name, member)
    return changed_content.getvalue()


@pytest.mark.parametrize(("foreign", "named"), FOREIGN_OBJECTS)
def test_keras_file_naming_foreign_code_is_rejected_before_loading(tmp_path, tf, contents, monkeypatch, foreign, named):
    import keras

    def change(configuration):
        configuration["config"]["layers"][1]["config"]["activation"] = foreign

    (tmp_path / "trap.keras").write_bytes(with_changed_configuration(contents(".keras"), change))
    monkeypatch.setattr(keras.saving, "load_model", lambda *_args, **_options: pytest.fail("Keras loaded the file"))
    with pytest.raises(DataError, match=f"contains {named}; expected"):
        load_parameters(tmp_path / "trap.keras")


def test_load_uses_safe_mode_of_keras_and_ignores_custom_loss(tmp_path, tf, monkeypatch):
    import keras

    def unknown_loss(y_true, y_pred):
        return y_pred - y_true

    modes, load_model = [], keras.saving.load_model

    def load_and_note(path, **options):
        modes.append(options["safe_mode"])
        return load_model(path, **options)

    model = to_keras(network())
    model.compile("adam", unknown_loss)
    model.save(tmp_path / "p.keras")
    monkeypatch.setattr(keras.saving, "load_model", load_and_note)
    assert_identical(load_parameters(tmp_path / "p.keras"), network())
    assert modes == [True]


def test_keras_file_with_weights_of_wrong_shape_is_rejected(tmp_path, contents):
    def change(configuration):
        configuration["config"]["layers"][1]["config"]["units"] = H + 1

    (tmp_path / "p.keras").write_bytes(with_changed_configuration(contents(".keras"), change))
    with pytest.raises(DataError, match=r"p\.keras: not a readable Keras archive"):
        load_parameters(tmp_path / "p.keras")


def test_long_error_of_keras_is_shortened_to_one_line(tmp_path, tf, contents, monkeypatch):
    import keras

    def fail(*_args, **_options):
        raise ValueError("one line\nof many\n" * 99)

    (tmp_path / "p.keras").write_bytes(contents(".keras"))
    monkeypatch.setattr(keras.saving, "load_model", fail)
    with pytest.raises(DataError, match="ValueError: one line of many one line") as refused:
        load_parameters(tmp_path / "p.keras")
    assert len(str(refused.value)) < len(str(tmp_path)) + 450
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("suffix", [".npz", ".keras"])
def test_zip_bomb_is_rejected_before_unpacking(tmp_path, request, monkeypatch, suffix):
    skip_unless_installed(suffix, request)
    with zipfile.ZipFile(tmp_path / f"bomb{suffix}", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("config.json", "W1.npy"):
            archive.writestr(name, b"\0" * 2**16)
    monkeypatch.setattr(zip_sizes, "MAX_BYTES", 2**16)
    with pytest.raises(DataError, match=f"bomb{suffix}: unpacks to 131072 bytes"):
        load_parameters(tmp_path / f"bomb{suffix}")


def test_too_large_file_is_rejected(tmp_path, monkeypatch):
    save_parameters(network(), tmp_path / "p.npz")
    size = (tmp_path / "p.npz").stat().st_size
    monkeypatch.setattr(parameter_files, "MAX_BYTES", size)
    load_parameters(tmp_path / "p.npz")
    monkeypatch.setattr(parameter_files, "MAX_BYTES", size - 1)
    with pytest.raises(DataError, match=f"more than {size - 1} bytes"):
        load_parameters(tmp_path / "p.npz")


def test_later_format_version_is_rejected(tmp_path):
    safetensors.numpy.save_file(
        network()._asdict(), tmp_path / "p.safetensors", metadata={"format": "nnkernels-parameters 3"}
    )
    with pytest.raises(DataError, match="has the format nnkernels-parameters 3, but this version of nnkernels reads"):
        load_parameters(tmp_path / "p.safetensors")


# Suffixes, writing, and missing packages


@pytest.mark.parametrize("file", ["p.hd", "p", "p.npz.gz", ".npz"])
def test_unknown_suffix_is_rejected_with_list_of_known_ones(tmp_path, file):
    message = r"expected one of: \.keras, \.npz, \.onnx, \.safetensors"
    with pytest.raises(ConfigurationError, match=message):
        save_parameters(network(), tmp_path / file)
    with pytest.raises(ConfigurationError, match=message):
        load_parameters(tmp_path / file)
    assert list(tmp_path.iterdir()) == []


def test_save_creates_missing_folders(tmp_path):
    save_parameters(network(), tmp_path / "a" / "b" / "p.npz")
    assert [file.name for file in (tmp_path / "a" / "b").iterdir()] == ["p.npz"]


@pytest.mark.parametrize("failing", ["os.replace", "pathlib.Path.write_bytes"])
@pytest.mark.parametrize(
    ("error", "raised"), [(OSError(28, "No space left"), ConfigurationError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_failed_save_keeps_only_old_file(tmp_path, monkeypatch, failing, error, raised):
    old, path = network(), tmp_path / "p.safetensors"
    save_parameters(old, path)

    def fail(first, *_others):
        Path(first).touch()
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(failing, fail)
        with pytest.raises(raised) as caught:
            save_parameters(network(seed=1), path)
    if raised is ConfigurationError:
        assert str(caught.value) == f"{path}: cannot be written (No space left); choose another location"
    assert list(tmp_path.iterdir()) == [path]
    assert_identical(load_parameters(path), old)


def test_unwritable_path_is_named(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").touch()
    for place in ("folder.npz", "file/p.npz"):
        with pytest.raises(ConfigurationError, match=f"{place}: cannot be written"):
            save_parameters(network(), tmp_path / place)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.npz"]


@pytest.mark.parametrize(("package", "suffix"), [("keras", ".keras"), ("onnx", ".onnx")])
def test_missing_package_is_named_with_its_extra(tmp_path, contents, monkeypatch, package, suffix):
    path, content = tmp_path / f"p{suffix}", contents(suffix)
    path.write_bytes(content)
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"needs {package}, which is not installed: pip install 'nnkernels\[{package}\]'"
    with pytest.raises(MissingDependencyError, match=message):
        load_parameters(path)
    with pytest.raises(MissingDependencyError, match=message):
        save_parameters(network(), path)
    assert path.read_bytes() == content


def test_light_formats_import_no_framework(tmp_path):
    code = (
        "import sys; from nnkernels.interchange import load_parameters, save_parameters;"
        "from nnkernels.parameters import initial_parameters;"
        "[(save_parameters(initial_parameters(0), f), load_parameters(f)) for f in sys.argv[1:]];"
        "print(*sys.modules)"
    )
    files = [str(tmp_path / "p.npz"), str(tmp_path / "p.safetensors")]
    answer = python("-c", code, *files)
    assert not {"keras", "tensorflow", "onnx", "numba", "torch"} & set(answer.stdout.split())
    assert answer.stderr == ""
