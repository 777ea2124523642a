"""Weights of other programs: the result is compared with predictions of the program's own runtime, or of float64."""

import json
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from scipy.special import softmax

from nnkernels.errors import AssumedActivationWarning, ConfigurationError, DataError
from nnkernels.interchange import (
    Preprocessing,
    fold,
    from_keras,
    from_onnx,
    from_sklearn,
    load_parameters,
    save_parameters,
    to_keras,
    to_onnx,
)
from nnkernels.kernels import numpy_kernels
from nnkernels.parameters import Parameters
from nnkernels.report.readable_weights import BLOCK, README, readable_weights
from tests.test_interchange import HEAD, C, D, H, assert_identical, features, network, onnx_session, onnx_text

PYTORCH = Preprocessing(mean=0.1307, deviation=0.3081)
PER_FEATURE = Preprocessing(1 / 128, mean=tuple(np.linspace(0, 1, D)), deviation=tuple(np.linspace(1, 2, D)))


def pixels(samples=9):
    return np.random.default_rng(2).integers(0, 256, (samples, D)).astype(np.uint8)


def logits_of(params, x):
    """Return logits in float64, independently of the package's kernels."""
    W1, b1, W2, b2 = (array.astype(np.float64) for array in params)
    return np.maximum(np.asarray(x, np.float64) @ W1 + b1, 0) @ W2 + b2


def assert_predicts(params, expected, atol=2e-5):
    np.testing.assert_allclose(logits_of(params, pixels() / 255), expected, rtol=0, atol=atol)


# Preprocessing


@pytest.mark.parametrize("record", [PYTORCH, PER_FEATURE, Preprocessing(1.0), Preprocessing.of_input_range((-1, 1))])
def test_folded_parameters_predict_from_pixels_what_original_ones_predict_from_their_features(record):
    expected = logits_of(network(), record.features(pixels(), np.float64))
    assert_predicts(fold(network(), record), expected, atol=5e-4 if record.scale == 1 else 2e-5)
    wide = fold(network(np.float64), record)
    assert_predicts(wide, logits_of(network(np.float64), record.features(pixels(), np.float64)), atol=1e-11)


def test_default_preprocessing_changes_no_bit():
    assert_identical(fold(network(), Preprocessing()), network())
    assert Preprocessing.of_input_range((0, 1)).is_default


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".onnx"])
@pytest.mark.parametrize("record", [PYTORCH, PER_FEATURE])
def test_preprocessing_travels_through_file(tmp_path, suffix, record):
    save_parameters(network(np.float64), tmp_path / f"p{suffix}", preprocessing=record)
    params = load_parameters(tmp_path / f"p{suffix}")
    assert_predicts(params, logits_of(network(np.float64), record.features(pixels(), np.float64)), atol=1e-11)


@pytest.mark.parametrize("record", [PYTORCH, PER_FEATURE])
def test_exported_onnx_model_takes_pixels(record):
    session = onnx_session(to_onnx(network(), record).SerializeToString())
    logits = session.run(["logits"], {"X": pixels().astype(np.float32)})[0]
    np.testing.assert_allclose(logits, logits_of(network(), record.features(pixels(), np.float64)), rtol=0, atol=1e-4)


def test_exported_keras_model_takes_pixels(tmp_path, tf):
    model = to_keras(network(), PER_FEATURE)
    expected = logits_of(network(), PER_FEATURE.features(pixels(), np.float64))
    np.testing.assert_allclose(model(pixels().astype(np.float32)), expected, rtol=0, atol=1e-4)
    save_parameters(network(), tmp_path / "p.keras", preprocessing=PER_FEATURE)
    assert_predicts(load_parameters(tmp_path / "p.keras"), expected, atol=1e-4)


def test_given_preprocessing_and_input_range_are_folded(tmp_path):
    save_parameters(network(), tmp_path / "p.npz")
    assert_identical(load_parameters(tmp_path / "p.npz", preprocessing=PYTORCH), fold(network(), PYTORCH))
    params = load_parameters(tmp_path / "p.npz", input_range=(0, 255))
    np.testing.assert_array_equal(params.W1, network().W1 * np.float32(255))


def test_contradicting_statements_are_rejected(tmp_path):
    save_parameters(network(), tmp_path / "p.npz", preprocessing=PYTORCH)
    with pytest.raises(DataError, match="records the preprocessing"):
        load_parameters(tmp_path / "p.npz", input_range=(0, 255))
    with pytest.raises(ConfigurationError, match="pass one of them"):
        load_parameters(tmp_path / "p.npz", input_range=(0, 255), preprocessing=PYTORCH)
    with pytest.raises(ConfigurationError, match="activation is 'tanh'"):
        load_parameters(tmp_path / "p.npz", activation="tanh")


@pytest.mark.parametrize(
    "values", [{"scale": 0}, {"deviation": 0}, {"mean": np.nan}, {"mean": "x"}, {"mean": (1, 2), "deviation": (1,)}]
)
def test_invalid_preprocessing_is_rejected(values):
    with pytest.raises(ConfigurationError, match="preprocessing: "):
        Preprocessing(**values)


