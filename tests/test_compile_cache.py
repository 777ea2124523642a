"""The compile cache on disk never returns code of other sources or settings, and disk errors cause only warnings."""

import ast
import errno
import json
import os
import shutil
import sys
import time
from dataclasses import replace
from importlib import import_module, invalidate_caches
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np
import pytest

from nnkernels import compile_cache, jit, kernels
from nnkernels.compile_cache import MAX_FOLDERS, MIN_UNUSED_SECONDS, CompileCacheWarning, folder
from nnkernels.machine_code import MachineCode, _stamp, machine_code
from nnkernels.measure.records import provenance
from tests.processes import python

ROOT = Path(__file__).parents[1]
PROGRAM = """
import json
import numpy as np
from nnkernels.kernels import tiny
w = np.ones(8, np.float32)
tiny.tiny(w, np.ones(8, np.float32), np.float32(0.25))
stats = tiny.tiny.stats
print(json.dumps({"w": float(w[0]), "loaded": sum(stats.cache_hits.values()), "folder": stats.cache_path}))
"""
# It calls a function from another file, the update step of the fused kernels.
TINY = """
from nnkernels.jit import ordered_kernel
from nnkernels.kernels.fused.update import sgd_step

@ordered_kernel
def tiny(w, g, step):
    sgd_step(w, g, 0, len(w), step)
"""


class Copy:
    """A copy of the package with an additional small kernel, run by separate processes."""

    def __init__(self, root):
        self.root, self.update = root, root / "nnkernels" / "kernels" / "fused" / "update.py"
        shutil.copytree(ROOT / "nnkernels", root / "nnkernels", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "nnkernels" / "kernels" / "tiny.py").write_text(TINY)

    def run(self, **settings):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
        environment = {**kept, "PYTHONPATH": str(self.root), **settings}
        answer = python("-c", PROGRAM, folder=self.root, environment=environment)
        assert not answer.stderr
        return json.loads(answer.stdout)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return Copy(tmp_path_factory.mktemp("copy"))


@pytest.fixture(scope="module")
def warm(copy):
    return copy.run()


def test_cache_is_not_used_after_edit_in_other_file(copy, warm):
    source = copy.update.read_text("utf-8")
    step = "store(w, i, load(w, i, zeros8) - step * load(g, i, zeros8))"
    assert source.count(step) == 1
    copy.update.write_text(source.replace(step, step.replace("step *", "(step + step) *")))
    edited = copy.run()
    copy.update.write_text(source)
    undone = copy.run()
    assert [warm["w"], edited["w"], undone["w"]] == [0.75, 0.5, 0.75]
    assert [warm["loaded"], edited["loaded"], undone["loaded"]] == [0, 0, 1]
    assert undone["folder"] == warm["folder"] != edited["folder"]


def test_cache_is_inside_the_package_by_default(copy, warm):
    assert Path(warm["folder"]).parent == copy.root / "nnkernels" / "__pycache__" / "machine_code"


# Kernels with other functions in their closures: intrinsics, and functions that a function returned.
TRAIN_AND_EVALUATE = """
import sys
import numpy as np
from numba.core.event import install_recorder
from nnkernels.contenders.ours import KernelContender
from nnkernels.data import LabelledImages
from nnkernels.evaluation import Evaluator
from nnkernels.parameters import initial_parameters
from nnkernels.recipes import Optimizer, benchmark_recipe

X = np.random.default_rng(0).integers(0, 2, (32, 784), np.uint8) * 255
X[:, 400:] = 0  # for lists
y = np.arange(32) % 10
with install_recorder("numba:compile") as recorded:
    for optimizer in ("sgd", "adam"):
        contender = KernelContender("fused")
        recipe = benchmark_recipe(Optimizer(optimizer))
        contender.prepare(initial_parameters(0), LabelledImages(X, y), recipe)
        contender.advance(np.arange(32), np.full(1, 0.1, np.float32))
    Evaluator(X, y)(contender.parameters())
print(len(recorded.buffer))
"""


@pytest.mark.parametrize("path", ["lists", "tiles"])
def test_second_process_compiles_nothing(path):
    environment = os.environ | {"NNKERNELS_FUSED_PATHS": path}
    counts = [int(python("-c", TRAIN_AND_EVALUATE, folder=ROOT, environment=environment).stdout) for _ in range(2)]
    assert counts[1] == 0, counts  # the first may have found its code in the cache of the tests


