"""Mutations inside JSON, tables, ONNX models, Parquet and HDF5 files, which stay readable by the libraries."""

from __future__ import annotations

import io
import json
import re
import struct
from typing import Any

import numpy as np

from tests.fuzz.mutations import Mutation, changed_bytes, number_of, place, value_of

CELLS = (
    "", "x", '"', "'", "-1", "256", "1e9", "nan", "0.5", " 7", "1" * 400, "\x00", "9" * 20, "True", "\ufeff", ";", "{",
    "}", "%", "?", "@data", "1:1", "785:1", "0", "-0", "1e400", "0x10", "\u0663", "é", "#",
)  # fmt: skip


def _nodes(tree: Any) -> list[tuple[Any, Any]]:
    """Return the container and key of each node of a JSON document."""
    found = []
    items = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    for key, child in items:
        found.append((tree, key))
        found += _nodes(child)
    return found


def _changed_tree(tree: Any, mutation: Mutation) -> Any:
    nodes = _nodes(tree)
    if not nodes:
        return value_of(mutation)
    container, key = nodes[place(len(nodes), mutation.where)]
    if mutation.kind % 8 == 0:
        del container[key]
    elif mutation.kind % 8 == 1 and isinstance(container, dict):
        container[f"{key}?"] = container.pop(key)
    elif mutation.kind % 8 == 2 and isinstance(container[key], str):  # a document inside a document
        try:
            container[key] = json.dumps(_changed_tree(json.loads(container[key]), mutation._replace(kind=3)))
        except ValueError:
            container[key] = value_of(mutation)
    elif mutation.kind % 8 == 3 and isinstance(container, list):
        container.insert(key, container[key])
    elif mutation.kind % 8 == 4 and isinstance(container[key], int | float):
        container[key] = number_of(mutation)
    else:
        container[key] = value_of(mutation)
    return tree


def changed_json(content: bytes, mutation: Mutation) -> bytes:
    """Change a value of a document, nest it deeply, or change its text."""
    if mutation.kind % 64 == 5:
        depth = 10 ** (2 + mutation.value % 4)
        return b"[" * depth + b"]" * depth
    if mutation.kind % 16 == 6:  # a number of the text, so that NaN, Infinity and long integers occur
        found = list(re.finditer(rb"-?\d+(?:\.\d+)?", content))
        match = found[place(len(found), mutation.where)]
        new = (b"NaN", b"Infinity", b"-Infinity", b"9" * 5000, b"1e999", b"-0", b"1" * 400)[mutation.value % 7]
        return content[: match.start()] + new + content[match.end() :]
    return json.dumps(_changed_tree(json.loads(content), mutation)).encode()


def changed_lines(content: bytes, mutation: Mutation) -> bytes:
    """Change, drop or repeat a cell or a line of a table."""
    lines = content.decode("utf-8").splitlines()
    at = place(len(lines), mutation.where)
    cells = re.split(r"([,;: ])", lines[at])
    cell = (mutation.value >> 8) % len(cells)
    operation = mutation.kind % 8
    if operation == 0:
        del cells[cell]
    elif operation == 1:
        cells.insert(cell, cells[cell])
    elif operation == 2:
        cells = []
    elif operation == 3:
        cells *= 1 + mutation.value % 40
    else:
        cells[cell] = CELLS[mutation.value % len(CELLS)]
    lines[at] = "".join(cells)
    return "\n".join(lines).encode("utf-8")


def changed_onnx(content: bytes, mutation: Mutation) -> bytes:
    """Change a field of a model: a name, an operation, a shape, a type, data, or an attribute."""
    import onnx

    model = onnx.load_model_from_string(content)
    graph, value, number = model.graph, mutation.value, number_of(mutation)
    node = graph.node[place(len(graph.node), mutation.where)]
    tensor = graph.initializer[place(len(graph.initializer), mutation.where)]
    operation = mutation.kind % 12
    if operation == 0:
        operations = ("Relu", "Gemm", "MatMul", "Add", "Loop", "Unknown", "", "Reshape", "Constant", "Div", "Flatten")
        node.op_type = operations[value % len(operations)]
    elif operation == 1:
        tensor.dims[value % len(tensor.dims)] = number
    elif operation == 2:
        tensor.data_type = value % 24
    elif operation == 3:
        tensor.raw_data = changed_bytes(tensor.raw_data, mutation)
    elif operation == 4:
        tensor.name = node.input[0] if node.input else ""
    elif operation == 5 and node.input:
        node.input[value % len(node.input)] = node.output[0]
    elif operation == 6:
        del graph.node[place(len(graph.node), mutation.where)]
    elif operation == 7 and node.attribute:
        attribute = node.attribute[value % len(node.attribute)]
        attribute.i, attribute.f, attribute.type = number, float(number), (1, 2, 3, 7)[value % 4]
    elif operation == 8:
        del tensor.dims[:]
        tensor.dims.extend([number, *([1] * (value % 70))])
    elif operation == 9:
        entry = tensor.external_data.add()
        entry.key, entry.value = (("location", "../w.bin"), ("offset", str(number)), ("length", "x"))[value % 3]
        tensor.data_location = 1
    elif operation == 10:
        dimension = graph.input[0].type.tensor_type.shape.dim.add()
        dimension.dim_value = number
    else:
        graph.node.add().CopyFrom(node)
    return model.SerializeToString()


