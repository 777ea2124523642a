#!/usr/bin/env bash
# The same Keras model, compiled with the same loss on a softmax layer's probabilities, learns from a confident mistake
# on TensorFlow and learns nothing from it on JAX. TensorFlow's backend finds the logits behind the softmax; JAX's clips
# the probabilities at 1e-7, where the gradient is zero. The reported losses differ as well (20 and 16.1).
# Guard: a linear output layer and a loss with from_logits=True.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
  keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 tensorflow-cpu==2.21.0 numpy==2.4.6
cat > "$folder/step.py" <<'PY'
import keras
import numpy as np

model = keras.Sequential(
    [keras.Input((2,)), keras.layers.Dense(2, activation="softmax", kernel_initializer="identity")]
)
model.compile(optimizer=keras.optimizers.SGD(1.0), loss="sparse_categorical_crossentropy")
# Logits (20, 0), label 1: the gradient of the cross-entropy with respect to the bias is (1, -1) to 1e-8.
history = model.fit(np.array([[20.0, 0.0]], np.float32), np.array([1]), verbose=0)
print(keras.__version__, keras.backend.backend(), f"{history.history['loss'][0]:.3f}", *model.get_weights()[1])
PY
export KERAS_HOME=$folder TF_CPP_MIN_LOG_LEVEL=3
for backend in tensorflow jax; do
  KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/step.py" 2>"$folder/$backend.log" | tee -a "$folder/seen"
done
printf '%s\n' '3.15.1 tensorflow 20.000 -1.0 1.0' '3.15.1 jax 16.118 0.0 0.0' | diff - "$folder/seen"
echo "one step of gradient descent: version, backend, loss, bias after it; as recorded"
