"""Integer costs: rounding, range and order of the states."""

import numpy as np
import pytest

from agents.planning.problem import PlanningError, Problem
from agents.quantum.integer_costs import integer_costs
from agents.quantum.ising import encode, penalised


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("value_qubits", [6, 12])
def test_integer_costs_follow_the_costs(distinct, value_qubits, random_problem):
    for seed in range(20):
        problem = penalised(random_problem(3, 3, seed, distinct))
        costs = integer_costs(encode(problem), value_qubits)
        choices = np.stack(np.unravel_index(np.arange(27), (3, 3, 3)), axis=1)
        rest = problem.costs(choices) - costs.unit * costs.values()
        # A constant, within half a unit for each of 3 registers and 3 pairs of them.
        assert rest.max() - rest.min() <= 6 * costs.unit
        assert costs.values().max() - costs.values().min() < 1 << (value_qubits - 1)


def test_unequal_registers_and_fixed_groups(random_problem):
    problem = random_problem(4, 3, 5)
    linear = np.array(problem.linear)
    linear[0, 1], linear[2, 1:] = np.inf, np.inf  # registers of 2, 3, none and 3 qubits
    problem = Problem.from_costs(linear, problem.pairwise)
    costs = integer_costs(encode(problem), 16)
    assert (costs.registers, costs.qubits, costs.states) == ((2, 3, 3), 8, 18)
    digits = np.stack(np.unravel_index(np.arange(18), (2, 3, 3)), axis=1)
    choices = np.column_stack([np.array([0, 2])[digits[:, 0]], digits[:, 1], np.zeros(18, int), digits[:, 2]])
    rest = problem.costs(choices) - costs.unit * costs.values()
    assert rest.max() - rest.min() <= 6 * costs.unit


def test_equal_costs_and_too_few_value_qubits(random_problem):
    costs = integer_costs(encode(Problem.from_costs(np.ones((2, 2)))), 4)
    assert costs.unit == 1.0 and not costs.values().any()
    with pytest.raises(PlanningError, match=r"value_qubits: 3 hold \+-3, too few for 6 rounded terms"):
        integer_costs(encode(random_problem(3, 2, 0)), 3)
