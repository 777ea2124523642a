"""What the gate finds out about a contender, and the differences that it tolerates."""

from __future__ import annotations

from dataclasses import dataclass

from nnkernels.kernels.fused.paths import with_path

# For each optimizer, the largest allowed absolute difference of any parameter from the oracle's.
# Measured for float32 NumPy with 40 seeds at batch sizes 1, 8, 32, 256 and 1,024: at most 1.5e-6 for SGD, 1.7e-6 for
# momentum (except for one changed ReLU sign at batch size 8) and 1.4e-6 for Adam. Keras' Adam: 4.4e-6 at batch size 1.
TOLERANCES = {"sgd": 1e-5, "momentum": 1e-5, "adam": 3e-5}
# The same for any probability. Measured for all contenders with four recipes on one machine: at most 4.6e-7.
PREDICTION_TOLERANCE = 3e-6
INFERENCE_ONLY = "inference only"


@dataclass(frozen=True)
class GateResult:
    """Differences of a contender from the oracle after the gate's training.

    Attributes
    ----------
    contender : str
        Name of the contender.
    optimizer : str
        Name of the optimizer; ``inference only`` if the contender cannot train.
    batch_size : int
        Batch size of the training.
    max_abs_difference : float
        Largest absolute difference of any parameter from the oracle's. If the contender cannot train, the difference
        from the parameters that it was given.
    tolerance : float
        Largest allowed value of ``max_abs_difference``.
    prediction_difference : float
        Largest absolute difference of any probability from float64 probabilities, both computed from the contender's
        own parameters.
    error : str
        The error that prevented a comparison; empty if there was none.
    extremes : str
        Description of the first wrong result in the extreme-input table; empty if there is none. The table applies to
        this package's own contenders only, because frameworks do not guarantee these results.
    threads_difference : float
        Largest absolute difference of any parameter from a training run on one thread. It must be 0. It is computed
        only for backends that declare the same bits on any number of threads, and is 0 for all others.
    path : str
        The path by which the contender was trained, if its backend has several and says so.
    evaluation : str
        Description of the first wrong evaluation of parameters; empty if there is none or if it was not checked. It is
        checked by ``verification.verify`` only.
    """

    contender: str
    optimizer: str
    batch_size: int
    max_abs_difference: float
    tolerance: float
    prediction_difference: float
    error: str = ""
    extremes: str = ""
    threads_difference: float = 0.0
    path: str = ""
    evaluation: str = ""

    @property
    def label(self) -> str:
        """The contender, with its path if that is known."""
        return with_path(self.contender, self.path)

    @property
    def trained(self) -> bool:
        """Whether the contender was trained. If not, only its predictions were compared."""
        return self.optimizer != INFERENCE_ONLY

    @property
    def passed(self) -> bool:
        """Whether both differences are within tolerance (NaN is not), and no further check failed."""
        within = self.max_abs_difference <= self.tolerance and self.prediction_difference <= PREDICTION_TOLERANCE
        return within and not self.extremes and not self.evaluation and self.threads_difference == 0
