"""Checks for people who write their own network: a backward pass, a softmax, an update, each with a diagnosis.

>>> from nnkernels.grading import gradcheck
>>> print(gradcheck(my_backward))  # doctest: +SKIP

The judge of a backward pass is the loss itself, by numerical derivatives, and never another backward pass.
"""

from nnkernels.errors import GradcheckError
from nnkernels.grading.check import gradcheck
from nnkernels.grading.report import ArrayCheck, Finding, GradcheckReport
from nnkernels.grading.softmax_exercise import check_softmax
from nnkernels.grading.update_exercise import check_update

__all__ = [
    "ArrayCheck",
    "Finding",
    "GradcheckError",
    "GradcheckReport",
    "check_softmax",
    "check_update",
    "gradcheck",
]
