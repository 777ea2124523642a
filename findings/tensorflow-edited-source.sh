#!/usr/bin/env bash
# TensorFlow's AutoGraph rewrites a function when it is first traced, and reads its source from the file at that moment,
# not at import. If the file was edited in between, even by a comment further up, AutoGraph takes other lines for the
# function, gives up with a warning, and traces the function as it is: a loop over a tensor then fails, with an error
# that does not mention the file. An update or a checkout beside a long-running process is enough.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tensorflow-cpu==2.21.0
cd "$folder"
cat > steps.py <<'PY'
import tensorflow as tf


@tf.function
def total(n):
    result = 0
    for i in tf.range(n):
        result += i
    return result
PY
cat > program.py <<'PY'
import sys
from pathlib import Path

import tensorflow as tf

import steps

if sys.argv[1] == "edited":
    path = Path("steps.py")
    path.write_text("# A comment.\n# Another.\n" + path.read_text())
try:
    print(f"{sys.argv[1]}: total(4) is {int(steps.total(tf.constant(4)))}")
except Exception as error:
    print(f"{sys.argv[1]}: {type(error).__name__}, {'iterat' in str(error).lower() and 'about iterating' or 'other'}")
PY
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1
"$folder/venv/bin/python" -c 'import tensorflow as tf; print(tf.__version__)' 2>/dev/null
for state in untouched edited; do "$folder/venv/bin/python" program.py $state 2>/dev/null; done | tee seen
printf '%s\n' 'untouched: total(4) is 6' 'edited: OperatorNotAllowedInGraphError, about iterating' | diff - seen
