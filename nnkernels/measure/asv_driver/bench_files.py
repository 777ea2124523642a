"""The files of ``bench/``: what each measures, and which of its benchmarks a run includes.

A new file of benchmarks needs one line here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nnkernels.measure.timing.distinct import KERNEL_BENCHMARKS

EACH_CONTENDER = r".*\({contender}.*{dataset}\)"
EACH_BENCHMARK = r".*{dataset}\)"


@dataclass(frozen=True)
class BenchFile:
    """A file of benchmarks.

    Attributes
    ----------
    name : str
        Name of the file without ``.py``, with which the names of its benchmarks in asv begin.
    description : str
        Description for the progress display.
    threads : str
        Thread setting of the benchmarks without a parameter for it.
    planned : mapping of str to sequence of str
        For each profile, regular expressions of the benchmarks that it adds. They match asv's name of a benchmark
        without the leading ``name.``, for example ``Class.function('contender', 32, 'mnist')``. ``{contender}``,
        ``{dataset}`` and the names of kernels are placeholders for the values of the run. For interleaved runs of
        contenders, :mod:`~nnkernels.measure.asv_driver.plan` creates the expressions instead.
    single_pass : bool
        Whether only one pass measures it, because its samples come from different seeds, not from different processes.
    every_pass : bool
        Whether every pass measures it, because the confidence interval of a ratio to its results needs several
        processes.
    interleaved : bool
        Whether it times contenders or steps in turns. It is then measured in every pass that measures ratios, and its
        times are taken from the records of interleaved runs, not from asv.
    """

    name: str
    description: str
    threads: str = "1"
    planned: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"standard": [EACH_CONTENDER]})
    single_pass: bool = False
    every_pass: bool = False
    interleaved: bool = False

    def patterns(self, profiles: Sequence[str], values: Mapping[str, Sequence[object]]) -> list[str]:
        """Return asv's patterns of the benchmarks to measure.

        Parameters
        ----------
        profiles : sequence of str
            The profiles whose benchmarks are included.
        values : mapping of str to sequence of object
            The run's values of each placeholder. Patterns with a placeholder without values are omitted.

        Returns
        -------
        patterns : list of str
            Regular expressions.
        """
        alternatives = {name: f"({'|'.join(re.escape(repr(value)) for value in values[name])})" for name in values}
        return [
            f"^{self.name}[.]{call.format_map(alternatives)}$"
            for profile in profiles
            for call in self.planned.get(profile, ())
            if all(values[name] for name in re.findall(r"{(\w+)}", call))
        ]


_KERNEL = r"Kernels[.]time_{0}\({{{0}}}, (1|32|256|2048), {{dataset}}\)"

BENCH_FILES = (
    BenchFile(
        "accuracy",
        "accuracy: training each contender from several seeds",
        "all",
        {
            "quick": [f"ErrorRate[.]track_test{EACH_CONTENDER}"],
            "standard": [f"ErrorRate[.]track_train{EACH_CONTENDER}"],
        },
        single_pass=True,
    ),
    # Runs time epochs and predictions only in interleaved runs. These two files are for calling asv by hand.
    BenchFile("training", "training: whole epochs and preparation", planned={}),
    BenchFile("inference", "inference: single images", planned={}),
    BenchFile(
        "kernels",
        "kernels: forward, backward and step",
        planned={"standard": [*map(_KERNEL.format, KERNEL_BENCHMARKS)]},
    ),
    BenchFile("limits", "limits: peak rates of this machine", planned={"standard": [EACH_BENCHMARK]}, every_pass=True),
    BenchFile("large_data", "large data: training from a file", planned={"standard": [EACH_BENCHMARK]}),
    BenchFile(
        "startup",
        "start-up: imports and first calls",
        "all",
        {"standard": ["(Import|NumbaItself)[.].*", f"FirstCall[.]{EACH_CONTENDER}"]},
    ),
    # asv starts a process for each value that it reports, so only one step is reported to asv. The records contain all.
    BenchFile(
        "steps",
        "steps: from naive to fast, in turns",
        planned={"standard": [r"Steps[.]track_epoch\('vectors', {dataset}\)"]},
        interleaved=True,
    ),
    BenchFile("memory", "memory: peak of an epoch", "all"),
    BenchFile("transforms", "transforms: deskewing and augmentation", planned={"standard": [EACH_BENCHMARK]}),
    BenchFile("sweeps", "sweeps: a Dask cluster against local processes", planned={"standard": [EACH_BENCHMARK]}),
    BenchFile("scaling", "scaling: batch size, width, images, threads", planned={"full": [EACH_CONTENDER]}),
    BenchFile("ratios", "ratios: all contenders in turns", planned={"quick": []}, interleaved=True),
    BenchFile(
        "other_work", "ratios: further scenarios, all contenders in turns", planned={"standard": []}, interleaved=True
    ),
)


def bench_file(what: str) -> BenchFile | None:
    """Return the file that a line of asv's output refers to.

    Parameters
    ----------
    what : str
        For example ``ratios.OneThread...`` or ``Setting up ratios:59``.

    Returns
    -------
    file : BenchFile or None
        None if it does not refer to a file of benchmarks.
    """
    name = re.split(r"[.:]", what.removeprefix("Setting up "))[0]
    return next((known for known in BENCH_FILES if known.name == name), None)