@pytest.mark.parametrize("input_range", [3, (1,), (1, 1), ("a", "b"), (0, np.inf)])
def test_invalid_input_range_is_rejected(input_range):
    with pytest.raises(ConfigurationError, match="input_range is "):
        Preprocessing.of_input_range(input_range)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('{"blur": 1, "deskew": true}', "has the step blur, which this version"),
        ("[", "record is invalid"),
        ("3", "is invalid"),
    ],
)
def test_unknown_preprocessing_in_file_is_rejected(tmp_path, record, message):
    metadata = {"format": "nnkernels-parameters 2", "preprocessing": record}
    safetensors.numpy.save_file(network()._asdict(), tmp_path / "p.safetensors", metadata=metadata)
    with pytest.raises(DataError, match=message):
        load_parameters(tmp_path / "p.safetensors")


def test_record_of_wrong_length_is_rejected(tmp_path):
    with pytest.raises(DataError, match="scales 2 features, but the dense layer has 6"):
        fold(network(), Preprocessing(mean=(0.0, 1.0)))


# Named arrays


STATE_DICTS = {
    "Sequential": ("0.weight", "0.bias", "2.weight", "2.bias"),
    "Module": ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"),
    "names against the order of the layers": ("model.out.weight", "model.out.bias", "model.in.weight", "model.in.bias"),
    "tenth layer": ("9.weight", "9.bias", "10.weight", "10.bias"),
}


def state_dict(names, params):
    arrays = (params.W1.T, params.b1, params.W2.T, params.b2)
    return {name: np.ascontiguousarray(array) for name, array in zip(names, arrays, strict=True)}


def save_arrays(path, arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        safetensors.numpy.save_file(arrays, path)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("names", STATE_DICTS.values(), ids=list(STATE_DICTS))
def test_state_dict_is_read_and_assumed_activation_is_announced(tmp_path, suffix, names):
    path = tmp_path / f"p{suffix}"
    save_arrays(path, state_dict(names, network()))
    assert_identical(load_parameters(path, activation="relu"), network())
    with pytest.warns(AssumedActivationWarning, match="ReLU is assumed"):
        load_parameters(path)


@pytest.mark.parametrize("names", [[f"arr_{i}" for i in range(4)], ["a/kernel", "a/bias", "b/kernel", "b/bias"]])
def test_arrays_of_keras_and_flax_are_read(tmp_path, names):
    np.savez(tmp_path / "p.npz", **dict(zip(names, network(), strict=True)))
    assert_identical(load_parameters(tmp_path / "p.npz", activation="relu"), network())


def test_missing_biases_are_zeros(tmp_path):
    arrays = state_dict(STATE_DICTS["Module"], network())
    np.savez(tmp_path / "p.npz", **{name: array for name, array in arrays.items() if "bias" not in name})
    params = load_parameters(tmp_path / "p.npz", activation="relu")
    np.testing.assert_array_equal(params.W1, network().W1)
    assert not params.b1.any()
    assert not params.b2.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bn.running_mean": np.zeros(3)}, "also contains bn.running_mean"),
        ({"fc3.weight": np.zeros((C, C), np.float32)}, "has 3 dense layers"),
        ({"fc1.weight": np.zeros((H, 1, 3, 3), np.float32)}, "layer 'fc1' has weight"),
        ({"fc1.weight": np.zeros((D, H), np.float32)}, "the shapes do not form a network"),
    ],
)
def test_other_state_dicts_are_rejected(tmp_path, changes, message):
    np.savez(tmp_path / "p.npz", **state_dict(STATE_DICTS["Module"], network()) | changes)
    with pytest.raises(DataError, match=message):
        load_parameters(tmp_path / "p.npz")


def raw_safetensors(arrays):
    """Return a file of arrays given as (dtype, shape, bytes), for dtypes that NumPy does not have."""
    header, data = {}, b""
    for name, (dtype, shape, content) in arrays.items():
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += content
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    ("dtype", "name"), [("BF16", "bfloat16"), ("F8_E4M3", "float8_e4m3fn"), ("F8_E5M2", "float8_e5m2"), ("F16", "")]
)
def test_narrow_floats_become_float32_exactly(tmp_path, dtype, name):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    narrow = np.dtype(getattr(ml_dtypes, name)) if name else np.dtype(np.float16)
    arrays = {key: array.astype(narrow) for key, array in network()._asdict().items()}
    content = raw_safetensors({key: (dtype, list(a.shape), a.tobytes()) for key, a in arrays.items()})
    (tmp_path / "p.safetensors").write_bytes(content)
    params = load_parameters(tmp_path / "p.safetensors", activation="relu")
    assert_identical(params, Parameters(*(array.astype(np.float32) for array in arrays.values())))


@pytest.mark.parametrize(("name", "exponent_bits"), [("float8_e4m3fn", 4), ("float8_e5m2", 5)])
def test_all_float8_numbers_equal_those_of_ml_dtypes(name, exponent_bits):
    from nnkernels.interchange.narrow_floats import float8_to_float32

    ml_dtypes = pytest.importorskip("ml_dtypes")
    codes = np.arange(256, dtype=np.uint8)
    expected = codes.view(getattr(ml_dtypes, name)).astype(np.float32)
    np.testing.assert_array_equal(float8_to_float32(codes, exponent_bits), expected)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".joblib"])