# The hash


def digest():
    return machine_code.__wrapped__().digest


@pytest.mark.parametrize(
    "setting",
    [
        "A_SETTING_TO_COME",
        "BOUNDSCHECK",
        "CPU_FEATURES",
        "CPU_NAME",
        "DEBUGINFO_DEFAULT",
        "DEBUG_NRT",
        "DISABLE_INTEL_SVML",
        "ENABLE_AVX",
        "LLVM_REFPRUNE_PASS",
        "LOOP_VECTORIZE",
        "OPT",
        "SLP_VECTORIZE",
    ],
)
def test_hash_covers_every_setting_that_changes_code(setting, monkeypatch):
    before = digest()
    monkeypatch.setattr(numba.config, setting, 0 if getattr(numba.config, setting, None) else 7, raising=False)
    assert digest() != before


@pytest.mark.parametrize(
    "setting", ["NUMBA_NUM_THREADS", "CACHE_DIR", "THREADING_LAYER", "COLOR_SCHEME", "CUDA_DRIVER"]
)
def test_hash_ignores_settings_that_cannot_change_code(setting, monkeypatch):
    before = digest()
    monkeypatch.setattr(numba.config, setting, "7")
    assert digest() == before


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (llvmlite.binding, "get_host_cpu_name", lambda: "other"),
        (llvmlite.binding, "get_host_cpu_features", lambda: {"avx9": True}),
        (llvmlite.binding, "llvm_version_info", (99, 0, 0)),
        (llvmlite, "__version__", "99"),
        (numba, "__version__", "99"),
        (np, "__version__", "99"),
    ],
)
def test_hash_covers_versions_and_cpu(where, name, value, monkeypatch):
    before = digest()
    assert before == machine_code().digest
    monkeypatch.setattr(where, name, value)
    assert digest() != before


def test_hash_covers_every_source_of_the_kernels():
    hashed = machine_code().stamps
    not_compiled = {"nnkernels.errors", "nnkernels.plugins"}
    imported = set()
    for path in (ROOT / "nnkernels" / "kernels").rglob("*.py"):
        assert path in hashed
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("nnkernels"):
                imported.add(node.module)
    for name in imported - not_compiled:
        assert Path(import_module(name).__file__) in hashed, name


def test_machine_code_is_not_current_after_edit_or_changed_setting(tmp_path, monkeypatch):
    path = tmp_path / "source.py"
    path.write_text("x = 1\n")
    code = replace(machine_code(), stamps={path: _stamp(path)})
    assert code.is_current()
    with monkeypatch.context() as patched:
        patched.setattr(numba.config, "OPT", 0)
        assert not code.is_current()
    path.write_text("x = 22\n")
    assert not code.is_current()
    path.unlink()
    assert not code.is_current()


def test_provenance_contains_the_hash(small_digits):
    assert provenance.collect(small_digits)["machine_code"] == machine_code().digest


# The cache within this process, in temporary folders


