"""ONNX Runtime, which many deploy with: inference alone, from the network as our own interchange exports it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nnkernels.contenders._protocol import Entry
from nnkernels.data import LabelledImages
from nnkernels.errors import ConfigurationError, InferenceOnlyError
from nnkernels.interchange import to_onnx
from nnkernels.parameters import FloatArray, Parameters, copy
from nnkernels.recipes import Recipe
from nnkernels.transforms import PIXEL_SCALE, as_images

NAME = "onnxruntime"
NOTE = (
    "session.force_spinning_stop is set: its threads stop spinning after each call, and so leave the CPUs to whoever "
    "is timed next; that costs it about a quarter of its time for 10,000 images on two threads, and nothing on one"
)
IMAGES_A_CALL = 512  # their features stay in the cache: 10,000 images take a fifth to a third less than in one call


def contenders() -> dict[str, Entry]:
    """Return this file's contender."""
    packages = ("onnxruntime", "onnx")
    entry = Entry(OnnxRuntime, "ONNX Runtime, inference only", packages, "peers", trains=False, note=NOTE)
    return {NAME: entry}


class OnnxRuntime:
    """An inference session for each form of the images and each number of threads, made when it is first asked for.

    Bytes go into a graph of their own, which begins with a cast and has the scale 1/255 in W1. That is faster than
    NumPy's features before the exported graph, for one image (14 against 23 us) as for 10,000 (by a fifth).
    """

    whole_epochs_only = False
    threads_can_change = True

    def __init__(self) -> None:
        import onnxruntime

        self.runtime = onnxruntime
        self.threads = 0  # as many as ONNX Runtime finds good
        self.sessions: dict[tuple[bool, int], Any] = {}

    def use_threads(self, threads: int) -> None:
        """Answer with sessions of that many threads from now on."""
        self.threads = threads

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy the parameters; data and recipe are for those who train."""
        self.params = copy(parameters)
        self.sessions = {}

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Raise InferenceOnlyError."""
        raise InferenceOnlyError(NAME)

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run the session, many images in parts."""
        images = as_images(X)
        pixels = images.dtype == np.uint8
        session = self._session(pixels)
        if not pixels:
            images = images.astype(self.params.W1.dtype, copy=False)
        if len(X) <= IMAGES_A_CALL:
            return _probabilities(session, images)
        parts = range(0, len(X), IMAGES_A_CALL)
        return np.concatenate([_probabilities(session, images[start : start + IMAGES_A_CALL]) for start in parts])

    def parameters(self) -> Parameters:
        """Return a copy of the parameters that were given."""
        return copy(self.params)

    def close(self) -> None:
        """End the sessions, and with them their threads."""
        self.sessions = {}

    def _session(self, pixels: bool) -> Any:
        key = pixels, self.threads
        if key not in self.sessions:
            model = _model_of_pixels(self.params) if pixels else to_onnx(self.params)
            self.sessions[key] = self._new_session(model)
        return self.sessions[key]

    def _new_session(self, model: Any) -> Any:
        runtime = self.runtime
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3  # errors
        # Its threads would go on spinning for some 40 ms after a call, on the CPUs of whoever is timed next. To wake
        # them up costs ONNX Runtime itself a quarter of its time for 10,000 images on two threads, and nothing on one.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.get_session_options().intra_op_num_threads
        if found != self.threads:
            raise ConfigurationError(f"ONNX Runtime runs on {found} threads, not {self.threads}")
        return session


def _probabilities(session: Any, images: npt.NDArray[Any]) -> FloatArray:
    probs: FloatArray = session.run(["probs"], {"X": images})[0]
    return probs


def _model_of_pixels(params: Parameters) -> Any:
    """Return the exported model with uint8 pixels for its input ``X``."""
    from onnx import TensorProto, helper

    model = to_onnx(params._replace(W1=params.W1 * params.W1.dtype.type(PIXEL_SCALE)))
    graph = model.graph
    features = graph.input[0].type.tensor_type
    graph.node.insert(0, helper.make_node("Cast", ["X"], ["features"], name="cast", to=features.elem_type))
    graph.node[1].input[0] = "features"
    features.elem_type = TensorProto.UINT8
    return model
