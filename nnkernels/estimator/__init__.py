"""The network as a classifier with scikit-learn's API.

>>> from nnkernels.estimator import MLPClassifier
>>> MLPClassifier(random_state=0).fit(X_train / 255, y_train).score(X_test / 255, y_test)  # doctest: +SKIP
"""

from importlib.util import find_spec

from nnkernels.errors import MissingDependencyError

if find_spec("sklearn") is None:
    raise MissingDependencyError("MLPClassifier", "scikit-learn", "learn")

from nnkernels.estimator._classifier import MLPClassifier
from nnkernels.estimator._hyper_parameters import HyperParameterError
from nnkernels.estimator._samples import SampleError

__all__ = ["HyperParameterError", "MLPClassifier", "SampleError"]
