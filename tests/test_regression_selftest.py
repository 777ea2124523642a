"""`nnkernels selftest`: resuming, rejection of records that do not match, figures and criteria."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats
from typer.testing import CliRunner

from nnkernels import Dataset
from nnkernels.cli.shared import app
from nnkernels.data.folder import write_folder
from nnkernels.errors import ConfigurationError, ResultsError
from nnkernels.measure.records import provenance
from nnkernels.measure.regression import selftest
from nnkernels.measure.regression.comparisons import Comparison
from nnkernels.measure.regression.criteria import check_criteria
from nnkernels.measure.regression.figures import Figures, Rate, figures_of, rate
from nnkernels.measure.regression.measuring import Plan
from nnkernels.measure.regression.record import CheckRecord, write_record
from nnkernels.measure.regression.selftest import CYCLE, NEIGHBOUR_CYCLE, load_records, run_selftest
from nnkernels.report.method_page import PAGE
from nnkernels.report.selftest import BLOCK, check_columns, comparison_columns, figure_columns, selftest_markdown
from tests.made_up_checks import TWO, new_checkout, pairs_of, record_of

MACHINE = provenance.machine_name()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return new_checkout(tmp_path / "checkout")


@pytest.fixture
def requested_checks(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace checks by made-up ones, whose tree has the injected slowdown; return the list of requested checks."""
    requested: list[dict[str, Any]] = []

    def run_check(
        root: Path, base: str, dataset: Dataset, comparisons: list[Comparison], plan: Plan, **more: Any
    ) -> CheckRecord:
        requested.append({"base": base, "comparisons": comparisons, "neighbour": more["neighbour"]})
        ready = [replace(one, units=10) for one in comparisons]
        return record_of(
            ready,
            pairs_of(ready, 1 + ready[0].injected),
            method=plan.method(),
            neighbour=more["neighbour"],
            dataset=dataset.name,
            recorded_at=f"2026-11-28T17:{len(requested):02}:00+00:00",
            machine=MACHINE,
        )

    monkeypatch.setattr(selftest, "run_check", run_check)
    return requested


@pytest.fixture
def run_one_check(
    checkout: Path, small_digits: Dataset, tmp_path: Path, requested_checks: list[dict[str, Any]]
) -> Callable[..., list[CheckRecord]]:
    """Return a function that runs one check of the self-test and returns all recorded checks."""

    def run(plan: Plan | None = None, **more: Any) -> list[CheckRecord]:
        results = tmp_path / "results"
        return load_records(run_selftest(checkout, results, small_digits, [], plan or Plan(), minutes=0, **more))

    return run


def test_selftest_resumes_cycle_of_slowdowns(
    run_one_check: Callable[..., list[CheckRecord]], requested_checks: list[dict[str, Any]]
) -> None:
    for done in range(1, len(CYCLE) + 2):
        assert len(run_one_check()) == done
    injected = [one["comparisons"][0].repeat_every for one in requested_checks]
    assert injected == [*CYCLE, CYCLE[0]]
    assert {one["base"] for one in requested_checks} == {"HEAD"}


def test_only_checks_without_slowdown_compare_all_scenarios(
    run_one_check: Callable[..., list[CheckRecord]], requested_checks: list[dict[str, Any]]
) -> None:
    run_one_check()
    run_one_check()
    same, slowed = (one["comparisons"] for one in requested_checks)
    assert {one.scenario for one in same} == {"epoch", "epoch-adam", "one-image", "10000-images"}
    assert {one.scenario for one in slowed} == {"epoch", "epoch-adam"}
    assert {one.injected for one in slowed} == {0.02}


def test_checks_beside_neighbour_have_separate_cycle(
    run_one_check: Callable[..., list[CheckRecord]], requested_checks: list[dict[str, Any]]
) -> None:
    run_one_check()
    run_one_check()
    for _ in range(len(NEIGHBOUR_CYCLE) + 1):
        run_one_check(neighbour=True)
    beside = requested_checks[2:]
    assert [one["neighbour"] for one in requested_checks[:2]] == [False, False]
    assert all(one["neighbour"] for one in beside)
    assert [one["comparisons"][0].repeat_every for one in beside] == [*NEIGHBOUR_CYCLE, NEIGHBOUR_CYCLE[0]]


def test_unchanged_trees_can_be_measured_alone(
    run_one_check: Callable[..., list[CheckRecord]], requested_checks: list[dict[str, Any]]
) -> None:
    for _ in range(3):
        run_one_check(unchanged=True)
    assert [one["comparisons"][0].repeat_every for one in requested_checks] == [0, 0, 0]


