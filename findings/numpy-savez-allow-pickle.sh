#!/usr/bin/env bash
# numpy.save has had allow_pickle for years, numpy.savez since NumPy 2.2. Before, savez takes any keyword for the name of
# an array: savez(..., allow_pickle=False) raises no error, permits pickling as ever, and adds an array of that name to
# the archive. A reader that expects certain arrays then refuses the file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 2.1.3 2.2.6; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install -q --disable-pip-version-check "numpy==$version"
  (cd "$folder" && "$folder/$version/bin/python" - <<'PY'
import io

import numpy as np

content = io.BytesIO()
np.savez(content, allow_pickle=False, x=np.zeros(2))
content.seek(0)
print(np.__version__, sorted(np.load(content).files))
PY
  ) | tee -a "$folder/seen"
done
diff - "$folder/seen" <<'SEEN'
2.1.3 ['allow_pickle', 'x']
2.2.6 ['x']
SEEN
