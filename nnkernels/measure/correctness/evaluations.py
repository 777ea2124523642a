"""The evaluation of parameters by a backend's own evaluation kernel, compared with float64 and with exact results."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from nnkernels import contenders
from nnkernels.contenders import Contender
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset
from nnkernels.evaluation import Evaluator
from nnkernels.jit import JIT_ENABLED
from nnkernels.kernels import Backend
from nnkernels.measure.correctness.extremes import INF, NAN, ROWS, Row, blank_parameters, is_close, padded
from nnkernels.measure.correctness.gate_training import IMAGES, parameters_of_oracle
from nnkernels.measure.correctness.oracle import predict_float64
from nnkernels.parameters import Parameters

# Relative, for the mean loss. Measured on MNIST: 2e-8.
LOSS_TOLERANCE = 1e-6
# Absolute, for losses next to 0, such as log(1 + exp(-20)).
SMALLEST_LOSS = 1e-15
# Rounding may exchange two classes whose probabilities differ by less than this.
TIE = 1e-5
HIDDEN = 20
LARGEST = float(np.finfo(np.float32).max)
# Logits in addition to ``extremes.ROWS``. Only the losses of single images are compared, so these rows need no others.
MORE_LOGITS = {
    "two highest, not the first": [0.0, 3.0, 3.0, 1.0],
    "16 apart": [16.0, 0.0],
    "20 apart": [0.0, 20.0],
}
# Patterns of infinities and NaN. In the first, a class with NaN follows one with +inf.
NAN_LOGITS = ([INF, NAN, NAN], [NAN, INF, -INF], [-INF, -INF, NAN])


def has_evaluation(contender: Contender) -> TypeGuard[KernelContender]:
    """Return whether there is something to check.

    Parameters
    ----------
    contender : Contender
        A contender.

    Returns
    -------
    has : bool
        Whether it is one of this package's own, and its backend has an evaluation kernel, which Numba compiles.
    """
    return JIT_ENABLED and isinstance(contender, KernelContender) and hasattr(contender.backend, "evaluator")


def first_wrong_evaluation(contender: KernelContender, dataset: Dataset) -> str:
    """Return the first evaluation whose loss or number of errors is wrong.

    Parameters that the oracle trained are evaluated on real images. A backend that declares the same bits on any number
    of threads must produce them. Then single images with extreme logits are evaluated for each true class.

    Parameters
    ----------
    contender : KernelContender
        The contender whose backend evaluates.
    dataset : Dataset
        The source of the images.

    Returns
    -------
    wrong : str
        What was evaluated, the result and the expected one; empty if all results are right.
    """
    X, y = dataset.X_train[:IMAGES], dataset.y_train[:IMAGES]
    params = parameters_of_oracle(dataset)
    evaluate = Evaluator(X, y, contender.backend)
    loss, error_rate = evaluate(params)
    probs = predict_float64(params, X / 255.0)
    expected = float(-np.log(probs[np.arange(len(y)), y]).mean())
    if not is_close(loss, expected, rtol=LOSS_TOLERANCE):
        return f"the loss of {len(X)} images is {loss:.9g}, expected {expected:.9g}"
    errors, second_highest_and_highest = round(error_rate * len(X)), np.sort(probs, axis=1)[:, -2:]
    expected_errors = int(np.count_nonzero(probs.argmax(axis=1) != y))
    ties = int(np.count_nonzero(np.diff(second_highest_and_highest) < TIE))
    if abs(errors - expected_errors) > ties:
        return f"{errors} of {len(X)} images are called misclassified, expected {expected_errors}"
    if getattr(contender.backend, "SAME_BITS_ON_ANY_THREADS", False):
        with contenders.thread_limit(contender, 1):
            alone = evaluate(params)
        if alone != (loss, error_rate):
            return f"the loss of {len(X)} images is {loss!r}, but {alone[0]!r} on one thread"
    return _first_wrong_extreme(contender.backend, dataset.X_train.shape[1], dataset.classes)


def _first_wrong_extreme(backend: Backend, inputs: int, classes: int) -> str:
    rows = {case: row.logits for case, row in ROWS.items() if not np.isnan(row.logits).any()} | MORE_LOGITS
    tables = [
        (case, padded(Row(logits, [0.0], []), classes)[0]) for case, logits in rows.items() if len(logits) <= classes
    ]
    tables += [("NaN", [*logits, *[NAN] * (classes - 3)]) for logits in NAN_LOGITS if classes >= 3]
    X = np.zeros((1, inputs), np.uint8)
    X[0, 0] = 255
    for case, logits in tables:
        params = _parameters_with_logits(np.array(logits), inputs)
        for label in range(classes):
            found = Evaluator(X, np.array([label]), backend)(params)
            expected = _expected(np.array(logits), label)
            if not is_close(found, expected, atol=SMALLEST_LOSS):
                return (
                    f"logits {case}, class {label}: loss {found[0]:.7g} and error rate {found[1]:g}, "
                    f"expected {expected[0]:.7g} and {expected[1]:g}"
                )
    return ""


def _parameters_with_logits(logits: npt.NDArray[np.float64], inputs: int) -> Parameters:
    """Return finite parameters with these logits, for an image whose first pixel is white."""
    # Kernels may refuse parameters that are not finite. So infinite logits overflow, and NaN is infinity times 0.
    params = blank_parameters(inputs, HIDDEN, len(logits))
    infinite = np.isinf(logits)
    params.W2[0] = np.where(infinite, np.sign(logits) * LARGEST, 0)
    if np.isnan(logits).any():
        params.W1[0, 0] = LARGEST  # 255 times as much is infinite
    else:
        params.W1[0, 0] = 2
        params.b2[:] = np.where(infinite, 0, logits)
    return params


def _expected(logits: npt.NDArray[np.float64], label: int) -> tuple[float, float]:
    """Return the loss and the error rate of one image. NumPy's argmax is the first NaN, or the first of the highest."""
    predicted = int(np.argmax(logits))
    with np.errstate(invalid="ignore"):
        gaps = logits - logits[predicted]
        loss = np.log1p(np.exp(np.delete(gaps, predicted)).sum()) - gaps[label]
        # The deleted gap is 0, or NaN if the highest logit is infinite or NaN.
        return float(loss + gaps[predicted]), float(predicted != label)