def changed_parquet(content: bytes, mutation: Mutation) -> bytes:
    """Change the footer, whose length is written anew, or a column of the table."""
    import pyarrow
    from pyarrow import parquet

    if mutation.kind % 2:
        length = struct.unpack("<I", content[-8:-4])[0]
        footer = changed_bytes(content[-8 - length : -8], mutation._replace(kind=mutation.kind // 2))
        return content[: -8 - length] + footer + struct.pack("<I", len(footer)) + b"PAR1"
    table = parquet.read_table(io.BytesIO(content))
    rows, at = len(table), place(len(table.column_names), mutation.where)
    name = table.column_names[at]
    columns = (
        lambda: pyarrow.nulls(rows),
        lambda: pyarrow.array([number_of(mutation)] * rows),
        lambda: pyarrow.array(["5"] * rows),
        lambda: pyarrow.array([0.5] * rows),
        lambda: pyarrow.array([float("nan")] * rows),
        lambda: pyarrow.array([[1.0] * (mutation.value % 3)] * rows),
        lambda: pyarrow.array([{"bytes": b"\x89PNG"}] * rows),
        lambda: pyarrow.array(["a", None] * rows)[:rows].dictionary_encode(),
        lambda: pyarrow.array([[[0] * 28] * 28] * rows),
        lambda: pyarrow.array([b""] * rows),
        lambda: pyarrow.array([True] * rows),
        lambda: pyarrow.array([0] * rows, pyarrow.timestamp("s")),
    )
    operation = mutation.value % (len(columns) + 3)
    if operation < len(columns):
        table = table.set_column(at, name, columns[operation]())
    elif operation == len(columns):
        table = table.drop_columns([name])
    elif operation == len(columns) + 1:
        table = table.append_column(name, table.column(at))
    else:
        table = table.slice(0, 0)
    written = io.BytesIO()
    parquet.write_table(table, written)
    return written.getvalue()


def changed_hdf5(content: bytes, mutation: Mutation) -> bytes:
    """Replace, drop or rename an array, or change an attribute."""
    import h5py

    stream, value = io.BytesIO(content), mutation.value
    with h5py.File(stream, "a") as file:
        found: list[str] = []
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        name = found[place(len(found), mutation.where)]
        shape = file[name].shape
        operation = mutation.kind % 8
        if operation == 0:
            del file[name]
        elif operation == 1:
            file.move(name, f"{name}?")
        elif operation == 2:
            text = file.attrs.get("model_config", "{}")
            file.attrs["model_config"] = json.dumps(_changed_tree(json.loads(text), mutation._replace(kind=7)))
        elif operation == 3:
            others = (b"{", "[]", 7, np.zeros(3), "\x00", "null", '{"class_name": 5}')
            file.attrs["model_config"] = others[value % len(others)]
        elif operation == 4:
            del file[name]
            file[name] = h5py.SoftLink("/") if value & 1 else h5py.ExternalLink("other.h5", "/")
        elif operation == 5:
            del file[name]  # far larger than the file, without content
            file.create_dataset(name, (10 ** (value % 12), 1), "f4", chunks=(1, 1))
        else:
            del file[name]
            arrays = (
                np.zeros(shape, "S3"), np.zeros(shape, ">f8"), np.full(shape, np.nan, "f2"), np.zeros(()),
                np.zeros((0, 3), "f4"), np.zeros((*shape, 2), "f4"), np.zeros(shape, "u1"),
                np.zeros(shape, [("a", "f4")]), h5py.Empty("f4"), np.zeros(shape, bool), np.zeros(shape, "c8"),
            )  # fmt: skip
            file[name] = arrays[value % len(arrays)]
    return stream.getvalue()
