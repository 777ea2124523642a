"""Weights of other programs: the result is compared with predictions of the program's own runtime, or of float64."""

import json

import numpy as np
import pytest
import safetensors.numpy

from nnkernels.errors import AssumedActivationWarning, ConfigurationError, DataError
from nnkernels.interchange import (
    Preprocessing,
    fold,
    load_parameters,
    save_parameters,
    to_keras,
    to_onnx,
)
from nnkernels.parameters import Parameters
from nnkernels.report.readable_weights import BLOCK, README, readable_weights
from tests.test_interchange import C, D, H, assert_identical, network, onnx_session

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
    [('{"deskew": true}', "has the step deskew, which this version"), ("[", "record is invalid"), ("3", "is invalid")],
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


def test_table_in_readme_is_current():
    assert BLOCK.split(README.read_text("utf-8"), "README.md")[1] == readable_weights()
