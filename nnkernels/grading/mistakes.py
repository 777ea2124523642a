"""Recognition of known mistakes, shared by all exercises.

An exercise is a TOML file with the right computation, line by line, and a catalogue of mistakes. A mistake has a name,
wrong lines that replace right ones, and an explanation. So the result of any combination of mistakes can be computed
and compared with the learner's result. A mistake is reported only if it explains every number.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import combinations, product
from typing import NamedTuple

from nnkernels.grading.lines import Answer, Lines, compile_lines, is_close
from nnkernels.grading.report import Finding

Names = tuple[str, ...]

# Larger combinations could explain almost anything, and so could more alternatives of the same size.
MAX_MISTAKES = 3
MAX_ALTERNATIVES = 4


@dataclass(frozen=True, eq=False)
class Mistake:
    """A known mistake.

    Attributes
    ----------
    name : str
        A short name.
    forms : tuple of Lines
        The forms of the mistake, each with its wrong lines. Empty if other rules recognise the mistake.
    explanation : str
        Why it is wrong, with placeholders in braces.
    right : str
        The correct code, with placeholders in braces; may be empty.
    """

    name: str
    forms: tuple[Lines, ...]
    explanation: str
    right: str

    def finding(self, arrays: Names, right: str = "", /, **fields: object) -> Finding:
        """Return the mistake as a finding.

        Parameters
        ----------
        arrays : tuple of str
            The names of the affected arrays.
        right : str, optional
            The correct code, instead of that of the mistake.
        **fields : object
            The values of the placeholders.

        Returns
        -------
        finding : Finding
            The finding with all placeholders filled in.
        """
        values = defaultdict(str, {name: str(field) for name, field in fields.items()})
        explanation, right = (text.format_map(values).strip() for text in (self.explanation, right or self.right))
        return Finding(self.name, arrays, explanation, right)


class Attempt(NamedTuple):
    """A learner's results, and how to compute the results of right and wrong lines.

    Attributes
    ----------
    yours : sequence of ndarray or None
        The learner's result in each case; None if it raised an exception.
    right : sequence of Lines
        The right computations, the usual one first.
    answers : callable
        ``answers(lines)`` computes the result of some lines in each case.
    """

    yours: Sequence[Answer]
    right: Sequence[Lines]
    answers: Callable[[Lines], Iterable[Answer]]

    def explanations(self, mistakes: Sequence[Mistake], tolerance: float) -> list[tuple[Mistake, ...]]:
        """Return the smallest sets of mistakes that reproduce the learner's results in all cases.

        Mistakes in lines that the computation does not have are ignored.

        Parameters
        ----------
        mistakes : sequence of Mistake
            The catalogue.
        tolerance : float
            The relative tolerance of :func:`is_close`.

        Returns
        -------
        explanations : list of tuple of Mistake
            Empty if the results are right, or if no set or too many sets reproduce them.
        """
        available = self.right[0].keys()
        forms = [(mistake, form) for mistake in mistakes for form in mistake.forms if form.keys() <= available]
        for count in range(MAX_MISTAKES + 1):
            fitting = {}
            for chosen in combinations(forms, count):
                wrong = [item for _mistake, form in chosen for item in form.items()]
                if len(dict(wrong)) < len(wrong):  # a line cannot be wrong in two ways at once
                    continue
                for lines in self.right:
                    tried = self.answers({**lines, **dict(wrong)})
                    if all(is_close(mine, theirs, tolerance) for mine, theirs in zip(self.yours, tried, strict=True)):
                        fitting[tuple(mistake for mistake, _form in chosen)] = True
            if fitting:
                return list(fitting) if count > 0 and len(fitting) <= MAX_ALTERNATIVES else []
        return []


@dataclass(frozen=True)
class Exercise:
    """A computation that a learner writes, and its catalogue of mistakes.

    Attributes
    ----------
    right : dict of str to list of Lines
        The right computations of each result, the usual one first.
    shown : dict of str to str
        The correct code to show to the learner.
    hints : dict of str to str
        Other texts for the report.
    mistakes : tuple of Mistake
        The catalogue.
    """

    right: dict[str, list[Lines]]
    shown: dict[str, str]
    hints: dict[str, str]
    mistakes: tuple[Mistake, ...]

    def finding(self, name: str, arrays: Names, right: str = "", /, **fields: object) -> Finding:
        """Return a mistake as a finding.

        Parameters
        ----------
        name : str
            The name of a mistake in the catalogue.
        arrays : tuple of str
            The names of the affected arrays.
        right : str, optional
            The correct code, instead of that of the mistake.
        **fields : object
            The values of the placeholders.

        Returns
        -------
        finding : Finding
            The finding with all placeholders filled in.
        """
        mistake = next(mistake for mistake in self.mistakes if mistake.name == name)
        return mistake.finding(arrays, right, **fields)

    def recognise(
        self, attempts: Mapping[Names, Attempt], tolerance: float, finding: Callable[[Mistake, Names], Finding]
    ) -> tuple[Finding, ...]:
        """Return findings that explain as many attempts as possible by the fewest mistakes in total.

        Parameters
        ----------
        attempts : mapping of tuple of str to Attempt
            The attempts by the names of the arrays that are judged together.
        tolerance : float
            The relative tolerance of :func:`is_close`.
        finding : callable
            ``finding(mistake, names) -> Finding``.

        Returns
        -------
        findings : tuple of Finding
            Attempts that no mistake explains are not mentioned.
        """
        tried = ((names, attempt.explanations(self.mistakes, tolerance)) for names, attempt in attempts.items())
        explained = dict(pair for pair in tried if pair[1])
        choices: dict[frozenset[Mistake], dict[Names, tuple[Mistake, ...]]] = {}
        for chosen in product(*explained.values()):
            choices.setdefault(frozenset().union(*chosen), dict(zip(explained, chosen, strict=True)))
        best = [combined for combined in choices if len(combined) == min(map(len, choices))]
        certain = frozenset.intersection(*best)

        def findings(some: frozenset[Mistake], combined: frozenset[Mistake]) -> list[Finding]:
            choice = choices[combined]
            shown = {m: tuple(name for names, found in choice.items() if m in found for name in names) for m in some}
            # The mistake that affects the most arrays comes first.
            ordered = sorted(some, key=lambda mistake: (-len(shown[mistake]), self.mistakes.index(mistake)))
            return [finding(mistake, shown[mistake]) for mistake in ordered]

        found = findings(certain, best[0])
        if len(best) > 1:
            either = [findings(combined - certain, combined) for combined in best]
            name = " or ".join(" and ".join(one.mistake for one in findings) for findings in either)
            text = " Or: ".join(" ".join(one.explanation for one in findings) for findings in either)
            ambiguous = (names for names, chosen in choices[best[0]].items() if not certain.issuperset(chosen))
            where = tuple(name for names in ambiguous for name in names)
            found.append(Finding(name, where, f"The values fit more than one mistake. Either: {text}"))
        # The same correct code is shown only once, below the last of its mistakes.
        return tuple(
            replace(one, right="") if any(one.right == later.right for later in found[i:]) else one
            for i, one in enumerate(found, start=1)
        )


def load_exercise(name: str) -> Exercise:
    """Load an exercise from its TOML file.

    Parameters
    ----------
    name : {"backward", "softmax", "update", "form"}
        The exercise. ``form`` has the mistakes in type, shape and dtype that can occur in any exercise.

    Returns
    -------
    exercise : Exercise
        The exercise with compiled lines.
    """
    table = tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))
    right = {result: [compile_lines(code)] for result, code in table.get("right", {}).items()}
    for result, code in table.get("also_right", {}).items():
        right[result].append({**right[result][0], **compile_lines(code)})
    mistakes = []
    for entry in table["mistake"]:
        forms = tuple(compile_lines(code) for code in entry.get("wrong", ()))
        mistakes.append(Mistake(entry["name"], forms, " ".join(entry["explanation"].split()), entry.get("right", "")))
    return Exercise(right, table.get("shown", {}), table.get("hints", {}), tuple(mistakes))
