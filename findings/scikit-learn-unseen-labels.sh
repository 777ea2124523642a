#!/usr/bin/env bash
# scikit-learn's LabelEncoder is documented to refuse labels it has not seen. It first casts them to the dtype of the
# labels it was fitted on, so a longer text is cut ("10" becomes "1") and a larger integer wraps (256 becomes 0), and the
# unseen label is encoded as another class without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PY'
import numpy as np
import sklearn
from sklearn.preprocessing import LabelEncoder

print("scikit-learn", sklearn.__version__, "numpy", np.__version__)
digits = LabelEncoder().fit(["1", "2", "3"])
print("fitted on '1', '2', '3': '10' and '2x' are encoded as", digits.transform(["10", "2x"]).tolist())
assert digits.transform(["10", "2x"]).tolist() == [0, 1]
pixels = LabelEncoder().fit(np.array([0, 1, 2], np.uint8))
print("fitted on uint8 0, 1, 2: 256 is encoded as", pixels.transform([256]).tolist())
assert pixels.transform([256]).tolist() == [0]
try:
    digits.transform(["4"])
except ValueError as error:
    print("an unseen label of the same length:", error)
else:
    raise AssertionError("'4' was accepted")
PY
