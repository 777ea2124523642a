"""Declarative records of the scenarios that interleaved runs time; nothing runs here."""

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
    """Something that all contenders of an interleaved run do in turns.

    Attributes
    ----------
    name : str
        What it is called in records: a name, once recorded, stays.
    kind : {"train", "predict", "prepare", "time to accuracy", "training alone"}
        ``prepare``: from uint8 images in memory to a contender that is ready for its first batch. ``time to
        accuracy``: from uint8 images in memory to the end of the first epoch after which the test error is at most
        ``error_rate``; preparation is inside the clock, the evaluation is not. ``training alone``: the same trainings,
        which are not run again, without the time of the preparation.
    recipe : Recipe
        What is trained by, and what the gate is passed by.
    segments : int
        Segments a round; of training and predictions, contenders that can only do whole epochs take one.
    epoch_share : float
        How much of an epoch a round of ``train`` covers.
    images, calls : int
        Of ``predict``: images a call, and calls a segment. Calls of one image go through different images; their number
        is even, because neighbours in the order of these images balance each other.
    error_rate : float
        Of ``time to accuracy``: where it ends.
    whole_epochs : bool
        Whether contenders that can only do whole epochs take part: theirs take seconds.
    datasets : tuple of str
        Data sets that it is asked of; empty: all.
    from_profile : str
        The smallest profile of a run that measures it.
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
        """What its seconds are seconds of."""
        return UNITS[self.kind]

    def is_asked_of(self, dataset_name: str) -> bool:
        """Return whether it is done on that data set."""
        return not self.datasets or dataset_name in self.datasets

    def suits(self, trains: bool, whole_epochs_only: bool) -> bool:
        """Return whether such a contender takes part."""
        return (trains or self.kind == "predict") and (self.whole_epochs or not whole_epochs_only)


def names(scenarios: Sequence[Scenario]) -> tuple[str, ...]:
    """Return the names of scenarios."""
    return tuple(scenario.name for scenario in scenarios)


EPOCH = "epoch"
ONE_IMAGE = "one image of 1,000"
TEN_THOUSAND = "10,000 images"
PREPARATION = "preparation"

# Scenarios that recorded runs have under names that are no longer measured, with their units. What replaced them means
# something else, so it has another name: the two are never compared. "one image": 200 times test image 0.
FORMER_UNITS = {"one image": UNITS["predict"]}

# A segment is long beside what a call costs, and what it costs to find the caches full of another's data: half
# an epoch of the network itself, or a whole one of large batches, takes the fastest some 15 ms. In tenths of an
# epoch it was charged a tenth more, and the others next to nothing.
SCENARIOS = (
    Scenario(EPOCH, "train", segments=4, epoch_share=2.0, whole_epochs=True),
    Scenario(ONE_IMAGE, "predict", segments=3, images=1, calls=200, whole_epochs=True),
    Scenario(TEN_THOUSAND, "predict", segments=3, images=10_000, whole_epochs=True, from_profile="standard"),
    Scenario(PREPARATION, "prepare", segments=2, whole_epochs=True),
)

ERROR_RATE = 0.087
# At this constant rate the error on MNIST's validation images is 5.6 to 7.3 % after one epoch, from ten starts (numba),
# the lowest mean of 0.1 to 0.4; at each rate up to 0.3 one epoch is enough for all ten, at 0.4 for nine. So there, the
# time is that of a preparation and an epoch. On mnist-5k, with a fifteenth of the images, it takes 3 to 11 epochs.
_TO_ACCURACY = Recipe("sgd-to-accuracy", epochs=20, learning_rate=0.2)
# Other images may be harder, and a network of this width may never get there.
_REACHABLE = ("mnist", "mnist-5k")

# Where NumPy takes seconds an epoch, a round is a part of one. From the gate's start, at widths 128 and 512 no
# ReLU flips: NumPy, Numba and Keras are within 6e-8 of the oracle there (NumPy from any of 12 starts).
# On mnist-5k, that start is within rounding of a ReLU at width 512: NumPy itself is 4e-5 off there.
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
