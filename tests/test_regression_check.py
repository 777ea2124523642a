"""`nnkernels check`: the worktree of the base, the work of both sides, the outcome, the budget and the record."""

from __future__ import annotations

import io
import json
import math
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from nnkernels import Dataset
from nnkernels.cli.shared import app
from nnkernels.errors import ConfigurationError, GateError, GitError, MeasurementError, ResultsError, UnknownNameError
from nnkernels.measure.correctness import gate
from nnkernels.measure.regression import check as check_module
from nnkernels.measure.regression import measuring, side_process
from nnkernels.measure.regression.base_worktree import base_worktree, changed_files, find_commit
from nnkernels.measure.regression.budget import Limit, judge_budget, read_budget
from nnkernels.measure.regression.comparisons import BACKENDS, SCENARIOS, Comparison, choose, recipe_fields, write_data
from nnkernels.measure.regression.measuring import Collected, Plan
from nnkernels.measure.regression.outcome import outcome_of
from nnkernels.measure.regression.pairs import Pair, log_ratio, measure_pair, warm_up
from nnkernels.measure.regression.record import read_record, write_record
from nnkernels.measure.regression.remote_contender import RemoteContender
from nnkernels.measure.regression.sides import SideProcess, Tree, running_side
from nnkernels.process_settings import preserved_thread_counts
from nnkernels.recipes import SGD
from nnkernels.report.regression import check_markdown, conclusion
from tests.made_up_checks import TWO, git, new_checkout, pairs_of, record_of

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return new_checkout(tmp_path / "checkout")


def worktrees(root: Path) -> list[str]:
    return [line for line in git(root, "worktree", "list", "--porcelain").splitlines() if line.startswith("worktree ")]


