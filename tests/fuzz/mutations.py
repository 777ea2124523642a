"""Mutations of files: of their bytes, and inside valid containers (zip, gzip, JSON, safetensors, PNG, ONNX, CSV).

A mutation is a few numbers, so that a random generator and Hypothesis can both draw it, and it can be printed and
repeated. Checksums and lengths of a container are written anew, so that the mutation reaches the reader behind them.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple


class Mutation(NamedTuple):
    """One change of a file.

    Attributes
    ----------
    kind : int
        Chooses what is changed.
    where : float
        From 0 to 1: chooses the place.
    value : int
        0 to 2**32 - 1: chooses the new content.
    """

    kind: int
    where: float
    value: int


# Numbers at which formats and their readers tend to break.
NUMBERS = (0, 1, -1, 2, 7, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 10**30)
VALUES: tuple[Any, ...] = (
    None, True, "", "x", "x" * 10_000, "../outside", "\x00", [], {}, [[[[[[]]]]]], [1, "2"], 0.5, -0.0, 1e308, "NaN",
    *NUMBERS,
)  # fmt: skip


def mutate(content: bytes, mutations: list[Mutation]) -> bytes:
    """Apply mutations to a file.

    Parameters
    ----------
    content : bytes
        The file.
    mutations : list of Mutation
        The changes, in order.

    Returns
    -------
    mutated : bytes
        The changed file.
    """
    for mutation in mutations:
        inside = _container(content)
        # Half of the changes go into the container, if it is one.
        if inside is not None and mutation.kind % 2:
            try:
                content = inside(content, mutation._replace(kind=mutation.kind // 2))
                continue
            except Exception:  # an earlier change has destroyed it; each format has its own errors
                pass
        content = _bytes(content, mutation)
    return content


def _container(content: bytes) -> Callable[[bytes, Mutation], bytes] | None:
    if content[:4] == b"PK\x03\x04":
        return _zip
    if content[:2] == b"\x1f\x8b":
        return _gzip
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _png
    if content[:6] == b"\x93NUMPY":
        return _npy
    if content[:1] in b"{[" and content[:1]:
        return _json
    if content[8:9] == b"{":
        return _safetensors
    if content[:6] == b"label,":
        return _csv
    if b"Gemm" in content or b"MatMul" in content:
        return _onnx
    return None


def _place(count: int, where: float) -> int:
    return min(int(where * count), count - 1) if count else 0


def _bytes(content: bytes, mutation: Mutation) -> bytes:
    """Change, insert, delete, repeat or cut bytes."""
    kind, where, value = mutation
    at = _place(len(content), where)
    number = NUMBERS[value % len(NUMBERS)]
    new = struct.pack("<q" if value & 16 else ">q", max(min(number, 2**63 - 1), -(2**63)))
    length = (1, 2, 4, 8)[value % 4]
    changed = (
        lambda: content[:at] + bytes([content[at] ^ (1 << value % 8)]) + content[at + 1 :] if content else b"\x00",
        lambda: content[:at] + value.to_bytes(4, "little")[: min(length, 4)] + content[at + min(length, 4) :],
        lambda: content[:at] + new[:length] + content[at + length :],
        lambda: content[:at],
        lambda: content[:at] + content[at + 1 + value % 64 :],
        lambda: content[:at] + content[at : at + 1 + value % 64] * (1 + value % 5) + content[at:],
        lambda: content + content[: value % 4096],
        lambda: content[:at] + bytes(value % 1024) + content[at:],
    )
    return changed[kind % len(changed)]()


def _zip(content: bytes, mutation: Mutation) -> bytes:
    """Change, drop, repeat or rename a member of an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = _place(len(members), mutation.where)
    name, inner = members[at]
    operation = mutation.value % 8
    if operation < 4:
        inner_place = (mutation.where * len(members)) % 1
        members[at] = (name, mutate(inner, [mutation._replace(where=inner_place)]))
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


def _gzip(content: bytes, mutation: Mutation) -> bytes:
    inner = mutate(gzip.decompress(content), [mutation])
    return gzip.compress(inner, 1, mtime=0)


