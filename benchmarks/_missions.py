"""What is stepped in the benchmarks: missions under random allowed tasks, or with everybody continuing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agents.policy import RandomPolicy
from qdt_env.engine.episodes import Episodes
from qdt_env.scenario import ScenarioConfig

ROOT = Path(__file__).resolve().parents[1]
CLINIC = ROOT.parent / "shared" / "data" / "clinic.json"
TASKS, CONTINUE = "random tasks", "continue"
WORKLOADS = {
    TASKS: "a robot without a task is given a random one that its mask allows",
    CONTINUE: "no robot is given anything to do",
}


def begin(episodes: Episodes, seed: int) -> None:
    """Start a fresh mission in every row, each with a seed of its own."""
    rows = np.arange(episodes.n)
    episodes.reset(rows, rows + seed, np.zeros(episodes.n, np.int64))


def actions_of(episodes: Episodes, workload: str, seed: int) -> Iterator[np.ndarray]:
    """Actions (B, R) for each next step, made from what the robots observe at that moment."""
    policy = RandomPolicy(episodes.layout, episodes.codec)
    rng = np.random.default_rng(seed)
    nothing = np.zeros(episodes.out.reward.shape, np.int32)
    while True:
        yield policy.act(episodes.out.observation, episodes.out.mask, rng) if workload == TASKS else nothing


def agents_acting(episodes: Episodes) -> int:
    """Robots that the next step moves: alive, in a mission that is not over."""
    state = episodes.state
    return int(((state.world.robots["alive"] == 1) & (state.clock["over"] == 0)[:, None]).sum())


def bytes_by_part(episodes: Episodes) -> dict[str, float]:
    """Bytes of one row's state and of what a step hands out."""
    return {"state": _nbytes(episodes.state) / episodes.n, "out": _nbytes(episodes.out) / episodes.n}


def _nbytes(fields: tuple[object, ...]) -> int:
    """Bytes of all arrays in nested named tuples."""
    return sum(f.nbytes if isinstance(f, np.ndarray) else _nbytes(f) for f in fields)  # type: ignore[arg-type]


def sizes(scenario: ScenarioConfig) -> dict[str, int]:
    """Zones, passages, patient slots and robots."""
    return {
        "zones": scenario.building.n_zones,
        "passages": scenario.building.n_passages,
        "patients": scenario.patient_slots,
        "robots": len(scenario.team),
    }
