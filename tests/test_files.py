"""Atomic file writes: a file has either its old or its new content, even if the write is interrupted."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nnkernels.files import atomic_write, read_json, write_bytes, write_json, write_text
from tests.processes import python

OLD, NEW = b"the old content", b"the new content"


def names(folder: Path) -> list[str]:
    """Return the names of all files in a folder, including hidden ones."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def path(tmp_path):
    """An existing file with the content ``OLD``."""
    existing = tmp_path / "weights.npz"
    existing.write_bytes(OLD)
    return existing


@pytest.fixture
def limited_file_size():
    """Limit the size of files to 1,000 bytes, so that a longer write fails part way, as on a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Content


@pytest.mark.parametrize("content", [b"", NEW, bytes(range(256)) * 4096])
def test_write_bytes_writes_content_unchanged(tmp_path, content):
    write_bytes(tmp_path / "file.bin", content)
    assert (tmp_path / "file.bin").read_bytes() == content
    assert names(tmp_path) == ["file.bin"]


def test_write_bytes_replaces_existing_file(path):
    write_bytes(path, NEW)
    assert path.read_bytes() == NEW
    assert names(path.parent) == [path.name]


def test_write_bytes_creates_missing_folders(tmp_path):
    write_bytes(tmp_path / "a" / "b" / "file.bin", NEW)
    assert (tmp_path / "a" / "b" / "file.bin").read_bytes() == NEW


def test_write_text_uses_utf_8_and_keeps_line_endings(tmp_path):
    # The bytes do not depend on the platform's encoding or line endings.
    write_text(tmp_path / "file.txt", "95 % ± 1\nnächste\r\n")
    assert (tmp_path / "file.txt").read_bytes() == "95 % ± 1\nnächste\r\n".encode()


def test_write_json_round_trip(tmp_path):
    value = {"loss": 0.1, "names": ["numpy", "ñ"], "none": None, "nested": {"1": True}}
    write_json(tmp_path / "file.json", value)
    text = (tmp_path / "file.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert text.endswith("}\n")


def test_write_json_puts_list_of_numbers_on_one_line(tmp_path):
    value = {"seconds": [[1e-05, -2, 3.5], []], "names": ["a", "[\n1,\n2\n]"], "mixed": [1, None, "2"], "one": [0.25]}
    write_json(tmp_path / "file.json", value)
    text = (tmp_path / "file.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert "[1e-05, -2, 3.5]" in text
    assert '"one": [0.25]' in text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1, {"loss": float("-inf")}]])
def test_write_json_rejects_nonfinite_values_and_keeps_old_file(path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, value)
    assert path.read_bytes() == OLD
    assert names(path.parent) == [path.name]


# The temporary file


def test_temporary_file_is_hidden_beside_target_with_same_suffix(path):
    # Another folder could be on another file system, from which a move is not atomic.
    with atomic_write(path) as temporary:
        assert temporary != path
        assert temporary.parent == path.parent
        assert temporary.suffix == path.suffix
        assert temporary.name.startswith("."), "listings of the folder must not show it"
        assert not temporary.exists()
        temporary.write_bytes(NEW)
        assert path.read_bytes() == OLD, "the file must not change before the end of the block"
    assert path.read_bytes() == NEW
    assert names(path.parent) == [path.name]


def test_replacing_works_with_writers_that_depend_on_suffix(tmp_path):
    with atomic_write(tmp_path / "weights.npz") as temporary:
        np.savez(temporary, W1=np.arange(3))  # it appends .npz to any other suffix
    with np.load(tmp_path / "weights.npz") as read:
        assert read["W1"].tolist() == [0, 1, 2]
    assert names(tmp_path) == ["weights.npz"]


def test_processes_write_to_different_temporary_files(path):
    # Two writers of the same file never share a temporary file.
    code = (
        "import sys; from pathlib import Path; from nnkernels.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as temporary: temporary.touch(); print(temporary.name)"
    )
    with atomic_write(path) as temporary:
        temporary.write_bytes(NEW)
        other = python("-c", code, path)
        assert other.stdout.strip() not in ("", temporary.name)
        assert temporary.read_bytes() == NEW
    assert path.read_bytes() == NEW


# Failures


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("written", [None, b"", NEW[:5]])
def test_error_during_write_keeps_only_old_file(path, error, written):
    def write():
        with atomic_write(path) as temporary:
            if written is not None:
                temporary.write_bytes(written)
            raise error

    with pytest.raises(error):
        write()
    assert path.read_bytes() == OLD
    assert names(path.parent) == [path.name]


def test_error_during_write_of_new_file_leaves_no_file(tmp_path):
    def write():
        with atomic_write(tmp_path / "file.bin") as temporary:
            temporary.write_bytes(NEW[:5])
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write()
    assert names(tmp_path) == []


def test_replacing_raises_if_nothing_was_written(path):
    with pytest.raises(FileNotFoundError), atomic_write(path):
        pass
    assert path.read_bytes() == OLD


def test_full_disk_keeps_only_old_file(path, limited_file_size):
    with pytest.raises(OSError, match="File too large"):
        write_bytes(path, bytes(5000))
    assert path.read_bytes() == OLD
    assert names(path.parent) == [path.name]


def test_failed_replacement_leaves_no_temporary_file(tmp_path):
    occupied = tmp_path / "taken"
    (occupied / "folder").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"):
        write_bytes(occupied, NEW)
    assert names(tmp_path) == ["taken"]
    assert names(occupied) == ["folder"]


# Killed processes

SIZE = 4 << 20

# Rewrites a file in an endless loop, each time with another byte. Prints a line after the first write.
REWRITE = f"""
import itertools, sys
from pathlib import Path
from nnkernels.files import write_bytes
path, contents = Path(sys.argv[1]), [bytes([i]) * {SIZE} for i in range(8)]
write_bytes(path, contents[0])
print("begun", flush=True)
for content in itertools.cycle(contents):
    write_bytes(path, content)
