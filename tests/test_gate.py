"""The correctness gate passes correct contenders and rejects all others; its oracle equals scalar loops."""

import os
from contextlib import closing
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from nnkernels import chunked, contenders, kernels, load_mnist
from nnkernels.chunked import epoch_chunks
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import Dataset, LabelledImages
from nnkernels.errors import ConfigurationError, GateError, InferenceOnlyError, MissingDependencyError, UnknownNameError
from nnkernels.kernels import numpy_kernels
from nnkernels.kernels.contract import FUNCTIONS, initial_state
from nnkernels.kernels.fused import paths
from nnkernels.kernels.stepwise import training_entry
from nnkernels.measure.correctness import from_file, gate, gate_training, verification
from nnkernels.measure.correctness.from_file import require_from_file
from nnkernels.measure.correctness.gate import PREDICTED_TOGETHER
from nnkernels.measure.correctness.gate_result import PREDICTION_TOLERANCE, TOLERANCES, GateResult
from nnkernels.measure.correctness.oracle import nearest_kink, predict_float64, train_float64
from nnkernels.measure.mutants.gates import TRAININGS
from nnkernels.parameters import Parameters, initial_parameters
from nnkernels.recipes import Optimizer, Recipe, benchmark_recipe
from tests import reference
from tests.forms import INSTALLED, TRACED, TRAINABLE

OPTIMIZERS = ("sgd", "momentum", "adam")
# Contenders on the same framework share its optimizers, and each takes seconds to trace. So one uses Adam, another one
# momentum.
MOMENTS = [(name, ("adam", "momentum")[number % 2]) for number, name in enumerate(TRACED)]


@pytest.fixture(autouse=True)
def fewer_predicted_images(monkeypatch):
    """Reduce the images predicted together from ten thousand to enough for two threads and a remainder."""
    monkeypatch.setattr(gate, "PREDICTED_TOGETHER", 521)


# Correct contenders pass


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        *[(name, "sgd") for name in TRAINABLE],
        *[(name, optimizer) for name in TRAINABLE if name not in TRACED for optimizer in ("momentum", "adam")],
        *MOMENTS[:1],
        *[pytest.param(*one, marks=pytest.mark.slow) for one in MOMENTS[1:]],
    ],
)
def test_installed_contenders_pass(name, optimizer, small_digits):
    with closing(contenders.create_anywhere(name)) as contender:
        result = gate.require(name, contender, small_digits, benchmark_recipe(Optimizer(optimizer)))
    assert result.passed
    assert (result.contender, result.optimizer, result.batch_size) == (name, optimizer, 32)
    assert 0 < result.max_abs_difference <= result.tolerance


def regularized(optimizer):
    """Return the gate's recipe with weight decay and label smoothing that show in 65 steps, and with averaging."""
    return TRAININGS[f"regularized {optimizer}"].recipe


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        *[(name, optimizer) for name in kernels.names() for optimizer in OPTIMIZERS],
        *[pytest.param(*one, marks=pytest.mark.slow) for one in MOMENTS],
    ],
)
def test_installed_contenders_pass_with_weight_decay_and_label_smoothing(name, optimizer, small_digits):
    with closing(contenders.create_anywhere(name)) as contender:
        assert gate.require(name, contender, small_digits, regularized(optimizer)).passed


@pytest.mark.parametrize("name", [name for name in INSTALLED if name not in TRAINABLE])
def test_installed_contenders_that_only_predict_pass(name, small_digits):
    with closing(contenders.create_anywhere(name)) as contender:
        result = gate.require(name, contender, small_digits)
    assert result.passed
    assert not result.trained
    assert (result.max_abs_difference, result.tolerance) == (0, 0)
    assert 0 < result.prediction_difference < PREDICTION_TOLERANCE


@pytest.mark.parametrize(
    ("optimizer", "batch_size"),
    [
        *[("sgd", batch_size) for batch_size in (1, 256)],
        # The optimizers do not depend on the batch.
        *[pytest.param(optimizer, 8, marks=pytest.mark.slow) for optimizer in OPTIMIZERS],
    ],
)
@pytest.mark.parametrize("name", kernels.names())
def test_own_backends_pass_at_other_batch_sizes(name, optimizer, batch_size, small_digits):
    recipe = benchmark_recipe(Optimizer(optimizer), batch_size)
    assert gate.require(name, contenders.create(name), small_digits, recipe).batch_size == batch_size


