"""The contenders that tests go through, and which of them are one class in several forms."""

from nnkernels import contenders

# Each runs the class of the other by other settings or on another backend, and compiles for seconds at every use: tests
# of what the class does take the other one, tests/test_forms.py takes these.
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
