#!/usr/bin/env bash
# A Keras model whose activation is a user's own function called `relu` is saved by that name alone. Loading finds Keras'
# own relu under it: no custom_objects is asked for, nothing warns, and the loaded model predicts something else.
# (An own function with a name that Keras does not know is an error, as one would expect.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$folder"
KERAS_HOME=$folder KERAS_BACKEND=jax "$folder/venv/bin/python" -W error::UserWarning - <<'PY'
import keras
import numpy as np


def relu(x):
    return keras.ops.where(x > 0, x, 0.3 * x)  # leaky


def my_relu(x):
    return relu(x)


def loaded_back(activation):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation=activation, kernel_initializer="ones")])
    model.save("model.keras")
    return model, keras.saving.load_model("model.keras")


x = np.array([[-1.0]], np.float32)
saved, loaded = loaded_back(relu)
before, after = (float(model.predict(x, verbose=0)[0, 0]) for model in (saved, loaded))
print("keras", keras.__version__, "on", keras.backend.backend())
print(f"own relu(-1): {before:.1f} as built, {after:.1f} after saving and loading")
assert abs(before + 0.3) < 1e-6
assert after == 0
try:
    loaded_back(my_relu)
except (TypeError, ValueError) as error:
    print(f"own my_relu: {type(error).__name__} on loading")
else:
    raise AssertionError("a function of an unknown name was loaded without custom_objects")
PY
