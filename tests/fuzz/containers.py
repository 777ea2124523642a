"""Mutations inside archives, compressed files, arrays and pictures, which stay valid on the outside."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial

from tests.fuzz.documents import changed_hdf5, changed_json, changed_lines, changed_onnx, changed_parquet
from tests.fuzz.mutations import NUMBERS, Mutation, changed_bytes, mutate, number_of, place

Change = Callable[[bytes, Mutation], bytes]


def container(content: bytes) -> Change | None:
    """Return the function that changes something inside a container, recognised by content; None if it is none."""
    starts: dict[bytes, Change] = {
        b"PK\x03\x04": _zip,
        b"\x1f\x8b": partial(_packed, gzip.decompress, partial(gzip.compress, compresslevel=1, mtime=0)),
        b"BZh": partial(_packed, bz2.decompress, partial(bz2.compress, compresslevel=1)),
        b"\xfd7zXZ\0": partial(_packed, lzma.decompress, partial(lzma.compress, preset=0)),
        b"\x89PNG\r\n\x1a\n": _png,
        b"\xff\xd8\xff": _jpeg,
        b"\x93NUMPY": _npy,
        b"\x89HDF\r\n\x1a\n": changed_hdf5,
        b"PAR1": changed_parquet,
        b"\0\0\x08": _idx,
        b"\0\0\x0c": _idx,
        b"{": changed_json,
        b"[": changed_json,
    }
    for start, change in starts.items():
        if content.startswith(start):
            return change
    if content[8:9] == b"{":
        return _safetensors
    if b"Gemm" in content or b"MatMul" in content:
        return changed_onnx
    return changed_lines if content[:512].isascii() and b"\n" in content and b"\0" not in content[:512] else None


def _zip(content: bytes, mutation: Mutation) -> bytes:
    """Change, drop, repeat or rename a member of an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = place(len(members), mutation.where)
    name, inner = members[at]
    operation = mutation.value % 8
    if operation < 4:
        members[at] = (name, mutate(inner, [mutation._replace(where=(mutation.where * len(members)) % 1)]))
    elif operation == 4:
        del members[at]
    elif operation == 5:
        members.append((name + "2", inner))
    elif operation == 6:
        members[at] = ("../" + name, inner)
    else:
        members[at] = (name, members[(at + 1) % len(members)][1])
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED if mutation.value & 8 else zipfile.ZIP_STORED) as archive:
        for name, inner in members:
            archive.writestr(zipfile.ZipInfo(name), inner)
    return written.getvalue()


def _packed(
    unpack: Callable[[bytes], bytes], pack: Callable[[bytes], bytes], content: bytes, mutation: Mutation
) -> bytes:
    """Change the content of a compressed file."""
    return pack(mutate(unpack(content), [mutation]))


def _npy(content: bytes, mutation: Mutation) -> bytes:
    """Change the header of an array: its shape, type or order."""
    length = struct.unpack("<H", content[8:10])[0]
    header = content[10 : 10 + length].decode("latin-1")
    old = header.partition("'descr': ")[2].partition(",")[0]
    dtypes = (
        "'<f8'",
        "'|O'",
        "'<U3'",
        "'|b1'",
        "'>i8'",
        "'|V4'",
        "'<c16'",
        "'<f2'",
        "'<M8[s]'",
        "'<U0'",
        "[('a', '<f4')]",
    )
    old, new = (
        ("(", f"({NUMBERS[mutation.value % len(NUMBERS)]}, "),
        (old, dtypes[mutation.value % len(dtypes)]),
        ("False", "True"),
        (")", f"{NUMBERS[mutation.value % len(NUMBERS)]})"),
    )[mutation.kind % 4]
    changed = header.replace(old, new, 1).rstrip().ljust(length - 1)[: length - 1] + "\n"
    return content[:10] + changed.encode("latin-1") + content[10 + length :]


def _idx(content: bytes, mutation: Mutation) -> bytes:
    """Change a size in the header."""
    at = 4 + 4 * (mutation.kind % max(1, content[3]))
    return content[:at] + struct.pack(">I", number_of(mutation) % 2**32) + content[at + 4 :]


def _safetensors(content: bytes, mutation: Mutation) -> bytes:
    """Change the header, whose length is written anew."""
    length = struct.unpack("<Q", content[:8])[0]
    header = changed_json(content[8 : 8 + length], mutation)
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def _png(content: bytes, mutation: Mutation) -> bytes:
    """Change the content of a chunk, whose checksum is written anew; that of pixels is unpacked before."""
    chunks, at = [], 8
    while at + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        chunks.append((kind, content[at + 8 : at + 8 + length]))
        at += 12 + length
    chosen = place(len(chunks), mutation.where)
    kind, data = chunks[chosen]
    inner = mutation._replace(where=(mutation.where * len(chunks)) % 1)
    if kind == b"IDAT" and mutation.value & 32:
        data = zlib.compress(changed_bytes(zlib.decompress(data), inner))
    else:
        data = changed_bytes(data, inner)
    chunks[chosen] = (kind, data)
    return content[:8] + b"".join(
        struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _jpeg(content: bytes, mutation: Mutation) -> bytes:
    """Change the content of a segment, whose length is written anew."""
    at, segments = 2, []
    while content[at] == 0xFF and content[at + 1] != 0xDA:
        length = struct.unpack(">H", content[at + 2 : at + 4])[0]
        segments.append((at, length))
        at += 2 + length
    start, length = segments[place(len(segments), mutation.where)]
    data = content[start + 4 : start + 2 + length]
    data = changed_bytes(data, mutation._replace(where=(mutation.where * len(segments)) % 1))[:65_000]
    return content[: start + 2] + struct.pack(">H", len(data) + 2) + data + content[start + 2 + length :]