def test_pickled_files_are_refused_with_what_to_do(tmp_path, suffix):
    (tmp_path / f"p{suffix}").write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match=r"safetensors\.torch\.save_file"):
        load_parameters(tmp_path / f"p{suffix}")


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
def test_pointer_of_git_lfs_is_refused_with_what_to_do(tmp_path, suffix):
    (tmp_path / f"p{suffix}").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(DataError, match=r"is only the pointer of Git LFS to the file; .* git lfs pull"):
        load_parameters(tmp_path / f"p{suffix}")


def test_table_in_readme_is_current():
    assert BLOCK.split(README.read_text("utf-8"), "README.md")[1] == readable_weights()


# ONNX graphs with the structure that exporters write


SHAPE_ARITHMETIC = """
    s = Shape(X) zero = Constant<value = int64 {0}>() n = Gather<axis = 0>(s, zero)
    axes = Constant<value = int64[1] {0}>() u = Unsqueeze(n, axes)
    rest = Constant<value = int64[1] {-1}>() target = Concat<axis = 0>(u, rest) f = Reshape<allowzero = 0>(X, target)"""
SLICED_SHAPE = """
    s = Shape(X) c = Cast<to = 7>(s) from = Constant<value = int64[1] {0}>() to = Constant<value = int64[1] {1}>()
    n = Slice(c, from, to) width = Constant<value = int64[1] {6}>() target = Concat<axis = 0>(n, width)
    f = Reshape(X, target)"""
IMAGES = HEAD.replace("float[N, 6]", "float[N, 1, 3, 2]")
LAYERS = "p = Gemm(f, A, a) q = Relu(p) out = Gemm(q, B, b)"
LABELS = """
    best = ArgMax<axis = 1>(probs) known = Constant<value = int64[3] {0, 1, 2}>()
    label = ai.onnx.ml.ArrayFeatureExtractor(known, best)"""
SKLEARN_BODY = f"""
    x = Cast<to = 1>(X) m = MatMul(x, A) p = Add(m, a) q = Relu(p) n = MatMul(q, B) o = Add(n, b) probs = Softmax(o)
    {LABELS}"""
SKLEARN_HEAD = '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 1]>\nagraph (float[N, 6] X) => (int64[N] label, '
EXPORTED = {
    "flattened by x.size(0), old exporter of PyTorch": {"body": SHAPE_ARITHMETIC + LAYERS, "head": IMAGES},
    "flattened by a slice of the shape, tf2onnx": {"body": SLICED_SHAPE + LAYERS, "head": IMAGES},
    "a batch of one, new exporter of PyTorch": {
        "body": "t = Constant<value = int64[2] {1, 6}>() f = Reshape<allowzero = 1>(X, t)" + LAYERS,
        "head": IMAGES.replace("N, 1", "1, 1").replace("[N, 3]", "[1, 3]"),
    },
    "skl2onnx": {"body": SKLEARN_BODY, "head": SKLEARN_HEAD + "float[N, 3] probs)"},
    "skl2onnx with ZipMap": {
        "body": SKLEARN_BODY + "maps = ai.onnx.ml.ZipMap<classlabels_int64s = [0, 1, 2]>(probs)",
        "head": SKLEARN_HEAD + "seq(map(int64, float)) maps)",
    },
    "skl2onnx, one output per class": {
        "body": SKLEARN_BODY
        + """
            first = Constant<value = int64[1] {0}>() second = Constant<value = int64[1] {1}>()
            third = Constant<value = int64[1] {2}>() last = Constant<value = int64[1] {3}>()
            p0 = Slice(probs, first, second, second) p1 = Slice(probs, second, third, second)
            p2 = Slice(probs, third, last, second)""",
        "head": SKLEARN_HEAD + "float[N, 1] p0, float[N, 1] p1, float[N, 1] p2)",
    },
    "only the label": {"body": SKLEARN_BODY, "head": SKLEARN_HEAD.rstrip(", ") + ")"},
    "squeezed, then relu as clamp(min=0), new exporter of PyTorch": {
        "body": "axis = Constant<value = int64[1] {1}>() s = Squeeze(X, axis) f = Flatten(s) p = Gemm(f, A, a)"
        "zero = Constant<value = float {0}>() q = Max(p, zero) out = Gemm(q, B, b)",
        "head": IMAGES,
    },
    "relu as clamp(min=0), old exporter of PyTorch": {
        "body": "zero = Constant<value = float {0}>() p = Gemm(X, A, a) q = Clip(p, zero) out = Gemm(q, B, b)"
    },
    "optimised by ONNX Runtime": {
        "body": 'q = com.microsoft.FusedGemm<activation = "Relu">(X, A, a) out = Gemm(q, B, b)',
        "head": HEAD.replace('"" : 17', '"" : 17, "com.microsoft" : 1'),
    },
}


@pytest.mark.parametrize("name", EXPORTED)
def test_structure_of_exporter_is_read(tmp_path, name):
    content = onnx_text(**EXPORTED[name])
    (tmp_path / "p.onnx").write_bytes(content)
    params = load_parameters(tmp_path / "p.onnx")
    assert_identical(params, network())
    session, X = onnx_session(content), features(1)
    outputs = session.run(None, {"X": X.reshape(1, *session.get_inputs()[0].shape[1:])})
    expected = numpy_kernels.forward(params, X)
    if "label" in EXPORTED[name]["body"]:
        assert outputs[0].ravel() == expected.probs.argmax()
    else:
        np.testing.assert_allclose(outputs[0], expected.logits, rtol=0, atol=2e-6)


