#!/usr/bin/env bash
# safetensors writes the entries of the metadata in an order that changes from process to process, so files with the same
# arrays and the same metadata are not the same bytes, and their hashes differ. The order of Python's dictionary has no
# effect. With a single entry, files are equal. Guard: one entry, which contains the others as JSON with sorted keys.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
cat > "$folder/write.py" <<'PY'
import hashlib
import sys

import numpy as np
from safetensors.numpy import save

metadata = {name: "same" for name in "abcdefgh"[: int(sys.argv[1])]}
print(hashlib.sha256(save({"matrix": np.zeros(3, np.float32)}, metadata)).hexdigest()[:16])
PY
"$folder/venv/bin/python" -c 'import safetensors; print("safetensors", safetensors.__version__)'
different() {
  for _ in 1 2 3 4 5 6; do "$folder/venv/bin/python" "$folder/write.py" "$1"; done | sort -u | wc -l
}
many=$(different 8)
single=$(different 1)
echo "the same file written by six processes: $many different files with eight entries, $single with one"
[ "$many" -gt 1 ]
[ "$single" -eq 1 ]
