"""The trust study: how well trust in content finds sources that lie, and what the twin's picture is worth meanwhile.

Twelve robots, of which a known number lie about what they see, over authenticated links that nobody attacks. Who lies
is drawn robot by robot, so the seeds of the study are those where exactly that many were drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import rankdata

from agents.policies import make_policy
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig
from qdt_env.security.attacks import SOURCE_KINDS_MASK, Attack
from training.rollout import Progress, cores, play
from training.security_matrix import Begin
from training.statistics import Interval, mean_interval, paired_difference

TEAM = ("tracked",) * 6 + ("legged",) * 4 + ("aerial",) * 2
STEPS = 360
_SUITE = "qkd"  # authenticated links that nobody attacks: what is wrong then is the source's fault
_CANDIDATES = 16  # seeds looked at in one go
_MOST_LOOKS = 1000  # times so many without finding enough, and the number of liars is too unlikely


@dataclass(frozen=True)
class Deceit:
    """What the liars of one line of the study do.

    Attributes:
        name: for tables.
        attack: of a kind that lies about content; ``targets`` is the chance of each robot to be a liar.
        liars: exactly so many of the robots of every mission, >= 1.
    """

    name: str
    attack: Attack
    liars: int = 3


DECEITS = (
    Deceit("insider", Attack("insider", intensity=3.0, targets=0.25)),
    Deceit("collusion", Attack("collusion", intensity=3.0, targets=0.25)),
    Deceit("sleeper", Attack("sleeper", onset_step=60, intensity=3.0, targets=0.25)),
    Deceit("on-off", Attack("on-off", intensity=3.0, targets=0.25, period_steps=10)),
    Deceit("whitewash", Attack("whitewash", intensity=3.0, targets=0.25, period_steps=20)),
)
LIMITS = (  # where the method ends: it needs more than half of the weight to be honest
    Deceit("collusion, 5 of 12", Attack("collusion", intensity=3.0, targets=0.42), 5),
    Deceit("collusion, 6 of 12", Attack("collusion", intensity=3.0, targets=0.5), 6),
)


@dataclass(frozen=True, eq=False)
class Watched:
    """What was seen of N missions with R robots, T steps after the onset of the lies.

    Attributes:
        trust: (T, N, R) float32, S of every robot, [0, 1].
        alive: (T, N, R) bool.
        liars: (N, R) bool.
        error: (N,) float64, root mean square of fused minus true damage over the zones that a robot reported and the
            steps after onset, in damage states (0 .. 5).
    """

    trust: np.ndarray
    alive: np.ndarray
    liars: np.ndarray
    error: np.ndarray


@dataclass(frozen=True, eq=False)
class Detection:
    """How well the liars of one line were found. Everything is counted from the onset of the lies.

    Attributes:
        deceit: what they did.
        seeds: (N,) the missions.
        auroc: chance that a random liar's mean trust lies below a random honest robot's, ties half, [0, 1].
        found: share of the liars whose trust was ever below ``least_trust``, [0, 1].
        found_at_end: share of the liars whose trust was below it when last alive.
        steps_to_detect: median over all liars of the steps until then, inf where fewer than half were found.
        false_steps: share of the honest robots' steps spent below ``least_trust``.
        false_by_mission: (N,) float64, the same share in each mission.
        false_at_end: share of the honest robots that were below it when last alive.
        error: the picture's error with trust, mean of the missions with its 95 % interval [damage states].
        error_blind: the same where every source counts fully.
        error_difference: the first minus the second, paired by seed.
    """

    deceit: Deceit
    seeds: np.ndarray
    auroc: float
    found: float
    found_at_end: float
    steps_to_detect: float
    false_steps: float
    false_by_mission: np.ndarray
    false_at_end: float
    error: Interval
    error_blind: Interval
    error_difference: Interval

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        attack = self.deceit.attack
        return {
            "name": self.deceit.name, "kind": attack.kind, "lie_sigma": attack.intensity, "liars": self.deceit.liars,
            "onset_step": attack.onset_step, "seeds": self.seeds, "auroc": self.auroc, "found": self.found,
            "found_at_end": self.found_at_end,
            "steps_to_detect": None if np.isinf(self.steps_to_detect) else self.steps_to_detect,
            "false_steps": self.false_steps, "false_by_mission": self.false_by_mission,
            "false_at_end": self.false_at_end, "error": self.error.to_dict(),
            "error_blind": self.error_blind.to_dict(), "error_difference": self.error_difference.to_dict(),
        }  # fmt: skip


def with_team(scenario: ScenarioConfig, steps: int = STEPS) -> ScenarioConfig:
    """The same building with the study's twelve robots and mission length."""
    return replace(scenario, team=TEAM, horizon_steps=steps)


def study(
    scenario: ScenarioConfig,
    deceits: Sequence[Deceit] = DECEITS,
    missions: int = 20,
    policy: str = "gain",
    first_seed: int = 0,
    *,
    begin: Begin | None = None,
) -> list[Detection]:
    """One line per deceit, each on its own first seeds with the right number of liars, with and without trust.

    Args:
        scenario: what is played, team included.
        deceits: what the liars do.
        missions: per line, >= 1.
        policy: one of ``agents.heuristics.POLICY_NAMES``.
        first_seed: where the search for seeds begins.
        begin: starts a progress bar, see ``cli.report.progress_bar``.

    Raises:
        ValueError: no missions, an attack of another kind, or a number of liars that is not drawn in 16,000 seeds.
    """
    require(missions >= 1, "missions", missions, "1 or more")
    lines = []
    for deceit in deceits:
        seeds = seeds_with_liars(scenario, deceit, missions, first_seed)
        runs = []
        for trust_on in (True, False):
            title = f"{deceit.name}, trust {'on' if trust_on else 'off'}"
            progress = None if begin is None else begin(title, scenario.horizon_steps)
            chosen = replace(scenario, twin=replace(scenario.twin, trust_on=trust_on))
            runs.append(watch(chosen, deceit.attack, policy, seeds, progress))
        trusting, blind = runs
        lines.append(detection(deceit, seeds, trusting, blind, scenario.twin.least_trust))
    return lines