def test_conversion_to_half_precision_around_the_network_is_left_out():
    onnx = pytest.importorskip("onnx")
    layers = "x = Cast<to = 1>(h) p = Gemm(x, A, a) q = Relu(p) o = Gemm(q, B, b)"
    body = f"h = Cast<to = 10>(X) {layers} out = Cast<to = 10>(o)"
    content = onnx_text(body, head=HEAD.replace("float[N, 3]", "float16[N, 3]"))
    params, X = from_onnx(onnx.load_from_string(content)), features(9)
    assert_identical(params, network())
    expected = onnx_session(content).run(None, {"X": X})[0]
    np.testing.assert_allclose(logits_of(params, X), expected, rtol=2e-3, atol=5e-3)


@pytest.mark.parametrize(
    "layers",
    [
        "p = Gemm(X, A) q = Relu(p) out = Gemm(q, B)",
        "p = MatMul(X, A) q = Relu(p) out = MatMul(q, B)",
        "p = Gemm<alpha = 0.5>(X, A, a) q = Relu(p) out = Gemm<beta = 2.0>(q, B, b)",
        "c = Constant<value = float[1] {0.5}>() m = MatMul(X, A) p = Add(m, c) q = Relu(p) out = Gemm(q, B, b)",
        "c = Constant<value = float {0.5}>() p = Gemm(X, A, c) q = Relu(p) s = Mul(q, c) out = Gemm(s, B, b)",
        "v = Constant<value = float[4] {1, 2, 3, 4}>() p = Gemm(X, A, a) "
        "n = BatchNormalization<epsilon = 0.01>(p, v, a, a, v) q = Relu(n) out = Gemm(q, B, b)",
    ],
    ids=["Gemm without bias", "MatMul without Add", "factors", "scalar bias", "scaled units", "batch normalisation"],
)
def test_missing_and_scalar_biases_and_scalings_are_folded(layers):
    onnx = pytest.importorskip("onnx")
    content = onnx_text(layers)
    params, X = from_onnx(onnx.load_from_string(content)), features(9)
    expected = onnx_session(content).run(None, {"X": X})[0]
    np.testing.assert_allclose(logits_of(params, X), expected, rtol=0, atol=5e-6)


NORMALISED = "d = Constant<value = float {0.3081}>() e = Constant<value = float {0.1307}>() y = Sub(X, e) x = Div(y, d)"


def test_normalisation_of_onnx_model_needs_input_range():
    onnx = pytest.importorskip("onnx")
    content = onnx_text(NORMALISED + " p = Gemm(x, A, a) q = Relu(p) out = Gemm(q, B, b)")
    model = onnx.load_from_string(content)
    with pytest.raises(DataError, match=r"pass input_range=\(0, 255\) if the model takes pixels, or"):
        from_onnx(model)
    for input_range in ((0, 1), (0, 255)):
        inputs = (pixels() / 255 * input_range[1]).astype(np.float32)
        expected = onnx_session(content).run(None, {"X": inputs})[0]
        assert_predicts(from_onnx(model, input_range=input_range), expected, atol=1e-3)


@pytest.mark.parametrize("division", ["Div(X, c)", "Mul(X, i)"])
def test_division_by_255_in_onnx_model_leaves_weights_as_they_are(division):
    onnx = pytest.importorskip("onnx")
    constants = f"c = Constant<value = float {{255}}>() i = Constant<value = float {{{np.float32(1 / 255)}}}>()"
    content = onnx_text(f"{constants} x = {division} p = Gemm(x, A, a) q = Relu(p) out = Gemm(q, B, b)")
    assert_identical(from_onnx(onnx.load_from_string(content)), network())