"""

# Writes half of the content, then sleeps.
WRITE_HALF = """
import sys, time
from pathlib import Path
from nnkernels.files import atomic_write
with atomic_write(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"the new")
    print("begun", flush=True)
    time.sleep(600)
"""


def start_writer(code: str, path: Path) -> subprocess.Popen[bytes]:
    """Start a process that writes a file; return it after it has begun."""
    child = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    return child


def is_complete(content: bytes) -> bool:
    return len(content) == SIZE and content == content[:1] * SIZE


def test_reader_never_sees_partial_file_during_rewrites(tmp_path):
    path = tmp_path / "rewritten.bin"
    seen = set()
    with start_writer(REWRITE, path) as child:
        try:
            end = time.monotonic() + 60
            while len(seen) < 8 and time.monotonic() < end:
                for _ in range(20):
                    content = path.read_bytes()
                    assert is_complete(content)
                    seen.add(content[0])
            assert child.poll() is None, "the writer must still be running"
        finally:
            child.kill()
    assert len(seen) == 8, "every content must have been read"


def test_kill_during_write_keeps_old_file(path):
    with start_writer(WRITE_HALF, path) as child:
        child.kill()
    assert path.read_bytes() == OLD
    # A killed process cannot clean up. Its temporary file is hidden and does not affect later writes.
    assert [name for name in names(path.parent) if not name.startswith(".")] == [path.name]
    write_bytes(path, NEW)
    assert path.read_bytes() == NEW


def test_kill_at_any_moment_leaves_complete_file(tmp_path):
    path = tmp_path / "rewritten.bin"
    rng = random.Random(7)  # the timing still differs from run to run; any moment must do
    for _ in range(10):
        with start_writer(REWRITE, path) as child:
            time.sleep(rng.uniform(0, 0.02))
            assert child.poll() is None
            child.kill()
        assert is_complete(path.read_bytes())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe{}", b"[NaN]", b"[-Infinity]", b"[1e999]", b"[" + b"9" * 5000 + b"]", b"[" * 100_000],
    ids=range(8),
)
def test_damaged_json_is_a_value_error(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011  (the callers name the file)
        read_json(path)


def test_json_is_read_as_written(tmp_path):
    value = {"a": [1, -2.5, 1e-300, None, "NaN"], "b": {"c": True}}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == value