class TestBaseWorktree:
    def test_base_is_checked_out_and_removed_afterwards(self, checkout: Path) -> None:
        with base_worktree(checkout, find_commit(checkout, "HEAD~1")) as base:
            assert (base / "nnkernels" / "kernel.py").read_text("utf-8") == "old\n"
            assert len(worktrees(checkout)) == 2
        assert not base.exists()
        assert not base.parent.exists()
        assert len(worktrees(checkout)) == 1

    def test_dirty_working_tree_is_left_unchanged(self, checkout: Path) -> None:
        (checkout / "nnkernels" / "kernel.py").write_text("edited\n", "utf-8")
        (checkout / "nnkernels" / "other.py").write_text("untracked\n", "utf-8")
        before = git(checkout, "status", "--porcelain")
        with base_worktree(checkout, find_commit(checkout, "HEAD")) as base:
            assert (base / "nnkernels" / "kernel.py").read_text("utf-8") == "new\n"
            assert not (base / "nnkernels" / "other.py").exists()
        assert git(checkout, "status", "--porcelain") == before
        assert changed_files(checkout, "HEAD", "nnkernels") == ["nnkernels/kernel.py", "nnkernels/other.py"]
        assert changed_files(checkout, "HEAD", "bench") == []

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
    def test_worktree_is_removed_after_exception(self, checkout: Path, error: type[BaseException]) -> None:
        seen = []

        def use() -> None:
            with base_worktree(checkout, "HEAD") as base:
                seen.append(base)
                (base / "nnkernels" / "__pycache__").mkdir()
                (base / "nnkernels" / "kernel.py").write_text("changed by whoever runs there", "utf-8")
                raise error

        with pytest.raises(error):
            use()
        assert not seen[0].parent.exists()
        assert len(worktrees(checkout)) == 1

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process can handle")
    def test_worktree_is_removed_after_sigterm(self, checkout: Path) -> None:
        program = (
            "import sys, time; from pathlib import Path; "
            "from nnkernels.measure.regression.base_worktree import base_worktree\n"
            "with base_worktree(Path(sys.argv[1]), 'HEAD') as base:\n"
            "    print(base, flush=True)\n"
            "    time.sleep(60)"
        )
        command = [sys.executable, "-c", program, str(checkout)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            base = Path(child.stdout.readline().strip())
            assert base.is_dir()
            child.terminate()
        assert child.returncode == 128 + signal.SIGTERM
        assert not base.parent.exists()
        assert len(worktrees(checkout)) == 1

    def test_worktree_left_locked_by_killed_git_is_removed(self, checkout: Path) -> None:
        with base_worktree(checkout, "HEAD"):
            (lock,) = (checkout / ".git" / "worktrees").iterdir()
            (lock / "locked").write_text("initializing", "utf-8")
        assert len(worktrees(checkout)) == 1

    def test_git_hooks_and_variables_set_by_hooks_are_ignored(
        self, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hook = checkout / ".git" / "hooks" / "post-checkout"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {checkout}/seen\n", "utf-8")
        hook.chmod(0o755)
        monkeypatch.setenv("GIT_DIR", str(checkout.parent))
        monkeypatch.setenv("GIT_INDEX_FILE", str(checkout.parent / "index"))
        with base_worktree(checkout, "main~1") as base:
            assert (base / "nnkernels" / "kernel.py").read_text("utf-8") == "old\n"
        assert not (checkout / "seen").exists()

    @pytest.mark.parametrize("name", ["nowhere", "--help", "HEAD:nnkernels", ""])
    def test_unknown_commit_is_rejected(self, checkout: Path, name: str) -> None:
        with pytest.raises(ConfigurationError, match="unknown commit"):
            find_commit(checkout, name)

    def test_folder_without_git_history_is_rejected(self, tmp_path: Path) -> None:
        with pytest.raises(GitError, match="not a git repository"):  # git's own words
            find_commit(tmp_path, "HEAD")


class TestInjectedSlowdown:
    @pytest.mark.parametrize("every", [100, 50, 20, 10, 5, 2])
    def test_slowdown_adds_stated_work_to_same_number_of_calls(
        self, every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = np.random.default_rng(0).permutation(32 * 640)
        np.save(tmp_path / "order.npy", order)
        comparison = Comparison("numpy", "epoch", repeat_every=every).with_units(190, len(order))
        assert comparison.units % every == 0
        done = {}
        for slowed in (False, True):
            side = side_process.Side(tmp_path)
            calls: list[np.ndarray] = []

            def advance(order: np.ndarray, rates: np.ndarray, calls: list[np.ndarray] = calls) -> None:
                assert len(order) == 32 * len(rates)
                calls.append(order.reshape(-1, 32))

            monkeypatch.setattr(side, "_contender", lambda *_, advance=advance: SimpleNamespace(advance=advance))
            side.run(side.add(**comparison.work(comparison.units, slowed)), times=8)
            done[slowed] = calls
        plain, more = done[False], done[True]
        assert len(plain) == len(more) == 9  # one of them when the work is added
        assert sum(map(len, more)) / sum(map(len, plain)) == pytest.approx(1 + comparison.injected, rel=1e-12)
        for before, after in zip(plain, more, strict=True):
            np.testing.assert_array_equal(after[: len(before)], before)
            if every > 2:  # otherwise the extra images wrap around the epoch
                assert not set(after[len(before) :].ravel()) & set(before.ravel())

    def test_epoch_with_too_few_batches_is_rejected(self) -> None:
        with pytest.raises(ConfigurationError, match="fewer than 100 batches"):
            Comparison("numpy", "epoch", repeat_every=100).with_units(10, 2304)

    def test_slowdown_is_possible_only_in_training(self) -> None:
        assert [one.injected for one in choose(["numpy"], ["epoch"], repeat_every=50)] == [0.02]
        with pytest.raises(ConfigurationError, match="no batches"):
            choose(["numpy"], ["one-image"], repeat_every=50)


@pytest.fixture
def side_folder(small_digits: Dataset, tmp_path: Path) -> Path:
    write_data(small_digits, tmp_path)
    return tmp_path


class TestSides:
    @pytest.fixture(autouse=True)
    def restore_threads(self) -> Iterator[None]:
        """Restore the number of threads of the test process, in which these sides run and which they change."""
        with preserved_thread_counts():
            yield

    def test_side_returns_answers_and_errors(self, side_folder: Path) -> None:
        requests = [
            {"do": "add", **Comparison("numpy", "epoch").work(3)},
            {"do": "run", "work": 0, "times": 2},
            {"do": "add", **Comparison("nobody", "epoch").work(3)},
            {"do": "add", **Comparison("numpy", "one-image").work(5)},
            {"do": "run", "work": 1},
        ]
        answers = io.StringIO()
        side_process.serve(
            side_process.Side(side_folder), io.StringIO("\n".join(map(json.dumps, requests)) + "\n"), answers
        )
        added, times, unknown, added_too, more = map(json.loads, answers.getvalue().splitlines())
        assert (added, added_too) == ({"answer": 0}, {"answer": 1})
        assert len(times["answer"]) == 2
        assert min(*times["answer"], *more["answer"]) > 0
        assert "unknown backend 'nobody'" in unknown["error"] or "unknown contender 'nobody'" in unknown["error"]

    def test_work_trains_and_predicts_stated_numbers_of_images(
        self, side_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        side = side_process.Side(side_folder)
        fake = SimpleNamespace(seen=[], asked=[])
        fake.advance = lambda order, rates: fake.seen.append((order.copy(), rates))
        fake.predict = lambda X: fake.asked.append(X.shape)
        monkeypatch.setattr(side, "_contender", lambda *_: fake)
        side.add(**Comparison("numpy", "epoch").work(30))
        side.run(0, times=2)
        orders = [order for order, _ in fake.seen]
        assert [len(order) for order in orders] == [960] * 3
        assert not set(orders[0]) & set(orders[1])  # through the epoch, then from its start again
        np.testing.assert_array_equal(orders[0], orders[2])
        np.testing.assert_array_equal(fake.seen[0][1], SGD.learning_rates(0, 960))
        side.add(**Comparison("numpy", "one-image").work(7))
        side.add(**Comparison("numpy", "10000-images").work(2))
        assert fake.asked == [(1, 784)] * 7 + [(10_000, 784)] * 2

    def test_contender_in_process_of_side_passes_gate(self, side_folder: Path, small_digits: Dataset) -> None:
        with running_side(Tree("tree", ROOT), side_folder) as process:
            process.require_own_package()
            contender = RemoteContender(process, "numpy", side_folder)
            for scenario in SCENARIOS.values():
                assert gate.require("numpy", contender, small_digits, scenario.recipe).passed
            with pytest.raises(MeasurementError, match=r"tree: .*unknown"):
                RemoteContender(process, "nobody", side_folder).prepare(
                    contender.parameters(), small_digits.training, SGD
                )
        assert process.child.returncode is not None

    def test_package_from_outside_tree_is_rejected(self, side_folder: Path, tmp_path: Path) -> None:
        with (
            running_side(Tree("base", tmp_path), side_folder) as process,
            pytest.raises(MeasurementError, match="Python does not import nnkernels from this tree"),
        ):
            process.require_own_package()

    def test_error_of_crashed_process_states_side_status_and_stderr(self, side_folder: Path) -> None:
        broken = side_folder / "broken" / "nnkernels" / "contenders"
        broken.mkdir(parents=True)
        (broken.parent / "__init__.py").touch()
        last_words = "import os, sys\nprint('out of order', file=sys.stderr, flush=True)\nos._exit(3)\n"
        (broken / "__init__.py").write_text(last_words, "utf-8")
        with (
            running_side(Tree("base", side_folder / "broken"), side_folder) as process,
            pytest.raises(MeasurementError, match="base: its process ended with status 3: out of order"),
        ):
            process.require_own_package()

    def test_recipes_are_equal_after_json_round_trip(self, side_folder: Path) -> None:
        side = side_process.Side(side_folder)
        for scenario in SCENARIOS.values():
            assert side._recipe(json.loads(json.dumps(recipe_fields(scenario.recipe)))) == scenario.recipe


class TestOutcome:
    def test_equal_times_give_status_0(self) -> None:
        outcome = outcome_of(record_of(TWO, pairs_of(TWO, 1.0)))
        assert outcome.status == 0
        assert "would have been detected with 80% probability" in conclusion(outcome)

    def test_slower_comparison_gives_status_1_and_is_listed_with_ratio(self) -> None:
        pairs = [
            Pair(0, {**one.nanoseconds, "fused epoch": other.nanoseconds["fused epoch"]})
            for one, other in zip(pairs_of(TWO, 1.0), pairs_of(TWO, 1.03), strict=True)
        ]
        outcome = outcome_of(record_of(TWO, pairs))
        assert outcome.status == 1
        assert [one.label for one in outcome.results] == ["not slower", "slower"]
        assert "fused epoch (1.03" in conclusion(outcome)
        assert "numpy" not in conclusion(outcome)

    def test_unresolved_comparisons_give_status_2(self) -> None:
        outcome = outcome_of(record_of(TWO, pairs_of(TWO, 1.0, spread=0.1)))
        assert outcome.status == 2
        assert [one.label for one in outcome.results] == ["not resolved"] * 2
        assert "numpy epoch" in conclusion(outcome)

    def test_slower_comparison_gives_status_1_even_if_others_are_unresolved(self) -> None:
        noisy, slow = pairs_of(TWO, 1.0, spread=0.1), pairs_of(TWO, 1.5)
        pairs = [
            Pair(0, {**one.nanoseconds, "fused epoch": other.nanoseconds["fused epoch"]})
            for one, other in zip(noisy, slow, strict=True)
        ]
        assert outcome_of(record_of(TWO, pairs)).status == 1

    @pytest.mark.parametrize("count", [0, 1, 8])
    def test_too_few_pairs_give_status_2(self, count: int) -> None:
        outcome = outcome_of(record_of(TWO, pairs_of(TWO, 1.0, count=count)))
        assert outcome.status == 2
        assert "Not measured" in conclusion(outcome)

    def test_faster_comparisons_give_status_0(self) -> None:
        assert outcome_of(record_of(TWO, pairs_of(TWO, 0.8))).status == 0

    def test_markdown_has_one_row_per_comparison(self) -> None:
        record = record_of(TWO, pairs_of(TWO, 1.0))
        text = check_markdown(record, outcome_of(record))
        assert text.startswith("**No regression found")
        assert sum(line.startswith("| ") for line in text.splitlines()) == 2 + len(TWO)


class TestStopping:
    def test_comparison_is_measured_until_resolved(self) -> None:
        collected = Collected(TWO, resolve=0.03, error=0.002)
        for pair in pairs_of(TWO, 1.0, spread=0.005, count=40):
            if collected.unresolved:
                collected.add(pair)
        assert len(collected.pairs) in (12, 16)

    def test_stopping_does_not_depend_on_which_side_is_slower(self) -> None:
        pairs = pairs_of(TWO, 1.01, spread=0.01, count=40)
        swapped = [
            Pair(0, {name: {"base": one["tree"], "tree": one["base"]} for name, one in pair.nanoseconds.items()})
            for pair in pairs
        ]
        stops = []
        for these in (pairs, swapped):
            collected, lengths = Collected(TWO, resolve=0.03, error=0.002), []
            for pair in these:
                collected.add(pair)
                lengths.append(len(collected.unresolved))
            stops.append(lengths)
        assert stops[0] == stops[1]
        assert stops[0][0] == 2
        assert stops[0][-1] == 0

    def test_more_comparisons_get_fewer_turns_each(self) -> None:
        plan = Plan()
        turns = [plan.turns(comparisons) for comparisons in (1, 6, 12, 40)]
        assert turns == sorted(turns, reverse=True)
        assert turns[0] == 40
        assert turns[-1] == 6

    def test_log_ratio_of_pair_is_median_over_turns(self) -> None:
        assert log_ratio({"base": [100, 100, 200], "tree": [110, 500, 220]}) == pytest.approx(math.log(1.1))


class TestBudget:
    @pytest.mark.parametrize(("at_most", "status"), [(0.25, 0), (0.2001, 2), (0.15, 1)])
    def test_budget_ratio_is_per_unit_of_work_in_working_tree(self, at_most: float, status: int) -> None:
        limits = [Limit("epoch", "fused", "numpy", at_most)]
        record = record_of(TWO, pairs_of(TWO, 1.0))
        outcome = outcome_of(record, limits)
        assert outcome.budget[0].ratio == pytest.approx(0.2, rel=0.01)
        assert outcome.status == status
        assert outcome.budget[0].exceeded == (status == 1)

    def test_budget_uses_only_pairs_with_both_backends(self) -> None:
        pairs = pairs_of(TWO, 1.0, count=12)
        alone = [Pair(0, {"fused epoch": {"base": [9], "tree": [9]}})] * 5
        limits = [Limit("epoch", "fused", "numpy", 0.25)]
        assert judge_budget(limits, TWO, pairs + alone, 0.002) == judge_budget(limits, TWO, pairs, 0.002)

    def test_budget_file_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "budget.toml"
        path.write_text('[[limit]]\nscenario = "epoch"\nbackend = "fused"\nagainst = "numpy"\nat_most = 0.2\n', "utf-8")
        assert read_budget(path) == [Limit("epoch", "fused", "numpy", 0.2)]

    @pytest.mark.parametrize(
        ("text", "error", "match"),
        [
            ("nonsense", ConfigurationError, "invalid TOML"),
            ("", ConfigurationError, "expected only"),
            ("[limit]\nx = 1", ConfigurationError, "expected only"),
            ("[[limit]]\nscenario = 'epoch'", ConfigurationError, "limit 1: expected exactly"),
            (
                "[[limit]]\nscenario='epoch'\nbackend='fused'\nagainst='numpy'\nat_most='0.2'",
                ConfigurationError,
                "at_most is '0.2'",
            ),
            (
                "[[limit]]\nscenario='epoch'\nbackend='fused'\nagainst='numpy'\nat_most=-1",
                ConfigurationError,
                "positive",
            ),
            ("[[limit]]\nscenario='x'\nbackend='fused'\nagainst='numpy'\nat_most=1", UnknownNameError, "epoch-adam"),
            ("[[limit]]\nscenario='epoch'\nbackend='a'\nagainst='a'\nat_most=1", ConfigurationError, "itself"),
        ],
    )
    def test_invalid_budget_file_is_rejected(
        self, tmp_path: Path, text: str, error: type[Exception], match: str
    ) -> None:
        path = tmp_path / "budget.toml"
        path.write_text(text, "utf-8")
        with pytest.raises(error, match=match):
            read_budget(path)

    def test_missing_budget_file_is_rejected(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_budget(tmp_path / "budget.toml")


class TestRecord:
    def test_record_is_equal_after_write_and_read(self, tmp_path: Path) -> None:
        record = record_of(TWO, pairs_of(TWO, 1.01), neighbour=True)
        path = tmp_path / "checks" / "one.json"
        write_record(path, record)
        found = read_record(path)
        assert found == record
        assert [one.name for one in path.parent.iterdir()] == ["one.json"]

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda text: text[:100],
            lambda text: "[]",
            lambda text: text.replace('"version":1', '"version":99', 1),
            lambda text: text.replace('"pairs"', '"pears"'),
            lambda text: text.replace('"backend"', '"backed"'),
            lambda text: text.replace('"base":[', '"base":[5,', 1),
            lambda text: text.replace('"base":[', '"base":[-', 1),
            lambda text: text.replace('"base":[', '"base":["a",', 1),
            lambda text: text.replace('"minutes":', '"hours":'),
            lambda text: text.replace('"resolve":', '"resolve":"x","r":'),
            lambda text: text.replace('"error":', '"error":7,"e":').replace('"e":', '"seconds":', 1),
        ],
    )
    def test_damaged_record_is_rejected(self, tmp_path: Path, spoil: Callable[[str], str]) -> None:
        path = tmp_path / "one.json"
        write_record(path, record_of(TWO, pairs_of(TWO, 1.0)))
        path.write_text(spoil(path.read_text("utf-8")), "utf-8")
        with pytest.raises(ResultsError, match=str(path)):
            read_record(path)


@pytest.fixture
def run_check_command(checkout: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that runs `nnkernels check` in a checkout, with made-up measurements or an error."""
    monkeypatch.chdir(checkout)

    def run(measured: Callable[..., Any] | Exception, *arguments: str) -> Any:
        def measure(base: Tree, tree: Tree, _dataset: Dataset, comparisons: list[Comparison], *_: Any) -> Any:
            assert tree.root == checkout
            assert (base.root / "nnkernels" / "kernel.py").is_file()
            if isinstance(measured, Exception):
                raise measured
            ready = [Comparison(one.backend, one.scenario, 10) for one in comparisons]
            return ready, measured(ready)

        monkeypatch.setattr(check_module, "measure", measure)
        return CliRunner().invoke(app, ["check", "--data", str(data_folder), *arguments])

    return run


FEW = ("--backends", "numpy,fused", "--scenarios", "epoch")  # judging each further comparison takes a tenth of a second


class TestCommand:
    @pytest.mark.parametrize(
        ("ratio", "spread", "status", "says"),
        [
            (1.0, 0.002, 0, "No regression found."),
            (1.05, 0.002, 1, "Regression found. Slower:"),
            (1.0, 0.2, 2, "Not measured"),
        ],
    )
    def test_command_reports_outcome_and_exit_status(
        self, run_check_command: Callable[..., Any], ratio: float, spread: float, status: int, says: str, checkout: Path
    ) -> None:
        answer = run_check_command(lambda ready: pairs_of(ready, ratio, spread), "HEAD~1", *FEW)
        assert answer.exit_code == status, answer.output
        assert says in answer.stdout
        assert len(worktrees(checkout)) == 1

    @pytest.mark.parametrize(
        "error", [GateError("departs"), MeasurementError("ended"), RuntimeError("of somebody else's making")]
    )
    def test_error_gives_exit_status_2(self, run_check_command: Callable[..., Any], error: Exception) -> None:
        answer = run_check_command(error, *FEW)
        assert answer.exit_code == 2
        assert str(error) in answer.output

    @pytest.mark.parametrize(
        "arguments",
        [
            ["nowhere"],
            ["--scenarios", "marathon"],
            ["--minutes", "0"],
            ["--resolve", "nan"],
            ["--budget", "none.toml"],
            ["--data", "none"],
        ],
    )
    def test_invalid_arguments_give_exit_status_2(
        self, run_check_command: Callable[..., Any], arguments: list[str]
    ) -> None:
        assert run_check_command(lambda ready: pairs_of(ready, 1.0), *arguments).exit_code == 2

    def test_comparisons_can_be_chosen_and_recorded(
        self, run_check_command: Callable[..., Any], tmp_path: Path
    ) -> None:
        path = tmp_path / "check.json"
        answer = run_check_command(
            lambda ready: pairs_of(ready, 1.0),
            *("--backends", "fused", "--scenarios", "epoch,one-image", "--markdown", "--record", str(path)),
        )
        assert answer.exit_code == 0, answer.output
        record = read_record(path)
        assert [one.name for one in record.comparisons] == ["fused epoch", "fused one-image"]
        assert answer.stdout.strip() == check_markdown(record, outcome_of(record))
        assert str(tmp_path) not in path.read_text("utf-8")

    def test_all_backends_and_scenarios_are_compared_by_default(self) -> None:
        assert len(choose([], [])) == len(BACKENDS) * len(SCENARIOS)

    def test_exceeded_budget_gives_exit_status_1_and_unmeasured_budget_2(
        self, run_check_command: Callable[..., Any], tmp_path: Path
    ) -> None:
        path = tmp_path / "budget.toml"
        path.write_text('[[limit]]\nscenario = "epoch"\nbackend = "fused"\nagainst = "numpy"\nat_most = 0.1\n', "utf-8")
        answer = run_check_command(lambda ready: pairs_of(ready, 1.0), "--budget", str(path), *FEW)
        assert answer.exit_code == 1
        assert "Over budget: fused / numpy in epoch" in answer.stdout
        answer = run_check_command(lambda ready: pairs_of(ready, 1.0), "--budget", str(path), "--backends", "fused")
        assert answer.exit_code == 2


def test_failure_of_one_side_is_raised_without_waiting_for_other(
    small_digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_or_wait(process: SideProcess, *_: Any) -> Any:
        if process.tree.name == "base":
            raise GateError("departs")
        return process.answer()  # without a request: fails once the process is ended

    monkeypatch.setattr(measuring, "warm_up", fail_or_wait)
    with pytest.raises(GateError, match="departs"):
        measuring.measure(Tree("base", ROOT), Tree("tree", ROOT), small_digits, TWO, Plan(), 0.002)


def test_processes_of_pair_measure_same_number_of_turns(side_folder: Path, small_digits: Dataset) -> None:
    comparisons = choose(["numpy"], ["epoch", "one-image"])
    tree = Tree("tree", ROOT)
    with running_side(tree, side_folder) as process:
        units = warm_up(process, side_folder, comparisons, small_digits, segment_seconds=0.005)
    assert 1 <= units["numpy epoch"] <= 2304 // 32
    ready = [Comparison(one.backend, one.scenario, units[one.name]) for one in comparisons]
    rng = np.random.default_rng(0)
    pair = measure_pair(Tree("base", ROOT), tree, side_folder, [-1], ready, 3, rng)
    assert pair is not None
    assert {name: [len(values) for values in sides.values()] for name, sides in pair.nanoseconds.items()} == {
        "numpy epoch": [3, 3],
        "numpy one-image": [3, 3],
    }
    assert measure_pair(Tree("base", ROOT), tree, side_folder, [-1], ready, 3, rng, lambda: False) is None


@pytest.mark.slow
def test_check_of_this_checkout_against_its_own_commit(data_folder: Path, tmp_path: Path) -> None:
    """Check this checkout against its own commit. The outcome depends on the machine."""
    if subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("not in a git checkout")
    command = [sys.executable, "-m", "nnkernels.cli", "check", "HEAD", "--data", str(data_folder)]
    command += ["--backends", "numpy", "--scenarios", "epoch", "--minutes", "0.3", "--record", str(tmp_path / "c.json")]
    before = worktrees(ROOT)
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode in (0, 1, 2), answer.stderr
    record = read_record(tmp_path / "c.json")
    assert outcome_of(record).status == answer.returncode
    assert conclusion(outcome_of(record)) in answer.stdout
    assert worktrees(ROOT) == before
