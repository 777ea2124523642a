"""The float type that Keras takes where it cannot be told one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def float32_floatx(keras: Any) -> Iterator[None]:
    """Let Keras' ``floatx`` be float32 for the time of the block, whatever the user has set.

    ``fit`` and ``predict`` convert the arrays that they are given to ``floatx``, and an optimizer keeps its learning
    rate in it; neither takes a dtype. Layers, losses and models do, and are told theirs. ``floatx`` belongs to the
    whole process, so Keras must not run in another thread meanwhile; where it is float32 already, nothing is set.
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
