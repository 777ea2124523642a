"""Backends for tests of the contract's functions: one of each group that shares all of them."""

import pytest

from nnkernels import kernels
from nnkernels.kernels.contract import FUNCTIONS

DISTINCT = tuple(name for name in kernels.names() if kernels.owner(name, *FUNCTIONS) == name)


@pytest.fixture(name="backend", params=DISTINCT)
def distinct_backend(request: pytest.FixtureRequest) -> kernels.Backend:
    """Each backend that does not share all of its functions with another. Replaces the fixture ``backend``."""
    return kernels.load(request.param)


def update_inplace(backend, rule, params, grads, state, learning_rate):
    """Update the parameters by the backend's function for an optimizer, as defined in the contract."""
    factors = {"sgd": (), "momentum": (rule.momentum,), "adam": (rule.beta_1, rule.beta_2, rule.epsilon)}[rule.name]
    getattr(backend, f"{rule.name}_update_inplace")(params, grads, state, learning_rate, *factors)
