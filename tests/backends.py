"""Backends, for tests of the contract's functions alone: of those that share them all one, and a step by one."""

import pytest

from nnkernels import kernels
from nnkernels.kernels.contract import FUNCTIONS

DISTINCT = tuple(name for name in kernels.names() if kernels.owner(name, *FUNCTIONS) == name)


@pytest.fixture(name="backend", params=DISTINCT)
def distinct_backend(request: pytest.FixtureRequest) -> kernels.Backend:
    """Each backend with functions of its own; import it in place of the fixture ``backend``."""
    return kernels.load(request.param)


def update_inplace(backend, rule, params, grads, state, learning_rate):
    """Take a step by an optimizer, as its rule in the contract is called."""
    factors = {"sgd": (), "momentum": (rule.momentum,), "adam": (rule.beta_1, rule.beta_2, rule.epsilon)}[rule.name]
    getattr(backend, f"{rule.name}_update_inplace")(params, grads, state, learning_rate, *factors)