@pytest.fixture
def cache_root(tmp_path, monkeypatch):
    """An empty cache below NUMBA_CACHE_DIR, before any warning. The two alternative folders are next to it."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "numba"))
    monkeypatch.setattr(compile_cache, "PACKAGE", tmp_path / "package")
    monkeypatch.setattr(compile_cache, "cache_folder", lambda: tmp_path / "user")
    monkeypatch.setattr(compile_cache, "_warned", False)
    compile_cache._open_folder.cache_clear()
    yield tmp_path / "numba" / "nnkernels"
    compile_cache._open_folder.cache_clear()


def double(x):
    return x + x


def run_cached(function=double, make=jit.kernel, x=2.0):
    """Call a function through a new dispatcher; return its result and how often it was loaded from the cache."""
    compiled = make(function)
    return compiled(x), sum(compiled.stats.cache_hits.values())


def files(cache_root):
    return sorted((cache_root / machine_code().digest).iterdir())


def test_compiled_function_is_loaded_from_cache(cache_root):
    assert [run_cached(), run_cached(), run_cached(x=3), run_cached(x=3)] == [(4, 0), (4, 1), (6, 0), (6, 1)]
    assert len(files(cache_root)) == 2  # one each for float and int
    assert cache_root.stat().st_mode & 0o077 == 0 or sys.platform == "win32"


def test_quick_kernel_is_loaded_from_cache(cache_root):
    def make(function):
        return jit.eager_kernel(function, numba.float64(numba.float64))

    assert [run_cached(make=make), run_cached(make=make)] == [(4, 0), (4, 1)]
    with pytest.raises(TypeError):
        make(double)("text")


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_bit(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "truncated": truncate,
    "empty": lambda path: path.write_bytes(b""),
    "one bit": flip_bit,
    "garbage": lambda path: path.write_bytes(b"garbage" * 100),
    "unreadable": replace_by_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_causes_recompilation_and_one_warning(cache_root, damage):
    run_cached()
    (path,) = files(cache_root)
    DAMAGES[damage](path)
    with pytest.warns(CompileCacheWarning, match="compiled without the cache") as caught:
        answers = run_cached(), run_cached(), run_cached(x=3)
    assert answers == ((4, 0), (4, 0 if damage == "unreadable" else 1), (6, 0))  # replaced if possible
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)


def test_full_disk_causes_recompilation_and_one_warning(cache_root, monkeypatch):
    def write(self, content):
        with open(self, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", write)
        with pytest.warns(CompileCacheWarning, match="No space left") as caught:
            answers = run_cached(), run_cached()
    assert answers == ((4, 0), (4, 0))
    assert len(caught) == 1
    assert files(cache_root) == []
    assert [run_cached(), run_cached()] == [(4, 0), (4, 1)]


def test_kernels_work_without_any_writable_cache_folder(cache_root, tmp_path):
    for name in ("numba", "package", "user"):
        (tmp_path / name).write_text("in the way")
    with pytest.warns(CompileCacheWarning) as caught:
        assert [run_cached(), run_cached()] == [(4, 0), (4, 0)]
    assert len(caught) == 1


def test_user_cache_is_used_if_the_package_is_not_writable(cache_root, tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    (tmp_path / "package").write_text("in the way")
    assert [run_cached(), run_cached()] == [(4, 0), (4, 1)]
    assert len(files(tmp_path / "user" / "machine_code")) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other file permissions")
def test_cache_that_other_users_can_write_is_not_read(cache_root, tmp_path, monkeypatch):
    run_cached()
    compile_cache._open_folder.cache_clear()
    cache_root.chmod(0o777)
    assert run_cached() == (4, 0)
    assert folder().is_relative_to(tmp_path / "package")
    compile_cache._open_folder.cache_clear()
    cache_root.chmod(0o700)
    assert run_cached() == (4, 1)
    compile_cache._open_folder.cache_clear()
    monkeypatch.setattr(os, "geteuid", lambda: cache_root.stat().st_uid + 1)
    with pytest.warns(CompileCacheWarning, match="belongs to another user"):
        assert run_cached() == (4, 0)


def test_cache_is_neither_read_nor_written_after_changed_settings(cache_root, monkeypatch):
    run_cached()
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 1)
    assert [run_cached(), run_cached(x=3)] == [(4, 0), (6, 0)]
    assert len(files(cache_root)) == 1


def test_cache_of_numba_itself_is_unaffected(cache_root, tmp_path, monkeypatch):
    own = numba.njit(cache=True)(double)
    own(2.0)
    run_cached()
    again = numba.njit(cache=True)(double)
    again(2.0)
    assert sum(again.stats.cache_hits.values()) == 1
    assert not Path(again.stats.cache_path).is_relative_to(cache_root)
    # The user's locator setting for Numba does not move our cache.
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "InTreeCacheLocator")
    assert run_cached() == (4, 1)


def test_recompile_bypasses_the_cache(cache_root):
    run_cached()
    compiled = jit.kernel(double)
    compiled(2.0)
    compiled.recompile()
    assert sum(compiled.stats.cache_misses.values()) == 1
    assert run_cached() == (4, 1)


# Identity of functions


def scaled_by(factor):
    def scaled(x):
        return factor * x

    return scaled


def one_of_two(first):
    if first:

        def same(x):
            return x * 3
    else:

        def same(x):
            return x * 5

    return same


def test_functions_of_the_same_name_are_cached_separately(cache_root):
    for _ in range(2):
        assert run_cached(scaled_by(2.0))[0] == 4
        assert run_cached(scaled_by(5.0))[0] == 10
        assert run_cached(one_of_two(True))[0] == 6
        assert run_cached(one_of_two(False))[0] == 10
    assert run_cached(scaled_by(5.0))[1] == run_cached(one_of_two(False))[1] == 1


def test_same_function_with_other_options_is_cached_separately(cache_root):
    assert [
        run_cached()[1],
        run_cached(make=jit.ordered_kernel)[1],
        run_cached(make=jit.ordered_kernel)[1],
        run_cached()[1],
    ] == [0, 0, 1, 1]


def test_function_without_source_file_is_not_cached(cache_root):
    space = {"__name__": "typed_in"}
    exec(compile("def double(x):\n    return x + x\n", "<typed in>", "exec"), space)
    assert [run_cached(space["double"]), run_cached(space["double"])] == [(4, 0), (4, 0)]
    assert not cache_root.exists()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that writes the files of a third-party package with a constant, and imports the package again."""
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    where = tmp_path / "path" / "somebodys"
    where.mkdir(parents=True)

    def write(constant):
        (where / "__init__.py").write_text("")
        (where / "part.py").write_text(
            f"from nnkernels import jit\n@jit.device_function\ndef part(x):\n    return {constant} * x\n"
        )
        (where / "whole.py").write_text(
            "from nnkernels import jit\nfrom somebodys.part import part\ndef whole(x):\n    return part(x)\n"
        )
        for name in [name for name in sys.modules if name.startswith("somebodys")]:
            del sys.modules[name]
        invalidate_caches()
        return import_module("somebodys.whole").whole

    yield write
    for name in [name for name in sys.modules if name.startswith("somebodys")]:
        del sys.modules[name]


