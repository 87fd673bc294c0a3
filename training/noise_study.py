"""Where a shallow ansatz overtakes a deep one: P(optimum) of noisy circuits against the two-qubit error rate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agents.planning import Problem
from agents.planning.reshape import restrict
from agents.quantum.calibrations import Noise
from agents.quantum.parameters import ramp_for
from agents.quantum.trajectories import noisy_quality

RIVALS = ("swap", "xy-ring")
ERROR_RATES = (0.0, 1e-4, 3e-4, 6e-4, 1e-3, 1.5e-3, 2e-3, 3e-3, 4e-3, 6e-3, 1e-2)
ONE_QUBIT_SHARE = 0.1  # one-qubit errors a tenth as likely as two-qubit ones, as on the published processors

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class NoiseCurve:
    """One ansatz on several problems of one size, at rising error rates.

    Attributes:
        ansatz, size: "3x4" for groups x options.
        p2: (n,) probability of a Pauli error after each two-qubit gate.
        optimum: (n,) mean P(optimum) over the problems.
        optimum_error: (n,) its standard error from the trajectories, problems held.
        feasible: (n,) mean probability of a feasible shot.
    """

    ansatz: str
    size: str
    p2: np.ndarray
    optimum: np.ndarray
    optimum_error: np.ndarray
    feasible: np.ndarray


def square(problem: Problem) -> Problem:
    """The problem with its first G options alone: then the swap mixer needs no register of free ones."""
    return restrict(problem, np.arange(problem.groups), np.arange(problem.groups))


def noise_curve(
    problems: Sequence[Problem],
    ansatz: str,
    rates: Sequence[float] = ERROR_RATES,
    *,
    depth: int = 8,
    trajectories: int = 300,
    seed: int = 0,
    progress: Progress | None = None,
) -> NoiseCurve:
    """Run the circuits of one ansatz at every error rate, at the transferred angles, without readout errors.

    Args:
        problems: of one size, distinct.
        ansatz: one of ``ANSAETZE``.
        rates: two-qubit error probabilities, [0, 1].
        depth: layers p.
        trajectories: per problem and rate.
        seed: of the errors.
        progress: is told how many circuits are done.

    Raises:
        PlanningError: a problem that the circuit does not take.
    """
    angles = ramp_for(problems[0], ansatz, depth)
    found = np.zeros((len(rates), len(problems), 3))
    for row, rate in enumerate(rates):
        noise = Noise(p1=ONE_QUBIT_SHARE * rate, p2=rate)
        for column, problem in enumerate(problems):
            rng = np.random.default_rng([seed, row, column])
            quality = noisy_quality(problem, ansatz, *angles, noise, trajectories=trajectories, rng=rng)
            found[row, column] = quality.p_optimum, quality.p_optimum_error, quality.p_feasible
            if progress is not None:
                progress(row * len(problems) + column + 1)
    return NoiseCurve(
        ansatz=ansatz,
        size=f"{problems[0].groups}x{problems[0].options}",
        p2=np.array(rates),
        optimum=found[..., 0].mean(1),
        optimum_error=np.sqrt((found[..., 1] ** 2).sum(1)) / len(problems),
        feasible=found[..., 2].mean(1),
    )


def crossing(first: NoiseCurve, second: NoiseCurve) -> float | None:
    """Error rate from which ``second`` has the higher P(optimum), between the rates played; None where it never has.

    Linear between the two rates around it. 0 where it is better from the start.
    """
    lead = second.optimum - first.optimum
    ahead = np.flatnonzero(lead > 0.0)
    if not ahead.size:
        return None
    k = int(ahead[0])
    if k == 0:
        return 0.0
    share = -lead[k - 1] / (lead[k] - lead[k - 1])
    return float(first.p2[k - 1] + share * (first.p2[k] - first.p2[k - 1]))
