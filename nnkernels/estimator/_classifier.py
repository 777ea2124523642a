"""``MLPClassifier``: the network with scikit-learn's estimator API."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from nnkernels.estimator._hyper_parameters import HyperParameters, seed_from, validate
from nnkernels.estimator._learning import (
    MAX_RELATIVE_LOSS,
    TrainingState,
    initial_training_state,
    train_further,
    warn_if_loss_above,
)
from nnkernels.estimator._predicting import PredictingNetwork
from nnkernels.estimator._samples import SampleError, encode_labels, to_images, to_pixels
from nnkernels.interchange import Preprocessing
from nnkernels.recipes import Optimizer, Recipe, ScheduleName
from nnkernels.training import Callback
from nnkernels.transforms import recover_pixels


class MLPClassifier(ClassifierMixin, PredictingNetwork, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Multilayer perceptron with one hidden ReLU layer and softmax output, trained on the cross-entropy.

    The dtype of X determines how it is interpreted, as in the whole package. Integers are pixels: they must lie in
    0..255 and are scaled by 1/255, or as ``preprocessing`` says. Floats and booleans are features and are not scaled.
    Convert integers that are not pixels, such as counts, to floats. All columns of a data frame share one dtype, so
    integers next to floats count as floats. The network computes in float32. Sparse matrices are not supported.

    Parameters
    ----------
    hidden_size : int, default: 20
        The number of hidden units.
    backend : str, default: "numba"
        The backend that trains and predicts, one of ``nnkernels.kernels.names()``.
    optimizer : {"adam", "sgd", "momentum"} or Optimizer, default: "adam"
        The update rule. A name stands for Keras' default hyperparameters; an ``nnkernels.Optimizer`` can have others.
    learning_rate : float, default: 0.005
        The initial learning rate. The default suits Adam; for ``"sgd"``, try 0.1.
    schedule : {"linear", "cosine", "constant"}, default: "linear"
        ``linear`` and ``cosine`` decay the learning rate to zero over all steps of :meth:`fit`. :meth:`partial_fit`
        always uses a constant rate.
    batch_size : int, default: 32
        Samples per gradient step.
    epochs : int, default: 40
        Passes over the samples per call of :meth:`fit`.
    random_state : int, RandomState or None, default: None
        An int is the seed of the initial parameters and of the order of the samples. ``nnkernels.train`` with the same
        seed and recipe gives the same parameters, bit for bit under the conditions in the notes. From a ``RandomState``
        a seed is drawn whenever a training run starts from the beginning; None stands for NumPy's global random state.
    warm_start : bool, default: False
        Whether :meth:`fit` continues the previous training, if there is one, instead of starting from the beginning.
    validation_fraction : float, default: 0.0
        The fraction of the samples that :meth:`fit` holds out and evaluates after every epoch, stratified by class
        where possible.
    callbacks : list of callables or None, default: None
        Each is called as ``callback(history, contender)`` after every epoch. If one returns a true value, the training
        stops.
    preprocessing : Preprocessing or None, default: None
        How pixels become features: ``(pixels * scale - mean) / deviation``, after deskewing if it says so. None stands
        for pixels / 255. :func:`nnkernels.interchange.from_sklearn` returns parameters that include it, except
        deskewing.
    recipe : Recipe, str or None, default: None
        A recipe, or the name of one such as ``"best"``. It replaces ``hidden_size``, ``optimizer``, ``learning_rate``,
        ``schedule``, ``batch_size`` and ``epochs``, which must not contradict it. X has to consist of pixels (integers)
        if the recipe deskews or distorts images; predictions are made on deskewed images too. Early stopping needs
        ``validation_fraction``.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
        The labels, sorted.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        The column names of the training data frame. Defined only if all of them are strings.
    params_ : Parameters
        Weights and biases, float32.
    preprocessing_ : Preprocessing
        How pixels became features in the last training, and do so in predictions; pass it to
        :func:`nnkernels.save_parameters` together with ``params_``.
    history_ : History
        Losses (in nats) and error rates after every epoch or call of :meth:`partial_fit`, since the training started.
        Its recipe is that of the last call.

    Warns
    -----
    UnscaledPixelsWarning
        If floats look like unscaled pixels (all in 0..255, some below 16 and some above), or if integers look like
        binary features (none above 1).
    ConvergenceWarning
        If the loss is not finite, which stops the training, or if the loss after :meth:`fit` is more than twice that of
        uniform guessing.

    Notes
    -----
    With the defaults, the error rate on MNIST's validation images (pixels scaled to [0, 1], 6 seeds) is 4.1 %. It is
    3.8 % with 20 epochs, but small data sets need more: with thirty samples, an epoch is a single step.

    A continued training (``warm_start`` or :meth:`partial_fit`) resumes from the parameters, the optimizer state and
    the number of the epoch, which together with the seed determines the order of the samples. So at a constant learning
    rate, 20 epochs at once, two calls of 10 epochs with ``warm_start``, and 20 calls of :meth:`partial_fit` on the same
    samples give the same parameters. A linear schedule continues where that of the longer training would be. Changing
    the optimizer resets its state.

    Training is reproducible bit for bit on the same CPU, with the same BLAS and number of threads. BLAS sums in another
    order with another number of threads, so at large batch sizes the last bits of the parameters differ. This also
    happens between the main process and a joblib worker, which limits BLAS to fewer threads. With ``backend="fused"``
    or ``"fused_dense"``, the result is independent of BLAS and of the number of threads (for up to 64 classes). Floats
    that are exactly pixels / 255 are trained on as pixels, so both give the same parameters.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from nnkernels import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> MLPClassifier(random_state=0).fit(X / 16, y).score(X / 16, y) > 0.99
    True
    """

    def __init__(
        self,
        hidden_size: int = 20,
        *,
        backend: str = "numba",
        optimizer: str | Optimizer = "adam",
        learning_rate: float = 0.005,
        schedule: ScheduleName = "linear",
        batch_size: int = 32,
        epochs: int = 40,
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        validation_fraction: float = 0.0,
        callbacks: Iterable[Callback] | None = None,
        preprocessing: Preprocessing | None = None,
        recipe: Recipe | str | None = None,
    ) -> None:
        self.hidden_size = hidden_size
        self.backend = backend
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state
        self.warm_start = warm_start
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.preprocessing = preprocessing
        self.recipe = recipe

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Train for ``epochs`` epochs.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Training samples.
        y : array-like, shape (N,)
            Labels of any type that can be sorted. A single class is allowed.

        Returns
        -------
        self : MLPClassifier
            The trained classifier.

        Raises
        ------
        HyperParameterError
            If a hyperparameter is invalid.
        SampleError
            If an integer in X is outside 0..255, or if a label is not in ``classes_`` with ``warm_start``.
        ValueError
            If X or y is invalid, or if the features differ from those of the training so far with ``warm_start``. The
            other two exceptions are ValueErrors too.
        """
        hyper = validate(self.get_params(deep=False))
        restart = not (self.warm_start and hasattr(self, "params_"))
        images, labels = self._validate_samples(X, y, hyper, restart)
        all_classes = LabelEncoder().fit(labels).classes_ if restart else self.classes_
        self._train(images, labels, all_classes, hyper, restart)
        warn_if_loss_above(MAX_RELATIVE_LOSS, self.history_, len(self.classes_))
        return self

    def partial_fit(self, X: npt.ArrayLike, y: npt.ArrayLike, classes: npt.ArrayLike | None = None) -> Self:
        """Train for one pass over X at a constant learning rate, continuing the previous training if there is one.

        No samples are held out.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Training samples.
        y : array-like, shape (N,)
            Labels.
        classes : array-like, shape (C,), optional
            All labels that can occur in any call. Required in the first call.

        Returns
        -------
        self : MLPClassifier
            The trained classifier.

        Raises
        ------
        HyperParameterError
            If a hyperparameter is invalid.
        SampleError
            If an integer in X is outside 0..255, y has a label that is not in ``classes_``, or ``classes`` is missing
            in the first call or differs from ``classes_``.
        ValueError
            If X or y is invalid. The other two exceptions are ValueErrors too.
        """
        hyper = validate(self.get_params(deep=False)).for_partial_fit()
        restart = not hasattr(self, "params_")
        if restart and (classes is None or np.size(classes) == 0):
            raise SampleError("the first call of partial_fit needs classes, the list of all labels that can occur")
        images, labels = self._validate_samples(X, y, hyper, restart)
        all_classes = self.classes_ if classes is None else LabelEncoder().fit(classes).classes_
        if not (restart or all_classes.tolist() == self.classes_.tolist()):
            raise SampleError(f"classes is {all_classes}, but the training so far has the classes {self.classes_}")
        self._train(images, labels, all_classes, hyper, restart)
        warn_if_loss_above(math.inf, self.history_, len(self.classes_))
        return self

    def _validate_samples(
        self, X: npt.ArrayLike, y: npt.ArrayLike, hyper: HyperParameters, restart: bool
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        changes_pixels = hyper.recipe.deskew or hyper.recipe.augmentation is not None
        if isinstance(X, np.ndarray) and hyper.preprocessing.is_default and not changes_pixels:
            X = recover_pixels(X)  # before the validation, which reads bytes faster
        samples, labels = validate_data(self, X, y, dtype="numeric", reset=restart)
        check_classification_targets(labels)
        # The training loop itself deskews and distorts the pixels of a recipe.
        return to_pixels(samples) if changes_pixels else to_images(samples, hyper.preprocessing), labels

    def _train(
        self,
        X: npt.NDArray[Any],
        labels: npt.NDArray[Any],
        all_classes: npt.NDArray[Any],
        hyper: HyperParameters,
        restart: bool,
    ) -> None:
        y = encode_labels(labels, all_classes)
        if restart:
            state = initial_training_state(seed_from(self.random_state), X.shape[1], len(all_classes), hyper.recipe)
        else:
            state = TrainingState(self.params_, self._optimizer_state, self.history_)
        trained = train_further(X, y, hyper, state)
        self.classes_, self.preprocessing_ = all_classes, hyper.preprocessing
        self.params_, self._optimizer_state, self.history_ = trained