def test_verify_takes_contender_by_name(small_digits, monkeypatch):
    monkeypatch.setattr(gate, "PREDICTED_TOGETHER", PREDICTED_TOGETHER)
    (result,) = verification.verify("numpy", small_digits)
    assert result.passed
    assert result.label == "numpy"
    assert result.optimizer == "sgd"
    with pytest.raises(UnknownNameError):
        verification.verify("nympy", small_digits)


@pytest.mark.parametrize(
    ("setting", "features", "expected"),
    [
        (None, {"avx512f"}, ["fused (lists)", "fused (tiles)"]),
        ("tiles", {"avx512f"}, ["fused (tiles)"]),
        ("lists,tiles", {"avx512f"}, ["fused (lists)", "fused (tiles)"]),
        (None, {"avx2"}, ["fused (lists)"]),
    ],
)
def test_verify_checks_each_path_that_this_cpu_may_take(setting, features, expected, small_digits, monkeypatch):
    monkeypatch.delenv(paths.SETTING, raising=False)
    if setting is not None:
        monkeypatch.setenv(paths.SETTING, setting)
    monkeypatch.setattr(paths, "compiled_features", lambda: frozenset(features))

    def prepare_only(name, contender, dataset, recipe):  # training would compile for seconds
        contender.prepare(initial_parameters(0), dataset.training, benchmark_recipe())
        return GateResult(name, "sgd", 32, 0.0, 1e-5, 0.0, path=gate._path(contender))

    monkeypatch.setattr(verification, "_compare", prepare_only)
    results = verification.verify("fused", small_digits)
    assert [result.label for result in results] == expected
    assert os.environ.get(paths.SETTING) == setting


def test_large_batches_are_checked_one_after_another():
    # Both calls of `advance` have two full batches, and the last batch is short.
    ones = Dataset(
        np.ones((5000, 784), np.uint8), np.ones(5000, np.uint8), np.ones((1, 784), np.uint8), np.ones(1, np.uint8)
    )
    order, _start, rates = gate_training.training_from(ones, benchmark_recipe(batch_size=1024), 3)
    assert (len(order), len(rates)) == (4097, 5)
    order, _start, rates = gate_training.training_from(ones, benchmark_recipe(batch_size=32), 3)
    assert (len(order), len(rates)) == (2049, 65)


def test_verify_all_continues_after_failure(small_digits, monkeypatch):
    entries = {
        "broken": contenders.Entry(lambda: Mutant(backward=crashing_backward), "raises an exception"),
        "numpy": contenders.entry("numpy"),
        "absent": contenders.Entry(lambda: None, "is not installed", ("no_such_package",), "nothing"),
    }
    monkeypatch.setattr(contenders, "_entries", lambda: entries)
    broken, sound, absent = verification.verify_all(["broken", "numpy", "absent"], small_digits)
    assert (broken.contender, broken.passed) == ("broken", False)
    assert "FloatingPointError: on purpose" in broken.error
    assert sound.passed
    assert sound.error == ""
    assert not absent.passed
    assert MissingDependencyError.__name__ in absent.error


# Wrong contenders are rejected. Each mutant is the reference with one mistake.


class Mutant(KernelContender):
    """A contender on the reference kernels, some of which are replaced."""

    def __init__(self, **replacements):
        functions = {name: getattr(numpy_kernels, name) for name in FUNCTIONS}
        self.backend = SimpleNamespace(**{**functions, **replacements})
        self.train_inplace = training_entry(self.backend)


def crashing_backward(params, X, y, activations):
    raise FloatingPointError("on purpose")


def wrong_sign(params, X, y, activations):
    return Parameters(*(-grad for grad in numpy_kernels.backward(params, X, y, activations)))


def sum_instead_of_mean(params, X, y, activations):
    return Parameters(*(len(X) * grad for grad in numpy_kernels.backward(params, X, y, activations)))


def mean_over_full_batches(params, X, y, activations):
    # Wrong only for the short last batch, which is divided by 32 as well.
    return Parameters(*(grad * np.float32(len(X) / 32) for grad in numpy_kernels.backward(params, X, y, activations)))


def no_relu_mask(params, X, y, activations):
    open_everywhere = activations._replace(Z1=np.ones_like(activations.Z1))
    return numpy_kernels.backward(params, X, y, open_everywhere)


def relu_mask_inverted(params, X, y, activations):
    return numpy_kernels.backward(params, X, y, activations._replace(Z1=-activations.Z1))


def without_gradient(field, params, X, y, activations):
    grads = numpy_kernels.backward(params, X, y, activations)
    return grads._replace(**{field: np.zeros_like(getattr(grads, field))})