def with_external_data(folder):
    onnx = pytest.importorskip("onnx")
    folder.mkdir(exist_ok=True)
    onnx.save(to_onnx(network()), folder / "p.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    return folder / "p.onnx"


def test_external_data_in_folder_of_model_are_read(tmp_path):
    assert_identical(load_parameters(with_external_data(tmp_path)), network())


def test_external_data_elsewhere_are_not_read(tmp_path):
    onnx = pytest.importorskip("onnx")
    path = with_external_data(tmp_path / "model")
    data = path.with_name("w.bin")
    for location in ("../w.bin", str(tmp_path / "w.bin"), "", "."):
        model = onnx.load(path, load_external_data=False)
        data.with_name("..").joinpath("w.bin").write_bytes(data.read_bytes())
        for tensor in model.graph.initializer:
            tensor.external_data[0].value = location
        path.with_name("q.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(DataError, match="data files are only read from the folder of the model"):
            load_parameters(path.with_name("q.onnx"))
    data.unlink()
    data.symlink_to(tmp_path / "w.bin")
    with pytest.raises(DataError, match="without symbolic links"):
        load_parameters(path)


@pytest.mark.parametrize(("offset", "length"), [(-1, 4), (0, 10**9), (10**9, 4), (0, -4)])
def test_wrong_offsets_of_external_data_are_rejected(tmp_path, offset, length):
    onnx = pytest.importorskip("onnx")
    path = with_external_data(tmp_path)
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        entry.value = {"offset": str(offset), "length": str(length)}.get(entry.key, entry.value)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=r"bytes at .* of 'w\.bin', which has"):
        load_parameters(path)


# Keras


def keras_models():
    """Return Keras models of the network, by name, with the inputs for ``pixels()``."""
    import keras

    layers = keras.layers

    def stack(*inner, shape=(D,)):
        return keras.Sequential([keras.Input(shape), *inner])

    def two(activation="relu", **options):
        return [layers.Dense(H, activation, **options), layers.Dense(C)]

    rng = np.random.default_rng(3)
    normalisation = layers.Normalization(mean=rng.random(D), variance=1 + rng.random(D))
    adapted = layers.Normalization(axis=None)
    adapted.adapt(pixels().reshape(-1, 3, 2))
    batch = [layers.Dense(H), layers.BatchNormalization(), layers.ReLU(), layers.Dense(C)]
    models = {
        "probability model": stack(stack(*two()), layers.Softmax()),
        "reshaped": stack(layers.Reshape((D,)), *two(), shape=(3, 2)),
        "log_softmax": stack(layers.Dense(H, "relu"), layers.Dense(C, "log_softmax")),
        "ReLU objects": stack(*two(layers.ReLU())),
        "no bias": stack(*two(use_bias=False)),
        "pixels": stack(layers.Rescaling(1 / 255), *two()),
        "pixels to -1..1": stack(layers.Rescaling(1 / 127.5, offset=-1), *two()),
        "pixels, normalised": stack(layers.Rescaling(1 / 255), normalisation, *two()),
        "adapted, input_range": stack(adapted, layers.Flatten(), *two(), shape=(3, 2)),
        "batch normalisation": stack(*batch),
    }
    for model in models.values():
        for layer in model.layers:
            if isinstance(layer, (layers.Dense, layers.BatchNormalization)):
                layer.set_weights([0.5 + rng.random(weight.shape) for weight in layer.get_weights()])
    return models


def test_keras_models_predict_the_same_after_folding(tf):
    for name, model in keras_models().items():
        takes_pixels = "pixels" in name or "adapted" in name
        inputs = (pixels() if takes_pixels else pixels() / 255).reshape(9, *model.input_shape[1:])
        theirs = model(inputs.astype(np.float32), training=False).numpy()
        params = from_keras(model, name, input_range=(0, 255) if "input_range" in name else None)
        ours = logits_of(params, pixels() / 255)
        if "probability" in name or "softmax" in name:
            ours, theirs = softmax(ours, axis=1), np.exp(theirs) if name == "log_softmax" else theirs
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=name)
        if name == "pixels":
            np.testing.assert_array_equal(params.W1, model.layers[1].get_weights()[0])


def test_hdf5_files_of_keras_are_read(tmp_path, tf):
    model = keras_models()["pixels"]
    expected = from_keras(model)
    model.save(tmp_path / "p.keras")
    model.save_weights(tmp_path / "p.weights.h5")
    assert_identical(load_parameters(tmp_path / "p.keras"), expected)
    assert_identical(load_parameters(tmp_path / "p.weights.h5", activation="relu"), expected)
    with pytest.warns(AssumedActivationWarning):
        load_parameters(tmp_path / "p.weights.h5")
    model.save(tmp_path / "p.h5")
    assert_identical(load_parameters(tmp_path / "p.h5"), expected)


def legacy_configuration(activation):
    layers = [
        ("InputLayer", {"name": "x", "batch_input_shape": [None, D]}),
        ("Dense", {"name": "dense", "activation": activation}),
        ("Dense", {"name": "dense_1", "activation": "softmax"}),
    ]
    listed = [{"class_name": kind, "config": config} for kind, config in layers]
    return {"class_name": "Sequential", "config": {"name": "s", "layers": listed}}


def test_weights_in_archive_of_keras_2_are_read(tmp_path, tf, monkeypatch):
    import keras

    from tests.test_interchange import with_changed_configuration

    def refuse(*_arguments, **_options):
        raise TypeError("InputLayer.__init__() got an unexpected keyword argument 'batch_input_shape'")

    def change(configuration):
        configuration.clear()
        configuration.update(legacy_configuration(activation))

    save_parameters(network(), tmp_path / "p.keras")
    content = (tmp_path / "p.keras").read_bytes()
    monkeypatch.setattr(keras.saving, "load_model", refuse)
    activation = "relu"
    (tmp_path / "p.keras").write_bytes(with_changed_configuration(content, change))
    assert_identical(load_parameters(tmp_path / "p.keras"), network())
    activation = "tanh"
    (tmp_path / "p.keras").write_bytes(with_changed_configuration(content, change))
    with pytest.raises(DataError, match="dense -> function tanh -> dense"):
        load_parameters(tmp_path / "p.keras")


def write_hdf5(path, arrays, configuration=None):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        if configuration is not None:
            file.attrs["model_config"] = json.dumps(configuration)
    return path


OLD_NAMES = ("dense/dense/kernel:0", "dense/dense/bias:0", "dense_1/dense_1/kernel:0", "dense_1/dense_1/bias:0")


