"""Checks of a learner's own backward pass, softmax and update, each with a diagnosis.

>>> from nnkernels.grading import gradcheck
>>> print(gradcheck(my_backward))  # doctest: +SKIP

The reference of a backward pass is the loss itself, by numerical derivatives, rather than another backward pass.
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