def rounded_to_float16(params, X, y, activations):
    grads = numpy_kernels.backward(params, X, y, activations)
    return Parameters(*(grad.astype(np.float16).astype(np.float32) for grad in grads))


def labels_shifted(params, X, y, activations):
    return numpy_kernels.backward(params, X, (y + 1) % 10, activations)


def one_nan(params, X, y, activations):
    grads = numpy_kernels.backward(params, X, y, activations)
    grads.b2[3] = np.nan
    return grads


def no_softmax(params, X):
    activations = numpy_kernels.forward(params, X)
    return activations._replace(probs=activations.logits)


def no_hidden_bias(params, X):
    return numpy_kernels.forward(params._replace(b1=np.zeros_like(params.b1)), X)


def no_update(params, grads, state, learning_rate):
    state.step[0] += 1


def half_learning_rate(params, grads, state, learning_rate):
    numpy_kernels.sgd_update_inplace(params, grads, state, learning_rate / 2)


SGD_MUTANTS = {
    "wrong sign": {"backward": wrong_sign},
    "missing 1/N": {"backward": sum_instead_of_mean},
    "short batch divided by the full size": {"backward": mean_over_full_batches},
    "no ReLU mask": {"backward": no_relu_mask},
    "ReLU mask inverted": {"backward": relu_mask_inverted},
    "no gradient of W1": {"backward": partial(without_gradient, "W1")},
    "no gradient of b1": {"backward": partial(without_gradient, "b1")},
    "no gradient of W2": {"backward": partial(without_gradient, "W2")},
    "no gradient of b2": {"backward": partial(without_gradient, "b2")},
    "gradients in float16": {"backward": rounded_to_float16},
    "labels shifted": {"backward": labels_shifted},
    "NaN": {"backward": one_nan},
    "logits for probabilities": {"forward": no_softmax},
    "hidden bias forgotten": {"forward": no_hidden_bias},
    "no update": {"sgd_update_inplace": no_update},
    "half the learning rate": {"sgd_update_inplace": half_learning_rate},
}


def assert_rejected(contender, dataset, recipe=None):
    """Assert that the gate rejects a contender, and return the error message."""
    # A mutant may overflow during its training; only the result of the gate counts.
    with np.errstate(all="ignore"), pytest.raises(GateError) as caught:
        gate.require("suspect", contender, dataset, recipe)
    message = str(caught.value)
    assert message.startswith("suspect ")
    return message


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_unchanged_mutant_passes(optimizer, small_digits):
    # If it did not pass, the rejections below would prove nothing.
    assert gate.require("sound", Mutant(), small_digits, benchmark_recipe(Optimizer(optimizer))).passed


@pytest.mark.parametrize("mutation", SGD_MUTANTS)
def test_gate_rejects_wrong_gradients_and_updates(mutation, small_digits):
    assert_rejected(Mutant(**SGD_MUTANTS[mutation]), small_digits)


def without_momentum(params, grads, state, learning_rate, momentum):
    numpy_kernels.sgd_update_inplace(params, grads, state, learning_rate)


def nesterov(params, grads, state, learning_rate, momentum):
    state.step[0] += 1
    for w, g, v in zip(params, grads, state.first, strict=True):
        v *= v.dtype.type(momentum)
        v -= v.dtype.type(learning_rate) * g
        w += v.dtype.type(momentum) * v - v.dtype.type(learning_rate) * g


def dampened(params, grads, state, learning_rate, momentum):
    numpy_kernels.momentum_update_inplace(params, grads, state, learning_rate * (1 - momentum), momentum)


MOMENTUM_MUTANTS = {"no momentum": without_momentum, "Nesterov's": nesterov, "dampened": dampened}


@pytest.mark.parametrize("mutation", MOMENTUM_MUTANTS)
def test_gate_rejects_wrong_momentum(mutation, small_digits):
    mutant = Mutant(momentum_update_inplace=MOMENTUM_MUTANTS[mutation])
    assert_rejected(mutant, small_digits, benchmark_recipe(Optimizer("momentum")))


