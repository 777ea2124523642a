"""Image files that are read in parts: the images of valid files, and the errors for invalid ones."""

from __future__ import annotations

import gzip
import io
import struct
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnkernels.data.idx import write_idx
from nnkernels.data.image_file import ImageFile, read_labels
from nnkernels.errors import DataError
from tests.test_data import BROKEN_IDX, idx_bytes, npy_bytes, read_or_refuse, write


def npy_of(values, **options):
    buffer = io.BytesIO()
    np.save(buffer, values, **options)
    return buffer.getvalue()


def random_images(shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)


IMAGES = random_images((5, 4, 3))
FORMS = {
    "IDX (N, h, w)": (idx_bytes, IMAGES),
    "IDX (N, D)": (idx_bytes, IMAGES.reshape(5, 12)),
    "bytes (N, h, w)": (npy_of, IMAGES),
    "bytes (N, D)": (npy_of, IMAGES.reshape(5, 12)),
    "floats (N, h, w)": (npy_of, IMAGES.astype(np.float32)),
    "floats (N, D)": (npy_of, IMAGES.reshape(5, 12).astype(np.float32)),
}


@pytest.mark.parametrize("form", FORMS)
def test_read_returns_any_range_of_images(tmp_path, form):
    pack, images = FORMS[form]
    file = ImageFile(write(tmp_path / "file", pack(images)))
    assert (len(file), file.inputs, file.dtype) == (5, 12, images.dtype)
    for start in range(6):
        for stop in range(start, 6):
            X = file.read(start, stop)
            assert X.dtype == images.dtype
            np.testing.assert_array_equal(X, images.reshape(5, 12)[start:stop])


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, ">i2", np.float64, np.float16, ">f4", bool])
def test_other_dtypes_are_converted_to_uint8_or_float32(tmp_path, dtype):
    images = random_images((600, 12)).astype(dtype)  # more than are converted at a time
    file = ImageFile(write(tmp_path / "file", npy_of(images)))
    assert file.dtype == (np.uint8 if images.dtype.kind in "iu" else np.float32)
    for start, stop in ((0, 600), (3, 4), (250, 523), (600, 600)):
        X = file.read(start, stop)
        assert X.dtype == file.dtype
        np.testing.assert_array_equal(X, images[start:stop])


def test_pixel_above_255_is_rejected_when_read(tmp_path):
    images = random_images((600, 12)).astype(np.int64)
    images[300, 5] = 256
    file = ImageFile(write(tmp_path / "file", npy_of(images)))
    file.read(0, 256)
    with pytest.raises(DataError, match=r"images 256 to 512: images have dtype int64 and values from 0 to 256, but"):
        file.read(0, 600)


def test_read_returns_copy(tmp_path):
    path = write(tmp_path / "file", npy_of(IMAGES))
    ImageFile(path).read(0, 5)[:] = 7
    np.testing.assert_array_equal(ImageFile(str(path)).read(0, 5), IMAGES.reshape(5, 12))


@given(shape=st.tuples(st.integers(1, 40), st.integers(1, 9)), bounds=st.tuples(st.integers(0, 40), st.integers(0, 40)))
def test_read_writes_any_range_into_given_array(tmp_path, shape, bounds):
    images = random_images(shape, np.float32)
    file = ImageFile(write(tmp_path / "file", npy_of(images)))
    start, stop = sorted(min(bound, shape[0]) for bound in bounds)
    memory = np.full(shape, -1, np.float32)
    assert file.read(start, stop, memory[: stop - start]).ctypes.data == memory.ctypes.data
    np.testing.assert_array_equal(memory[: stop - start], images[start:stop])
    assert (memory[stop - start :] == -1).all()


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 6), (6, 6)])
def test_range_out_of_bounds_is_rejected(tmp_path, start, stop):
    file = ImageFile(write(tmp_path / "file", npy_of(IMAGES)))
    with pytest.raises(DataError, match=f"has 5 images; the range {start} to {stop} is out of bounds"):
        file.read(start, stop)


@pytest.mark.parametrize(
    "out", [np.empty((2, 12), np.float32), np.empty((3, 12), np.uint8), np.empty((2, 24), np.uint8)[:, ::2]]
)
def test_unsuitable_output_array_is_rejected(tmp_path, out):
    with pytest.raises(DataError, match=r"expected a C-contiguous uint8 array of shape \(2, 12\)"):
        ImageFile(write(tmp_path / "file", npy_of(IMAGES))).read(0, 2, out)


@pytest.mark.skipif(sys.platform == "win32", reason="there the file would be written in full")
def test_file_beyond_size_limit_of_other_readers_is_read(tmp_path):
    # A sparse file of 3 GB: the parts that were never written read as zeros and take no space on disk.
    path = tmp_path / "sparse"
    with path.open("wb") as stream:
        stream.write(struct.pack(">4I", 0x0803, 3_000_000, 40, 25))
        stream.seek(16 + 2_999_999 * 1000)
        stream.write(bytes([9] * 1000))
    file = ImageFile(path)
    assert (len(file), file.inputs) == (3_000_000, 1000)
    np.testing.assert_array_equal(file.read(2_999_998, 3_000_000), np.repeat([[0], [9]], 1000, axis=1))


def test_read_allocates_memory_for_range_only(tmp_path):
    path = write(tmp_path / "file", npy_of(np.ones((4000, 1000), np.uint8)))
    tracemalloc.start()
    try:
        ImageFile(path).read(1000, 1100)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 100_000 <= peak < 200_000


