"""Mutated files of every kind are read, or refused by an error of nnkernels. Longer series: tests/fuzz/README.md."""

from __future__ import annotations

import ast
import random
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnkernels.errors import NNKernelsError
from nnkernels.files import PACKAGE
from tests.fuzz import atheris_front, figures
from tests.fuzz.atheris_front import mutations_of, read_mutated
from tests.fuzz.campaign import drawn
from tests.fuzz.containers import container
from tests.fuzz.isolation import written
from tests.fuzz.mutations import Mutation, mutate
from tests.fuzz.readers import NOT_READERS, Reader, decoding_modules, readers
from tests.processes import python

ROOT = Path(__file__).parents[1]
UNPICKLERS = ("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib")
# One of each kind of container, and the quickest of those that share one.
QUICK = (
    "IDX in ZIP", "CSV", "LIBSVM, bz2", "Parquet of pictures", "npz, MedMNIST", "npy, piece by piece",
    "photos", "checkpoint", "run", "weights: safetensors", "weights: npz", "weights: ONNX", "weights: HDF5",
)  # fmt: skip
MUTATIONS = st.builds(Mutation, st.integers(0, 2**16 - 1), st.floats(0, 1), st.integers(0, 2**32 - 1))


def test_every_module_that_decodes_files_has_a_reader() -> None:
    covered = {module for reader in readers() for module in reader.modules}
    assert decoding_modules() - covered == set(NOT_READERS)
    assert len({reader.name for reader in readers()}) == len(readers())


@pytest.mark.parametrize("reader", [reader for reader in readers() if reader.name in QUICK], ids=lambda one: one.name)
def test_mutated_files_are_read_or_refused(reader: Reader) -> None:
    seeds = reader.seeds()

    @settings(max_examples=5, deadline=None)
    @given(st.sampled_from(sorted(seeds)), st.lists(MUTATIONS, min_size=1, max_size=3))
    def read(name: str, mutations: list[Mutation]) -> None:
        with written(seeds | {name: mutate(seeds[name], mutations)}) as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with suppress(NNKernelsError):
                reader.read(folder / reader.place)

    read()


@pytest.mark.parametrize("reader", [reader for reader in readers() if not reader.heavy], ids=lambda one: one.name)
def test_mutations_reach_into_every_kind_of_file(reader: Reader) -> None:
    """Every kind of content has mutations that keep it the kind it is."""
    for content in list(reader.seeds().values())[:1]:
        inside = container(content)
        if inside is None:
            assert reader.refuses or reader.name in ("photos", "weights: ONNX, data outside")
            continue
        rng = random.Random(0)
        changed = {mutate(content, [one._replace(kind=one.kind | 1)]) for _ in range(10) for one in drawn(rng)[:1]}
        assert len(changed) > 3
        assert any(container(other) is not None for other in changed)


def test_the_same_mutations_give_the_same_file() -> None:
    reader = next(reader for reader in readers() if reader.name == "CSV")
    content = reader.seeds()["train.csv"]
    one, other = (mutate(content, drawn(random.Random(5))) for _ in range(2))
    assert one == other != content


def test_bytes_of_atheris_stand_for_mutations() -> None:
    assert mutations_of(b"") == mutations_of(b"123456789") == []
    assert mutations_of(b"\1\0" + b"\0\0\0\x80" + b"\7\0\0\0") == [Mutation(1, 0.5, 7)]
    reader = next(reader for reader in readers() if reader.name == "published runs")
    read_mutated(reader, reader.seeds(), "published.json", bytes(range(40)))


def test_missing_atheris_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    monkeypatch.setattr(sys, "argv", ["atheris_front", "IDX"])
    with pytest.raises(SystemExit, match=r"pip install 'nnkernels\[fuzz\]'"):
        atheris_front.main()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of processes in /proc")
def test_campaign_counts_each_file_once() -> None:
    arguments = ("--files", "7", "--seed", "1", "--only", "published runs,weights: pickled")
    answer = python("-m", "tests.fuzz.campaign", *arguments, folder=ROOT)
    assert "seed 1" in answer.stdout
    counts = [line.split("│")[2:4] for line in answer.stdout.splitlines() if "│ all" in line]
    assert sum(map(int, counts[0])) == 7


@pytest.mark.parametrize("part", figures.RECORDS)
def test_recorded_figures_are_shown_and_show_no_fault(part: str) -> None:
    block, text = figures.generated(ROOT, part)
    assert block.split((ROOT / figures.PAGE).read_text("utf-8"), str(figures.PAGE))[1] == text
    content = figures.read_figures(ROOT, part)
    if part == "files" and content:
        total = figures.total(content["readers"])
        assert total["untyped"] == total["slow"] == total["large"] == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals as on POSIX")
def test_killed_trainings_and_benchmark_runs_leave_nothing_half_done() -> None:
    answer = python("-m", "tests.fuzz.kills", "--training", "2", "--bench", "1", folder=ROOT)
    assert "2 kills in" in answer.stdout
    assert "Benchmark runs" in answer.stdout


# What may unpickle or execute, and whose content: never a file that somebody hands over.
EXECUTES = {
    "compile_cache": "compiled code, in a folder that no other user can write to",
    "contenders._subprocess": "messages of its own child process",
    "grading.lines": "lines of NumPy that the package itself states",
    "kernels": "the user's own kernels, which are to be executed (--kernels FILE.py)",
}


def test_nothing_unpickles_or_executes_what_a_file_contains() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            imported = isinstance(node, ast.Import) and any(name.name in UNPICKLERS for name in node.names)
            imported |= isinstance(node, ast.ImportFrom) and node.module in UNPICKLERS
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("exec", "eval")
            allowed = (
                isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False"
            )
            if imported or called or allowed:
                found.add(".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"))
    assert found == set(EXECUTES)