def test_checks_with_other_time_limits_are_combined_and_shown_apart(
    run_one_check: Callable[..., list[CheckRecord]], requested_checks: list[dict[str, Any]]
) -> None:
    run_one_check(Plan(minutes=2))
    records = run_one_check(Plan(minutes=5), unchanged=True)
    assert [(one.minutes, one.injected, one.checks) for one in figures_of(records)] == [(2, 0, 1), (5, 0, 1)]


def test_resume_rejects_records_of_other_method(
    run_one_check: Callable[..., list[CheckRecord]],
    requested_checks: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_one_check()
    with pytest.raises(ConfigurationError, match=r"resolve is 0.03 there and 0.02 here"):
        run_one_check(Plan(resolve=0.02))
    monkeypatch.setattr("nnkernels.measure.regression.rule.METHOD", 99)
    with pytest.raises(ConfigurationError, match="version is 1 there and 99 here"):
        run_one_check()
    assert len(requested_checks) == 1


def test_resume_rejects_records_on_other_data(
    run_one_check: Callable[..., list[CheckRecord]], requested_checks: list[dict[str, Any]], tmp_path: Path
) -> None:
    (record,) = run_one_check()
    write_record(tmp_path / "results" / MACHINE / "more.json", replace(record, dataset="other digits"))
    with pytest.raises(ConfigurationError, match="contains checks on other digits"):
        run_one_check()
    assert len(requested_checks) == 1


def test_package_with_uncommitted_changes_is_rejected(
    run_one_check: Callable[..., list[CheckRecord]], requested_checks: list[dict[str, Any]], checkout: Path
) -> None:
    (checkout / "nnkernels" / "kernel.py").write_text("edited\n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"nnkernels/kernel.py differs from HEAD"):
        run_one_check()
    assert not requested_checks


def test_resume_rejects_damaged_record(run_one_check: Callable[..., list[CheckRecord]], tmp_path: Path) -> None:
    run_one_check()
    (path,) = (tmp_path / "results" / MACHINE).iterdir()
    path.write_text("{", "utf-8")
    with pytest.raises(ResultsError, match="damaged"):
        run_one_check()


def test_figures_are_counted_from_the_samples() -> None:
    slowed = [replace(one, repeat_every=50) for one in TWO]
    records = [
        record_of(TWO, pairs_of(TWO, 1.0)),
        record_of(TWO, pairs_of(TWO, 1.0)),
        record_of(TWO, pairs_of(TWO, 1.1)),  # two false alarms
        record_of(TWO, pairs_of(TWO, 1.0, spread=0.2)),  # not resolved
        record_of(slowed, pairs_of(slowed, 1.02)),
        record_of(slowed, pairs_of(slowed, 1.02, spread=0.05)),
        record_of(TWO, pairs_of(TWO, 1.0), neighbour=True),
    ]
    same, slower, beside = figures_of(records)
    assert [(one.neighbour, one.injected, one.checks) for one in (same, slower, beside)] == [
        (False, 0.0, 4),
        (False, 0.02, 2),
        (True, 0.0, 1),
    ]
    assert (same.alarms.count, same.alarms.cases) == (2, 8)
    assert (same.alarms_where_resolved.count, same.alarms_where_resolved.cases) == (2, 6)
    assert (same.not_resolved.count, same.undecided.count, same.undecided.cases) == (2, 1, 4)
    assert (same.passed.count, same.flagged.count, same.passed.cases) == (2, 1, 4)
    assert same.covered.count <= 6
    assert (slower.alarms.count, slower.alarms.cases) == (2, 4)
    assert (slower.alarms_where_resolved.count, slower.alarms_where_resolved.cases) == (2, 2)
    assert slower.covered.cases == 0  # coverage is counted where nothing is injected
    assert slower.ratio == pytest.approx(1.02, rel=0.01)
    text = selftest_markdown(records)
    assert "25.0 % (2 of 8)" in text
    assert sum(line.startswith("| ") for line in text.splitlines()) == 2 + 3


def test_the_two_tables_of_the_page_have_all_figures() -> None:
    found = [figures(0.0), figures(0.02, neighbour=True)]
    whole = {column.heading: column.cells for column in figure_columns(found) if not column.identity}
    (first, *comparisons), (second, *checks) = comparison_columns(found), check_columns(found)
    assert {column.heading: column.cells for column in (*comparisons, *checks)} == whole
    assert first.cells == second.cells
    assert [cell.replace("\xa0", " ") for cell in first.cells] == [
        "quiet, injected none, 2 min",
        "busy neighbour, injected 2%, 2 min",
    ]


def test_checks_of_several_days_and_commits_are_combined() -> None:
    records = [
        record_of(TWO, pairs_of(TWO, 1.0), base=commit * 40, recorded_at=f"2026-11-{day}T17:00:00+00:00")
        for commit, day in (("a", 28), ("b", 28), ("b", 29))
    ]
    text = selftest_markdown(records)
    assert "3 checks on mnist, of 2 commits, on 2 days: 2026-11-28, 2026-11-29." in text
    assert "0.0 % (0 of 6)" in text


def figures(injected: float, neighbour: bool = False, minutes: float = 2, **shares: Rate) -> Figures:
    (one,) = figures_of([record_of(TWO, pairs_of(TWO, 1.0))])
    return replace(one, injected=injected, neighbour=neighbour, minutes=minutes, **shares)


def test_criteria_are_met_only_with_enough_cases_and_good_rates() -> None:
    assert [one.met for one in check_criteria([])] == [False] * 5
    nothing = figures(0, minutes=Plan().minutes, alarms=rate(0, 200), passed=rate(17, 17))
    beside = figures(0, neighbour=True, alarms=rate(1, 100))
    found = figures(0.02, alarms_where_resolved=rate(8, 10), flagged=rate(0, 10))
    found_beside = figures(0.05, neighbour=True, alarms_where_resolved=rate(9, 10), flagged=rate(0, 10))
    flagged = [figures(1 / 33, flagged=rate(4, 4)), figures(0.5, flagged=rate(6, 6))]
    enough = [nothing, beside, found, found_beside, *flagged]
    criteria = check_criteria(enough)
    assert [(one.measured.count, one.measured.cases) for one in criteria] == [
        (1, 300),
        (8, 10),
        (9, 10),
        (17, 17),
        (10, 10),
    ]
    assert all(one.met for one in criteria)
    for place, short in (
        (0, replace(nothing, alarms=rate(0, 199))),
        (0, replace(nothing, alarms=rate(1, 200))),  # two of 300: up to 2.4 %
        (3, replace(nothing, passed=rate(16, 17))),
        (3, replace(nothing, minutes=2.0)),  # not the default limit
    ):
        assert [one.met for one in check_criteria([short, *enough[1:]])] == [i != place for i in range(5)]
    late = check_criteria([nothing, beside, replace(found, minutes=5.0), found_beside, *flagged])
    assert [one.met for one in late] == [True, False, True, True, True]
    missed = check_criteria(
        [nothing, beside, replace(found, alarms_where_resolved=rate(9, 9)), found_beside, flagged[0]]
    )
    assert [one.met for one in missed] == [True, False, True, True, False]


def test_markdown_lists_met_and_missed_criteria() -> None:
    text = selftest_markdown([record_of(TWO, pairs_of(TWO, 1.0))] * 10)
    assert "Met: whole checks on a quiet machine with nothing injected and the default limit of 5 minutes: exit" in text
    assert "Not met: whole checks on a quiet machine with 3% or more injected: exit status 1 in all of" in text


@pytest.mark.parametrize(("count", "cases"), [(0, 300), (1, 300), (9, 10), (10, 10)])
def test_rates_have_clopper_pearson_interval(count: int, cases: int) -> None:
    found = rate(count, cases)
    low = stats.beta.ppf(0.025, count, cases - count + 1) if count else 0.0
    high = stats.beta.ppf(0.975, count + 1, cases - count) if count < cases else 1.0
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_rate_without_cases_has_interval_from_0_to_1() -> None:
    assert (rate(0, 0).low, rate(0, 0).high) == (0, 1)


def test_command_resumes_prints_markdown_and_updates_page(
    checkout: Path,
    small_digits: Dataset,
    requested_checks: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_folder(tmp_path / "data", small_digits)
    monkeypatch.chdir(checkout)
    for checks in (1, 2):
        answer = CliRunner().invoke(app, ["selftest", "--minutes", "0", "--data", str(tmp_path / "data")])
        assert answer.exit_code == 0, answer.output
        assert len(list((checkout / "results" / "selftest" / MACHINE).glob("*.json"))) == checks
    answer = CliRunner().invoke(app, ["selftest", "--markdown"])
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith(f"**{MACHINE}**")
    assert "| quiet | 2% | 5 min |" in answer.stdout
    page = checkout / PAGE
    page.write_text(f"before\n{BLOCK.begin}\nold\n{BLOCK.end}\nafter\n", "utf-8")
    assert CliRunner().invoke(app, ["selftest", "--page"]).exit_code == 0
    assert page.read_text("utf-8") == f"before\n{BLOCK.around(answer.stdout.strip())}\nafter\n"


def test_recorded_selftests_are_readable_and_of_one_method_per_machine() -> None:
    results = Path(__file__).parents[1] / "results" / "selftest"
    for folder in (path for path in results.glob("*") if path.is_dir()):
        records = load_records(folder)
        assert len({str({**record.method, "minutes": None}) for record in records}) == 1
        assert figures_of(records)


def test_record_contains_no_path(tmp_path: Path) -> None:
    write_record(tmp_path / "one.json", record_of(TWO, pairs_of(TWO, 1.0)))
    assert str(tmp_path) not in (tmp_path / "one.json").read_text("utf-8")