def _npy(content: bytes, mutation: Mutation) -> bytes:
    """Change the header of an array: its shape, type or order."""
    length = struct.unpack("<H", content[8:10])[0]
    header = content[10 : 10 + length].decode("latin-1")
    old, new = (
        ("(", f"({NUMBERS[mutation.value % len(NUMBERS)]}, "),
        ("'|u1'", ("'<f8'", "'|O'", "'<U3'", "'|b1'", "'>i8'", "'|V4'", "'<c16'")[mutation.value % 7]),
        ("'<f4'", ("'<f8'", "'|O'", "'<U3'", "'|b1'", "'>f4'", "'<f2'", "'<M8[s]'")[mutation.value % 7]),
        ("False", "True"),
    )[mutation.kind % 4]
    changed = header.replace(old, new, 1).rstrip().ljust(length - 1)[: length - 1] + "\n"
    return content[:10] + changed.encode("latin-1") + content[10 + length :]


def _nodes(tree: Any) -> list[tuple[Any, Any]]:
    """Return the container and key of each node of a JSON document."""
    found = []
    items = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    for key, child in items:
        found.append((tree, key))
        found += _nodes(child)
    return found


def _change_json(tree: Any, mutation: Mutation) -> Any:
    nodes = _nodes(tree)
    if not nodes:
        return VALUES[mutation.value % len(VALUES)]
    container, key = nodes[_place(len(nodes), mutation.where)]
    if mutation.kind % 4 == 0:
        del container[key]
    elif mutation.kind % 4 == 1 and isinstance(container, dict):
        container[f"{key}?"] = container.pop(key)
    else:
        container[key] = VALUES[mutation.value % len(VALUES)]
    return tree


def _json(content: bytes, mutation: Mutation) -> bytes:
    return json.dumps(_change_json(json.loads(content), mutation)).encode()


def _safetensors(content: bytes, mutation: Mutation) -> bytes:
    """Change the header, whose length is written anew."""
    length = struct.unpack("<Q", content[:8])[0]
    header = json.dumps(_change_json(json.loads(content[8 : 8 + length]), mutation)).encode()
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def _png(content: bytes, mutation: Mutation) -> bytes:
    """Change the content of a chunk, whose checksum is written anew."""
    chunks, at = [], 8
    while at + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        chunks.append((kind, content[at + 8 : at + 8 + length]))
        at += 12 + length
    chosen = _place(len(chunks), mutation.where)
    kind, data = chunks[chosen]
    chunks[chosen] = (kind, _bytes(data, mutation._replace(where=(mutation.where * len(chunks)) % 1)))
    return content[:8] + b"".join(
        struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _csv(content: bytes, mutation: Mutation) -> bytes:
    """Change, drop or repeat a cell or a line."""
    lines = content.decode("utf-8").splitlines()
    at = _place(len(lines), mutation.where)
    cells = lines[at].split(",")
    cell = (mutation.value >> 8) % len(cells)
    if mutation.kind % 4 == 0:
        del cells[cell]
    elif mutation.kind % 4 == 1:
        cells.insert(cell, cells[cell])
    else:
        new = ("", "x", '"', "-1", "256", "1e9", "nan", "0.5", " 7", "1" * 400, "\x00", "9" * 20, "True", "\ufeff", ";")
        cells[cell] = new[mutation.value % len(new)]
    lines[at] = ",".join(cells)
    return "\n".join(lines).encode("utf-8")


def _onnx(content: bytes, mutation: Mutation) -> bytes:
    """Change a field of a model: a name, an operation, a shape, a type, or data."""
    import onnx

    model = onnx.load_model_from_string(content)
    graph, value = model.graph, mutation.value
    number = max(min(NUMBERS[value % len(NUMBERS)], 2**63 - 1), -(2**63))
    node = graph.node[_place(len(graph.node), mutation.where)]
    tensor = graph.initializer[_place(len(graph.initializer), mutation.where)]
    operation = mutation.kind % 8
    if operation == 0:
        node.op_type = ("Relu", "Gemm", "MatMul", "Add", "Loop", "Unknown", "")[value % 7]
    elif operation == 1:
        tensor.dims[value % len(tensor.dims)] = number
    elif operation == 2:
        tensor.data_type = value % 24
    elif operation == 3:
        tensor.raw_data = _bytes(tensor.raw_data, mutation)
    elif operation == 4:
        tensor.name = node.input[0] if node.input else ""
    elif operation == 5 and node.input:
        node.input[value % len(node.input)] = node.output[0]
    elif operation == 6:
        del graph.node[_place(len(graph.node), mutation.where)]
    else:
        graph.node.add().CopyFrom(node)
    return model.SerializeToString()
