"""The gate's check of an evaluation kernel: a sound one passes, and one with a mistake is described."""

import re
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from scipy.special import logsumexp

from nnkernels import contenders, kernels
from nnkernels.contenders.ours import KernelContender
from nnkernels.kernels.contract import FUNCTIONS
from nnkernels.measure.correctness import verification
from nnkernels.measure.correctness.evaluations import first_wrong_evaluation, has_evaluation

LARGEST = np.finfo(np.float32).max


def sound(losses, predicted, _logits):
    return losses, predicted


def evaluates(change=sound, **attributes):
    """Return a contender whose backend is the reference with an evaluation in float64.

    ``change(losses, predicted, logits)`` returns other losses and predictions.
    """

    def evaluator(images, y, scale):
        def evaluate(params):
            with np.errstate(all="ignore"):
                logits = logits_as_in_float32(params, images * np.float64(scale))
                losses, predicted = change(precise_losses(logits, y), logits.argmax(axis=1), logits)
            return float(np.mean(losses)), int(np.count_nonzero(predicted != y))

        return evaluate

    reference = kernels.load("numpy")
    functions = {name: getattr(reference, name) for name in FUNCTIONS}
    return KernelContender(SimpleNamespace(**functions, evaluator=evaluator, **attributes))


def logits_as_in_float32(params, X):
    """Compute logits in float64, with infinity for what float32 cannot store. The number of threads has no effect."""
    W1, b1, W2, b2 = (array.astype(np.float64) for array in params)
    hidden = np.maximum(np.einsum("nd,dh->nh", X, W1) + b1, 0)
    hidden[hidden * 255 > LARGEST] = np.inf  # the kernels add pixels before they scale them
    logits = np.einsum("nh,hc->nc", hidden, W2) + b2
    return np.where(np.abs(logits) > LARGEST, np.copysign(np.inf, logits), logits)


def precise_losses(logits, y):
    """Return cross-entropies without cancellation: log(1 + the sum of the others / the true class's own term)."""
    own = logits[np.arange(len(y)), y]
    others = logits.copy()
    others[np.arange(len(y)), y] = -np.inf
    losses = np.logaddexp(logsumexp(others, axis=1) - own, 0)
    losses[np.isneginf(own)] = np.inf
    return np.where(np.isfinite(logits.max(axis=1)), losses, np.nan)


def last_of_equals(losses, predicted, logits):
    return losses, np.where(np.isnan(losses), predicted, logits.shape[1] - 1 - logits[:, ::-1].argmax(axis=1))


def never_nan(losses, _predicted, logits):
    return losses, np.nan_to_num(logits, nan=-np.inf).argmax(axis=1)


MISTAKES = {
    "image left out": (lambda losses, p, _z: (losses[: max(1, len(losses) - 1)], p), "the loss of 2049 images"),
    "images called wrong": (lambda losses, p, _z: (losses, np.where(np.arange(len(p)) > 2000, -1, p)), "are called"),
    "last of equals predicted": (last_of_equals, "logits all equal, "),
    "NaN never predicted": (never_nan, "logits NaN, "),
    "losses finite": (lambda losses, p, _z: (np.nan_to_num(losses, posinf=1e4), p), r"logits \S*inf"),
    "small losses lost": (lambda losses, p, _z: (np.where(losses < 1e-8, 0, losses), p), "logits 20 apart, "),
    "threads": (lambda losses, p, _z: (losses + 1e-9 * numba.get_num_threads(), p), "on one thread"),
}


def test_sound_evaluation_passes(small_digits):
    contender = evaluates(SAME_BITS_ON_ANY_THREADS=True)
    assert has_evaluation(contender)
    assert not has_evaluation(KernelContender("numpy"))
    with contenders.thread_limit(contender, 2):
        assert first_wrong_evaluation(contender, small_digits) == ""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_wrong_evaluation_is_described(mistake, small_digits):
    change, message = MISTAKES[mistake]
    contender = evaluates(change, SAME_BITS_ON_ANY_THREADS=True)
    with contenders.thread_limit(contender, 2):
        assert re.search(message, first_wrong_evaluation(contender, small_digits))


def test_wrong_evaluation_fails_verification(small_digits, monkeypatch):
    change, message = MISTAKES["last of equals predicted"]
    entries = {"judge": contenders.Entry(lambda: evaluates(change), "evaluates wrongly")}
    monkeypatch.setattr(contenders, "_entries", lambda: entries)
    (result,) = verification.verify("judge", small_digits)
    assert result.max_abs_difference <= result.tolerance
    assert message in result.evaluation
    assert not result.passed
