"""Import of Keras without the start-up messages of its backend."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnkernels.errors import ConfigurationError, MissingDependencyError, one_line
from nnkernels.process_settings import environment_variables

# What Keras accepts in keras.json, its default first. Any float is a valid epsilon.
_ALLOWED_SETTINGS: dict[str, tuple[Any, ...]] = {
    "floatx": ("float32", "float16", "float64"),
    "epsilon": (1e-07,),
    "image_data_format": ("channels_last", "channels_first"),
}


def import_keras(backend: str | None = None) -> Any:
    """Import Keras, and leave the environment variables unchanged.

    Parameters
    ----------
    backend : str, optional
        The backend of Keras: ``tensorflow``, ``jax`` or ``torch``. It has no effect if Keras has been imported before.
        By default the user's choice applies: ``KERAS_BACKEND``, then ``keras.json``, then TensorFlow.

    Returns
    -------
    keras : module
        The imported Keras.

    Raises
    ------
    MissingDependencyError
        If Keras or the package of its default backend is not installed.
    ConfigurationError
        If ``KERAS_BACKEND`` or ``keras.json`` selects a backend on which Keras cannot start, or if ``keras.json``
        contains another setting that Keras rejects.
    """
    settings = {"TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")}
    if backend is not None:
        settings["KERAS_BACKEND"] = backend
    try:
        with environment_variables(**settings), _silent_stderr():
            import keras
    except Exception as error:  # whatever it is, a file that is about to be read is not the reason
        selected, place = (backend, "the caller") if backend else _selected_backend()
        missing = (error.name or "keras") if isinstance(error, ModuleNotFoundError) else None
        if missing and (missing == "keras" or selected == "tensorflow" or place == "the caller"):
            raise MissingDependencyError("A Keras model", missing, "keras") from error
        if rejected := _rejected_setting():
            raise ConfigurationError(f"Keras cannot start: {rejected}, or delete the file") from error
        raise ConfigurationError(
            f"Keras cannot start on its backend {selected!r}, which {place} selects ({one_line(error)[:200]}); set "
            "KERAS_BACKEND=tensorflow, or another backend that is installed"
        ) from error
    return keras


def _selected_backend() -> tuple[str, str]:
    if name := os.environ.get("KERAS_BACKEND"):
        return name, "the environment variable KERAS_BACKEND"
    content, place = _keras_json()
    if isinstance(content, dict) and "backend" in content:
        return str(content["backend"]), place
    return "tensorflow", "Keras"


def _keras_json() -> tuple[Any, str]:
    folder = os.environ.get("KERAS_HOME")
    place = f"keras.json in {'KERAS_HOME' if folder else '~/.keras'}"
    try:
        return json.loads((Path(folder or "~/.keras").expanduser() / "keras.json").read_text("utf-8")), place
    except (OSError, ValueError):  # Keras does not use such a file either
        return None, place


def _rejected_setting() -> str | None:
    """Return what Keras does not accept in the user's ``keras.json``, and what to set; None if it accepts the file."""
    content, place = _keras_json()
    if content is None:
        return None
    if not isinstance(content, dict):
        return f"{place} contains no settings by name; set KERAS_HOME to another folder"
    for name, allowed in _ALLOWED_SETTINGS.items():
        value = content.get(name, allowed[0])
        if value not in allowed and not (name == "epsilon" and isinstance(value, float)):
            return f"{place} sets {name} to {value!r:.80}, which Keras does not accept; set it to {allowed[0]}"
    return None


@contextmanager
def _silent_stderr() -> Iterator[None]:
    # TensorFlow's C++ code writes to the file descriptor directly, before it reads its log level.
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as devnull:
            os.dup2(devnull.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
