"""The learning commands, run as from the command line, with real signals."""

import csv
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from threadpoolctl import threadpool_limits

from nnkernels import cli
from nnkernels.cli import shared
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import npz
from nnkernels.interchange import load_parameters
from nnkernels.kernels import numpy_kernels
from nnkernels.parameters import max_abs_difference
from nnkernels.recipes import named_recipe
from nnkernels.training import train


class Shell:
    """Runs commands in a folder with a small data set."""

    def __init__(self, folder, dataset):
        self.folder = folder
        npz.write_npz(folder / "digits.npz", dataset)
        self.environment = os.environ | {
            "NNKERNELS_DATA": str(folder / "digits.npz"),
            "NNKERNELS_CACHE": str(folder / "cache"),
            "COLUMNS": "200",
            "OPENBLAS_NUM_THREADS": "1",  # the products are so small that more threads would only spin
        }

    def run_here(self, *arguments):
        """Run a command in this process, without drawing its figures, which have their own tests."""
        with pytest.MonkeyPatch.context() as patch, threadpool_limits(1, "blas"):
            patch.chdir(self.folder)
            for name in ("NNKERNELS_DATA", "NNKERNELS_CACHE", "COLUMNS"):
                patch.setenv(name, self.environment[name])
            patch.setattr("nnkernels.learn.training_report._draw", lambda *_arguments: None)
            for console in (shared.out, shared.err):  # their width was set when they were imported
                patch.setattr(console, "_width", 200)
            patch.setattr(sys, "argv", ["nnkernels", *arguments])
            patch.setattr(warnings, "showwarning", warnings.showwarning)  # `main` sets it; this restores it
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
                cli.main()
        return subprocess.CompletedProcess(arguments, ended.value.code or 0, out.getvalue(), err.getvalue())

    def start(self, *arguments):
        """Start a command in a new process."""
        command = [sys.executable, "-m", "nnkernels.cli", *arguments]
        environment = self.environment | {"PYTHONPATH": str(Path(__file__).parents[1])}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.folder, env=environment, text=True, **pipes)


@pytest.fixture(scope="module")
def shell(tmp_path_factory, small_digits):
    return Shell(tmp_path_factory.mktemp("learner"), small_digits)


# Slow enough to be interrupted: an epoch takes at least a twentieth of a second.
EPOCHS = 20
LONG = ("train", "--recipe", "momentum", "--backend", "numpy", "--batch-size", "8", "--epochs", str(EPOCHS))


def epochs_in(folder):
    from nnkernels.checkpoints import load_checkpoint
    from nnkernels.errors import DataError

    try:
        return load_checkpoint(folder / "checkpoint.safetensors").history.epochs_done
    except DataError:
        return 0


def wait_for_epoch(folder, epoch, process):
    for _ in range(300):
        if epochs_in(folder) >= epoch:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    pytest.fail("no epoch ended in a minute")


