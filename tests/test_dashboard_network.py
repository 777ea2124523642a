"""The dashboard's section on the network: what its scripts get, and what it says of missing or damaged files."""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnkernels.data import Dataset
from nnkernels.interchange import save_parameters
from nnkernels.interchange.training_steps import load_training_steps, quantised, save_training_steps
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.report.dashboard import page
from nnkernels.report.dashboard.learning import TRAIN_COMMAND, TRAINING
from nnkernels.report.dashboard.mistakes import probability_text
from nnkernels.report.dashboard.section import Section
from nnkernels.report.dashboard.sections import network
from tests.made_up_collections import EVIL, collection
from tests.recorded_networks import record_network

Image = pytest.importorskip("PIL.Image")
STEPS, MISTAKES, SPRITE = "training_steps.safetensors", "mistakes.json", "mistakes_digits.png"


def images(classes: int) -> Dataset:
    rng = np.random.default_rng(1)
    X = rng.integers(0, 256, (60, 784), np.uint8)
    y = rng.integers(0, classes, 60, np.uint8)
    y[:classes] = y[-classes:] = np.arange(classes)
    return Dataset(X[:20], y[:20], X[20:], y[20:])


def recorded(root: Path, hidden: int = 6, classes: int = 10) -> tuple[Path, Parameters]:
    """Record a network in a checkout, and return the folder and the parameters."""
    params = [initial_parameters(seed, 784, hidden, classes) for seed in range(3)]
    steps = [quantised(0, 0, params[0]), quantised(0.25, 391, params[1]), quantised(1, 1563, params[1])]
    return record_network(root, params[2], images(classes), steps), params[2]


def html_of(section: Section) -> str:
    return page.environment().get_template("network.html.j2").render(charts={}, links={}, **section.values)


def text_of(section: Section) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", html_of(section)).split())


def registered(section: Section, name: str) -> Any:
    script = section.files[f"network/{name}.js"]
    assert isinstance(script, str)
    return json.loads(script[script.index(", ") + 2 : script.rindex(")")])


def built(root: Path) -> Section:
    section = network.build(collection(root))
    assert section.payload is not None
    return section


def test_weights_in_the_page_are_the_parameters_bit_for_bit(tmp_path: Path) -> None:
    _folder, params = recorded(tmp_path)
    payload = built(tmp_path).payload
    assert payload is not None
    values = np.frombuffer(base64.b64decode(payload["weights"]), "<f4")
    np.testing.assert_array_equal(values, np.concatenate([array.ravel() for array in params]))
    assert payload["shape"] == {"inputs": 784, "hidden": 6, "classes": 10}


def test_steps_beside_the_page_are_those_of_the_training(tmp_path: Path) -> None:
    folder, _params = recorded(tmp_path)
    section = built(tmp_path)
    steps = load_training_steps(folder / STEPS)
    for given, step in zip(registered(section, "steps"), steps, strict=True):
        levels = np.frombuffer(base64.b64decode(given["text"]), np.uint8).astype(np.float64)
        sizes = [array.size for array in step.values]
        decoded = levels * np.repeat(given["scales"], sizes) + np.repeat(given["offsets"], sizes)
        np.testing.assert_array_equal(
            decoded.astype(np.float32), np.concatenate([array.ravel() for array in step.parameters()])
        )
    assert section.payload is not None
    texts = section.payload["steps"]
    assert [one["label"] for one in texts] == ["initial", "after 0.25 epochs", "after 1 epoch", "final"]
    assert "(391 batches): error not measured" in texts[1]["text"]
    assert "validation error 6.65 %" in texts[2]["text"]  # of the copied history
    assert "test error 3.99 %" in texts[3]["text"]


def test_gallery_has_every_recorded_digit_and_its_counts(tmp_path: Path) -> None:
    folder, _params = recorded(tmp_path)
    section = built(tmp_path)
    record = json.loads((folder / MISTAKES).read_text())
    given = registered(section, "mistakes")
    assert [(one["true"], one["predicted"]) for one in given["digits"]] == [
        (one["true"], one["predicted"]) for one in record["digits"]
    ]
    sprite = base64.b64decode(given["sprite"].partition(",")[2])
    with Image.open(io.BytesIO(sprite)) as picture:
        assert picture.width == 28 * given["columns"]
    text = text_of(section)
    assert f"misclassifies {record['total']} of 40 test images" in text
    for place, count in Counter(one["true"] for one in record["digits"]).items():
        assert f"{place} ({count})" in text


def test_without_a_recorded_network_the_section_names_the_command(tmp_path: Path) -> None:
    section = network.build(collection(tmp_path))
    assert section.payload is None
    assert section.files == {}
    assert TRAIN_COMMAND in text_of(section)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"<<<<<<< HEAD\n", None])
def test_damaged_parameters_are_named_with_the_command(content: bytes | None, tmp_path: Path) -> None:
    folder, _params = recorded(tmp_path)
    path = folder / "parameters.safetensors"
    path.write_bytes(path.read_bytes()[:-8] if content is None else content)
    section = network.build(collection(tmp_path))
    assert section.payload is None
    text = text_of(section)
    assert f"{TRAINING.as_posix()}/parameters.safetensors" in text
    assert TRAIN_COMMAND in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize("name", [STEPS, MISTAKES, SPRITE, "metrics.json", "history.csv"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b"\xff\x00", b"[" * 100_000])
