"""The engine of all exercises: a learner's answer beside the right one and beside what each mistake makes of it.

An exercise is data, in a TOML file: the right computation line by line, and a catalogue of mistakes. A mistake is a
name, lines of code that replace right ones, and words. So the answer that a mistake leads to can be worked out, for one
mistake or for several at once. A mistake is claimed only if it explains every number.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import combinations, product
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from nnkernels.grading.report import SMALLEST_SCALE, Finding
from nnkernels.parameters import FloatArray

# Lines of code ``name = expression``, by name. Each reads what was given and the lines before it; ``last`` is the value
# of the line before.
Lines = Mapping[str, CodeType]
# What a computation returns; None if it raises an error.
Answer = FloatArray | None
Names = tuple[str, ...]

# More at once would explain too much, and so would more explanations that are equally simple.
MOST_MISTAKES = 3
MOST_ALTERNATIVES = 4


@dataclass(frozen=True, eq=False)
class Mistake:
    """A mistake: its name, the forms of it (each has the wrong lines), why it is wrong, and the code that is right.

    A mistake without forms is recognised by other means. ``words`` and ``right`` have fields in braces.
    """

    name: str
    forms: tuple[Lines, ...]
    words: str
    right: str

    def finding(self, arrays: Names, right: str = "", /, **fields: object) -> Finding:
        """Return the mistake as a finding in some arrays, with the fields of its words."""
        known = defaultdict(str, {name: str(field) for name, field in fields.items()})
        words, right = (text.format_map(known).strip() for text in (self.words, right or self.right))
        return Finding(self.name, arrays, words, right)


class Judged(NamedTuple):
    """A learner's answer in each case, the right computations, and a function that works one out in each case."""

    yours: Sequence[Answer]
    right: Sequence[Lines]
    answers: Callable[[Lines], Iterable[Answer]]

    def explanations(self, mistakes: Sequence[Mistake], tolerance: float) -> list[tuple[Mistake, ...]]:
        """Return the smallest sets of mistakes that lead to exactly the learner's answers in all cases.

        Mistakes in lines that the computation does not have are left out. The result is empty if nothing fits, if too
        much does, or if the answers are right.
        """
        there = self.right[0].keys()
        forms = [(mistake, form) for mistake in mistakes for form in mistake.forms if form.keys() <= there]
        for count in range(MOST_MISTAKES + 1):
            fitting = {}
            for chosen in combinations(forms, count):
                wrong = [item for _mistake, form in chosen for item in form.items()]
                if len(dict(wrong)) < len(wrong):  # one line cannot be wrong in two ways
                    continue
                for lines in self.right:
                    tried = self.answers({**lines, **dict(wrong)})
                    if all(same(mine, theirs, tolerance) for mine, theirs in zip(self.yours, tried, strict=True)):
                        fitting[tuple(mistake for mistake, _form in chosen)] = True
            if fitting:
                return list(fitting) if count > 0 and len(fitting) <= MOST_ALTERNATIVES else []
        return []


@dataclass(frozen=True)
class Exercise:
    """A computation that a learner writes, and the catalogue of mistakes in it.

    ``right`` has the right computations of each result, the usual one first; ``shown`` the code that a learner is
    shown, and ``hints`` what else to say.
    """

    right: dict[str, list[Lines]]
    shown: dict[str, str]
    hints: dict[str, str]
    mistakes: tuple[Mistake, ...]

    def finding(self, name: str, arrays: Names, right: str = "", /, **fields: object) -> Finding:
        """Return the mistake of a name as a finding."""
        mistake = next(mistake for mistake in self.mistakes if mistake.name == name)
        return mistake.finding(arrays, right, **fields)

    def recognised(
        self, judged: Mapping[Names, Judged], tolerance: float, finding: Callable[[Mistake, Names], Finding]
    ) -> tuple[Finding, ...]:
        """Return findings that explain answers by the fewest mistakes in all; what no mistake explains is left out.

        The answers are given by the names of the arrays that are judged together. ``finding`` puts a mistake in some
        arrays into words.
        """
        tried = ((names, one.explanations(self.mistakes, tolerance)) for names, one in judged.items())
        explained = dict(pair for pair in tried if pair[1])
        choices: dict[frozenset[Mistake], dict[Names, tuple[Mistake, ...]]] = {}
        for chosen in product(*explained.values()):
            choices.setdefault(frozenset().union(*chosen), dict(zip(explained, chosen, strict=True)))
        best = [together for together in choices if len(together) == min(map(len, choices))]
        certain = frozenset.intersection(*best)

        def findings(some: frozenset[Mistake], together: frozenset[Mistake]) -> list[Finding]:
            choice = choices[together]
            shown = {m: tuple(name for names, found in choice.items() if m in found for name in names) for m in some}
            # What shows in most arrays was done first.
            ordered = sorted(some, key=lambda mistake: (-len(shown[mistake]), self.mistakes.index(mistake)))
            return [finding(mistake, shown[mistake]) for mistake in ordered]

        found = findings(certain, best[0])
        if len(best) > 1:
            either = [findings(together - certain, together) for together in best]
            name = " or ".join(" and ".join(one.mistake for one in findings) for findings in either)
            text = " Or: ".join(" ".join(one.explanation for one in findings) for findings in either)
            unsure = (names for names, chosen in choices[best[0]].items() if not certain.issuperset(chosen))
            where = tuple(name for names in unsure for name in names)
            found.append(Finding(name, where, f"The values fit more than one mistake. Either: {text}"))
        # Lines that are right for several mistakes are shown once, below the last of them.
        return tuple(
            replace(one, right="") if any(one.right == later.right for later in found[i:]) else one
            for i, one in enumerate(found, start=1)
        )


def exercise(name: str) -> Exercise:
    """Read ``backward``, ``softmax`` or ``update``, or ``form``, the mistakes in the form of any answer."""
    table = tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))
    right = {result: [_lines(code)] for result, code in table.get("right", {}).items()}
    for result, code in table.get("also_right", {}).items():
        right[result].append({**right[result][0], **_lines(code)})
    mistakes = []
    for entry in table["mistake"]:
        forms = tuple(_lines(code) for code in entry.get("wrong", ()))
        mistakes.append(Mistake(entry["name"], forms, " ".join(entry["words"].split()), entry.get("right", "")))
    return Exercise(right, table.get("shown", {}), table.get("hints", {}), tuple(mistakes))


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
    finite = np.isfinite(theirs)
    if yours.shape != theirs.shape or not np.array_equal(finite, np.isfinite(yours)):
        return False
    scale = max(float(np.max(np.abs(theirs[finite]), initial=0)), SMALLEST_SCALE)
    return bool(np.all(np.abs(yours[finite] - theirs[finite]) <= tolerance * scale))
