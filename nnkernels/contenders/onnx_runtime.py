"""ONNX Runtime, which is widely used for deployment. It runs inference only, on the exported ONNX model."""

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
    "session.force_spinning_stop is set, so that its threads do not occupy the CPUs while the next contender is timed. "
    "This slows it down by about a quarter for 10,000 images on two threads, and not at all on one"
)
# The features of this many images fit into the cache. 10,000 images take a fifth to a third less time than in one call.
IMAGES_PER_CALL = 512


def contenders() -> dict[str, Entry]:
    """Return the contender of this file.

    Returns
    -------
    entries : dict of str to Entry
        The entry by name.
    """
    packages = ("onnxruntime", "onnx")
    entry = Entry(OnnxRuntime, "ONNX Runtime, inference only", packages, "peers", trains=False, note=NOTE)
    return {NAME: entry}


class OnnxRuntime:
    """A contender with an inference session per input dtype and number of threads, created on first use.

    For uint8 pixels, the graph begins with a cast, and W1 includes the scale 1/255. This is faster than computing
    features with NumPy for the exported graph: 14 instead of 23 us for one image, and a fifth faster for 10,000 images.
    """

    whole_epochs_only = False
    threads_can_change = True

    def __init__(self) -> None:
        import onnxruntime

        self.runtime = onnxruntime
        self.threads = 0  # ONNX Runtime's default
        self.sessions: dict[tuple[bool, int], Any] = {}

    def use_threads(self, threads: int) -> None:
        """Use sessions with this number of threads from now on.

        Parameters
        ----------
        threads : int
            The number of threads.

        Raises
        ------
        ConfigurationError
            Raised by :meth:`predict`, if a session reports another number.
        """
        self.threads = threads

    def prepare(self, parameters: Parameters, data: LabelledImages, recipe: Recipe) -> None:
        """Copy the parameters. Data and recipe are ignored.

        Parameters
        ----------
        parameters : Parameters
            The initial parameters.
        data : LabelledImages
            The training images.
        recipe : Recipe
            Ignored.
        """
        self.params = copy(parameters)
        self.sessions = {}

    def advance(self, order: npt.NDArray[np.int64], learning_rates: npt.NDArray[np.float32]) -> None:
        """Raise InferenceOnlyError.

        Parameters
        ----------
        order : ndarray of int64, shape (M,)
            Indices of the training images, in the order of training.
        learning_rates : ndarray of float32, shape (ceil(M / batch_size),)
            The learning rate of each batch.

        Raises
        ------
        InferenceOnlyError
            Always.
        """
        raise InferenceOnlyError(NAME)

    def predict(self, X: npt.NDArray[Any]) -> FloatArray:
        """Run the session, on at most ``IMAGES_PER_CALL`` images per call.

        Parameters
        ----------
        X : array-like, shape (N, D)
            Integer pixels or float features.

        Returns
        -------
        probs : ndarray, shape (N, C)
            Class probabilities in the dtype of the parameters.

        Raises
        ------
        ConfigurationError
            If ONNX Runtime reports another number of threads than was set.
        """
        images = as_images(X)
        pixels = images.dtype == np.uint8
        session = self._session(pixels)
        if not pixels:
            images = images.astype(self.params.W1.dtype, copy=False)
        if len(X) <= IMAGES_PER_CALL:
            return _probabilities(session, images)
        parts = range(0, len(X), IMAGES_PER_CALL)
        return np.concatenate([_probabilities(session, images[start : start + IMAGES_PER_CALL]) for start in parts])

    def parameters(self) -> Parameters:
        """Return a copy of the parameters.

        Returns
        -------
        params : Parameters
            The parameters that the contender was prepared with.
        """
        return copy(self.params)

    def close(self) -> None:
        """Close the sessions, which ends their threads."""
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
        # Otherwise its threads spin for about 40 ms after a call, on CPUs that the contender timed next needs. Waking
        # them costs ONNX Runtime a quarter of its time for 10,000 images on two threads, and nothing on one.
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
    """Return the exported model with an input ``X`` of uint8 pixels."""
    from onnx import TensorProto, helper

    model = to_onnx(params._replace(W1=params.W1 * params.W1.dtype.type(PIXEL_SCALE)))
    graph = model.graph
    features = graph.input[0].type.tensor_type
    graph.node.insert(0, helper.make_node("Cast", ["X"], ["features"], name="cast", to=features.elem_type))
    graph.node[1].input[0] = "features"
    features.elem_type = TensorProto.UINT8
    return model
