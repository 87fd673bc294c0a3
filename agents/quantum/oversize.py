"""What a one-hot planner does with a problem that its qubits cannot hold."""

from agents.planning.problem import PlanningError, Problem
from agents.quantum.qaoa import shrink

RULES = ("shrink", "refuse")


def fit_register(problem: Problem, planner: str, max_qubits: int, rule: str) -> tuple[Problem, list[str]]:
    """The problem, or the part of it that ``max_qubits`` hold, and notes on what was left out.

    Args:
        problem: any.
        planner: name for the message.
        max_qubits: most qubits of the one-hot registers, >= 2.
        rule: "shrink" (see :func:`agents.quantum.qaoa.shrink`) or "refuse".

    Raises:
        PlanningError: the problem is too large and the rule is "refuse".
    """
    counts = problem.allowed.sum(axis=1)
    needed = int(counts[counts > 1].sum())
    if needed <= max_qubits:
        return problem, []
    if rule == "refuse":
        raise PlanningError(f"{planner}: the problem needs {needed} qubits, max_qubits is {max_qubits}")
    kept = shrink(problem, max_qubits)
    note = f"shrunk from {needed} qubits: {kept.allowed.sum()} of {counts.sum()} options kept"
    decided = int(((kept.allowed.sum(axis=1) == 1) & (counts > 1)).sum())
    return kept, [note + (f", {decided} groups left to greedy" if decided else "")]
