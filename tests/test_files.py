"""Atomic file writes: a file has its old or its new content, whatever interrupts the write."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nnkernels.files import atomic_write, write_bytes, write_json, write_text
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
def little_room():
    """Limit the size of files to 1,000 bytes, so that a longer write fails part way, as on a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Content


@pytest.mark.parametrize("content", [b"", NEW, bytes(range(256)) * 4096])
def test_bytes_are_written_as_they_are(tmp_path, content):
    write_bytes(tmp_path / "file.bin", content)
    assert (tmp_path / "file.bin").read_bytes() == content
    assert names(tmp_path) == ["file.bin"]


def test_what_was_there_is_replaced(path):
    write_bytes(path, NEW)
    assert path.read_bytes() == NEW
    assert names(path.parent) == [path.name]


def test_folders_are_made(tmp_path):
    write_bytes(tmp_path / "a" / "b" / "file.bin", NEW)
    assert (tmp_path / "a" / "b" / "file.bin").read_bytes() == NEW


def test_text_is_utf_8_with_its_own_line_ends(tmp_path):
    # The bytes do not depend on the platform's encoding or line endings.
    write_text(tmp_path / "file.txt", "95 % ± 1\nnächste\r\n")
    assert (tmp_path / "file.txt").read_bytes() == "95 % ± 1\nnächste\r\n".encode()


def test_json_reads_back(tmp_path):
    value = {"loss": 0.1, "names": ["numpy", "ñ"], "none": None, "nested": {"1": True}}
    write_json(tmp_path / "file.json", value)
    text = (tmp_path / "file.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert text.endswith("}\n")


def test_numbers_of_a_list_stand_in_one_line(tmp_path):
    value = {"seconds": [[1e-05, -2, 3.5], []], "names": ["a", "[\n1,\n2\n]"], "mixed": [1, None, "2"], "one": [0.25]}
    write_json(tmp_path / "file.json", value)
    text = (tmp_path / "file.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert "[1e-05, -2, 3.5]" in text
    assert '"one": [0.25]' in text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1, {"loss": float("-inf")}]])
def test_json_that_is_none_is_refused_and_the_old_file_stays(path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, value)
    assert path.read_bytes() == OLD
    assert names(path.parent) == [path.name]


# The temporary file


def test_the_neighbour_lies_beside_the_file_and_has_its_suffix(path):
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


def test_a_writer_that_chooses_its_format_by_the_suffix_is_served(tmp_path):
    with atomic_write(tmp_path / "weights.npz") as temporary:
        np.savez(temporary, W1=np.arange(3))  # it appends .npz to any other suffix
    with np.load(tmp_path / "weights.npz") as read:
        assert read["W1"].tolist() == [0, 1, 2]
    assert names(tmp_path) == ["weights.npz"]


def test_what_another_process_is_writing_is_left_alone(path):
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
def test_an_error_on_the_way_leaves_the_old_file_and_nothing_else(path, error, written):
    def write():
        with atomic_write(path) as temporary:
            if written is not None:
                temporary.write_bytes(written)
            raise error

    with pytest.raises(error):
        write()
    assert path.read_bytes() == OLD
    assert names(path.parent) == [path.name]


def test_an_error_where_there_was_no_file_leaves_none(tmp_path):
    def write():
        with atomic_write(tmp_path / "file.bin") as temporary:
            temporary.write_bytes(NEW[:5])
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write()
    assert names(tmp_path) == []


def test_a_writer_that_wrote_nothing_is_noticed(path):
    with pytest.raises(FileNotFoundError), atomic_write(path):
        pass
    assert path.read_bytes() == OLD


def test_a_disk_without_room_leaves_the_old_file_and_nothing_else(path, little_room):
    with pytest.raises(OSError, match="File too large"):
        write_bytes(path, bytes(5000))
    assert path.read_bytes() == OLD
    assert names(path.parent) == [path.name]


def test_a_file_that_cannot_be_replaced_leaves_no_neighbour(tmp_path):
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


def start(code: str, path: Path) -> subprocess.Popen[bytes]:
    """Start a process that writes a file; return it after it has begun."""
    child = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    return child


def is_whole(content: bytes) -> bool:
    return len(content) == SIZE and content == content[:1] * SIZE


def test_a_reader_beside_the_writer_never_sees_half_a_file(tmp_path):
    path = tmp_path / "rewritten.bin"
    seen = set()
    with start(REWRITE, path) as child:
        try:
            end = time.monotonic() + 60
            while len(seen) < 8 and time.monotonic() < end:
                for _ in range(20):
                    content = path.read_bytes()
                    assert is_whole(content)
                    seen.add(content[0])
            assert child.poll() is None, "the writer must still be running"
        finally:
            child.kill()
    assert len(seen) == 8, "every content must have been read"


def test_a_kill_in_the_middle_leaves_the_old_file(path):
    with start(WRITE_HALF, path) as child:
        child.kill()
    assert path.read_bytes() == OLD
    # A killed process cannot clean up. Its temporary file is hidden and does not affect later writes.
    assert [name for name in names(path.parent) if not name.startswith(".")] == [path.name]
    write_bytes(path, NEW)
    assert path.read_bytes() == NEW


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "rewritten.bin"
    rng = random.Random(7)  # the timing still differs from run to run; any moment must do
    for _ in range(10):
        with start(REWRITE, path) as child:
            time.sleep(rng.uniform(0, 0.02))
            assert child.poll() is None
            child.kill()
        assert is_whole(path.read_bytes())