def test_weights_of_keras_2_are_read(tmp_path):
    arrays = dict(zip(OLD_NAMES, network(), strict=True))
    path = write_hdf5(tmp_path / "p.h5", arrays)
    assert_identical(load_parameters(path, activation="relu"), network())
    inside = {f"model_weights/{name}": array for name, array in arrays.items()}
    path = write_hdf5(tmp_path / "m.h5", inside, legacy_configuration("relu"))
    assert_identical(load_parameters(path), network())
    path = write_hdf5(tmp_path / "m.h5", inside, legacy_configuration("sigmoid"))
    with pytest.raises(DataError, match="dense -> function sigmoid -> dense"):
        load_parameters(path)


def test_bfloat16_of_keras_is_read_where_the_file_names_it(tmp_path):
    h5py = pytest.importorskip("h5py")
    ml_dtypes = pytest.importorskip("ml_dtypes")
    narrow = [array.astype(ml_dtypes.bfloat16) for array in network()]
    bits = {name: array.view(np.uint16).view("V2") for name, array in zip(OLD_NAMES, narrow, strict=True)}
    path = write_hdf5(tmp_path / "p.h5", bits)
    with pytest.raises(
        DataError, match=r"has a type that the file does not name \(\|V2\); save the weights as float32"
    ):
        load_parameters(path, activation="relu")
    with h5py.File(path, "a") as file:
        for name in bits:
            file[name].attrs["dtype"] = "bfloat16"
    expected = Parameters(*(array.astype(np.float32) for array in narrow))
    assert_identical(load_parameters(path, activation="relu"), expected)


def normalised_configuration():
    """Return the configuration of Normalization, Dense, BatchNormalization, ReLU, BatchNormalization, Dense."""
    configuration = legacy_configuration("linear")
    layers = configuration["config"]["layers"]
    last = {"name": "last", "epsilon": 0.5, "scale": False}
    layers.insert(1, {"class_name": "Normalization", "config": {"name": "input", "axis": [-1]}})
    layers.insert(3, {"class_name": "BatchNormalization", "config": {"name": "middle", "epsilon": 0.01}})
    layers.insert(4, {"class_name": "ReLU", "config": {"name": "relu"}})
    layers.insert(5, {"class_name": "BatchNormalization", "config": last})
    return configuration


@pytest.mark.parametrize("layout", ["names of layers", "numbers"])
def test_normalisations_in_hdf5_file_of_keras_are_folded(tmp_path, layout):
    rng = np.random.default_rng(5)
    numbers = {
        "input": {"mean": rng.normal(size=D), "variance": rng.uniform(1, 2, D), "count": np.int64(9)},
        # Neither alphabetical order of names nor of numbers is that of the layers.
        "middle": {role: rng.uniform(1, 2, H) for role in ("gamma", "beta", "moving_mean", "moving_variance")},
        "last": {role: rng.uniform(1, 2, H) for role in ("beta", "moving_mean", "moving_variance")},
    }
    x = pixels().astype(np.float64)
    x = (x - numbers["input"]["mean"]) / np.sqrt(numbers["input"]["variance"])
    W1, b1, W2, b2 = (array.astype(np.float64) for array in network())
    gamma, beta, mean, variance = numbers["middle"].values()
    hidden = np.maximum((x @ W1 + b1 - mean) / np.sqrt(variance + 0.01) * gamma + beta, 0)
    beta, mean, variance = numbers["last"].values()
    expected = ((hidden - mean) / np.sqrt(variance + 0.5) + beta) @ W2 + b2

    arrays = {f"model_weights/{name}": array for name, array in zip(OLD_NAMES, network(), strict=True)}
    arrays["optimizer_weights/Adam/m/middle/gamma:0"] = np.zeros(H)
    folders = {"input": "normalization", "middle": "batch_normalization_9", "last": "batch_normalization_10"}
    for layer, values in numbers.items():
        for index, (role, value) in enumerate(values.items()):
            by_name = f"model_weights/{layer}/{layer}/{role}:0"
            path = by_name if layout == "names of layers" else f"layers/{folders[layer]}/vars/{index}"
            arrays[path] = value
    path = write_hdf5(tmp_path / "m.h5", arrays, normalised_configuration())
    params = load_parameters(path, input_range=(0, 255))
    np.testing.assert_allclose(logits_of(params, pixels() / 255), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("layer", "config", "message"),
    [
        (1, {"invert": True}, "contains Normalization 'input' -> dense"),
        (1, {"mean": [0.0] * 5, "variance": [1.0] * 5}, "scales 5 features"),
        (3, {"name": "other"}, "relu -> BatchNormalization 'last' -> dense"),  # takes the only arrays
    ],
)
def test_normalisation_that_the_arrays_do_not_fit_is_named(tmp_path, layer, config, message):
    arrays = {f"model_weights/{name}": array for name, array in zip(OLD_NAMES, network(), strict=True)}
    arrays |= {f"model_weights/input/{role}:0": np.ones(D) for role in ("mean", "variance")}
    arrays |= {f"model_weights/one/moving_{role}:0": np.ones(H) for role in ("mean", "variance")}
    configuration = normalised_configuration()
    configuration["config"]["layers"][layer]["config"] |= config
    if "mean" in config:  # which the file then does not store
        arrays = {path: array for path, array in arrays.items() if "/input/" not in path}
    if layer == 1:
        del configuration["config"]["layers"][5]
    path = write_hdf5(tmp_path / "m.h5", arrays, configuration)
    with pytest.raises(DataError, match=message):
        load_parameters(path, input_range=(0, 255))


