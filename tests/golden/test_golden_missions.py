"""Golden missions: what a few seeded missions came to, so that a change of the game's rules never goes unnoticed.

After a change that is meant, write the files anew and look at what changed (``git diff tests/golden``)::

    python -m tests.golden.test_golden_missions

Whole numbers must be the same, others to within 1e-5: the last bits may differ between processors and C libraries.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.heuristics import make_policy
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.scenario import load_scenario

FOLDER = Path(__file__).parent
RELATIVE = 1e-5
EVERY = 30  # steps between two looks at the mission
SEED = 2024

# name of the file: policy and game. All in the ward.
MISSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "gain-qkd-none": ("gain", {"suite": "qkd", "threats": "none"}),
    "gain-qkd-mixed": ("gain", {"suite": "qkd", "threats": "mixed"}),
    "nearest-plaintext-tamper": ("nearest", {"suite": "plaintext", "threats": "tamper"}),
    "critical-psk-insider": ("critical", {"suite": "psk", "threats": "insider"}),
    "perfect-gain-ecdh-none": ("perfect-gain", {"suite": "ecdh", "threats": "none", "perfect_information": True}),
    "random-hybrid-random-move": ("random", {"suite": "hybrid", "threats": "random", "control": "move"}),
}


def play(policy_name: str, game: dict[str, Any]) -> dict[str, Any]:
    """One mission: where everything was every ``EVERY`` steps, and the metrics."""
    episodes = Episodes(load_scenario("ward"), GameConfig(**game))
    episodes.reset(np.array([0]), np.array([SEED]), np.array([0]))
    policy = make_policy(policy_name, episodes.layout, episodes.codec)
    rng = np.random.default_rng(SEED)
    looks, gained = [look(episodes, 0.0)], 0.0
    while episodes.state.clock["over"][0] == 0:
        episodes.step(policy.act(episodes.out.observation, episodes.out.mask, rng))
        gained += float(episodes.out.reward[0, 0])
        if episodes.state.clock["step"][0] % EVERY == 0:
            looks.append(look(episodes, gained))
    metrics = {name: int(value) if value == int(value) else value for name, value in episodes.metrics().items()}
    return {"policy": policy_name, "game": game, "seed": SEED, "looks": looks, "metrics": metrics}


def look(episodes: Episodes, gained: float) -> dict[str, Any]:
    """The mission at this moment, in short."""
    world, twin = episodes.state.world, episodes.state.twin
    return {
        "step": int(episodes.state.clock["step"][0]),
        "return": gained,
        "robot_zone": world.robots["zone"][0].tolist(),
        "robot_energy": world.robots["energy"][0].astype(float).tolist(),
        "patient_status": world.patients["status"][0].tolist(),
        "patient_zone": world.patients["zone"][0].tolist(),
        "patient_clock_min": world.patients["clock_min"][0].astype(float).tolist(),
        "zone_damage": world.zones["damage"][0].tolist(),
        "believed_status": twin.patients["status"][0].tolist(),
        "robot_trust": twin.robots["trust"][0].astype(float).tolist(),
        "key_pool_bits": episodes.state.channel.links["pool_bits"][0].astype(float).tolist(),
        "legal_actions": episodes.out.mask[0].sum(1).tolist(),
        "observation_sum": float(episodes.out.observation[0].sum(dtype=np.float64)),
    }


def assert_close(found: Any, golden: Any, where: str) -> None:
    """Equal, but for ``RELATIVE`` in numbers that are not whole."""
    if isinstance(golden, dict):
        assert list(found) == list(golden), where
        for key in golden:
            assert_close(found[key], golden[key], f"{where}.{key}")
    elif isinstance(golden, list):
        assert len(found) == len(golden), where
        for number, (one, other) in enumerate(zip(found, golden, strict=True)):
            assert_close(one, other, f"{where}[{number}]")
    elif isinstance(golden, float):
        assert found == pytest.approx(golden, rel=RELATIVE, abs=1e-9), where
    else:
        assert found == golden, where


@pytest.mark.parametrize("name", MISSIONS)
def test_mission_is_as_recorded(name: str) -> None:
    golden = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    found = json.loads(json.dumps(play(*MISSIONS[name])))
    assert_close(found, golden, f"{name}.json (see this module's docstring)")


def test_every_file_is_played() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(MISSIONS)


def test_the_comparison_notices() -> None:
    golden = {"whole": [1, 2], "share": 0.5}
    assert_close({"whole": [1, 2], "share": 0.5 * (1 + 1e-6)}, golden, "same")
    for wrong in ({"whole": [1, 3], "share": 0.5}, {"whole": [1, 2], "share": 0.50001}, {"whole": [1, 2]}):
        with pytest.raises(AssertionError):
            assert_close(wrong, golden, "other")


if __name__ == "__main__":
    for mission, (policy, game) in MISSIONS.items():
        text = json.dumps(play(policy, game), indent=1)
        (FOLDER / f"{mission}.json").write_text(text + "\n", encoding="utf-8")
        print(f"wrote tests/golden/{mission}.json")
