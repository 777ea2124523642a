#!/usr/bin/env bash
# Numba's disk cache does not look at the options of @njit. One function compiled twice with other options (here
# error_model, likewise fastmath) shares one cache entry, and whichever was called first decides what both do in later
# processes: a division by zero raises or returns inf according to who ran before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check numba==0.68.1 numpy==2.4.6
cd "$folder"
cat > division.py <<'PY'
import numba


def divide(a, b):
    return a / b


strict = numba.njit(cache=True)(divide)
like_numpy = numba.njit(cache=True, error_model="numpy")(divide)
PY
cat > call.py <<'PY'
import sys

import division

try:
    answer = getattr(division, sys.argv[1])(1.0, 0.0)
except ZeroDivisionError:
    answer = "ZeroDivisionError"
print(f"{sys.argv[1]}(1, 0): {answer}")
PY
venv/bin/python -c 'import numba; print("numba", numba.__version__)'
{
  echo "empty cache, strict first"
  rm -rf __pycache__
  venv/bin/python call.py strict
  venv/bin/python call.py like_numpy
  echo "empty cache, like_numpy first"
  rm -rf __pycache__
  venv/bin/python call.py like_numpy
  venv/bin/python call.py strict
} | tee seen
diff - seen <<'SEEN'
empty cache, strict first
strict(1, 0): ZeroDivisionError
like_numpy(1, 0): ZeroDivisionError
empty cache, like_numpy first
like_numpy(1, 0): inf
strict(1, 0): inf
SEEN
