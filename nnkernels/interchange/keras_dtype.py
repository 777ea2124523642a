"""The float type that Keras uses where it cannot be specified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def float32_floatx(keras: Any) -> Iterator[None]:
    """Set Keras' ``floatx`` to float32 within the block, regardless of the user's setting.

    ``fit`` and ``predict`` convert their input arrays to ``floatx``, and an optimizer stores its learning rate in it;
    neither has a dtype argument. Layers, losses and models do, and are given one. ``floatx`` is a setting of the whole
    process, so no other thread may use Keras during the block. Nothing is changed if ``floatx`` already is float32.

    Parameters
    ----------
    keras : module
        The imported Keras.
    """
    floatx = keras.config.floatx()
    if floatx == "float32":
        yield
        return
    keras.config.set_floatx("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