def archive_of_keras_2(path, configuration, folder="layers"):
    """Write an archive as Keras 2 does, also beside Keras 3, where the package is called tf_keras."""
    names = [f"{folder}/{layer}/vars/{index}" for layer in ("dense", "dense_1") for index in (0, 1)]
    training = {
        f"{folder.removesuffix('layers')}optimizer/vars/{index}": array for index, array in enumerate(network())
    }
    weights = write_hdf5(path.with_suffix(".h5"), dict(zip(names, network(), strict=True)) | training)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(configuration))
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        archive.write(weights, "model.weights.h5")
    return path


def test_archive_that_names_the_package_of_keras_2_is_read_without_importing_it(tmp_path):
    configuration = legacy_configuration("relu") | {"class_name": "Functional", "module": "tf_keras.src.engine"}
    layers = configuration["config"]["layers"]
    for before, layer in zip([None, *layers], layers, strict=False):
        layer["inbound_nodes"] = [[[before["config"]["name"], 0, 0, {}]]] if before else []
    assert_identical(load_parameters(archive_of_keras_2(tmp_path / "p.keras", configuration)), network())


def test_archive_of_keras_2_that_keras_3_calls_invalid_is_read(tmp_path, tf):
    inner = legacy_configuration("relu")
    rescaling = {"name": "r", "batch_input_shape": [None, D], "scale": 1 / 255, "offset": 0.0}
    inner["config"]["layers"][0] = {"class_name": "Rescaling", "config": rescaling}
    path = archive_of_keras_2(tmp_path / "p.keras", inner)
    assert_identical(load_parameters(path), network())


def test_optimizer_of_a_nested_keras_2_model_is_ignored(tmp_path, tf):
    softmax_layer = {"class_name": "Softmax", "config": {"name": "softmax", "batch_input_shape": [None, C]}}
    inner = legacy_configuration("relu")
    inner["config"]["layers"][2]["config"]["activation"] = "linear"
    outer = {"class_name": "Sequential", "config": {"name": "outer", "layers": [inner, softmax_layer]}}
    path = archive_of_keras_2(tmp_path / "p.keras", outer, "layers/sequential/layers")
    assert_identical(load_parameters(path), network())


def test_optimizer_and_metrics_of_trained_keras_2_model_are_ignored(tmp_path):
    names = [f"layers/{layer}/vars/{index}" for layer in ("dense", "dense_1") for index in (0, 1)]
    # The layout of model.save_weights("x.weights.h5") and of the archive, as Keras 2 writes them after fit.
    training = {f"metrics/mean/vars/{index}": np.float32(1) for index in (0, 1)}
    training |= {f"optimizer/vars/{index}": array for index, array in enumerate([np.int64(3), *network(), *network()])}
    path = write_hdf5(tmp_path / "p.weights.h5", dict(zip(names, network(), strict=True)) | training)
    assert_identical(load_parameters(path, activation="relu"), network())


def test_hdf5_sizes_that_the_file_cannot_contain_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = write_hdf5(tmp_path / "p.h5", {})
    with h5py.File(path, "a") as file:
        file.create_dataset("dense/kernel", (10**7, 10), "f4", chunks=(1000, 10))  # of which nothing is stored
    with pytest.raises(DataError, match="declares arrays of 400000000 bytes or more"):
        load_parameters(path)


def test_hdf5_chunks_that_the_file_cannot_contain_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = write_hdf5(tmp_path / "p.h5", {})
    with h5py.File(path, "a") as file:
        file.create_dataset("dense/kernel", (1000, 1), "f4", chunks=(1, 1))  # of which nothing is stored
    with pytest.raises(DataError, match="dense/kernel is divided into more chunks"):
        load_parameters(path)


def test_links_in_archive_of_keras_are_not_followed(tmp_path, tf):
    h5py = pytest.importorskip("h5py")
    save_parameters(network(), tmp_path / "p.keras")
    other = write_hdf5(tmp_path / "other.h5", {"w": network().W1})
    weights = write_hdf5(tmp_path / "weights.h5", {})
    with h5py.File(weights, "a") as file:
        file["layers/dense/vars/0"] = h5py.ExternalLink(str(other), "/w")
    with zipfile.ZipFile(tmp_path / "p.keras") as whole, zipfile.ZipFile(tmp_path / "q.keras", "w") as changed:
        for name in whole.namelist():
            changed.writestr(name, weights.read_bytes() if name == "model.weights.h5" else whole.read(name))
    with pytest.raises(DataError, match="is a link to another place or file"):
        load_parameters(tmp_path / "q.keras")


