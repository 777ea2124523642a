#!/usr/bin/env bash
# ONNX Runtime checks the dtype of an input, but not its byte order: a big-endian float32 array (what an IDX file holds,
# for example) is accepted and read as if it were little-endian. Guard: convert to the native byte order before run().
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

graph = helper.make_graph(
    [helper.make_node("Identity", ["x"], ["y"])],
    "identity",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
assert sys.byteorder == "little", "the finding is about little-endian machines"
x = np.array([1, 2, 3, 4], np.float32)
native = session.run(None, {"x": x})[0]
big_endian = session.run(None, {"x": x.astype(">f4")})[0]
print("onnxruntime", onnxruntime.__version__, "numpy", np.__version__)
print("native:    ", native.tolist())
print("big-endian:", big_endian.tolist(), "without an error")
assert np.array_equal(native, x)
assert np.array_equal(big_endian, x.byteswap())
PY