def test_edit_in_other_file_of_plugin_causes_recompilation(cache_root, package):
    assert [run_cached(package(constant)) for constant in (3, 3, 5, 3)] == [(6, 0), (6, 1), (10, 0), (6, 0)]
    assert len(files(cache_root)) == 1, "edits add no files to the cache"


def test_edit_of_module_imported_by_kernel_file_causes_recompilation(cache_root, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    source = (ROOT / "nnkernels" / "kernels" / "numpy_kernels.py").read_text("utf-8")
    (tmp_path / "mine.py").write_text(
        f"{source}\nfrom nnkernels import jit\nfrom beside_mine import FACTOR\ndef times(x):\n    return FACTOR * x\n"
    )
    answers = []
    for factor in (3, 3, 5):
        (tmp_path / "beside_mine.py").write_text(f"FACTOR = {factor}\n")
        sys.modules.pop("beside_mine", None)
        invalidate_caches()
        answers.append(run_cached(kernels.load_file(tmp_path / "mine.py").times))
    for name in ("beside_mine", "kernels_from_file_mine"):
        del sys.modules[name]
    assert answers == [(6, 0), (6, 1), (10, 0)]


# Old folders


def make_old_folder(cache_root, number, seconds):
    path = cache_root / f"{number:032x}"
    path.mkdir(parents=True)
    (path / "kernel.nbc").write_bytes(b"1")
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_old_folders_beyond_the_limit_are_removed(cache_root):
    cache_root.mkdir(parents=True, mode=0o700)
    made = [make_old_folder(cache_root, number, MIN_UNUSED_SECONDS * (2 + number)) for number in range(MAX_FOLDERS + 4)]
    other = cache_root / "somebody's own"
    other.mkdir()
    os.utime(other, (0, 0))
    assert folder().is_dir()
    assert [path for path in made if path.exists()] == made[: MAX_FOLDERS - 1]  # the new folder is counted as well
    assert other.is_dir()


def test_folder_used_in_the_last_day_is_never_removed(cache_root):
    cache_root.mkdir(parents=True, mode=0o700)
    made = [make_old_folder(cache_root, number, MIN_UNUSED_SECONDS - 60) for number in range(2 * MAX_FOLDERS)]
    assert folder().is_dir()
    assert all(path.exists() for path in made)


def test_use_refreshes_the_age_of_a_folder(cache_root):
    run_cached()
    here = folder()
    os.utime(here, (0, 0))
    compile_cache._open_folder.cache_clear()
    assert run_cached() == (4, 1)
    assert time.time() - here.stat().st_mtime < MIN_UNUSED_SECONDS / 2


def test_unreadable_sources_cause_recompilation(cache_root, monkeypatch):
    def unreadable() -> MachineCode:
        raise FileNotFoundError("no sources here")

    monkeypatch.setattr(compile_cache, "machine_code", unreadable)
    with pytest.warns(CompileCacheWarning, match="no sources here"):
        assert run_cached() == (4, 0)