def adam_variant(change, params, grads, state, learning_rate, beta_1, beta_2, epsilon):
    """Take a step of Adam with one change."""
    state.step[0] += 1
    t = int(state.step[0])
    correction_1, correction_2 = 1 - beta_1**t, 1 - beta_2**t
    if change == "no bias correction":
        correction_1 = correction_2 = 1.0
    if change == "no correction of the first moment":
        correction_1 = 1.0
    if change == "steps counted from zero":
        correction_1, correction_2 = 1 - beta_1 ** max(t - 1, 1), 1 - beta_2 ** max(t - 1, 1)
    if change == "betas exchanged":
        beta_1, beta_2 = beta_2, beta_1
    for w, g, m, v in zip(params, grads, state.first, state.second, strict=True):
        real = w.dtype.type
        m += real(1 - beta_1) * (g - m)
        v += real(1 - beta_2) * (g * g - v)
        alpha = real(learning_rate * np.sqrt(correction_2) / correction_1)
        if change == "epsilon under the root":
            w -= alpha * m / np.sqrt(v + real(epsilon))
        elif change == "epsilon a hundred times as large":
            w -= alpha * m / (np.sqrt(v) + real(100 * epsilon))
        else:
            w -= alpha * m / (np.sqrt(v) + real(epsilon))


ADAM_MUTANTS = (
    "no bias correction",
    "no correction of the first moment",
    "steps counted from zero",
    "betas exchanged",
    "epsilon under the root",
    "epsilon a hundred times as large",
)


def test_unchanged_adam_variant_passes(small_digits):
    mutant = Mutant(adam_update_inplace=partial(adam_variant, "nothing"))
    assert gate.require("sound", mutant, small_digits, benchmark_recipe(Optimizer("adam"))).passed


@pytest.mark.parametrize("change", ADAM_MUTANTS)
def test_gate_rejects_wrong_adam(change, small_digits):
    mutant = Mutant(adam_update_inplace=partial(adam_variant, change))
    assert_rejected(mutant, small_digits, benchmark_recipe(Optimizer("adam")))


class Regularizes(Mutant):
    """Trains step by step with one mistake in weight decay, label smoothing or averaging."""

    def __init__(self, mistake):
        super().__init__()
        self.mistake = mistake

    def prepare(self, parameters, data, recipe):
        super().prepare(parameters, data, recipe)
        if self.mistake in ("no weight decay", "L2 penalty", "no decay of biases"):
            self.rule = self.rule._replace(weight_decay=0.0)
        if self.mistake == "no label smoothing":
            self.rule = self.rule._replace(label_smoothing=0.0)
        if self.mistake == "smoothing over the other classes":
            self.rule = self.rule._replace(label_smoothing=0.1 * 10 / 9)
        self.decay = recipe.optimizer.weight_decay
        self.backend.backward = partial(self.backward, numpy_kernels.backward)

    def backward(self, backward, params, X, y, activations):
        grads = backward(params, X, y, activations)
        if self.mistake == "L2 penalty":
            grads = Parameters(*(g + np.float32(self.decay) * w for w, g in zip(params, grads, strict=True)))
        if self.mistake == "no decay of biases":
            for w in (params.W1, params.W2):
                w *= np.float32(1 - self.rate * self.decay)
        return grads

    def replace_parameters(self, parameters):
        predict = self._predict
        if self.mistake != "no averaging":
            super().replace_parameters(parameters)
        if self.mistake == "predictions of before the averaging":
            self._predict = predict

    def advance(self, order, learning_rates):
        for batch, rate in enumerate(learning_rates):
            self.rate = rate
            rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            super().advance(order[rows], learning_rates[batch : batch + 1])


def test_unchanged_regularized_mutant_passes(small_digits):
    assert gate.require("sound", Regularizes("nothing"), small_digits, regularized("adam")).passed


@pytest.mark.parametrize(
    "mistake",
    [
        "no weight decay",
        "L2 penalty",
        "no decay of biases",
        "no label smoothing",
        "smoothing over the other classes",
        "no averaging",
        "predictions of before the averaging",
    ],
)
def test_gate_rejects_wrong_weight_decay_label_smoothing_and_averaging(mistake, small_digits):
    assert_rejected(Regularizes(mistake), small_digits, regularized("adam"))


@pytest.mark.parametrize("name", ["scikit-learn"])
@pytest.mark.parametrize("change", [{"optimizer": Optimizer(weight_decay=0.1)}, {"label_smoothing": 0.1}])
def test_contender_without_weight_decay_and_label_smoothing_says_so(name, change, small_digits):
    recipe = benchmark_recipe().with_changes(**change)
    with (
        closing(contenders.create_anywhere(name)) as contender,
        pytest.raises(ConfigurationError, match=r"cannot train with (weight decay|label smoothing), which the recipe"),
    ):
        contender.prepare(initial_parameters(0), small_digits.training, recipe)


