"""The one decision problem that every planner solves, the budget it gets and the plan it returns.

Groups (robots) each choose exactly one option (a patient, a route, a kit); the team pays linear costs per choice and
pairwise costs per pair of choices, and lower is better. Quantum and classical planners receive the same
:class:`Problem` and are scored by the same :meth:`Problem.cost`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

import numpy as np

from agents.planning.validation import PlanningError as PlanningError
from agents.planning.validation import (
    check_costs,
    check_features,
    check_matching,
    check_number,
    check_shapes,
    check_whole,
)

NO_TASK = -1  # option id of "no task / wait"
_ROWS_PER_BLOCK = 1 << 14  # bounds the memory of costs() to a few MB


@dataclass(frozen=True, eq=False)
class Problem:
    """Groups, each choosing exactly one option; the cost of the joint choice is minimised.

    Arrays are copied and made read-only. Use :meth:`from_costs` where ids and sharing have their defaults.

    Attributes:
        name: problem family, for example "triage assignment".
        linear: (G, T) float64 cost of group g taking option t; +inf where the option is not allowed.
        pairwise: (G, T, G, T) float64, finite, symmetric under (g, t) <-> (h, u), zero for g == h. Each unordered
            pair of groups counts once.
        distinct: all chosen options must differ, shareable ones excepted.
        shareable: (T,) bool, options that several groups may take even when distinct ("no task").
        group_ids: (G,) int64, what the caller calls the groups (robot indices).
        option_ids: (T,) int64, what the caller calls the options (patient slots; ``NO_TASK`` for none); may repeat.
        features: (G, T) float64 by name, what rank-based planners go by and the cost does not use: "travel_min"
            minutes until the robot is there, >= 0, "rpm" of who is helped [0, 12]; +inf where there is no such thing.

    Raises:
        PlanningError: shapes disagree, a feature is NaN, a cost is NaN or -inf, pairwise is infinite or not symmetric,
            a group has no allowed option, or the distinct rule cannot be met. The message names the group and the
            option.
    """

    name: str
    linear: np.ndarray
    pairwise: np.ndarray
    distinct: bool
    shareable: np.ndarray
    group_ids: np.ndarray
    option_ids: np.ndarray
    features: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dtypes = {
            "linear": np.float64,
            "pairwise": np.float64,
            "shareable": np.bool_,
            "group_ids": np.int64,
            "option_ids": np.int64,
        }
        for name, dtype in dtypes.items():
            object.__setattr__(self, name, _frozen(getattr(self, name), dtype))
        frozen = {name: _frozen(values, np.float64) for name, values in self.features.items()}
        object.__setattr__(self, "features", MappingProxyType(frozen))
        check_shapes(self)
        check_costs(self)
        check_features(self)
        if self.distinct:
            check_matching(self)

    @classmethod
    def from_costs(
        cls,
        linear: np.ndarray,
        pairwise: np.ndarray | None = None,
        *,
        name: str = "assignment",
        distinct: bool = False,
        shareable: np.ndarray | None = None,
        features: Mapping[str, np.ndarray] | None = None,
    ) -> "Problem":
        """A problem whose ids count from 0, without couplings or shareable options unless given."""
        linear = np.asarray(linear, dtype=np.float64)
        if linear.ndim != 2:
            raise PlanningError(f"linear: expected shape (groups, options), got {linear.shape}")
        groups, options = linear.shape
        return cls(
            name=name,
            linear=linear,
            pairwise=np.zeros((groups, options, groups, options)) if pairwise is None else pairwise,
            distinct=distinct,
            shareable=np.zeros(options, dtype=bool) if shareable is None else shareable,
            group_ids=np.arange(groups),
            option_ids=np.arange(options),
            features=features or {},
        )

    @property
    def groups(self) -> int:
        """Number of groups G (0 is allowed: nothing to decide)."""
        return int(self.linear.shape[0])

    @property
    def options(self) -> int:
        """Number of options T."""
        return int(self.linear.shape[1])

    @cached_property
    def allowed(self) -> np.ndarray:
        """(G, T) bool: options each group may take."""
        return np.isfinite(self.linear)

    @property
    def states(self) -> int:
        """Number of joint choices with every group on an allowed option; those breaking ``distinct`` included."""
        count = 1
        for options in self.allowed.sum(axis=1):
            count *= int(options)
        return count

    def costs(self, choices: np.ndarray) -> np.ndarray:
        """Cost of many joint choices at once.

        Args:
            choices: (N, G) int, option index of each group, in [0, T).

        Returns:
            (N,) float64; +inf where the choice is not feasible.

        Raises:
            PlanningError: wrong shape or an index outside [0, T).
        """
        choices = np.asarray(choices)
        if choices.ndim != 2 or choices.shape[1] != self.groups:
            raise PlanningError(f"choices: expected shape (N, {self.groups}), got {choices.shape}")
        if choices.dtype.kind not in "iu" and choices.size:
            raise PlanningError(f"choices: expected integers, got {choices.dtype}")
        if choices.size and (choices.min() < 0 or choices.max() >= self.options):
            raise PlanningError(f"choices: option indices must be in [0, {self.options}), got {choices}")
        choices = choices.astype(np.int64)
        blocks = [self._block_costs(choices[i : i + _ROWS_PER_BLOCK]) for i in range(0, len(choices), _ROWS_PER_BLOCK)]
        return np.concatenate(blocks) if blocks else np.zeros(0)

    def _block_costs(self, choices: np.ndarray) -> np.ndarray:
        total = self.linear[np.arange(self.groups), choices].sum(axis=1)
        first, second = np.triu_indices(self.groups, 1)
        chosen_first, chosen_second = choices[:, first], choices[:, second]
        total = total + self.pairwise[first, chosen_first, second, chosen_second].sum(axis=1)
        if self.distinct:
            clash = (chosen_first == chosen_second) & ~self.shareable[chosen_first]
            total[clash.any(axis=1)] = np.inf
        return np.asarray(total)

    def cost(self, choice: np.ndarray) -> float:
        """Cost of one joint choice (G,); +inf when it is not feasible. Raises PlanningError as :meth:`costs`."""
        return float(self.costs(np.asarray(choice)[None, :])[0])

    def feasible(self, choice: np.ndarray) -> bool:
        """Whether every group takes an allowed option and the distinct rule holds."""
        return bool(np.isfinite(self.cost(choice)))

    @cached_property
    def moments(self) -> tuple[float, float]:
        """Variances of the cost's additive part and of its interaction part.

        Analysis of variance over independent uniform choices among the allowed options: the additive part is what a
        sum of one-group costs can express (mean couplings included), the interaction part is the rest. Their sum is
        the exact variance of the cost over those joint choices, found in O(G^2 T^2) without enumerating them.
        """
        additive = np.where(self.allowed, self.linear, 0.0)
        interaction = 0.0
        for g in range(self.groups):
            for h in range(g + 1, self.groups):
                table = self.pairwise[g][self.allowed[g]][:, h][:, self.allowed[h]]
                rows, columns, mean = table.mean(axis=1), table.mean(axis=0), table.mean()
                interaction += float(((table - rows[:, None] - columns[None, :] + mean) ** 2).mean())
                additive[g, self.allowed[g]] += rows
                additive[h, self.allowed[h]] += columns
        main = sum(float(additive[g, self.allowed[g]].var()) for g in range(self.groups))
        return main, interaction

    @property
    def spread(self) -> float:
        """Standard deviation of the cost over independent uniform allowed choices (the distinct rule ignored)."""
        return float(np.sqrt(sum(self.moments)))

    @property
    def coupling_strength(self) -> float:
        """Interaction spread over additive spread, in [0, inf].

        0: linear costs tell everything, and a linear assignment solves the problem; around 1 and above: the pairs
        decide. The distinct rule is not counted, because linear assignment can keep it.
        """
        main, interaction = self.moments
        # Centring leaves rounding noise where there is no interaction; report that as none.
        if interaction <= 1e-24 * max(main, float(np.abs(self.pairwise).max(initial=0.0)) ** 2):
            return 0.0
        return float(np.sqrt(interaction / main)) if main > 0.0 else float("inf")


def _frozen(values: np.ndarray, dtype: type[np.generic]) -> np.ndarray:
    """A read-only copy."""
    array: np.ndarray = np.array(values, dtype=dtype)
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Budget:
    """What one call of a planner may spend; None means unlimited (for shots: the planner's default).

    Attributes:
        time_s: wall time [s], finite, > 0.
        evaluations: cost evaluations (classical) or circuit evaluations (quantum), >= 1.
        shots: measured samples, >= 1.

    Raises:
        PlanningError: a limit is zero, negative, NaN or not a number.
    """

    time_s: float | None = None
    evaluations: int | None = None
    shots: int | None = None

    def __post_init__(self) -> None:
        if self.time_s is not None:
            check_number("budget time_s", self.time_s, above=True)
        for name in ("evaluations", "shots"):
            if getattr(self, name) is not None:
                check_whole(f"budget {name}", getattr(self, name), 1)

    def lateness(self, wall_s: float, notes: Sequence[str]) -> tuple[str, ...]:
        """What a plan's ``notes`` lack if it took ``wall_s``, more than the budget's time; nothing if they say so."""
        late = self.time_s is not None and wall_s > self.time_s
        return (f"time budget {self.time_s:g} s exceeded",) if late and not any("budget" in n for n in notes) else ()


@dataclass(frozen=True, eq=False)
class Plan:
    """A planner's answer, always scored by :meth:`Problem.cost`.

    Attributes:
        choice: (G,) int64 option index of each group, in [0, T).
        value: cost of the choice.
        optimum: proven optimal cost, None where the planner has not proven one.
        feasible: whether the choice is feasible.
        evaluations: cost evaluations (classical), branches (CP-SAT) or circuit evaluations (quantum).
        shots: measured samples; 0 for classical planners.
        wall_s: wall time of this call [s].
        modelled_latency_s: time until the advice would be there on the modelled hardware [s]; for classical planners
            the wall time.
        planner: name of the planner.
        note: what a reader must know: budget exceeded, options left out, couplings ignored; "" for nothing.
    """

    choice: np.ndarray
    value: float
    optimum: float | None
    feasible: bool
    evaluations: int
    shots: int
    wall_s: float
    modelled_latency_s: float
    planner: str
    note: str

    @property
    def gap(self) -> float | None:
        """Value minus proven optimum, >= 0; None where no optimum is known."""
        return None if self.optimum is None else self.value - self.optimum


class Planner(Protocol):
    """Whatever turns a problem into a plan within a budget; all randomness comes from ``rng``."""

    @property
    def name(self) -> str:
        """Name in the registry and in tables."""

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """The best feasible choice found; a planner that exceeds its budget says so in the note."""
