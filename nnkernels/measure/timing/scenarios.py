"""Declarative records of the scenarios that interleaved runs time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nnkernels.recipes import SGD, Optimizer, Recipe, benchmark_recipe

Kind = Literal["train", "predict", "prepare", "time to accuracy", "training alone"]

UNITS: dict[Kind, str] = {
    "train": "seconds_per_epoch",
    "predict": "seconds_per_call",
    "prepare": "seconds",
    "time to accuracy": "seconds",
    "training alone": "seconds",
}


@dataclass(frozen=True)
class Scenario:
    """A task that all contenders of an interleaved run perform in turns.

    Attributes
    ----------
    name : str
        Name in the records. Recorded names must not change.
    kind : {"train", "predict", "prepare", "time to accuracy", "training alone"}
        ``prepare`` is the time from uint8 images in memory to a contender that is ready for its first batch. ``time to
        accuracy`` is the time from uint8 images in memory to the end of the first epoch after which the test error is
        at most ``error_rate``; preparation is included, evaluation is not. ``training alone`` is
        the time of the same training runs without preparation, and needs no further measurement.
    recipe : Recipe
        Training recipe; also used for the correctness check.
    segments : int
        Segments per round. Contenders that are timed in whole epochs only have one segment per round in ``train`` and
        ``predict``.
    epoch_share : float
        For ``train``: the fraction of an epoch that one round covers.
    images : int
        For ``predict``: images per call. Calls with one image cycle through different images.
    calls : int
        For ``predict``: calls per segment. It is even for calls with one image, because two consecutive images in their
        order balance each other.
    error_rate : float
        For ``time to accuracy``: the test error at which training stops.
    whole_epochs : bool
        Whether contenders that are timed in whole epochs only take part. They take seconds per segment.
    datasets : tuple of str
        Names of the data sets to which the scenario applies; empty for all.
    from_profile : str
        The smallest profile of ``nnkernels bench`` that includes the scenario.
    """

    name: str
    kind: Kind
    recipe: Recipe = SGD
    segments: int = 1
    epoch_share: float = 1.0
    images: int = 0
    calls: int = 1
    error_rate: float = 0.0
    whole_epochs: bool = False
    datasets: tuple[str, ...] = ()
    from_profile: str = "quick"

    @property
    def unit(self) -> str:
        """The unit of the scenario's times."""
        return UNITS[self.kind]

    def applies_to(self, dataset_name: str) -> bool:
        """Return whether the scenario applies to a data set.

        Parameters
        ----------
        dataset_name : str
            Name of the data set.

        Returns
        -------
        applies : bool
            Whether it is measured on it.
        """
        return not self.datasets or dataset_name in self.datasets

    def suits(self, trains: bool, whole_epochs_only: bool) -> bool:
        """Return whether a contender of some kind takes part.

        Parameters
        ----------
        trains : bool
            Whether the contender can train.
        whole_epochs_only : bool
            Whether the contender is timed in whole epochs only.

        Returns
        -------
        suits : bool
            Whether it takes part.
        """
        return (trains or self.kind == "predict") and (self.whole_epochs or not whole_epochs_only)


def names(scenarios: Sequence[Scenario]) -> tuple[str, ...]:
    """Return the names of scenarios.

    Parameters
    ----------
    scenarios : sequence of Scenario
        The scenarios.

    Returns
    -------
    names : tuple of str
        Their names, in the same order.
    """
    return tuple(scenario.name for scenario in scenarios)


EPOCH = "epoch"
ONE_IMAGE = "one image of 1,000"
TEN_THOUSAND = "10,000 images"
PREPARATION = "preparation"

# Scenarios of recorded runs that are no longer measured, with their units. Their replacements measure something else
# under another name, so that the two are never compared. "one image" predicted test image 0 in all of its 200 calls.
FORMER_UNITS = {"one image": UNITS["predict"]}

# A segment must be long compared with the overhead of a call and of refilling the caches after another contender. Half
# an epoch in batches of 32, or a whole epoch of large batches, takes the fastest contender about 15 ms. With segments
# of a tenth of an epoch, this overhead added a tenth to its time, and almost nothing to the times of the others.
SCENARIOS = (
    Scenario(EPOCH, "train", segments=4, epoch_share=2.0, whole_epochs=True),
    Scenario(ONE_IMAGE, "predict", segments=3, images=1, calls=200, whole_epochs=True),
    Scenario(TEN_THOUSAND, "predict", segments=3, images=10_000, whole_epochs=True, from_profile="standard"),
    Scenario(PREPARATION, "prepare", segments=2, whole_epochs=True),
)

ERROR_RATE = 0.087
# The learning rate was chosen on MNIST's validation images, with `numba` and ten seeds. Of the constant rates from 0.1
# to 0.4, 0.2 has the lowest mean error after one epoch: 5.6 to 7.3 %. One epoch is enough for all ten seeds at each
# rate up to 0.3, and for nine at 0.4. So on MNIST, the scenario measures a preparation and one epoch. On mnist-5k,
# which has a fifteenth of the images, it takes 3 to 11 epochs.
_TO_ACCURACY = Recipe("sgd-to-accuracy", epochs=20, learning_rate=0.2)
# On other data sets, a network of this width may never reach the error rate.
_REACHABLE = ("mnist", "mnist-5k")

# If an epoch takes NumPy seconds, a round covers a part of it. At widths 128 and 512, no ReLU changes its sign in the
# gate's training on MNIST: NumPy, Numba and Keras are within 6e-8 of the oracle (NumPy with any of 12 seeds).
# On mnist-5k at width 512, a ReLU input is within rounding error of 0, and NumPy itself differs by 4e-5.
_UNMOVED = ("mnist",)
_BATCH_128 = benchmark_recipe(batch_size=128)
FURTHER_SCENARIOS = (
    Scenario("epoch, Adam", "train", benchmark_recipe(Optimizer("adam")), 4, epoch_share=2.0, whole_epochs=True),
    Scenario("epoch, batch 1,024", "train", benchmark_recipe(batch_size=1024), segments=4, epoch_share=4.0),
    Scenario("epoch, hidden 128", "train", _BATCH_128.with_changes(hidden=128), 4, epoch_share=1.0),
    Scenario("epoch, hidden 512", "train", _BATCH_128.with_changes(hidden=512), 2, epoch_share=0.1, datasets=_UNMOVED),
    Scenario("time to 8.7 % error", "time to accuracy", _TO_ACCURACY, error_rate=ERROR_RATE, datasets=_REACHABLE),
    Scenario(
        "time to 8.7 % error, training alone",
        "training alone",
        _TO_ACCURACY,
        error_rate=ERROR_RATE,
        datasets=_REACHABLE,
    ),
)
