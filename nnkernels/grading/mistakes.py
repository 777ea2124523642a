"""The engine of all exercises: a learner's answer beside the right one and beside what each mistake makes of it.

An exercise is data, in a TOML file: the right computation line by line, and a catalogue of mistakes. A mistake is a
name, lines of code that replace right ones, and words. So the answer that a mistake leads to can be worked out, for one
mistake or for several at once. A mistake is claimed only if it explains every number.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import combinations, product
from types import CodeType
from typing import Any

import numpy as np

from nnkernels.grading.report import SMALLEST_SCALE, Finding
from nnkernels.parameters import FloatArray

# Lines of code ``name = expression``, by name. Each reads what was given and the lines before it; ``last`` is the value
# of the line before.
Lines = Mapping[str, CodeType]
# What a computation returns; None if it raises an error.
Answer = FloatArray | None

# More at once would explain too much, and so would more explanations that are equally simple.
MOST_MISTAKES = 3
MOST_ALTERNATIVES = 4


@dataclass(frozen=True, eq=False)
class Mistake:
    """A mistake that can be recognised.

    Attributes
    ----------
    name : str
        Short and stable; two mistakes may share one.
    forms : tuple of Lines
        The ways to make it: each has the wrong lines. Empty if it is recognised by other means.
    words : str
        Why it is wrong.
    """

    name: str
    forms: tuple[Lines, ...]
    words: str

    def finding(self, arrays: tuple[str, ...], right: str = "") -> Finding:
        """Return the mistake as a finding in some arrays."""
        return Finding(self.name, arrays, self.words, right)


@dataclass(frozen=True)
class Exercise:
    """A computation that a learner writes.

    Attributes
    ----------
    right : dict of list of Lines
        The right computations of each result; the first is the usual one.
    shown : dict of str
        Code to show to a learner.
    mistakes : tuple of Mistake
        The catalogue.
    """

    right: dict[str, list[Lines]]
    shown: dict[str, str]
    mistakes: tuple[Mistake, ...]

    def mistake(self, name: str) -> Mistake:
        """Return the first mistake of a name."""
        return next(mistake for mistake in self.mistakes if mistake.name == name)


@cache
def exercise(name: str) -> Exercise:
    """Return an exercise: ``backward``, ``softmax`` or ``update``."""
    table = tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))
    right = {result: [_lines(code)] for result, code in table["right"].items()}
    for result, code in table.get("also_right", {}).items():
        right[result].append({**right[result][0], **_lines(code)})
    mistakes = tuple(
        Mistake(entry["name"], tuple(map(_lines, entry.get("wrong", ()))), " ".join(entry["words"].split()))
        for entry in table["mistake"]
    )
    return Exercise(right, table["shown"], mistakes)


def _lines(code: str) -> Lines:
    pairs = (line.split(" = ", 1) for line in code.replace("; ", "\n").splitlines())
    return {name: compile(expression, f"<{name}>", "eval") for name, expression in pairs}


def work_out(lines: Lines, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given and the value of every line; ``last`` is that of the last one."""
    values = dict(given)
    with np.errstate(all="ignore"):
        for name, code in lines.items():
            values[name] = values["last"] = eval(code, {"np": np}, values)
    return values


def answer(lines: Lines, given: Mapping[str, Any]) -> Answer:
    """Return the value of the last line, or None if shapes do not fit on the way."""
    try:
        return np.asarray(work_out(lines, given)["last"])
    except ValueError:
        return None


def same(yours: Answer, theirs: Answer, tolerance: float) -> bool:
    """Tell whether two answers are alike, relative to the largest entry of the second.

    NaN and infinity count as alike: both come of the same overflow or division by zero.
    """
    if yours is None or theirs is None:
        return yours is theirs
    if yours.shape != theirs.shape:
        return False
    finite = np.isfinite(theirs)
    if not np.array_equal(finite, np.isfinite(yours)):
        return False
    scale = max(float(np.max(np.abs(theirs[finite]), initial=0)), SMALLEST_SCALE)
    return bool(np.all(np.abs(yours[finite] - theirs[finite]) <= tolerance * scale))


def explain(
    yours: Sequence[Answer],
    right: Sequence[Lines],
    mistakes: Sequence[Mistake],
    answers: Callable[[Lines], Iterable[Answer]],
    tolerance: float,
) -> list[tuple[Mistake, ...]]:
    """Return the smallest sets of mistakes that lead to exactly these answers.

    Parameters
    ----------
    yours : sequence of (ndarray or None)
        The learner's answer in each case.
    right : sequence of Lines
        The right computation; more than one if several are right.
    mistakes : sequence of Mistake
        Those in lines that the computation does not have are left out.
    answers : callable
        Works out a computation in each case.
    tolerance : float
        See :func:`same`.

    Returns
    -------
    list of tuple of Mistake
        Empty if nothing fits, if too much does, or if the answers are right.
    """
    forms = [(mistake, form) for mistake in mistakes for form in mistake.forms if form.keys() <= right[0].keys()]
    for count in range(MOST_MISTAKES + 1):
        fitting = {}
        for chosen in combinations(forms, count):
            wrong = [item for _mistake, form in chosen for item in form.items()]
            if len(dict(wrong)) < len(wrong):  # one line cannot be wrong in two ways
                continue
            for lines in right:
                tried = answers({**lines, **dict(wrong)})
                if all(same(mine, theirs, tolerance) for mine, theirs in zip(yours, tried, strict=True)):
                    fitting[tuple(mistake for mistake, _form in chosen)] = True
        if fitting:
            return list(fitting) if count > 0 and len(fitting) <= MOST_ALTERNATIVES else []
    return []


def recognised(
    explained: Mapping[tuple[str, ...], list[tuple[Mistake, ...]]],
    mistakes: Sequence[Mistake],
    finding: Callable[[Mistake, tuple[str, ...]], Finding],
) -> tuple[Finding, ...]:
    """Return the findings that explain all arrays together by the fewest mistakes.

    Parameters
    ----------
    explained : mapping
        Names of arrays that were judged together, and what :func:`explain` returned for them.
    mistakes : sequence of Mistake
        Those that show in equally many arrays are reported in this order.
    finding : callable
        Puts a mistake in some arrays into words.
    """
    choices: dict[frozenset[Mistake], dict[tuple[str, ...], tuple[Mistake, ...]]] = {}
    for chosen in product(*explained.values()):
        choices.setdefault(frozenset().union(*chosen), dict(zip(explained, chosen, strict=True)))
    fewest = min(map(len, choices))
    best = [together for together in choices if len(together) == fewest]
    certain = frozenset.intersection(*best)

    def findings(some: frozenset[Mistake], together: frozenset[Mistake]) -> list[Finding]:
        choice = choices[together]
        shown = {m: tuple(name for names, found in choice.items() if m in found for name in names) for m in some}
        # What shows in most arrays was done first.
        ordered = sorted(some, key=lambda mistake: (-len(shown[mistake]), mistakes.index(mistake)))
        return [finding(mistake, shown[mistake]) for mistake in ordered]

    found = findings(certain, best[0])
    if len(best) > 1:
        either = [findings(together - certain, together) for together in best]
        name = " or ".join(" and ".join(one.mistake for one in findings) for findings in either)
        text = " Or: ".join(" ".join(one.explanation for one in findings) for findings in either)
        found.append(Finding(name, either[0][0].arrays, f"The values fit more than one mistake. Either: {text}"))
    # Lines that are right for several mistakes are shown once, below the last of them.
    return tuple(
        replace(one, right="") if any(one.right == later.right for later in found[i:]) else one
        for i, one in enumerate(found, start=1)
    )