class IgnoresOrder(Mutant):
    """Trains on the images as they are stored."""

    def advance(self, order, learning_rates):
        super().advance(np.arange(len(order)), learning_rates)


class SwapsTwoBatches(Mutant):
    """Exchanges the first two batches."""

    def advance(self, order, learning_rates):
        super().advance(np.concatenate([order[32:64], order[:32], order[64:]]), learning_rates)


class SkipsShortBatch(Mutant):
    """Drops the short last batch, as many data loaders do by default."""

    def advance(self, order, learning_rates):
        full = len(order) // self.batch_size
        super().advance(order[: full * self.batch_size], learning_rates[:full])


class RoundsTheStart(Mutant):
    """Rounds the initial parameters to float16."""

    def prepare(self, parameters, data, recipe):
        super().prepare(parameters, data, recipe)
        for array in self.params:
            array[:] = array.astype(np.float16)


class DoesNotTrain(Mutant):
    """Leaves the parameters unchanged."""

    def advance(self, order, learning_rates):
        pass


class PredictsLogits(Mutant):
    """Trains correctly, but predicts logits instead of probabilities."""

    def predict(self, X):
        return np.log(super().predict(X))


class PredictsFromTheStart(Mutant):
    """Trains correctly, but predicts from the initial parameters."""

    def prepare(self, parameters, data, recipe):
        super().prepare(parameters, data, recipe)
        self.old = Parameters(*(array.copy() for array in self.params))

    def predict(self, X):
        return numpy_kernels.forward(self.old, X / np.float32(255)).probs


class PredictsUnscaled(Mutant):
    """Predicts from pixels that are not scaled."""

    def predict(self, X):
        return super().predict(X.astype(np.float32))


class PredictsNaN(Mutant):
    """Predicts one NaN."""

    def predict(self, X):
        probs = super().predict(X)
        probs[-1, -1] = np.nan
        return probs


class ForgetsBetweenCalls(Mutant):
    """Resets the optimizer state at each call of ``advance``."""

    def advance(self, order, learning_rates):
        self.state = initial_state(self.params)
        super().advance(order, learning_rates)


class KeepsTheOptimizer(Mutant):
    """Starts a new training run with the optimizer state of the previous one."""

    def prepare(self, parameters, data, recipe):
        state = getattr(self, "state", None)
        super().prepare(parameters, data, recipe)
        self.state = state or self.state


class TakesTheFirstRate(Mutant):
    """Uses the first learning rate for all later steps."""

    def prepare(self, parameters, data, recipe):
        super().prepare(parameters, data, recipe)
        self.first_rate = None

    def advance(self, order, learning_rates):
        if len(learning_rates) and self.first_rate is None:
            self.first_rate = learning_rates[0]
        super().advance(order, np.full_like(learning_rates, self.first_rate or 0))


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("mutant", [ForgetsBetweenCalls, KeepsTheOptimizer], ids=lambda m: m.__name__)
def test_gate_rejects_lost_or_stale_optimizer_state(mutant, optimizer, small_digits, monkeypatch):
    # Only the training on digits is judged here. The check of extreme inputs still runs before it, as usual, because it
    # leaves optimizer state behind.
    first_wrong_answer = gate.first_wrong_answer
    monkeypatch.setattr(gate, "first_wrong_answer", lambda *arguments: first_wrong_answer(*arguments) and "")
    result = gate.compare_with_oracle("suspect", mutant(), small_digits, benchmark_recipe(Optimizer(optimizer)))
    assert not result.max_abs_difference <= result.tolerance


def test_gate_rejects_wrong_answer_to_extreme_inputs(small_digits):
    def forward(params, X):
        with np.errstate(over="ignore", invalid="ignore"):
            activations = numpy_kernels.forward(params, X)
            exponentials = np.exp(activations.logits)
            return activations._replace(probs=exponentials / exponentials.sum(axis=1, keepdims=True))

    mutant = Mutant(forward=forward)
    result = gate.compare_with_oracle("suspect", mutant, small_digits)
    assert result.max_abs_difference <= result.tolerance  # rounding hides it on digits
    assert result.prediction_difference <= PREDICTION_TOLERANCE
    assert not result.passed
    assert "Extreme inputs: logits up to 1e4" in assert_rejected(mutant, small_digits)


