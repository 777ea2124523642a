"""The contenders that the tests use, and which of them are forms of the same class."""

import pytest

from nnkernels import contenders

# Each key runs the class of its value with other settings or on another backend, and compiles for seconds at every use.
# Tests of the class use only the value; tests/test_forms.py tests the keys.
FORMS_OF = {
    "keras-fit-steps": "keras-fit",
    "keras-fit-xla": "keras-fit",
    "keras-graph-xla": "keras-graph",
    "keras-jax-fit": "keras-fit",
    "keras-jax-fit-steps": "keras-fit",
}
SLOW_TO_COMPILE = ("torch-compile",)  # a minute for each optimizer; tests/test_torch.py tests it

ALL_INSTALLED = [name for name in contenders.names() if contenders.is_installed(name) and name not in SLOW_TO_COMPILE]
INSTALLED = [name for name in ALL_INSTALLED if name not in FORMS_OF]
TRAINABLE = [name for name in INSTALLED if contenders.entry(name).trains]
FURTHER_FORMS = [name for name in ALL_INSTALLED if name in FORMS_OF]

# These trace or compile for about a second whenever they are prepared.
TRACED = [name for name in TRAINABLE if name.startswith(("keras", "jax"))]


def slow_if_traced(names):
    """Return names as test parameters, slow for the traced contenders, which another test covers equally well."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in TRACED else name for name in names]