def history_in(folder):
    """Return the rows of the history file as text, without the columns of seconds."""
    with open(folder / "history.csv") as file:
        return [{name: text for name, text in row.items() if "seconds" not in name} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def uninterrupted(shell):
    answer = shell.run_here(*LONG, "--out", "whole")
    assert answer.returncode == 0, answer.stderr
    metrics = json.loads((shell.folder / "whole" / "metrics.json").read_text())
    for part in ("train", "validation", "test"):  # the printed numbers must equal those in the file
        percent, loss = 100 * metrics[part]["accuracy"], metrics[part]["loss"]
        assert re.search(rf"{part}\s+{percent:.2f} %\s+{loss:.4f}", answer.stdout)
    assert answer.stdout.endswith("whole\n")
    # If stderr is a pipe, each tenth of the epochs is reported in one line, without control codes.
    assert re.findall(r"^epoch (\d+) of 20  momentum  loss", answer.stderr, re.M) == [str(n) for n in range(2, 21, 2)]
    assert "\x1b" not in answer.stderr
    assert [row["epoch"] for row in history_in(shell.folder / "whole")] == [str(n) for n in range(1, EPOCHS + 1)]
    return load_file(shell.folder / "whole" / "parameters.safetensors")


@pytest.mark.skipif(sys.platform == "win32", reason="requires POSIX signals")
@pytest.mark.parametrize(
    "signal_sent",
    [pytest.param(signal.SIGKILL, id="kill", marks=pytest.mark.slow), pytest.param(signal.SIGINT, id="ctrl-c")],
)
def test_resumed_training_equals_uninterrupted_training(signal_sent, shell, uninterrupted):
    folder = shell.folder / signal_sent.name
    process = shell.start(*LONG, "--out", signal_sent.name)
    wait_for_epoch(folder, 2, process)
    process.send_signal(signal_sent)
    _out, err = process.communicate(timeout=60)
    assert 2 <= epochs_in(folder) < EPOCHS
    if signal_sent == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        assert not (folder / "metrics.json").exists()
    else:
        assert process.returncode == 130
        assert f"nnkernels train --resume --out {signal_sent.name}" in err
        assert (folder / "curves.png").is_file()
        assert json.loads((folder / "metrics.json").read_text())["finished"] is False
    answer = shell.run_here("train", "--resume", "--out", signal_sent.name)
    assert answer.returncode == 0, answer.stderr
    resumed = load_file(folder / "parameters.safetensors")
    for name, expected in uninterrupted.items():
        np.testing.assert_array_equal(resumed[name], expected)
    assert history_in(folder) == history_in(shell.folder / "whole")
    for name in ("training_steps.safetensors", "mistakes.json", "mistakes_digits.png"):
        assert (folder / name).read_bytes() == (shell.folder / "whole" / name).read_bytes()
    assert json.loads((folder / "metrics.json").read_text())["finished"] is True


def test_predict_reads_image_and_rejects_other_file(shell, uninterrupted, small_digits):
    image = pytest.importorskip("PIL.Image")
    W1, b1, W2, b2 = (uninterrupted[name].astype(float) for name in ("W1", "b1", "W2", "b2"))
    predicted = (np.maximum(small_digits.X_test / 255 @ W1 + b1, 0) @ W2 + b2).argmax(axis=1)
    chosen = int(np.flatnonzero(predicted == small_digits.y_test)[0])
    pixels = small_digits.X_test[chosen].reshape(28, 28)
    image.fromarray(255 - pixels).resize((280, 280)).save(shell.folder / "digit.png")
    weights = ("--weights", "whole/parameters.safetensors")
    answer = shell.run_here("predict", "digit.png", *weights, "--out", "seen")
    assert answer.returncode == 0, answer.stderr
    assert re.search(rf"digit\.png\s+{small_digits.y_test[chosen]}\s", answer.stdout)
    assert (shell.folder / "seen" / "01-digit.png").is_file()
    (shell.folder / "words.png").write_text("seven")
    answer = shell.run_here("predict", "words.png", *weights)
    assert answer.returncode == 1
    assert re.fullmatch(r"error: words\.png is not a readable image.*\n", answer.stderr)
    # Those that can be read are answered all the same.
    answer = shell.run_here("predict", "words.png", "digit.png", *weights)
    assert answer.returncode == 1
    assert re.search(rf"digit\.png\s+{small_digits.y_test[chosen]}\s", answer.stdout)
    assert re.fullmatch(r"error: words\.png is not a readable image.*\n", answer.stderr)
    # A folder, and a pipe.
    (shell.folder / "several").mkdir()
    for name in ("b.PNG", "a.png", "notes.txt", ".hidden.png"):
        (shell.folder / "several" / name).write_bytes((shell.folder / "digit.png").read_bytes())
    answer = shell.run_here("predict", "several", *weights)
    assert answer.returncode == 0, answer.stderr
    assert re.findall(r"\S+\.(?:png|PNG|txt)", answer.stdout) == ["a.png", "b.PNG"]
    with pytest.MonkeyPatch.context() as patch, (shell.folder / "digit.png").open("rb") as piped:
        patch.setattr(sys, "stdin", io.TextIOWrapper(piped))
        answer = shell.run_here("predict", "-", *weights, "--out", "piped")
    assert answer.returncode == 0, answer.stderr
    assert re.search(rf"standard input\s+{small_digits.y_test[chosen]}\s", answer.stdout)
    assert (shell.folder / "piped" / "01-standard-input.png").is_file()
    (shell.folder / "none").mkdir()
    answer = shell.run_here("predict", "none", *weights)
    assert re.fullmatch(r"error: none contains no picture; .*\n", answer.stderr)


def test_gradcheck_checks_kernels_file(shell):
    source = Path(numpy_kernels.__file__).read_text("utf-8")
    assert shell.run_here("gradcheck").returncode == 0
    (shell.folder / "mine.py").write_text(source.replace("dlogits /= max(N, 1)", "pass"))
    answer = shell.run_here("gradcheck", "--kernels", "mine.py")
    assert answer.returncode == 1
    assert "missing 1/N" in answer.stdout


def test_compare_writes_numbers_and_figures(shell, small_digits):
    answer = shell.run_here(
        "compare", "--contenders", "numpy,numba", "--recipe", "sgd", "--epochs", "2", "--seed", "6", "--out", "compared"
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads((shell.folder / "compared" / "comparison.json").read_text())
    summary = f"{found['different_answers']} of {len(small_digits.X_test)} test images are classified differently"
    assert summary in " ".join(answer.stdout.split())
    assert [row["contender"] for row in found["contenders"]] == ["numpy", "numba"]
    with open(shell.folder / "compared" / "histories.csv") as file:
        last = {row["contender"]: row for row in csv.DictReader(file) if row["epoch"] == "2"}
    for row in found["contenders"]:
        assert row["train_error_rate"] == float(last[row["contender"]]["train_error_rate"])
        assert row["seconds"] == pytest.approx(float(last[row["contender"]]["elapsed_seconds"]))
    # Repeat the training in this process. The drift is caused by rounding, so only its order of magnitude is the same.
    training_images = small_digits.validation_split().training
    recipe = named_recipe("sgd", len(training_images.X)).with_changes(epochs=2)
    final_parameters = []
    for name in ("numpy", "numba"):
        contender = KernelContender(name)
        train(contender, training_images, recipe, seed=6, evaluate_every=0)
        final_parameters.append(contender.parameters())
    drift = found["drift"]["numpy and numba"]["maximum"]
    assert len(drift) == 2
    difference = max_abs_difference(*final_parameters)
    assert difference / 10 < drift[-1] < 10 * difference
    assert {path.stem for path in (shell.folder / "compared").glob("*.png")} == {"curves", "drift", "disagreements"}


def test_help_lists_commands_in_three_groups(shell):
    text = shell.run_here("--help").stdout
    headings = ("Learn", "train", "predict", "compare", "gradcheck", "Measure", "verify", "bench", "Publish", "publish")
    places = [re.search(rf"^\W+{heading}\W", text, re.M).start() for heading in headings]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--recipe", "magic"), "unknown recipe 'magic'; expected one of: gradient-descent, sgd"),
        (("train", "--resume"), "--resume needs --out DIR"),
        (("train", "--seed", "-1"), "seed is -1"),
        (("train", "--out", "digits.npz"), "cannot create the folder digits.npz"),
        (("train", "--kernels", "gone.py"), "gone.py is not a file; expected a Python file"),
        (("compare", "--contenders", "numpy"), "two contenders or more"),
        (("compare", "--claim", "--epochs", "3"), "--claim uses fixed recipes"),
    ],
)
def test_invalid_command_is_reported_in_one_line(arguments, message, shell):
    answer = shell.run_here(*arguments)
    assert answer.returncode == 1
    (line,) = (line for line in answer.stderr.splitlines() if not line.startswith("note: data set"))
    assert message in line


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, "error: .*No space left on device; free some space.*"),
        (errno.EROFS, "error: .*Read-only file system; choose a place.*"),
    ],
)
def test_full_or_read_only_disk_is_one_line_and_leaves_nothing_half_written(shell, monkeypatch, code, says):
    def refused(temporary, path):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr("nnkernels.files.os.replace", refused)
    answer = shell.run_here("train", "--epochs", "1", "--out", f"refused-{code}", "--backend", "numpy")
    assert answer.returncode == 1
    assert re.fullmatch(says + r"\n", answer.stderr.splitlines(keepends=True)[-1])
    assert "Traceback" not in answer.stderr
    assert list((shell.folder / f"refused-{code}").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_network_is_not_lost_if_nothing_can_be_printed(shell):
    command = [
        sys.executable,
        "-m",
        "nnkernels.cli",
        "train",
        "--epochs",
        "1",
        "--out",
        "unprinted",
        "--backend",
        "numpy",
    ]
    with open("/dev/full", "w") as full:
        child = subprocess.run(
            command,
            cwd=shell.folder,
            env=shell.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert child.returncode == 1
    assert "No space left on device" in child.stderr
    assert "Traceback" not in child.stderr
    assert load_parameters(shell.folder / "unprinted" / "parameters.safetensors").W1.shape == (784, 20)


def test_name_that_the_terminal_cannot_encode_is_shown_with_escapes(shell, uninterrupted, small_digits):
    image = pytest.importorskip("PIL.Image")
    name = "ünï\udcff.png"  # the last letter stands for a byte that is not UTF-8
    image.fromarray(small_digits.X_test[0].reshape(28, 28)).save(shell.folder / name)
    child = subprocess.run(
        [
            sys.executable,
            "-m",
            "nnkernels.cli",
            "predict",
            os.fsencode(name),
            "--weights",
            "whole/parameters.safetensors",
        ],
        cwd=shell.folder,
        env=shell.environment | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert rb"\xfcn\xef\udcff.png" in child.stdout