class RoundsWeightsAmongMany(Mutant):
    """Rounds W1 to fixed point, in units of the largest weight, if it predicts many images."""

    def predict(self, X):
        W1 = self.params.W1
        unit = np.float64(np.abs(W1).max(initial=0)) / 2**23
        if len(X) < 100 or not 0 < unit < np.inf:
            return super().predict(X)
        rounded = self.params._replace(W1=(np.round(W1 / unit) * unit).astype(np.float32))
        return numpy_kernels.forward(rounded, X * np.float32(1 / 255)).probs


class MisplacesPixelsOfOddImages(Mutant):
    """Loses the last pixel of images whose number of pixels is odd."""

    def prepare(self, parameters, data, recipe):
        X = data.X.copy()
        X[:, X.shape[1] // 2 * 2 :] = 0
        super().prepare(parameters, LabelledImages(X, data.y), recipe)


@pytest.mark.parametrize(
    ("mutant", "message"),
    [
        (RoundsWeightsAmongMany, "different magnitudes: a probability of images predicted among many"),
        (MisplacesPixelsOfOddImages, "27 x 27 pixels: W1"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_extreme_inputs_reveal_what_digits_do_not(mutant, message, small_digits):
    result = gate.compare_with_oracle("suspect", mutant(), small_digits)
    assert result.max_abs_difference <= result.tolerance
    assert result.prediction_difference <= PREDICTION_TOLERANCE
    assert message in result.extremes


def test_gate_skips_extreme_inputs_for_frameworks(small_digits, monkeypatch):
    class Framework:
        """A contender that does not use our kernels."""

        whole_epochs_only = False

        def __init__(self):
            self.ours = Mutant()

        def __getattr__(self, name):
            return getattr(self.ours, name)

    monkeypatch.setattr(gate, "first_wrong_answer", lambda *arguments: pytest.fail("extreme inputs were checked"))
    assert gate.require("framework", Framework(), small_digits).passed


@pytest.mark.parametrize(
    "mutant",
    [IgnoresOrder, SwapsTwoBatches, SkipsShortBatch, RoundsTheStart, DoesNotTrain, TakesTheFirstRate],
    ids=lambda m: m.__name__,
)
def test_gate_rejects_wrong_training(mutant, small_digits):
    assert_rejected(mutant(), small_digits)


class PredictsOneImageWrongly(Mutant):
    """Predicts a single image by another function, which ignores the output bias."""

    def predict(self, X):
        if len(X) > 1:
            return super().predict(X)
        params = self.params._replace(b2=np.zeros_like(self.params.b2))
        return numpy_kernels.forward(params, X * np.float32(1 / 255)).probs


class LosesRemainder(Mutant):
    """Loses the remainder when it divides many images among threads."""

    def predict(self, X):
        probs = super().predict(X)
        if len(X) > 512:
            probs[len(X) // 512 * 512 :] = 0
        return probs


class KeepsItsPredictor(Mutant):
    """Copies the parameters at the first prediction, and does not update the copy after training."""

    def prepare(self, parameters, data, recipe):
        super().prepare(parameters, data, recipe)
        self.laid_out = None

    def predict(self, X):
        self.laid_out = self.laid_out or Parameters(*(array.copy() for array in self.params))
        return numpy_kernels.forward(self.laid_out, X * np.float32(1 / 255)).probs


@pytest.mark.filterwarnings("ignore::nnkernels.data.pixels.UnscaledPixelsWarning")  # from PredictsUnscaled
@pytest.mark.parametrize(
    "mutant",
    [
        PredictsLogits,
        PredictsFromTheStart,
        PredictsUnscaled,
        PredictsNaN,
        PredictsOneImageWrongly,
        LosesRemainder,
        KeepsItsPredictor,
    ],
    ids=lambda m: m.__name__,
)
def test_gate_rejects_wrong_predictions_after_correct_training(mutant, small_digits):
    result = gate.compare_with_oracle("suspect", mutant(), small_digits)
    assert result.max_abs_difference <= result.tolerance  # only the predictions are wrong
    assert "predictions" in assert_rejected(mutant(), small_digits)


class DependsOnThreads(Mutant):
    """Promises the same bits for any number of threads, but rounds differently on two."""

    def __init__(self):
        super().__init__()
        self.backend.SAME_BITS_ON_ANY_THREADS = True
        self.threads = 2

    def use_threads(self, threads):
        self.threads = threads

    def parameters(self):
        found = super().parameters()
        if self.threads > 1:
            found.W2[0, 0] = np.nextafter(found.W2[0, 0], np.float32(1))
        return found


def test_gate_compares_promise_of_same_bits_with_training_on_one_thread(small_digits):
    result = gate.compare_with_oracle("suspect", DependsOnThreads(), small_digits)
    assert result.max_abs_difference <= result.tolerance
    assert 0 < result.threads_difference < 1e-7
    assert "promises the same bits" in assert_rejected(DependsOnThreads(), small_digits)
    with closing(contenders.create("fused")) as contender, contenders.thread_limit(contender, 2):
        recipe = benchmark_recipe(batch_size=1024)
        assert gate.require("fused", contender, small_digits, recipe).threads_difference == 0


@pytest.mark.parametrize("differences", [(np.nan, 0.0), (0.0, np.nan), (np.inf, 0.0), (1e-4, 0.0), (0.0, 1e-4)])
def test_nan_and_large_differences_fail(differences):
    parameters, predictions = differences
    assert not GateResult("suspect", "sgd", 32, parameters, 1e-5, predictions).passed


# Contenders that only predict are judged by their predictions


class OnlyPredicts(Mutant):
    """Cannot train."""

    def advance(self, order, learning_rates):
        raise InferenceOnlyError("suspect")


class RoundsGivenParameters(OnlyPredicts):
    """Predicts correctly, but from parameters rounded to float16."""

    def prepare(self, parameters, data, recipe):
        rounded = Parameters(*(array.astype(np.float16).astype(np.float32) for array in parameters))
        super().prepare(rounded, data, recipe)


@pytest.fixture
def only_predicts(monkeypatch):
    """Register ``suspect`` as a contender that only predicts."""
    known = {**contenders._entries(), "suspect": contenders.Entry(OnlyPredicts, "predicts", trains=False)}
    monkeypatch.setattr(contenders, "_entries", lambda: known)


def test_gate_does_not_train_prediction_only_contender(only_predicts, small_digits):
    result = gate.require("suspect", OnlyPredicts(), small_digits)
    assert (result.optimizer, result.trained) == ("inference only", False)
    assert (result.max_abs_difference, result.tolerance) == (0, 0)
    assert 0 < result.prediction_difference < PREDICTION_TOLERANCE


@pytest.mark.parametrize(
    "mutation", [{"forward": no_softmax}, {"forward": no_hidden_bias}], ids=["no softmax", "no hidden bias"]
)
def test_gate_rejects_wrong_predictions_of_prediction_only_contender(mutation, only_predicts, small_digits):
    assert "check its forward pass" in assert_rejected(OnlyPredicts(**mutation), small_digits)


def test_gate_rejects_prediction_only_contender_that_rounds_parameters(only_predicts, small_digits):
    assert "given the oracle's parameters" in assert_rejected(RoundsGivenParameters(), small_digits)


def test_gate_trains_contender_not_registered_as_prediction_only(small_digits):
    with pytest.raises(InferenceOnlyError):
        gate.require("suspect", OnlyPredicts(), small_digits)


# The oracle


def small_problem():
    rng = np.random.default_rng(11)
    start = initial_parameters(11, 6, 4, 3, np.float64)
    return start, rng.random((11, 6)), rng.integers(0, 3, 11)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("weight_decay", "label_smoothing"), [(0.0, 0.0), (0.5, 0.1)])
def test_oracle_equals_scalar_loops(optimizer, weight_decay, label_smoothing):
    start, X, y = small_problem()
    rule = Optimizer(optimizer, weight_decay=weight_decay)
    # Two full batches and one of three.
    recipe = Recipe("tiny", rule, batch_size=4, label_smoothing=label_smoothing)
    learning_rates = np.array([0.1, 0.05, 0.2])
    actual = train_float64(start, X, y, recipe, learning_rates)
    lists = tuple(array.tolist() for array in start)
    expected = reference.train(lists, X.tolist(), y.tolist(), 4, learning_rates, rule, label_smoothing)
    for name, found, wanted in zip(start._fields, actual, expected, strict=True):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13, err_msg=name)


def test_oracle_averages_the_parameters_after_given_batches():
    start, X, y = small_problem()
    recipe, rates = Recipe("tiny", batch_size=4), np.array([0.1, 0.05, 0.2])
    after = [train_float64(start, X[: 4 * n], y[: 4 * n], recipe, rates[:n]) for n in (1, 3)]
    averaged = train_float64(start, X, y, recipe, rates, averaged_after=(1, 3))
    for first, last, mean in zip(*after, averaged, strict=True):
        np.testing.assert_allclose(mean, (first + last) / 2, rtol=0, atol=1e-15)


def test_oracle_predictions_equal_scalar_loops():
    start, X, _y = small_problem()
    probs = reference.forward(tuple(array.tolist() for array in start), X.tolist())[3]
    np.testing.assert_allclose(predict_float64(start, X), probs, rtol=0, atol=1e-14)


def test_oracle_does_not_change_initial_parameters():
    start, X, y = small_problem()
    before = [array.copy() for array in start]
    train_float64(start, X, y, Recipe("tiny", batch_size=4), np.full(3, 0.1))
    for array, old in zip(start, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_nearest_kink_is_smallest_absolute_relu_input():
    start, X, y = small_problem()
    recipe, rates = Recipe("tiny", batch_size=4), np.array([0.1, 0.05, 0.2])
    params, smallest = tuple(array.tolist() for array in start), []
    for batch, rate in enumerate(rates):
        part = slice(4 * batch, 4 * batch + 4)
        hidden_inputs = reference.forward(params, X[part].tolist())[0]
        smallest.append(np.abs(hidden_inputs).min())
        params = reference.train(params, X[part].tolist(), y[part].tolist(), 4, [rate], recipe.optimizer)
    assert nearest_kink(start, X, y, recipe, rates) == pytest.approx(min(smallest), abs=1e-14)


class FlippedAtFirst(KernelContender):
    """NumPy's kernels, with wrong parameters after the first training that the gate compares, or after each."""

    def __init__(self, always):
        super().__init__(numpy_kernels)
        self.always = always
        self.trained = 0

    def parameters(self):
        found = super().parameters()
        self.trained += 1
        return found if self.trained > 1 and not self.always else Parameters(found.W1 + 1e-3, *found[1:])


@pytest.mark.filterwarnings("ignore::nnkernels.data.sources.SmallDataWarning")
@pytest.mark.parametrize(
    ("batch_size", "always", "passes"),
    [(128, False, True), (128, True, False), (32, False, False)],  # at batch 32, no ReLU comes near its kink
)
def test_difference_near_relu_kink_is_checked_again_from_another_start(batch_size, always, passes, monkeypatch):
    monkeypatch.setattr(gate, "first_wrong_answer", lambda *_: "")  # it calls `parameters` too
    data = load_mnist("mnist-5k")
    data = type(data)(data.X_train[:2304], data.y_train[:2304], data.X_test[:256], data.y_test[:256])
    result = gate.compare_with_oracle("flipped", FlippedAtFirst(always), data, benchmark_recipe(batch_size=batch_size))
    assert result.passed == passes


# Training from a file


@pytest.fixture
def files(small_digits, tmp_path):
    """The files of the gate's images and labels."""
    np.save(tmp_path / "images.npy", small_digits.X_train[: gate_training.IMAGES])
    np.save(tmp_path / "labels.npy", small_digits.y_train[: gate_training.IMAGES])
    return tmp_path / "images.npy", tmp_path / "labels.npy"


@pytest.mark.parametrize("name", kernels.names())
def test_own_backends_pass_from_file(name, files):
    assert 0 < require_from_file(name, contenders.create(name), *files) < TOLERANCES["sgd"]


class PreparesOnce(Mutant):
    """Trains on the images of the first chunk throughout."""

    def prepare(self, parameters, data, recipe):
        packed = getattr(self, "packed", None)
        super().prepare(parameters, data, recipe)
        if packed is not None and len(packed.images) == len(self.packed.images):
            self.packed = packed


class RestartsAtEachChunk(Mutant):
    """Starts each chunk from the initial parameters."""

    def prepare(self, parameters, data, recipe):
        self.start = getattr(self, "start", parameters)
        super().prepare(self.start, data, recipe)


@pytest.mark.parametrize("mutant", [SkipsShortBatch, PreparesOnce, RestartsAtEachChunk], ids=lambda m: m.__name__)
def test_gate_rejects_wrong_training_from_file(mutant, files):
    with pytest.raises(GateError, match="suspect differs from the float64 oracle when it trains from a file"):
        require_from_file("suspect", mutant(), *files)


def test_gate_rejects_training_from_file_that_skips_images(files, monkeypatch):
    def some_chunks(*arguments):
        return list(epoch_chunks(*arguments))[1:]

    monkeypatch.setattr(chunked, "epoch_chunks", some_chunks)
    monkeypatch.setattr(from_file, "epoch_chunks", some_chunks)
    with pytest.raises(GateError, match=r"uses (1249|1600) of 2049 images"):
        require_from_file("suspect", Mutant(), *files)
