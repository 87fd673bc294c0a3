"""What rooms a department has: kinds and sizes for the generator, after the real clinic (shared/data/clinic.json)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Rng = np.random.Generator
Array = np.ndarray[Any, Any]

# Mean area in m2 by function: rounded from the clinic; the last five, which it does not have, are assumed. Plant
# halls are kept smaller than the clinic's two (130 m2) so that they fit between two corridors.
KIND_AREA_M2: dict[str, float] = {
    "office": 16.5,
    "clinical": 13.3,
    "storage": 14.5,
    "toilet": 7.2,
    "waiting": 32.0,
    "soiled": 6.0,
    "staff": 11.0,
    "imaging": 9.0,
    "exam": 17.0,
    "reception": 15.0,
    "electrical": 8.0,
    "meeting": 24.0,
    "lab": 26.0,
    "plant": 9.0,
    "hazmat": 6.0,
    "changing": 5.0,
    "clean_supply": 6.0,
    "treatment": 19.0,
    "mechanical": 90.0,
    "ward": 22.0,
    "operating": 38.0,
    "emergency": 24.0,
    "intensive_care": 20.0,
    "pharmacy": 20.0,
}

# Rooms by function, as weights. The clinic's departments hold about the clinic's counts; the hospital's are assumed.
DEPARTMENTS: dict[str, dict[str, float]] = {
    "AdultMedicine": {
        "office": 5,
        "exam": 4,
        "clinical": 3,
        "treatment": 1,
        "waiting": 1,
        "toilet": 2,
        "soiled": 1,
    },
    "Pediatrics": {"clinical": 5, "office": 4, "waiting": 1, "exam": 1, "toilet": 2, "soiled": 1},
    "Dental": {"clinical": 14, "office": 6, "waiting": 1, "staff": 1, "storage": 1, "toilet": 2, "soiled": 1},
    "MentalHealth": {"office": 8, "meeting": 1, "waiting": 1, "toilet": 1},
    "Administration": {"office": 8, "meeting": 2, "reception": 1, "storage": 2, "toilet": 1},
    "Logistics": {
        "storage": 8,
        "office": 6,
        "mechanical": 1,
        "electrical": 2,
        "hazmat": 1.5,
        "meeting": 1,
        "plant": 1,
        "toilet": 2,
    },
    "Pathology": {"lab": 4, "office": 3, "storage": 1, "waiting": 0.5, "toilet": 2},
    "Pharmacy": {"office": 3, "storage": 2, "pharmacy": 2, "waiting": 1, "toilet": 1},
    "Radiology": {"imaging": 5, "office": 3, "changing": 2, "waiting": 1, "storage": 1, "toilet": 1},
    "Mechanical": {"mechanical": 2, "electrical": 4, "plant": 3, "storage": 1},
    "Housekeeping": {"soiled": 4, "storage": 3, "clean_supply": 1.5, "staff": 2, "toilet": 1},
    "Emergency": {"emergency": 8, "treatment": 3, "office": 3, "waiting": 1, "storage": 2, "staff": 1, "toilet": 2},
    "Surgery": {
        "operating": 6,
        "clean_supply": 1,
        "clinical": 4,
        "changing": 2,
        "office": 3,
        "soiled": 1,
        "staff": 1,
        "storage": 2,
    },
    "IntensiveCare": {"intensive_care": 9, "office": 3, "storage": 1, "staff": 1, "waiting": 1, "toilet": 1},
    "Ward": {
        "ward": 8,
        "toilet": 2,
        "office": 3,
        "treatment": 1,
        "staff": 1,
        "storage": 1,
        "soiled": 1,
    },
    "Maternity": {"ward": 7, "treatment": 2, "office": 3, "operating": 1, "staff": 1, "storage": 1, "toilet": 2},
}

# A room behind another one, reached only through it.
_ANNEXES: tuple[str, ...] = ("toilet", "toilet", "changing")
_TAKES_ANNEX: frozenset[str] = frozenset(
    {"clinical", "treatment", "exam", "lab", "ward", "imaging", "office", "emergency", "intensive_care", "meeting"}
)
# Departments that hand out supplies get a clean supply room first, so that every storey has a depot.
_SUPPLY = "clean_supply"
_AREA_SIGMA = 0.3  # log-normal spread of room areas within a function (assumed)


@dataclass(frozen=True)
class Slot:
    """A stretch of a room strip: a room on the corridor, and perhaps an annex behind it."""

    kind: str
    department: str
    area_m2: float  # > 0, target of the room and its annex together; the strip scales it
    annex: str | None = None  # function of the annex
    annex_share: float = 0.0  # of the slot's area, 0 .. 1


def draw_slots(departments: tuple[str, ...], n_rooms: int, annex_share: float, rng: Rng) -> list[Slot]:
    """Rooms of one storey, department by department.

    Args:
        departments: names in ``DEPARTMENTS``, in the order in which they follow each other along the corridors.
        n_rooms: rooms to make, annexes included, at least 1.
        annex_share: of the rooms that are annexes, 0 .. 0.5.
        rng: source of the draws.

    Returns:
        Slots whose rooms and annexes number ``n_rooms``.
    """
    n_annexes = int(round(annex_share * n_rooms))
    sizes = np.array([sum(DEPARTMENTS[name].values()) for name in departments])
    slots: list[Slot] = []
    for name, count in zip(departments, split_evenly(n_rooms - n_annexes, sizes), strict=True):
        first = [_SUPPLY] if not slots and count else []
        kinds = first + _draw_kinds(name, count - len(first), rng)
        slots += [Slot(kind, name, KIND_AREA_M2[kind] * float(rng.lognormal(0.0, _AREA_SIGMA))) for kind in kinds]
    eligible = [row for row, slot in enumerate(slots) if slot.kind in _TAKES_ANNEX] or list(range(len(slots)))
    chosen = rng.permutation(eligible)[:n_annexes].tolist()
    for row in chosen:
        slots[row] = _with_annex(slots[row], str(rng.choice(_ANNEXES)))
    # Too few rooms take an annex: the rest become rooms of their own.
    slots += [Slot("toilet", departments[-1], KIND_AREA_M2["toilet"]) for _ in range(n_annexes - len(chosen))]
    return slots


def split_evenly(total: int, weights: Array | list[float]) -> list[int]:
    """``total`` split in proportion to the weights, by largest remainder."""
    exact = total * np.asarray(weights, float) / np.sum(weights)
    counts = np.floor(exact).astype(int)
    for row in np.argsort(counts - exact, kind="stable")[: total - counts.sum()]:
        counts[row] += 1
    return [int(count) for count in counts]


def _draw_kinds(department: str, count: int, rng: Rng) -> list[str]:
    """``count`` functions in the department's proportions, shuffled; the fraction left over is drawn."""
    weights = DEPARTMENTS[department]
    jitter = rng.uniform(0.8, 1.2, len(weights))
    shares = split_evenly(max(count, 0), np.array(list(weights.values())) * jitter)
    kinds = [kind for kind, share in zip(weights, shares, strict=True) for _ in range(share)]
    return [str(kind) for kind in rng.permutation(kinds)]


def _with_annex(slot: Slot, annex: str) -> Slot:
    """The slot with a room behind it, its area enlarged by the annex."""
    extra = KIND_AREA_M2[annex]
    total = slot.area_m2 + extra
    # Neither room may become a sliver of the strip's depth.
    return Slot(slot.kind, slot.department, total, annex, float(np.clip(extra / total, 0.25, 0.5)))
