#!/usr/bin/env bash
# The float32 sum 2 L - 2 L, with L the largest float32, is NaN if both products are rounded: inf - inf. On a CPU with
# fused multiply-add, a matrix product does not round the second product before it subtracts it, so the result is
# infinite, and its sign depends on the order of the sum. NumPy's own functions disagree: `@` returns infinity, `einsum`
# NaN. A test of extreme inputs can therefore require only that such a logit is not finite.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0
cd "$folder"
cat > program.py <<'PY'
import numpy as np
import onnx
import onnxruntime

largest = np.finfo(np.float32).max
A, B = np.zeros((4, 8), np.float32), np.zeros((8, 4), np.float32)
A[:, 0], A[:, 1], B[:2] = 2, -2, largest
value = onnx.helper.make_tensor_value_info
graph = onnx.helper.make_graph(
    [onnx.helper.make_node("MatMul", ["A", "B"], ["C"])],
    "product",
    [value("A", onnx.TensorProto.FLOAT, A.shape), value("B", onnx.TensorProto.FLOAT, B.shape)],
    [value("C", onnx.TensorProto.FLOAT, [4, 4])],
)
model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString())
with np.errstate(all="ignore"):
    answers = {
        "numpy, sum of products": (A[0] * B[:, 0]).sum(),
        "numpy, einsum": np.einsum("ij,jk->ik", A, B)[0, 0],
        "numpy, @": (A @ B)[0, 0],
        "onnxruntime, MatMul": session.run(None, {"A": A, "B": B})[0][0, 0],
    }
for name, answer in answers.items():
    print(f"{name}: {'NaN' if np.isnan(answer) else 'infinite' if np.isinf(answer) else 'finite'}")
PY
"$folder/venv/bin/pip" list --format=freeze 2>/dev/null | grep -E '^(numpy|onnx|onnxruntime)=='
"$folder/venv/bin/python" program.py | tee seen
printf '%s\n' 'numpy, sum of products: NaN' 'numpy, einsum: NaN' 'numpy, @: infinite' 'onnxruntime, MatMul: infinite' | diff - seen
