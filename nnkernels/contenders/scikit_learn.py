"""The contender on scikit-learn's ``MLPClassifier``, which computes with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._labels import check_labels
from nnkernels.contenders._plain_loss import require_plain_loss
from nnkernels.contenders._protocol import Entry
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError
from nnkernels.parameters import FloatArray, Parameters, native
from nnkernels.process_settings import limit_blas
from nnkernels.recipes import Recipe
from nnkernels.transforms import as_features


def contenders() -> dict[str, Entry]:
    """Return the contender of this file.

    Returns
    -------
    entries : dict of str to Entry
        The entry by name.
    """
    description = "scikit-learn, MLPClassifier.partial_fit"
    return {"scikit-learn": Entry(ScikitLearn, description, ("sklearn",), "peers", from_profile="standard")}


class ScikitLearn:
    """A contender that calls ``partial_fit`` on float32 features, without L2 penalty or Nesterov momentum.

    scikit-learn's update rules are the same as those of nnkernels, including Adam's epsilon. Its schedules cannot
    change the learning rate within an epoch. So at a constant rate, one call of ``partial_fit`` trains on all batches.
    With a varying rate, each batch needs a call, before which the rate is set in scikit-learn's optimizer.
    """

    whole_epochs_only = False
    threads_can_change = True

    def use_threads(self, threads: int) -> None:
        """Set the number of threads of BLAS, which is NumPy's and SciPy's.

        Parameters
        ----------
        threads : int
            The number of threads.

        Raises
        ------
        ConfigurationError
            If BLAS runs on another number of threads afterwards.
        """
        limit_blas(threads)

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Create the classifier, set its parameters, and scale all images to float32 in advance.

        Parameters
        ----------
        parameters : Parameters
            The initial parameters.
        data : LabelledImages
            The training images.
        recipe : Recipe
            Optimizer, batch size and learning rate.

        Raises
        ------
        ConfigurationError
            If there are fewer than three classes, for which scikit-learn uses another network, or if the recipe has
            weight decay or label smoothing.
        DataError
            If a label is not a class of the network.
        """
        from sklearn.neural_network import MLPClassifier

        classes = len(parameters.b2)
        if classes < 3:
            raise ConfigurationError(
                f"scikit-learn's MLPClassifier has one logistic output for {classes} classes, which is a different "
                "network; use at least three classes, or another contender"
            )
        check_labels(data, classes)
        require_plain_loss(recipe, "scikit-learn's MLPClassifier")
        rule = recipe.optimizer
        self.model = MLPClassifier(
            (recipe.hidden,),
            solver="adam" if rule.name == "adam" else "sgd",
            alpha=0.0,
            batch_size=recipe.batch_size,
            learning_rate_init=recipe.learning_rate,
            shuffle=False,
            momentum=rule.momentum if rule.name == "momentum" else 0.0,
            nesterovs_momentum=False,
            beta_1=rule.beta_1,
            beta_2=rule.beta_2,
            epsilon=rule.epsilon,
        )
        self.classes = np.arange(classes)
        # The first call creates the arrays. Its results are then overwritten, and its optimizer is deleted.
        images = np.zeros((recipe.batch_size, len(parameters.W1)), np.float32)
        self.model.partial_fit(images, np.zeros(recipe.batch_size, np.int64), classes=self.classes)
        self.replace_parameters(parameters)
        del self.model._optimizer
        self.batch_size = recipe.batch_size
        self.replace_images(data.X)
        self.y = data.y.astype(np.int64)

    def replace_images(self, X: npt.NDArray[Any]) -> None:
        """Train on other images from now on; all are scaled to float32 in advance.

        Parameters
        ----------
        X : ndarray, shape (N, D)
            The images, as many as before, of the same shape and dtype. Labels, parameters and the state of the
            optimizer stay as they are.
        """
        self.X = as_features(X)

    def replace_parameters(self, parameters: Parameters) -> None:
        """Go on with other parameters. Images, labels and the state of the optimizer stay as they are.

        Parameters
        ----------
        parameters : Parameters
            Parameters of the same shapes; copied.
        """
        new = native(parameters)
        arrays = (*self.model.coefs_, *self.model.intercepts_)
        for array, values in zip(arrays, (new.W1, new.W2, new.b1, new.b2), strict=True):
            array[...] = values

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Train on a sequence of batches, in one call if the learning rate is constant.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.
        """
        if len(order) == 0:
            return
        constant = np.all(learning_rates == learning_rates[0])
        images = len(order) if constant else self.batch_size
        rates = learning_rates[:1] if constant else learning_rates
        for part, rate in enumerate(rates.tolist()):
            self._partial_fit(order[part * images : (part + 1) * images], rate)

    def _partial_fit(self, order: npt.NDArray[np.int64], learning_rate: float) -> None:
        # scikit-learn warns if there are fewer samples than `batch_size`.
        self.model.set_params(batch_size=min(self.batch_size, len(order)))
        if hasattr(self.model, "_optimizer"):
            # SGD uses `learning_rate`; Adam derives the rate of each step from `learning_rate_init`.
            self.model._optimizer.learning_rate = self.model._optimizer.learning_rate_init = learning_rate
        else:
            self.model.set_params(learning_rate_init=learning_rate)
        self.model.partial_fit(self.X[order], self.y[order])

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run ``predict_proba``.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Integer pixels or float features.

        Returns
        -------
        probs : ndarray of float32, shape (N, C)
            Class probabilities.
        """
        if len(X) == 0:
            return np.empty((0, len(self.classes)), np.float32)
        probs: FloatArray = self.model.predict_proba(as_features(X))
        return probs

    def parameters(self) -> Parameters:
        """Return a copy of the parameters.

        Returns
        -------
        params : Parameters
            The current parameters, float32.
        """
        (W1, W2), (b1, b2) = self.model.coefs_, self.model.intercepts_
        return Parameters(*(np.array(array, order="C") for array in (W1, b1, W2, b2)))

    def close(self) -> None:
        """Release data and parameters."""
        self.__dict__.clear()