BROKEN = {
    "empty": (b"", "0 bytes long"),
    "text": (b"label,pixel0\n", "starts with 6c616265"),
    "IDX of labels": (idx_bytes(IMAGES[:, 0, 0]), "has 1 dimensions; expected 2 or 3"),
    "IDX truncated": (idx_bytes(IMAGES)[:-1], "truncated, 59 of the 60 bytes"),
    "IDX too long": (idx_bytes(IMAGES) + b"\0", "longer than the 60 bytes"),
    "IDX of floats": (struct.pack(">4I", 0x0D03, 5, 4, 3), "starts with 00000d03"),
    "IDX of absurd size": (BROKEN_IDX["sizes that overflow"][0], "truncated, 0 of the"),
    "no images": (idx_bytes(IMAGES[:0]), r"images have shape \(0, 4, 3\)"),
    "gzip": (gzip.compress(idx_bytes(IMAGES)), "gzipped, .* unpack it first"),
    "npy truncated": (npy_of(IMAGES)[:-1], "truncated, 59 of the 60 bytes"),
    "npy too long": (npy_of(IMAGES) + b"\0", "longer than the 60 bytes"),
    "npy of 2**50 bytes": (
        npy_bytes(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**50}, 1)}}"),
        "truncated",
    ),
    "npy of a negative size": (npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 2)}"), "shape"),
    "npy without a header": (npy_of(IMAGES)[:8], "damaged .npy header"),
    "npy of an unknown version": (npy_of(IMAGES)[:6] + b"\x09" + npy_of(IMAGES)[7:], "damaged .npy header"),
    "npy of a header that is no Python": (npy_bytes("{'descr': '|u1', ((("), "damaged .npy header"),
    "npy in Fortran order": (npy_of(np.asfortranarray(IMAGES.reshape(5, 12))), "ascontiguousarray"),
    "npy of complex numbers": (
        npy_of(IMAGES.astype(complex)),
        "images have dtype <c16; expected integers or floats",
    ),
    "npy of text": (npy_of(IMAGES.astype(str)), "images have dtype <U3; expected integers or floats"),
    "npy of labels": (npy_of(IMAGES[:, 0, 0]), r"images have shape \(5,\)"),
    "npy of four dimensions": (npy_of(IMAGES[None]), r"images have shape \(1, 5, 4, 3\)"),
    "npy of a number": (npy_of(np.uint8(3)), r"images have shape \(\)"),
    "npy of images without pixels": (npy_of(np.zeros((3, 0), np.uint8)), r"images have shape \(3, 0\)"),
    "npy of objects": (npy_of(np.array([{}, {}], object), allow_pickle=True), "never unpickled"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_invalid_image_file_is_rejected_with_path(tmp_path, case):
    content, match = BROKEN[case]
    path = write(tmp_path / "broken", content)
    with pytest.raises(DataError, match=match) as caught:
        ImageFile(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder_are_rejected_with_path(tmp_path):
    for read in (ImageFile, read_labels):
        for path in (tmp_path / "no-such-file", tmp_path):
            with pytest.raises(DataError, match="cannot be read") as caught:
                read(path)
            assert str(path) in str(caught.value)


def test_file_truncated_or_removed_after_opening_is_reported(tmp_path):
    path = write(tmp_path / "file", npy_of(IMAGES))
    file = ImageFile(path)
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(file.read(0, 4), IMAGES.reshape(5, 12)[:4])
    with pytest.raises(DataError, match="ends 1 bytes early"):
        file.read(4, 5)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        file.read(0, 1)


@given(content=st.binary(max_size=40), start=st.sampled_from([b"", npy_of(IMAGES)[:8], npy_of(IMAGES)[:70]]))
def test_any_bytes_give_images_or_data_error(tmp_path, content, start):
    path = write(tmp_path / "fuzzed", start + content)
    for read in (ImageFile, read_labels):
        read_or_refuse(read, path)


# Labels


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, ">i4"])
def test_read_labels_of_npy(tmp_path, dtype):
    labels = np.arange(11).astype(dtype)
    found = read_labels(write(tmp_path / "labels.npy", npy_of(labels)))
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_read_labels_of_idx(tmp_path, pack):
    labels = np.arange(11, dtype=np.uint8)
    write_idx(tmp_path / "plain", labels)
    path = write(tmp_path / "labels", pack((tmp_path / "plain").read_bytes()))
    np.testing.assert_array_equal(read_labels(path), labels)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (npy_of(np.zeros(5)), "labels have dtype <f8"),
        (npy_of(np.zeros((5, 10), np.uint8)), r"labels have dtype \|u1 and shape \(5, 10\)"),
        (npy_of(np.zeros(5, np.uint8))[:-1], "truncated, 4 of the 5 bytes"),
        (npy_of(np.array([{}], object), allow_pickle=True), "never unpickled"),
        (npy_bytes(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**50},)}}"), "truncated"),
        (idx_bytes(IMAGES), "has 3 dimensions; expected 1"),
        (b"", "0 bytes long"),
    ],
)
def test_invalid_label_file_is_rejected_with_path(tmp_path, content, match):
    path = write(tmp_path / "labels", content)
    with pytest.raises(DataError, match=match) as caught:
        read_labels(path)
    assert str(path) in str(caught.value)
