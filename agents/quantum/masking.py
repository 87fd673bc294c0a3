"""Masking: what an instance looks like when it leaves for a machine that others share, and how answers come back.

Two masks, by what the ansatz of the circuit leaves free:

- **Spin gauge** (:func:`mask_ising`), for the transverse-field mixer: every spin is flipped or not, z -> s z with
  h -> s h and J -> s s' J, the qubits are permuted and all energies are multiplied by a positive number. |+>^n and
  sum X do not change under a flip, so the circuit's probabilities are those of the unmasked one exactly, relabelled.
- **Relabelling** (:func:`mask_problem`), for mixers that keep registers one-hot. A flip would take the state out of
  the subspace that the mixer keeps, so groups and options are permuted (options of each group on its own; of all
  groups alike under the distinct rule, which compares them), costs scaled by a positive number, and a constant is
  added to all options of a group. All joint costs change by one positive factor and one constant. The circuit is the
  one of the relabelled instance: for the Grover mixer the same distribution, for ordered products of rotations (ring,
  swap) another order of the same factors.

Both drop names and ids. Both are undone at home alone.

**What they do not hide.** The size; which options are not allowed (relabelling); the spectrum of the costs up to scale
and shift, hence that two requests are about the same situation, and everything that is a function of it (ratios of
differences, symmetry, how hard it is); the coupling graph up to isomorphism, in which one-hot registers show as
cliques; the answer, as a choice among nameless options. Who knows the building and guesses the situation can confirm
the guess. This is obfuscation that keeps patients' data out of the clear, not encryption; blind quantum computing
(arXiv 0807.4154) would be, and needs a quantum channel to the machine.
"""

from dataclasses import dataclass, replace

import numpy as np

from agents.planning.problem import Problem
from agents.quantum.ising import Ising

_LOG_SCALE = 2.0  # costs are multiplied by exp(u), u uniform in [-2, 2]


@dataclass(frozen=True, eq=False)
class ChoiceMask:
    """How a relabelled problem reads at home.

    Attributes:
        groups: (G,) int64, the group that stands at each place.
        options: (G, T) int64, the option that stands at each place of that group's menu.
        scale: what costs were multiplied by, > 0.
        offsets: (G,) float64 in masked cost units, added to all options of the group at each place.
    """

    groups: np.ndarray
    options: np.ndarray
    scale: float
    offsets: np.ndarray

    def choices(self, masked: np.ndarray) -> np.ndarray:
        """Joint choices (N, G) int64 of the problem, of those of the masked one (N, G)."""
        masked = np.asarray(masked, np.int64)
        choices = np.empty_like(masked)
        choices[:, self.groups] = self.options[np.arange(self.groups.size), masked]
        return choices

    def costs(self, masked: np.ndarray) -> np.ndarray:
        """Costs (N,) of the problem, of those of the masked one."""
        return (np.asarray(masked, np.float64) - self.offsets.sum()) / self.scale


def mask_problem(problem: Problem, rng: np.random.Generator) -> tuple[Problem, ChoiceMask]:
    """Relabel, scale and shift a problem; names and ids are left out.

    Args:
        problem: to be sent away.
        rng: source of the mask.

    Returns:
        The masked problem, ids 0, 1, ..., and the mask that reads its answers.
    """
    G, T = problem.groups, problem.options
    groups = rng.permutation(G)
    if problem.distinct:
        options = np.tile(rng.permutation(T), (G, 1))
    else:
        options = np.array([rng.permutation(T) for _ in range(G)], np.int64).reshape(G, T)
    spread = float(np.ptp(problem.linear[problem.allowed])) if problem.allowed.any() else 0.0
    size = max(spread, float(np.abs(problem.pairwise).max(initial=0.0)))
    scale = float(np.exp(rng.uniform(-_LOG_SCALE, _LOG_SCALE))) / (size if size > 0.0 else 1.0)
    offsets = rng.normal(size=G)
    linear = problem.linear[groups[:, None], options] * scale + offsets[:, None]
    pairwise = problem.pairwise[groups[:, None, None, None], options[:, :, None, None], groups[None, None, :, None],
                                options[None, None, :, :]] * scale  # fmt: skip
    masked = Problem.from_costs(
        linear,
        pairwise,
        name="masked",
        distinct=problem.distinct,
        shareable=problem.shareable[options[0]] if problem.distinct else np.zeros(T, bool),
    )
    return masked, ChoiceMask(groups, options, scale, offsets)


@dataclass(frozen=True, eq=False)
class SpinMask:
    """How a gauged Ising instance reads at home.

    Attributes:
        order: (n,) int64, the qubit that stands at each place.
        flips: (n,) uint8, 1 where that qubit's bit is sent flipped.
        scale: what energies were multiplied by, > 0.
    """

    order: np.ndarray
    flips: np.ndarray
    scale: float

    def bits(self, masked: np.ndarray) -> np.ndarray:
        """Bit strings (N, n) uint8 of the instance, of those of the masked one (N, n)."""
        bits = np.empty_like(np.asarray(masked, np.uint8))
        bits[:, self.order] = np.asarray(masked, np.uint8) ^ self.flips
        return bits


def mask_ising(ising: Ising, rng: np.random.Generator) -> tuple[Ising, SpinMask]:
    """Gauge, permute and scale an Ising energy; registers, groups, options and the offset are left out.

    Args:
        ising: to be sent away, with all penalties in it.
        rng: source of the mask.

    Returns:
        The masked energy, without registers, and the mask that reads its answers.
    """
    n = ising.qubits
    order = rng.permutation(n)
    flips = rng.integers(0, 2, n, dtype=np.uint8)
    size = max(float(np.abs(ising.h).max(initial=0.0)), float(np.abs(ising.J).max(initial=0.0)))
    scale = float(np.exp(rng.uniform(-_LOG_SCALE, _LOG_SCALE))) / (size if size > 0.0 else 1.0)
    sign = 1.0 - 2.0 * flips
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    pairs = np.sort(place[ising.pairs], axis=1)
    J = scale * ising.J * sign[pairs].prod(axis=1)
    by_pair = np.lexsort((pairs[:, 1], pairs[:, 0]))  # the list's order would give the permutation away
    masked = replace(
        ising,
        h=scale * ising.h[order] * sign,
        pairs=pairs[by_pair],
        J=J[by_pair],
        offset=0.0,
        registers=(),
        qubit_group=np.zeros(n, np.int64),
        qubit_option=np.zeros(n, np.int64),
        fixed=np.zeros(0, np.int64),
    )
    return masked, SpinMask(order, flips, scale)
