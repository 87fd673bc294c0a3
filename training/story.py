"""One mission told step by step: what the twin knew, whom it trusted, what became of the messages, and pictures."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.policies import make_policy
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.random import SEEDS, whole_number
from qdt_env.scenario import ScenarioConfig, load_scenario
from qdt_env.twin.explanation import TrustExplanation
from qdt_env.twin.snapshot import TwinSnapshot
from training.rollout import play

MESSAGES = ("delivered", "lost", "delayed", "rejected", "no_key", "forged", "injected_rejected")


@dataclass(frozen=True, eq=False)
class Story:
    """A mission of T steps, R robots and Z zones, one entry per step.

    Attributes:
        minutes: (T,) float64, mission time [min].
        lives_saved: (T,) float64, expected survivors against nobody helping.
        patients_seen: (T,) int64, patients whom the twin knows from somebody's eyes.
        handed_over: (T,) int64.
        zones_seen: (T,) float64, share of the indoor zones that a robot reported, [0, 1].
        damage_error: (T,) float64, root mean square of believed minus true damage over these [damage states, 0..5].
        view_age_min: (T, R) float64, age of the view in each robot's hand [min].
        trust: (T, R) float64, [0, 1]; NaN once the robot is lost.
        messages: (T,) int64 by name of :data:`MESSAGES`, over all links since the start.
        robots: "robot_0, tracked" ...
        liars: (R,) bool, whom an insider attack made lie (ground truth).
        metrics: of the whole mission.
        pictures: (900, 1600, 3) uint8 by step.
        episodes: as the mission left it.
    """

    minutes: np.ndarray
    lives_saved: np.ndarray
    patients_seen: np.ndarray
    handed_over: np.ndarray
    zones_seen: np.ndarray
    damage_error: np.ndarray
    view_age_min: np.ndarray
    trust: np.ndarray
    messages: dict[str, np.ndarray]
    robots: tuple[str, ...]
    liars: np.ndarray
    metrics: dict[str, float]
    pictures: dict[int, np.ndarray]
    episodes: Episodes

    def explain_trust(self, robot: int) -> TrustExplanation:
        """Why the twin trusted a robot as it did at the end."""
        return self.episodes.explain_trust(robot)

    def snapshot(self) -> TwinSnapshot:
        """The twin at the end."""
        return self.episodes.snapshot()


def tell(
    scenario: str | ScenarioConfig,
    game: GameConfig,
    policy: str = "gain",
    seed: int = 0,
    pictured: Collection[int] = (),
) -> Story:
    """Play one mission and keep what happened.

    Args:
        scenario: as for :func:`qdt_env.scenario.load_scenario`.
        game: suite, threats and channel.
        policy: as for :func:`agents.policies.make_policy`.
        seed: of the mission.
        pictured: steps to keep a picture of.

    Raises:
        ValueError: an unknown name, or settings that cannot be played.
    """
    episodes = Episodes(load_scenario(scenario), game)
    renderer = None
    if pictured:
        from qdt_env.viewer import FrameRenderer  # loads matplotlib

        renderer = FrameRenderer(episodes)
    rows: list[dict[str, Any]] = []
    pictures: dict[int, np.ndarray] = {}

    def look(step: int) -> None:
        rows.append(_moment(episodes))
        if renderer is not None and step in pictured:
            pictures[step] = renderer.draw()

    play(
        episodes,
        make_policy(policy, episodes.layout, episodes.codec),
        np.array([whole_number(seed, "seed", SEEDS)], np.uint64),
        look,
    )
    if renderer is not None:
        renderer.close()
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Story(
        **{name: values for name, values in columns.items() if name not in MESSAGES},
        messages={name: columns[name] for name in MESSAGES},
        robots=tuple(f"robot_{r}, {kind}" for r, kind in enumerate(episodes.scenario.team)),
        liars=episodes.state.channel.liars[0] != 0,
        metrics=episodes.metrics(),
        pictures=pictures,
        episodes=episodes,
    )


def _moment(episodes: Episodes) -> dict[str, Any]:
    """What is kept of one step."""
    from qdt_env.viewer.moment import moment_of

    now = moment_of(episodes)
    known = now.twin.patient_known[: now.patients]
    reported = (episodes.state.twin.zones["robot_step"][0] >= 0) & episodes.scenario.building.indoor
    gap = episodes.state.twin.zones["mean"][0, :, 0] - now.truth.damage
    links = episodes.state.channel.links[0]
    return {
        "minutes": now.step * now.dt_s / 60.0,
        "lives_saved": now.lives_saved,
        "patients_seen": int(known.sum()),
        "handed_over": now.handed_over,
        "zones_seen": float(reported.sum() / episodes.scenario.building.indoor.sum()),
        "damage_error": float(np.sqrt(np.mean(gap[reported] ** 2))) if reported.any() else np.nan,
        "view_age_min": now.view_age * now.dt_s / 60.0,
        "trust": np.where(now.alive, now.twin.robot_trust, np.nan),
        **{name: int(links[name].sum()) for name in MESSAGES},
    }
