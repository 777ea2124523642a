"""Valid checkpoints and records of results, and their readers. Records are read as the reports read them."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import numpy as np

from tests.fuzz.data_files import digits, picture
from tests.fuzz.readers import Files, Reader
from tests.fuzz.weight_files import made

ROOT = Path(__file__).parents[2]


def _checkpoint() -> Files:
    from nnkernels import contenders, recipes, training
    from nnkernels.checkpoints import Checkpoint, save_checkpoint

    contender = contenders.create("numpy")
    recipe = recipes.named_recipe("adam", 60).with_changes(epochs=1, hidden=3)
    history = training.train(contender, digits().training, recipe, seed=0)
    saved = Checkpoint(contender.parameters(), contender.optimizer_state(), history, {"kernels": "numpy"})
    return made(lambda folder: save_checkpoint(folder / "checkpoint.safetensors", saved))


def _read_checkpoint(path: Path) -> object:
    from nnkernels.checkpoints import load_checkpoint

    return load_checkpoint(path)


def _run() -> Files:
    from nnkernels.measure.records.run import write_run
    from tests import synthetic

    run = synthetic.run()
    steps = [synthetic.interleaved_run("1", 1.0)]
    return made(lambda folder: write_run(folder, run.record, run.interleaved, run.asv_results, steps))


def _read_run(path: Path) -> object:
    """Read a run as the reports do: a damaged number must be noticed here at the latest."""
    from nnkernels.measure.records.run import read_steps
    from nnkernels.report.runs import load_run
    from nnkernels.report.summary import summarise
    from nnkernels.report.tidy import tidy

    run = load_run(path)
    return summarise(run), tidy(run), read_steps(path)


def _published() -> Files:
    return {"published.json": json.dumps({"version": 2, "runs": ["20260101T000000Z-0123abcd"]}).encode()}


def _read_published(path: Path) -> object:
    from nnkernels.report.runs import published_ids

    return published_ids(path)


def _check() -> Files:
    from nnkernels.measure.regression.record import write_record
    from tests.made_up_checks import TWO, pairs_of, record_of

    records = {
        "a": record_of(TWO, pairs_of(TWO, 1.1, count=4)),
        "b": record_of(TWO, pairs_of(TWO, 1.0, count=4), neighbour=True),
    }

    def write(folder: Path) -> None:
        for name, record in records.items():
            write_record(folder / f"{name}.json", record)

    return made(write)


def _read_check(path: Path) -> object:
    from nnkernels.measure.regression.selftest import load_records
    from nnkernels.report.selftest import selftest_markdown

    return selftest_markdown(load_records(path))


def _mutants() -> Files:
    content = json.loads((ROOT / "results" / "selftest" / "mutants.json").read_text("utf-8"))
    content["mutants"] = content["mutants"][:6]
    return {"mutants.json": json.dumps(content).encode()}


def _read_mutants(path: Path) -> object:
    from nnkernels.measure.mutants.record import read_score
    from nnkernels.report.mutants import block

    return block(read_score(path))


def _learning() -> Files:
    names = ("train/metrics.json", "train/history.csv", "claim/claim.json")
    return {f"results/figures/{name}": (ROOT / "results" / "figures" / name).read_bytes() for name in names}


def _read_learning(root: Path) -> object:
    from nnkernels.report.dashboard.learning import read_claim, read_training

    return read_training(root), read_claim(root)


def _training_steps() -> Files:
    from nnkernels.interchange.training_steps import quantised, save_training_steps
    from nnkernels.parameters import initial_parameters

    network = initial_parameters(0, inputs=8, hidden=3, classes=4)
    steps = [quantised(epochs, round(4 * epochs), network) for epochs in (0, 0.25, 1)]
    return made(lambda folder: save_training_steps(folder / "training_steps.safetensors", steps))


def _read_training_steps(path: Path) -> object:
    from nnkernels.interchange.training_steps import load_training_steps

    return load_training_steps(path)


def _mistakes() -> Files:
    digits = [
        {"index": 3 + n, "true": n, "predicted": n + 1, "true_probability": 0.1, "predicted_probability": 0.8}
        for n in range(3)
    ]
    content = {
        "version": 1, "test_images": 20, "total": 3, "columns": 2, "image": {"width": 28, "height": 28},
        "class_names": [str(digit) for digit in range(10)], "digits": digits,
    }  # fmt: skip
    sprite = picture(np.zeros((56, 56), np.uint8), "png", side=56)
    return {"mistakes.json": json.dumps(content).encode(), "mistakes_digits.png": sprite}


def _read_mistakes(folder: Path) -> object:
    from nnkernels.parameters import initial_parameters
    from nnkernels.report.dashboard.mistakes import read_mistakes

    found = read_mistakes(folder, initial_parameters(0))
    return found.sprite_uri, found.most_frequent()


def _sweep() -> Files:
    from nnkernels.sweep.results import LOG, TRAININGS
    from tests.test_sweep import ROW

    keys = ("0" * 32, "1" * 32, "2" * 32)
    texts = [json.dumps(ROW | {"key": key, "seed": seed}) for seed, key in enumerate(keys)]
    return {LOG: f"{texts[0]}\n{texts[1]}\n".encode(), f"{TRAININGS}/{keys[2]}.json": texts[2].encode()}


def _read_sweep(folder: Path) -> object:
    from nnkernels.sweep.ranking import ranking
    from nnkernels.sweep.results import SweepFolder

    return ranking(SweepFolder(folder).rows.values())


def _accuracy() -> Files:
    from nnkernels.accuracy.record import FOLDER
    from tests.test_accuracy import record, write_recorded

    found = made(write_recorded)
    pins = {"version": 2, "accuracy": record().run_id}
    files = {name: content for name, content in found.items() if name.startswith(FOLDER.as_posix())}
    return files | {"results/published.json": json.dumps(pins).encode()}


def _read_accuracy(root: Path) -> object:
    from nnkernels.report.accuracy import section
    from nnkernels.report.accuracy_runs import published_accuracy

    return section(published_accuracy(root))


def _errors() -> Files:
    from nnkernels.accuracy.errors import FOLDER as ERRORS
    from nnkernels.accuracy.record import FOLDER
    from nnkernels.data import Dataset, load_mnist
    from nnkernels.interchange import Network, Preprocessing
    from nnkernels.learn import errors_report
    from nnkernels.parameters import initial_parameters
    from tests.test_accuracy import record

    networks = {f"{seed}.npz": Network(initial_parameters(seed), Preprocessing()) for seed in range(3)}
    digits = load_mnist("mnist-5k")
    few = Dataset(digits.X_train[:60], digits.y_train[:60], digits.X_test[:30], digits.y_test[:30])
    with mock.patch.object(errors_report, "save_figures"):
        found = made(lambda folder: errors_report.write_report(networks, few, "test", folder))
    return _accuracy() | {f"{FOLDER.as_posix()}/{record().run_id}/{ERRORS}/{name}": found[name] for name in found}


def _read_errors(root: Path) -> object:
    from nnkernels.report.dashboard.digit_strip import digit_strip
    from nnkernels.report.dashboard.recorded_errors import read_errors

    found = read_errors(root)
    return digit_strip(found.sprite, found.columns, 3) if found.digits else ""


def _history() -> Files:
    names = ("machine/machine.json", "machine/result.json")
    contents = ({"machine": "machine"}, {"commit_hash": "0" * 40, "results": {}})
    return {f"results/asv/{name}": json.dumps(content).encode() for name, content in zip(names, contents, strict=True)}


def _read_history(root: Path) -> object:
    from nnkernels.report.asv_pages import _notes_on_missing_commits

    return _notes_on_missing_commits(root, root / "results" / "asv")


def record_readers() -> list[Reader]:
    """Return the readers of checkpoints and records."""
    versioned = "measure.records.versioned"
    return [
        Reader("checkpoint", ("checkpoints",), _read_checkpoint, _checkpoint, "checkpoint.safetensors"),
        Reader("run", ("measure.records.run", versioned), _read_run, _run),
        Reader("published runs", ("report.runs",), _read_published, _published),
        Reader("checks", ("measure.regression.record", versioned), _read_check, _check),
        Reader("mutants", ("measure.mutants.record", versioned), _read_mutants, _mutants, "mutants.json"),
        Reader("training and claim", ("report.dashboard.learning",), _read_learning, _learning),
        Reader(
            "training steps",
            ("interchange.training_steps",),
            _read_training_steps,
            _training_steps,
            "training_steps.safetensors",
        ),
        Reader("mistakes", ("report.dashboard.mistakes",), _read_mistakes, _mistakes),
        Reader("sweep", ("sweep.results",), _read_sweep, _sweep),
        Reader("accuracy run", ("accuracy.record", "report.runs"), _read_accuracy, _accuracy),
        Reader(
            "errors of an accuracy run",
            ("report.dashboard.recorded_errors", "transforms.image_files"),
            _read_errors,
            _errors,
        ),
        Reader("asv's history", ("report.asv_pages",), _read_history, _history),
    ]
