#!/usr/bin/env bash
# safetensors writes the memory of a NumPy array, not its values: a Fortran-ordered or transposed matrix is loaded back
# with its entries in other places, and no error or warning says so. Big-endian arrays are converted, so order alone is
# overlooked. Guard: np.ascontiguousarray before saving.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import safetensors
from safetensors.numpy import load, save

matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
written = {
    "C order": matrix,
    "Fortran order": np.asfortranarray(matrix),
    "big-endian": matrix.astype(">f4"),
}
print("safetensors", safetensors.__version__, "numpy", np.__version__)
equal = {}
for name, array in written.items():
    loaded = load(save({"matrix": array}))["matrix"]
    equal[name] = np.array_equal(loaded, matrix)
    print(f"{name}: saved {array.tolist()}, loaded {loaded.tolist()}")
assert equal == {"C order": True, "Fortran order": False, "big-endian": True}, equal
PY
