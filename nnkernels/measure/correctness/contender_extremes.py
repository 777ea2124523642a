"""The extreme-input table applied to a contender's training and to its predictions of one and of several images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nnkernels.contenders import Contender
from nnkernels.data import LabelledImages
from nnkernels.measure.correctness.extremes import (
    FINITE,
    NOT_FINITE,
    blank_parameters,
    is_close,
    one_pixel_images,
    one_row_per_unit,
    padded,
    worst,
)
from nnkernels.measure.correctness.oracle import predict_float64, train_float64
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Recipe

LARGEST = float(np.finfo(np.float32).max)
# Large enough for a step to be visible in weights of 1e4, which float32 resolves to about 1e-3.
LARGE_RATE = 8192.0
SEED = 5
MANY = 131  # images in one call; with fewer than 64, our kernels do not convert the weights to fixed point
# Of probabilities between 0 and 1. Measured with `fused` on every path: 1.2e-7.
PREDICTION_TOLERANCE = 3e-6
# Kernels that read pixels in vectors or in blocks have incomplete ones at the end of each row and of such an image.
ODD_SIDE = 27


def first_wrong_answer(contender: Contender, recipe: Recipe, inputs: int, classes: int) -> str:
    """Return the first extreme input for which a contender's result is wrong.

    The contender is prepared again for each input, with the recipe's optimizer and a network of these sizes, so the
    code that is checked is the code that is timed. All inputs together take about 25 milliseconds.

    Parameters
    ----------
    contender : Contender
        The contender to check. Its previous state is lost.
    recipe : Recipe
        Its optimizer and hidden width are used.
    inputs : int
        Number of inputs, D.
    classes : int
        Number of classes, C.

    Returns
    -------
    answer : str
        The input, the contender's value and the expected one; empty if all results are right.
    """
    checks = _Checks(contender, recipe, inputs, classes)
    with np.errstate(all="ignore"):
        return next(checks.wrong_answers(), "")


class _Checks:
    """The checks of one contender. Each method yields a message for every wrong result."""

    def __init__(self, contender: Contender, recipe: Recipe, inputs: int, classes: int) -> None:
        self.contender, self.recipe = contender, recipe
        self.inputs, self.classes = inputs, classes
        self.sizes = inputs, recipe.hidden, classes

    def wrong_answers(self) -> Iterator[str]:
        yield from self.finite_logits()
        yield from self.nonfinite_logits()
        yield from self.overflowing_logits()
        yield from self.overflowing_intermediate_sum()
        yield from self.overflowing_partial_sums_of_a_logit()
        yield from self.subnormal_weights()
        yield from self.weights_of_different_magnitudes()
        yield from self.blank_images()
        yield from self.decay_before_the_step()
        yield from self.no_images()
        yield from self.changing_learning_rates("changing learning rates", self.inputs)
        yield from self.changing_learning_rates(f"{ODD_SIDE} x {ODD_SIDE} pixels", ODD_SIDE**2)

    def prepare(self, params: Parameters, X: npt.NDArray[np.uint8], y: npt.NDArray[np.int64], batch: int) -> None:
        self.contender.prepare(params, LabelledImages(X, y), self.recipe.with_changes(batch_size=batch))

    def train(self, params: Parameters, X: npt.NDArray[np.uint8], y: npt.NDArray[np.int64], rate: float) -> Parameters:
        """Train one step on a single batch of all images, and return the parameters."""
        self.prepare(params, X, y, len(X))
        self.contender.advance(np.arange(len(X)), np.full(1, rate, np.float32))
        return self.contender.parameters()

    def predictions(
        self, case: str, X: npt.NDArray[np.uint8], expected: npt.NDArray[np.float64], atol: float = 0.0
    ) -> Iterator[str]:
        """Check the predictions of all images in one call, each once and repeatedly, and of each in a separate call."""
        together = np.asarray(self.contender.predict(X))
        alone = np.concatenate([np.asarray(self.contender.predict(X[n : n + 1])) for n in range(len(X))])
        repeated = np.resize(np.arange(len(X)), MANY)
        among_many = np.asarray(self.contender.predict(X[repeated]))
        for found, right, how in (
            (together, expected, "together"),
            (alone, expected, "alone"),
            (among_many, expected[repeated], "among many"),
        ):
            if not is_close(found, right, atol=atol):
                yield f"{case}: a probability of images predicted {how} is {worst(found, right)}"

    def finite_logits(self) -> Iterator[str]:
        """Check images with different logits, which exposes a maximum over another row or over the whole batch."""
        cases = list(FINITE.values())[: min(self.recipe.hidden, self.inputs)]
        rows, probs = zip(*(padded(row, self.classes) for row in cases if len(row.logits) <= self.classes), strict=True)
        params = one_row_per_unit(list(rows), self.inputs, self.recipe.hidden)
        X = one_pixel_images(len(rows), self.inputs)
        y = np.arange(len(X)) % min(2, self.classes)
        blank = np.full((1, self.classes), 1 / self.classes)
        self.prepare(params, X, y, len(X))
        yield from self.predictions("logits up to 1e4", X, np.concatenate([probs, blank]))
        found = self.train(params, X, y, LARGE_RATE)
        expected_params = self.expected(params, X, y, LARGE_RATE)
        # The hidden layer's gradients are differences of large numbers, so rounding can change their sign. Adam's
        # first step depends on little else.
        judged = ("W2", "b2") if self.recipe.optimizer.name == "adam" else found._fields
        for name in judged:
            expected = getattr(expected_params, name)
            if not is_close(getattr(found, name), expected, rtol=0, atol=4e-6 * float(np.max(np.abs(expected)))):
                yield f"logits up to 1e4: after one step, {name} has {worst(getattr(found, name), expected)}"

    def nonfinite_logits(self) -> Iterator[str]:
        X, y = np.zeros((9, self.inputs), np.uint8), np.zeros(9, np.int64)
        for case, row in NOT_FINITE.items():
            if len(row.logits) > self.classes:
                continue
            logits, probs = padded(row, self.classes)
            params = blank_parameters(*self.sizes)._replace(b2=np.array(logits, np.float32))
            self.prepare(params, X, y, len(X))
            yield from self.predictions(f"logits {case}", X, np.tile(probs, (len(X), 1)))
        params.b2[:] = 0
        params.b2[-1] = np.nan
        yield from self.is_nan("NaN in b2", self.train(params, X, y, 1.0))
        params = blank_parameters(*self.sizes)
        params.b1[0] = np.nan
        self.prepare(params, X, y, len(X))
        yield from self.predictions("NaN in b1", X, np.full((len(X), self.classes), np.nan))
        yield from self.is_nan("NaN in b1", self.train(params, X, y, 1.0))

    def overflowing_logits(self) -> Iterator[str]:
        """Check finite parameters for which a logit of one image overflows. The other images must not be affected."""
        X = one_pixel_images(1, self.inputs)[[1, 0, 1, 1, 1]]
        blank = np.full((1, self.classes), 1 / self.classes)
        rows = {
            "a logit overflows": (LARGEST, np.full(self.classes, np.nan)),
            "a logit overflows to -inf": (-LARGEST, np.array([0.0] + [1 / (self.classes - 1)] * (self.classes - 1))),
        }
        for case, (weight, probs) in rows.items():
            params = blank_parameters(*self.sizes)
            params.W1[0, 0], params.W2[0, 0] = 2, weight
            self.prepare(params, X, np.zeros(len(X), np.int64), len(X))
            yield from self.predictions(case, X, np.concatenate([blank, probs[np.newaxis], blank, blank, blank]))
            if np.isnan(probs[0]):
                found = self.train(params, X, np.zeros(len(X), np.int64), 1.0)
                yield from self.is_nan(case, found._replace(W1=found.W1[:1]))  # zero pixels have no gradient
        params = blank_parameters(*self.sizes)._replace(W2=np.zeros((self.recipe.hidden, self.classes), np.float32))
        params.W1[0, 0], params.W2[0] = 1, [LARGEST, *[-LARGEST] * (self.classes - 1)]
        self.prepare(params, X, np.zeros(len(X), np.int64), len(X))
        certain = np.eye(1, self.classes)
        yield from self.predictions(
            "logits as far apart as float32 allows", X, np.concatenate([blank, certain, blank, blank, blank])
        )

    def overflowing_intermediate_sum(self) -> Iterator[str]:
        """Check an intermediate sum that overflows, although it is in range after scaling by 1/255.

        The result must be right or NaN.

        Yields
        ------
        message : str
            A wrong result.
        """
        X = one_pixel_images(2, self.inputs)[:1]
        X[0, 1] = 255
        params, y = blank_parameters(*self.sizes), np.zeros(1, np.int64)
        params.W1[:2, 0], params.W2[0, 0] = [3e38, -2e38], 1e-38
        found, expected = self.train(params, X, y, 0.5).b2, self.expected(params, X, y, 0.5).b2
        if not (is_close(found, expected, atol=1e-6) or np.isnan(found).all()):
            yield f"an intermediate sum overflows: after one step, b2 has {worst(found, expected)}"

    def overflowing_partial_sums_of_a_logit(self) -> Iterator[str]:
        """Check one logit whose partial sums overflow in both directions. All probabilities must be right, or all NaN.

        A kernel that accumulates in several partial sums gets inf - inf = NaN. A maximum may skip this NaN, but the
        remaining computation must not treat it as a number.

        Yields
        ------
        message : str
            A wrong result.
        """
        X, y = one_pixel_images(1, self.inputs)[[1, 0, 1, 1, 1]], np.zeros(5, np.int64)
        uniform = np.full((5, self.classes), 1 / self.classes)
        not_a_number = uniform.copy()
        not_a_number[1] = np.nan
        for place in {0, self.classes - 1}:
            case = f"partial sums of logit {place} overflow"
            params = blank_parameters(*self.sizes)
            params.W1[0, :2] = 2
            params.W2[:2, place] = [LARGEST, -LARGEST][: self.recipe.hidden]
            self.prepare(params, X, y, len(X))
            if list(self.predictions(case, X, uniform)):
                yield from self.predictions(case, X, not_a_number)
            found, expected = self.train(params, X, y, 0.5).b2, self.expected(params, X, y, 0.5).b2
            if not (is_close(found, expected, atol=1e-6) or np.isnan(found).all()):
                yield f"{case}: after one step, b2 has {worst(found, expected)}"

    def subnormal_weights(self) -> Iterator[str]:
        """Check that subnormal numbers are not flushed to zero: 1e-39 times 1e38 must give a logit of 0.1."""
        X = one_pixel_images(1, self.inputs)
        params = blank_parameters(*self.sizes)
        params.W1[0, 0], params.W2[0, 0] = 1e-39, 1e38
        self.prepare(params, X, np.zeros(2, np.int64), 2)
        yield from self.predictions("subnormal weights", X, predict_float64(params, X / 255.0))

    def weights_of_different_magnitudes(self) -> Iterator[str]:
        """Check that large weights of a pixel do not affect images in which it is blank, as fixed point might."""
        X = np.random.default_rng(SEED).integers(0, 256, (9, self.inputs), np.uint8)
        X[:, 0] = 0
        params = initial_parameters(SEED, *self.sizes)
        params.W1[0] = 1e4
        self.prepare(params, X, np.zeros(len(X), np.int64), len(X))
        expected = predict_float64(params, X / 255.0)
        yield from self.predictions("weights of different magnitudes", X, expected, atol=PREDICTION_TOLERANCE)

    def blank_images(self) -> Iterator[str]:
        """Check images without nonzero pixels: every ReLU input is exactly 0, where its gradient is 0."""
        X, y = np.zeros((3, self.inputs), np.uint8), np.zeros(3, np.int64)
        start = initial_parameters(SEED, *self.sizes)
        found = self.train(start, X, y, 0.5)
        weight_decay = self.recipe.optimizer.weight_decay
        kept, rounding = 1 - 0.5 * weight_decay, 2e-7 if weight_decay else 0.0
        if not all(is_close(found[i], kept * start[i], rtol=rounding, atol=0) for i in (0, 1)):
            yield "blank images: W1 or b1 changed by a gradient, although the gradient of ReLU at 0 is 0"

    def decay_before_the_step(self) -> Iterator[str]:
        """Check a step that halves the parameters first; if it halved them afterwards, it would be half as long."""
        if not self.recipe.optimizer.weight_decay:
            return
        rate = 0.5 / self.recipe.optimizer.weight_decay
        X = np.random.default_rng(SEED).integers(0, 256, (9, self.inputs), np.uint8)
        start, y = initial_parameters(SEED, *self.sizes), np.arange(len(X)) % self.classes
        found, expected = self.train(start, X, y, rate), self.expected(start, X, y, rate)
        for name in ("W2", "b2"):  # their gradients are too large for rounding to change the direction of Adam's step
            if not is_close(getattr(found, name), getattr(expected, name), rtol=0, atol=1e-3 * rate):
                yield f"weight decay: after one step, {name} has {worst(getattr(found, name), getattr(expected, name))}"

    def no_images(self) -> Iterator[str]:
        start = initial_parameters(SEED, *self.sizes)
        self.prepare(start, np.zeros((1, self.inputs), np.uint8), np.zeros(1, np.int64), 1)
        self.contender.advance(np.zeros(0, np.int64), np.zeros(0, np.float32))
        for name, after, before in zip(start._fields, self.contender.parameters(), start, strict=True):
            if not np.array_equal(after, before):
                yield f"no images: training on no batches changed {name}"
        shape = np.shape(self.contender.predict(np.zeros((0, self.inputs), np.uint8)))
        if shape != (0, self.classes):
            yield f"no images: the probabilities have shape {shape}, expected {(0, self.classes)}"

    def changing_learning_rates(self, case: str, inputs: int) -> Iterator[str]:
        """Check a different learning rate for each batch, one of them 0, in three calls that end with a short batch."""
        rng = np.random.default_rng(SEED)
        X = rng.integers(0, 256, (27, inputs), np.uint8) * (rng.random((27, inputs)) < 0.2)
        y, order = rng.integers(0, self.classes, 27), rng.permutation(27)
        rates = self.recipe.learning_rate * np.array([1, 0.25, 0, 2], np.float32)
        start = initial_parameters(SEED, inputs, self.recipe.hidden, self.classes)
        self.prepare(start, X, y, 8)
        for begin, end in ((0, 16), (16, 24), (24, 27)):
            self.contender.advance(order[begin:end], rates[begin // 8 : -(-end // 8)])
        expected_params = train_float64(
            start, X[order] / 255.0, y[order], self.recipe.with_changes(batch_size=8), rates
        )
        for name, found, expected in zip(start._fields, self.contender.parameters(), expected_params, strict=True):
            if not is_close(found, expected, rtol=0, atol=1e-5):
                yield f"{case}: {name} has {worst(found, expected)}"

    def expected(
        self, params: Parameters, X: npt.NDArray[np.uint8], y: npt.NDArray[np.int64], rate: float
    ) -> Parameters:
        recipe = self.recipe.with_changes(batch_size=len(X))
        return train_float64(params, X / 255.0, y, recipe, np.full(1, rate))

    def is_nan(self, case: str, found: Parameters) -> Iterator[str]:
        for name, array in found._asdict().items():
            if not np.isnan(array).all():
                yield f"{case}: after one step, {name} has {np.nanmin(array):.7g}, expected NaN"
