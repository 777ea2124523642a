"""The files of ``bench/``: what each measures in words, and what a run plans of it.

A new file of benchmarks is added here by one line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nnkernels.measure.timing.distinct import KERNEL_BENCHMARKS

OF_EACH = r".*\({contender}.*{dataset}\)"
OF_THE_DATASET = r".*{dataset}\)"


@dataclass(frozen=True)
class BenchFile:
    r"""A file of benchmarks.

    Attributes
    ----------
    name : str
        The file's, without ``.py``; the names that asv gives its benchmarks begin with it.
    words : str
        What it measures, for who waits.
    threads : str
        The setting of those of its benchmarks that have no parameter for it.
    planned : mapping of str to sequence of str
        From which profile on which calls are planned, as regular expressions over what follows ``name.`` in asv's
        ``Class.function('contender', 32, 'mnist')``. ``{contender}``, ``{dataset}`` and the kernels' names stand for
        the values that the run asks for. Of interleaved runs of contenders, the plan knows the calls.
    once : bool
        Whether one pass measures it for all: its samples are seeds, not processes.
    every_pass : bool
        Whether every pass measures it: ratios are taken against it, and their intervals need several processes of both.
    interleaved : bool
        Whether it times contenders or steps in turns: then it is measured in every pass of ratios, and the run has its
        times from the records of interleaved runs, not from asv.
    """

    name: str
    words: str
    threads: str = "1"
    planned: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"standard": [OF_EACH]})
    once: bool = False
    every_pass: bool = False
    interleaved: bool = False

    def patterns(self, profiles: Sequence[str], asked: Mapping[str, Sequence[object]]) -> list[str]:
        """Return asv's patterns for what is planned from these profiles on, where there is anything to measure."""
        values = {name: f"({'|'.join(re.escape(repr(value)) for value in asked[name])})" for name in asked}
        return [
            f"^{self.name}[.]{call.format_map(values)}$"
            for profile in profiles
            for call in self.planned.get(profile, ())
            if all(asked[name] for name in re.findall(r"{(\w+)}", call))
        ]


_KERNEL = r"Kernels[.]time_{0}\({{{0}}}, (1|32|256|2048), {{dataset}}\)"

BENCH_FILES = (
    BenchFile(
        "accuracy",
        "accuracy: training every contender from several starts",
        "all",
        {"quick": [f"ErrorRate[.]track_test{OF_EACH}"], "standard": [f"ErrorRate[.]track_train{OF_EACH}"]},
        once=True,
    ),
    # Epochs and predictions are timed by the interleaved runs alone: these two are for asv by hand.
    BenchFile("training", "training: whole epochs, and the preparation", planned={}),
    BenchFile("inference", "inference: single images", planned={}),
    BenchFile(
        "kernels",
        "kernels: forward, backward and step",
        planned={"standard": [*map(_KERNEL.format, KERNEL_BENCHMARKS)]},
    ),
    BenchFile("limits", "limits: what this machine could do", planned={"standard": [OF_THE_DATASET]}, every_pass=True),
    BenchFile("large_data", "large data: from a memory map", planned={"standard": [OF_THE_DATASET]}),
    BenchFile(
        "startup",
        "start-up: imports and first calls",
        "all",
        {"standard": ["(Import|NumbaItself)[.].*", f"FirstCall[.]{OF_EACH}"]},
    ),
    # Each call is a process, so asv keeps one step; the records keep all.
    BenchFile(
        "steps",
        "steps: from naive to fast, in turns",
        planned={"standard": [r"Steps[.]track_epoch\('vectors', {dataset}\)"]},
        interleaved=True,
    ),
    BenchFile("memory", "memory: the peak of an epoch", "all"),
    BenchFile("scaling", "scaling: batch, width, images, threads", planned={"full": [OF_EACH]}),
    BenchFile("ratios", "ratios: all contenders in turns", planned={"quick": []}, interleaved=True),
    BenchFile(
        "other_work", "ratios: further scenarios, all contenders in turns", planned={"standard": []}, interleaved=True
    ),
)


def bench_file(what: str) -> BenchFile | None:
    """Return the file that asv speaks of: ``ratios.OneThread...`` or ``Setting up ratios:59``; None if of no file."""
    name = re.split(r"[.:]", what.removeprefix("Setting up "))[0]
    return next((known for known in BENCH_FILES if known.name == name), None)
