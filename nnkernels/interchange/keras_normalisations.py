"""The normalising layers of a Keras model that is read without Keras: what a file stores of them, as scaling steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.interchange.architecture import SCALING, Step
from nnkernels.interchange.named_arrays import natural_order
from nnkernels.parameters import FloatArray

BATCH, INPUT = "BatchNormalization", "Normalization"
_LEAST_DEVIATION = 1e-7  # by which Keras' Normalization divides at least
# layers/batch_normalization_1/vars/0 in Keras 3 and 2.13, batch_normalization_1/gamma:0 in the older layout
_NUMBERED = re.compile(r"(?P<layer>(?:.*/)?(?P<kind>batch_)?normalization(?:_\d+)?)/vars/(?P<role>\d+)")
_NAMED = re.compile(r"(?P<layer>.+)/(?P<role>gamma|beta|moving_mean|moving_variance|mean|variance|count)(?::0)?")


class StoredNormalisations:
    """The arrays of normalising layers among those of a file.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The arrays of a model by their path in the file.
    """

    def __init__(self, arrays: Mapping[str, FloatArray]) -> None:
        self._arrays = dict(arrays)
        self._layers: dict[str, dict[str, str]] = {}  # of each layer, the path of each array
        self._kinds: dict[str, str] = {}
        for path in arrays:
            if match := _NUMBERED.fullmatch(path) or _NAMED.fullmatch(path):
                layer, role = match["layer"], match["role"]
                self._layers.setdefault(layer, {})[role] = path
                if match.groupdict().get("kind") or role.startswith(("moving", "gamma", "beta")):
                    self._kinds[layer] = BATCH

    def take(self, kind: str, config: Mapping[str, Any], name: str) -> Step | None:
        """Return the step of a layer, and forget its arrays.

        Parameters
        ----------
        kind : {"BatchNormalization", "Normalization"}
            The class of the layer.
        config : mapping
            Its configuration.
        name : str
            Its name, which the older layout of files contains. Otherwise, the layers of a class are in order.

        Returns
        -------
        step : Step or None
            None if the file does not contain the arrays of such a layer, or if it computes something else.
        """
        if kind == INPUT and config.get("mean") is not None:
            found = {role: np.asarray(config[role], np.float64).ravel() for role in ("mean", "variance")}
        else:
            found = self._arrays_of(kind, config, name)
        if kind == INPUT and {"mean", "variance"} <= set(found) and not config.get("invert"):
            deviation = np.maximum(np.sqrt(found["variance"]), _LEAST_DEVIATION)
            return _scaling(1 / deviation, -found["mean"] / deviation)
        if kind == BATCH and {"moving_mean", "moving_variance"} <= set(found):
            gain = found.get("gamma", np.ones(1)) / np.sqrt(found["moving_variance"] + float(config["epsilon"]))
            return _scaling(gain, found.get("beta", np.zeros(1)) - found["moving_mean"] * gain)
        return None

    def _arrays_of(self, kind: str, config: Mapping[str, Any], name: str) -> dict[str, npt.NDArray[np.float64]]:
        alike = sorted((layer for layer in self._layers if self._kinds.get(layer, INPUT) == kind), key=natural_order)
        layer = next((layer for layer in alike if name in layer.split("/")), alike[0] if alike else None)
        if layer is None:
            return {}
        roles = ["mean", "variance", "count"]
        if kind == BATCH:
            affine = [role for role, used in (("gamma", "scale"), ("beta", "center")) if config.get(used, True)]
            roles = [*affine, "moving_mean", "moving_variance"]
        found = {}
        for role, path in self._layers.pop(layer).items():
            named = roles[int(role)] if role.isdecimal() and int(role) < len(roles) else role
            found[named] = np.asarray(self._arrays.pop(path), np.float64).ravel()
        return found

    @property
    def remaining(self) -> dict[str, FloatArray]:
        """The arrays that no step has taken, by path."""
        return self._arrays


def _scaling(gain: FloatArray, offset: FloatArray) -> Step:
    gain, offset = (number.reshape(()) if number.size == 1 else number for number in (gain, offset))
    return Step(SCALING, gain, offset)
