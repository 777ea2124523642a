"""The backends that tests of the contract's functions alone go over: of those that share them all, one."""

import pytest

from nnkernels import kernels
from nnkernels.kernels.contract import FUNCTIONS

DISTINCT = tuple(name for name in kernels.names() if kernels.owner(name, *FUNCTIONS) == name)


@pytest.fixture(name="backend", params=DISTINCT)
def distinct_backend(request: pytest.FixtureRequest) -> kernels.Backend:
    """Each backend with functions of its own; import it in place of the fixture ``backend``."""
    return kernels.load(request.param)
