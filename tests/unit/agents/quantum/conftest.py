"""Problems for the quantum planners' tests."""

import numpy as np
import pytest

from agents.planning.problem import Problem


@pytest.fixture(scope="session")
def random_problem():
    """Makes problems of standard normal costs whose couplings are as strong as the linear costs."""

    def make(groups, options, seed, distinct=False):
        rng = np.random.default_rng(seed)
        pairwise = rng.normal(size=(groups, options, groups, options))
        pairwise = pairwise + pairwise.transpose(2, 3, 0, 1)
        pairwise[np.arange(groups), :, np.arange(groups)] = 0.0
        return Problem.from_costs(rng.normal(size=(groups, options)), pairwise, distinct=distinct)

    return make