def test_hdf5_links_and_virtual_data_are_not_followed(tmp_path):
    h5py = pytest.importorskip("h5py")
    other = write_hdf5(tmp_path / "other.h5", {"w": network().W1})
    for name, link in (("e", h5py.ExternalLink(str(other), "/w")), ("s", h5py.SoftLink("/w"))):
        path = write_hdf5(tmp_path / f"{name}.h5", {})
        with h5py.File(path, "a") as file:
            file["dense/kernel"] = link
        with pytest.raises(DataError, match="dense/kernel is a link to another place or file"):
            load_parameters(path)
    layout = h5py.VirtualLayout((D, H), "f4")
    layout[:] = h5py.VirtualSource(str(other), "w", (D, H))
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("dense/kernel", layout)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("dense/kernel", (D, H), "f4", external=[(str(other), 0, D * H * 4)])
    for name in ("v.h5", "x.h5"):
        with pytest.raises(DataError, match="takes its data from other files"):
            load_parameters(tmp_path / name)


@pytest.mark.parametrize(("where", "name"), [("KERAS_BACKEND", "torch"), ("KERAS_HOME", "theano")])
def test_unusable_backend_is_named_as_reason(tmp_path, monkeypatch, where, name):
    import builtins
    import sys

    from nnkernels.interchange.keras_import import import_keras

    (tmp_path / "keras.json").write_text(json.dumps({"backend": name}))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv(where, name if where == "KERAS_BACKEND" else str(tmp_path))
    error = ModuleNotFoundError("No module named 'torch'", name="torch")
    raised = error if name == "torch" else ValueError(f"Unable to import backend : {name}")
    original = builtins.__import__

    def fail(module, *rest, **options):
        if module == "keras":
            raise raised
        return original(module, *rest, **options)

    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(ConfigurationError, match=f"backend '{name}', which .*{where}.* set KERAS_BACKEND=tensorflow"):
        import_keras()


# scikit-learn


def fitted(**options):
    neural = pytest.importorskip("sklearn.neural_network")
    X, y = pixels(60) / 255, np.arange(60) % C
    options = {"hidden_layer_sizes": (H,), "max_iter": 2, "random_state": 0} | options
    with pytest.warns(Warning, match="Maximum iterations"):
        return neural.MLPClassifier(**options).fit(X, y)


def test_classifier_of_sklearn_predicts_the_same():
    model = fitted()
    probs = softmax(logits_of(from_sklearn(model), pixels() / 255), axis=1)
    np.testing.assert_allclose(probs, model.predict_proba(pixels() / 255), rtol=0, atol=1e-12)


def test_scalers_of_sklearn_pipeline_are_folded():
    pipeline = pytest.importorskip("sklearn.pipeline")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    for scaler in (preprocessing.StandardScaler(), preprocessing.MinMaxScaler(), preprocessing.MaxAbsScaler()):
        model = pipeline.make_pipeline(scaler.fit(pixels(60)), fitted())
        probs = softmax(logits_of(from_sklearn(model, input_range=(0, 255)), pixels() / 255), axis=1)
        np.testing.assert_allclose(probs, model.predict_proba(pixels()), rtol=0, atol=1e-12)
    with pytest.raises(DataError, match="nothing states the range"):
        from_sklearn(pipeline.make_pipeline(preprocessing.StandardScaler().fit(pixels(60)), fitted()))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"activation": "tanh"}, "dense -> activation tanh"), ({"hidden_layer_sizes": (H, H)}, "It has 3 dense layers")],
)
def test_other_classifiers_of_sklearn_are_rejected(options, message):
    with pytest.raises(DataError, match=message):
        from_sklearn(fitted(**options))


def test_unfitted_and_other_estimators_are_rejected():
    neural = pytest.importorskip("sklearn.neural_network")
    with pytest.raises(DataError, match="is not fitted"):
        from_sklearn(neural.MLPClassifier())
    with pytest.raises(DataError, match="contains str that is not fitted"):
        from_sklearn("no estimator")


# The command


def predicted_parameters(monkeypatch, *options):
    """Run ``nnkernels predict`` and return its result and the parameters with which it would predict."""
    from typer.testing import CliRunner

    from nnkernels.cli.shared import app
    from nnkernels.learn import pictures

    used = []
    monkeypatch.setattr(
        pictures, "predict_pictures", lambda _images, params, _preprocessing: used.append(params) or ([], [])
    )
    return CliRunner().invoke(app, ["predict", "digit.png", *map(str, options)]), used


def test_predict_folds_stated_normalisation(tmp_path, monkeypatch):
    import nnkernels.cli  # noqa: F401  (registers the commands)

    path = tmp_path / "p.safetensors"
    save_arrays(path, state_dict(STATE_DICTS["Module"], network()))
    options = ["--weights", path, "--activation", "relu"]
    result, (params,) = predicted_parameters(monkeypatch, *options, "--mean", 0.1307, "--deviation", 0.3081)
    assert result.exit_code == 0
    assert_identical(params, fold(network(), PYTORCH))
    _, (params,) = predicted_parameters(monkeypatch, *options, "--input-range", "0,255")
    np.testing.assert_array_equal(params.W1, network().W1 * np.float32(255))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mean", "0.1"], "describe the file of --weights"),
        (["--weights", "w", "--input-range", "a"], "expected numbers"),
    ],
)
def test_predict_rejects_options_that_do_not_fit(monkeypatch, options, message):
    import nnkernels.cli  # noqa: F401

    result, used = predicted_parameters(monkeypatch, *options)
    assert isinstance(result.exception, ConfigurationError)
    assert message in str(result.exception)
    assert not used