def seeds_with_liars(scenario: ScenarioConfig, deceit: Deceit, missions: int, first_seed: int = 0) -> np.ndarray:
    """The first seeds from ``first_seed`` on whose missions have exactly ``deceit.liars`` liars: (missions,) uint64.

    Raises:
        ValueError: an attack whose sources do not lie, or a number of liars that is too unlikely.
    """
    attack = deceit.attack
    lies = bool((1 << attack.code) & SOURCE_KINDS_MASK)
    require(lies, "attack", attack.kind, "insider, collusion, on-off, sleeper or whitewash")
    episodes = Episodes(scenario, GameConfig(_SUITE, attack), episodes=_CANDIDATES)
    found: list[int] = []
    for look in range(_MOST_LOOKS):
        candidates = np.arange(_CANDIDATES, dtype=np.uint64) + np.uint64(first_seed + look * _CANDIDATES)
        episodes.reset(np.arange(_CANDIDATES), candidates, np.zeros(_CANDIDATES, np.int64))
        liars = (episodes.state.channel.liars != 0).sum(1)
        found.extend(int(seed) for seed in candidates[liars == deceit.liars])
        if len(found) >= missions:
            return np.array(found[:missions], np.uint64)
    raise ValueError(f"liars={deceit.liars} is not allowed: a number that targets={attack.targets} makes likely")


def watch(
    scenario: ScenarioConfig, attack: Attack, policy: str, seeds: np.ndarray, progress: Progress | None = None
) -> Watched:
    """Play the missions and keep every robot's trust, and the error of the twin's picture, from the onset on."""
    threads = max(1, min(cores(), seeds.size // 4))
    episodes = Episodes(scenario, GameConfig(_SUITE, attack), episodes=seeds.size, threads=threads)
    state, indoor = episodes.state, episodes.setup.site.zones["indoor"] == 1
    trust, alive = [], []
    squares, counted = np.zeros(seeds.size), np.zeros(seeds.size)

    def look(steps_done: int) -> None:
        if progress is not None:
            progress(steps_done)
        if steps_done <= attack.onset_step:
            return
        trust.append(state.twin.robots["trust"].copy())
        alive.append(state.world.robots["alive"] == 1)
        reported = (state.twin.zones["robot_step"] >= 0) & indoor
        gap = state.twin.zones["mean"][:, :, 0] - state.world.zones["damage"]
        squares[:] += np.sum(gap * gap, axis=1, where=reported)
        counted[:] += reported.sum(1)

    play(episodes, make_policy(policy, episodes.layout, episodes.codec), seeds, look)
    error = np.sqrt(squares / np.maximum(counted, 1.0))
    return Watched(np.array(trust), np.array(alive), state.channel.liars != 0, error)


def detection(
    deceit: Deceit, seeds: np.ndarray, trusting: Watched, blind: Watched, least_trust: float = 0.5
) -> Detection:
    """What was seen with trust (and without, for the picture's error) as figures."""
    liars, ever_alive = trusting.liars, trusting.alive.any(0)
    low = (trusting.trust < least_trust) & trusting.alive
    mean = np.sum(trusting.trust, axis=0, where=trusting.alive) / np.maximum(trusting.alive.sum(0), 1)
    first = np.where(low.any(0), low.argmax(0), np.inf)
    last_alive = len(low) - 1 - trusting.alive[::-1].argmax(0)
    low_at_end = np.take_along_axis(low, last_alive[None], 0)[0]
    honest, false = ever_alive & ~liars, ever_alive & liars
    wronged, steps = ((mask & ~liars).sum((0, 2)) for mask in (low, trusting.alive))
    return Detection(
        deceit,
        seeds,
        auroc=auroc(mean[false], mean[honest]),
        found=float(low.any(0)[false].mean()),
        found_at_end=float(low_at_end[false].mean()),
        steps_to_detect=float(np.median(first[false])),
        false_steps=float(wronged.sum() / steps.sum()),
        false_by_mission=wronged / np.maximum(steps, 1),
        false_at_end=float(low_at_end[honest].mean()),
        error=mean_interval(trusting.error),
        error_blind=mean_interval(blind.error),
        error_difference=paired_difference(trusting.error, blind.error),
    )


def auroc(low: np.ndarray, high: np.ndarray) -> float:
    """Area under the receiver operating characteristic (Mann-Whitney U / n m): P(low < high) + P(equal)/2.

    Args:
        low: (n,) scores of those that should have the lower ones, n >= 1.
        high: (m,) scores of the others, m >= 1.

    Raises:
        ValueError: one of the groups is empty.
    """
    require(min(low.size, high.size) > 0, "groups", (low.size, high.size), "1 or more in both")
    ranks = rankdata(np.concatenate([low, high]))[low.size :]
    return float((ranks.sum() - high.size * (high.size + 1) / 2) / (low.size * high.size))