def test_other_parts_may_be_missing_or_damaged(name: str, content: bytes | None, tmp_path: Path) -> None:
    folder, _params = recorded(tmp_path)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    section = built(tmp_path)
    text = text_of(section)
    (note,) = section.values["missing"]
    assert TRAIN_COMMAND in note
    assert TRAINING.as_posix() in note
    assert str(tmp_path) not in text
    assert ("network/steps.js" in section.files) == (name != STEPS)
    assert ("network/mistakes.js" in section.files) == (name not in (MISTAKES, SPRITE))
    json.dumps(section.payload, allow_nan=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("columns", 0),
        ("columns", 7),
        ("total", 0),
        ("total", None),
        ("test_images", 1),
        ("class_names", ["a"]),
        ("image", {"width": 27, "height": 28}),
        ("digits", [{"index": 1, "true": 10, "predicted": 1, "true_probability": 0.1, "predicted_probability": 0.5}]),
        ("digits", [{"index": 1, "true": 1, "predicted": 2, "true_probability": 0.9, "predicted_probability": 0.1}]),
        ("digits", [{}]),
    ],
)
def test_record_that_contradicts_its_network_or_picture_is_refused(field: str, value: Any, tmp_path: Path) -> None:
    folder, _params = recorded(tmp_path)
    record = json.loads((folder / MISTAKES).read_text())
    (folder / MISTAKES).write_text(json.dumps(record | {field: value}))
    section = built(tmp_path)
    (note,) = section.values["missing"]
    assert note.startswith(f"{TRAINING.as_posix()}/{MISTAKES}: damaged (")
    assert "network/mistakes.js" not in section.files


def test_steps_of_another_network_are_refused(tmp_path: Path) -> None:
    folder, _params = recorded(tmp_path)
    save_training_steps(folder / STEPS, [quantised(0, 0, initial_parameters(0, 784, 9))])
    section = built(tmp_path)
    (note,) = section.values["missing"]
    assert "(784, 9)" in note
    assert "network/steps.js" not in section.files


def test_network_with_another_number_of_units_and_classes_is_shown(tmp_path: Path) -> None:
    _folder, params = recorded(tmp_path, hidden=13, classes=4)
    section = built(tmp_path)
    assert section.payload is not None
    assert section.values["missing"] == ()
    assert section.payload["classes"] == ("0", "1", "2", "3")
    text = text_of(section)
    assert f"784 pixels, 13 hidden units, 4 outputs, and {sum(array.size for array in params):,} parameters" in text


def test_network_that_takes_no_images_of_digits_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / TRAINING
    folder.mkdir(parents=True)
    save_parameters(initial_parameters(0, 30, 4, 3), folder / "parameters.safetensors")
    section = network.build(collection(tmp_path))
    assert section.payload is None
    assert "takes 30 inputs" in text_of(section)
    assert TRAIN_COMMAND in text_of(section)


def test_large_weights_are_in_a_file_beside_the_page(tmp_path: Path) -> None:
    folder = tmp_path / TRAINING
    folder.mkdir(parents=True)
    save_parameters(params := initial_parameters(0, hidden=100), folder / "parameters.safetensors")
    section = built(tmp_path)
    assert section.payload is not None
    assert "weights" not in section.payload
    values = np.frombuffer(base64.b64decode(registered(section, section.payload["file"].partition("/")[2])), "<f4")
    np.testing.assert_array_equal(values, np.concatenate([array.ravel() for array in params]))


def test_names_from_results_are_only_text(tmp_path: Path) -> None:
    folder, _params = recorded(tmp_path)
    record = json.loads((folder / MISTAKES).read_text())
    (folder / MISTAKES).write_text(json.dumps(record | {"class_names": [EVIL] * 10}))
    section = built(tmp_path)
    assert EVIL not in html_of(section)
    assert EVIL not in str(section.files["network/mistakes.js"])
    assert EVIL in registered(section, "mistakes")["digits"][0]["text"]


def test_still_picture_shows_each_unit_in_two_colours(tmp_path: Path) -> None:
    _folder, params = recorded(tmp_path)
    section = built(tmp_path)
    source = section.values["picture"].source
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as picture:
        pixels = np.asarray(picture.convert("RGBA")).astype(int)
    for unit in range(6):
        cell = pixels[:28, 30 * unit : 30 * unit + 28]
        weights = params.W1[:, unit].reshape(28, 28)
        strong = np.abs(weights) > 0.2 * np.abs(params.W1).max()
        np.testing.assert_array_equal((cell[..., 0] > cell[..., 2])[strong], (weights > 0)[strong])
        assert np.corrcoef(cell[..., 3].ravel(), np.abs(weights).ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.0 %"), (1, "100.0 %"), (0.99999, "> 99.9 %"), (0.9995, "> 99.9 %"), (1e-9, "< 0.1 %"), (0.9719, "97.2 %")],
)
def test_probability_that_is_not_certain_does_not_look_certain(value: float, text: str) -> None:
    assert probability_text(value) == text
