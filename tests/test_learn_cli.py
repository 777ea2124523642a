"""The learner's commands as they are typed, with real signals."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from nnkernels.data import npz
from nnkernels.kernels import numpy_kernels


class Shell:
    """A folder with a little data, in which commands are run."""

    def __init__(self, folder, dataset):
        self.folder = folder
        npz.write_npz(folder / "digits.npz", dataset)
        self.environment = os.environ | {
            "NNKERNELS_DATA": str(folder / "digits.npz"),
            "NNKERNELS_CACHE": str(folder / "cache"),
            "COLUMNS": "200",
        }

    def start(self, *arguments):
        command = [sys.executable, "-m", "nnkernels.cli", *arguments]
        environment = self.environment | {"PYTHONPATH": str(Path(__file__).parents[1])}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.folder, env=environment, text=True, **pipes)

    def run(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture(scope="module")
def shell(tmp_path_factory, small_digits):
    return Shell(tmp_path_factory.mktemp("learner"), small_digits)


# Long enough to be caught in the middle: some hundred epochs a second at most.
LONG = ("train", "--recipe", "momentum", "--backend", "numpy", "--batch-size", "8", "--epochs", "60")


def epochs_in(folder):
    from nnkernels.checkpoints import load_checkpoint
    from nnkernels.errors import DataError

    try:
        return load_checkpoint(folder / "checkpoint.safetensors").history.epochs_done
    except DataError:
        return 0


def wait_for_epoch(folder, epoch, process):
    for _ in range(1200):
        if epochs_in(folder) >= epoch:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("no epoch ended in a minute")


@pytest.fixture(scope="module")
def uninterrupted(shell):
    answer = shell.run(*LONG, "--out", "whole")
    assert answer.returncode == 0, answer.stderr
    assert "test" in answer.stdout
    return load_file(shell.folder / "whole" / "parameters.safetensors")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_a_stopped_training_goes_on_bit_for_bit(how, shell, uninterrupted):
    folder = shell.folder / how.name
    process = shell.start(*LONG, "--out", how.name)
    wait_for_epoch(folder, 2, process)
    process.send_signal(how)
    _out, err = process.communicate(timeout=60)
    assert 2 <= epochs_in(folder) < 60
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert f"nnkernels train --resume --out {how.name}" in err
        assert (folder / "curves.png").is_file()
        assert json.loads((folder / "metrics.json").read_text())["finished"] is False
    answer = shell.run("train", "--resume", "--out", how.name)
    assert answer.returncode == 0, answer.stderr
    resumed = load_file(folder / "parameters.safetensors")
    for name, expected in uninterrupted.items():
        np.testing.assert_array_equal(resumed[name], expected)


def test_predict_reads_a_picture_and_refuses_what_is_none(shell, uninterrupted, small_digits):
    image = pytest.importorskip("PIL.Image")
    W1, b1, W2, b2 = (uninterrupted[name].astype(float) for name in ("W1", "b1", "W2", "b2"))
    said = (np.maximum(small_digits.X_test / 255 @ W1 + b1, 0) @ W2 + b2).argmax(axis=1)
    chosen = int(np.flatnonzero(said == small_digits.y_test)[0])
    pixels = small_digits.X_test[chosen].reshape(28, 28)
    image.fromarray(255 - pixels).resize((280, 280)).save(shell.folder / "digit.png")
    weights = ("--weights", "whole/parameters.safetensors")
    answer = shell.run("predict", "digit.png", *weights, "--out", "seen")
    assert answer.returncode == 0, answer.stderr
    assert re.search(rf"digit\.png\s+{small_digits.y_test[chosen]}\s", answer.stdout)
    assert (shell.folder / "seen" / "01-digit.png").is_file()
    (shell.folder / "words.png").write_text("seven")
    answer = shell.run("predict", "words.png", *weights)
    assert answer.returncode == 1
    assert re.fullmatch(r"error: words\.png is no image.*\n", answer.stderr)


def test_gradcheck_judges_a_file(shell):
    source = Path(numpy_kernels.__file__).read_text("utf-8")
    assert shell.run("gradcheck").returncode == 0
    (shell.folder / "mine.py").write_text(source.replace("dlogits /= max(N, 1)", "pass"))
    answer = shell.run("gradcheck", "--kernels", "mine.py")
    assert answer.returncode == 1
    assert "missing 1/N" in answer.stdout


def test_compare_writes_numbers_and_pictures(shell):
    answer = shell.run(
        "compare", "--contenders", "numpy,numba", "--recipe", "sgd", "--epochs", "2", "--out", "compared"
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads((shell.folder / "compared" / "comparison.json").read_text())
    assert [row["contender"] for row in found["contenders"]] == ["numpy", "numba"]
    assert 0 < found["drift"]["numpy and numba"]["maximum"][-1] < 1e-3
    assert {path.stem for path in (shell.folder / "compared").glob("*.png")} == {"curves", "drift", "disagreements"}


def test_help_has_three_groups_in_order(shell):
    text = shell.run("--help").stdout
    places = [text.index(f" {group} ") for group in ("Learn", "Measure", "Publish")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--recipe", "magic"), "unknown recipe 'magic'; known are: gradient-descent, sgd, momentum, adam"),
        (("train", "--resume"), "--resume takes --out DIR"),
        (("train", "--kernels", "gone.py"), "gone.py is no Python file"),
        (("compare", "--contenders", "numpy"), "two contenders or more"),
        (("compare", "--claim", "--epochs", "3"), "--claim has recipes"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments, message, shell):
    answer = shell.run(*arguments)
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert message in answer.stderr
