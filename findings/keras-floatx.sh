#!/usr/bin/env bash
# Keras' `floatx` (a line of the user's keras.json) rounds what `fit` and `predict` are given, and the learning rate, even
# where every layer of the model states dtype="float32". The model called directly keeps all digits, and the answer's
# dtype is float32 either way, so nothing shows it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
echo '{"floatx": "float16", "backend": "jax"}' > "$folder/keras.json"
KERAS_HOME=$folder "$folder/venv/bin/python" - <<'PY'
import keras
import numpy as np

identity = keras.Sequential([keras.Input((1,), dtype="float32"), keras.layers.Rescaling(1.0, dtype="float32")])
x = np.array([[1 / 3], [3000.5]], np.float32)
called, predicted = np.asarray(identity(x)), identity.predict(x, verbose=0)
optimizer = keras.optimizers.SGD(0.3)
optimizer.build([keras.Variable(np.zeros(1, np.float32), dtype="float32")])
print("keras", keras.__version__, "on", keras.backend.backend(), "with floatx", keras.config.floatx())
print("model(x):        ", called.ravel().tolist(), called.dtype)
print("model.predict(x):", predicted.ravel().tolist(), predicted.dtype)
print("learning rate:   ", float(optimizer.learning_rate))
assert np.array_equal(called, x)
assert np.array_equal(predicted, x.astype(np.float16).astype(np.float32))
assert predicted.dtype == np.float32
assert float(optimizer.learning_rate) == float(np.float16(0.3))
PY
