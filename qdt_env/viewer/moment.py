"""One moment of one episode as plain arrays: what is true, what the twin believes, what the links did.

The picture and the text are both made from this, so that they cannot disagree. Everything is copied out of the state.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from qdt_env.engine.episodes import Episodes
from qdt_env.engine.state import DOWNLINK, UPLINK
from qdt_env.physical.patients import rpm_after, rpm_at
from qdt_env.physical.state import EMPTY, HANDED_OVER
from qdt_env.security.attacks import ATTACK_KINDS, Attack, attack_is_on
from qdt_env.security.outcomes import DELIVERED, REJECTED
from qdt_env.security.suites import SUITE_NAMES

Array = np.ndarray[Any, Any]
NO_MESSAGE = -1


@dataclass(frozen=True, eq=False)
class Side:
    """The building, the patients and the robots, as they are or as the twin believes."""

    damage: Array  # (Z,) float 0..5, NaN where there is no news
    smoke: Array  # (Z,) float 0..1
    burning: Array  # (Z,) bool; the twin does not know
    condition: Array  # (E,) int OPEN, SLOW, BLOCKED
    patient_status: Array  # (P,) int, physical.state
    patient_zone: Array  # (P,) int, -1 unknown
    patient_rpm: Array  # (P,) float 0..12, now
    patient_known: Array  # (P,) bool, somebody saw the patient
    patient_age: Array  # (P,) int steps since the news was written, 0 for the truth
    patient_trust: Array  # (P,) float 0..1 in the news' source, NaN for the truth and the census
    robot_zone: Array  # (R,) int
    robot_next: Array  # (R,) int zone being walked to, -1 none or unknown
    robot_fraction: Array  # (R,) float 0..1 of the way there
    robot_energy: Array  # (R,) float 0..1
    robot_patient: Array  # (R,) int carried, -1 none
    robot_age: Array  # (R,) int steps since the last report, 0 for the truth
    robot_trust: Array  # (R,) float 0..1, NaN for the truth


@dataclass(frozen=True, eq=False)
class Moment:
    """Everything that is shown of one moment."""

    scenario: str
    suite: str
    threats: str
    step: int
    horizon_steps: int
    dt_s: float
    lives_saved: float  # expected survivors against nobody helping
    score: float  # the headline score, 1 = instant help for all
    e_none: float
    e_now: float
    e_instant: float
    patients: int  # in slots
    handed_over: int
    killed_at_once: int
    aftershocks: int
    robots_lost: int
    truth: Side
    twin: Side
    kinds: Array  # (R,) int, ROBOT_KINDS
    alive: Array  # (R,) bool
    tasks: tuple[str, ...]  # (R,)
    view_age: Array  # (R,) int steps since the view in hand was written
    deceived: Array  # (R,) bool, that view is forged (ground truth)
    up: Array  # (L,) int verdict of this step's uplink message, NO_MESSAGE none
    down: Array  # (L,) int likewise downlink; gateways have none
    attacked: Array  # (L,) bool, an attack on the link or a lie of its source is under way (ground truth)
    attacks: tuple[str, ...]  # kinds under way

    @property
    def clock(self) -> str:
        """Mission time, "mm:ss" or "h:mm:ss"."""
        minutes, seconds = divmod(round(self.step * self.dt_s), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def headline_score(e_now: float, e_none: float, e_instant: float) -> float:
    """(e_now - e_none) / (e_instant - e_none), 0 where nobody could have been saved."""
    saveable = e_instant - e_none
    return (e_now - e_none) / saveable if saveable > 0.0 else 0.0


def threats_name(threats: Any) -> str:
    """Short text for what was given as ``threats``."""
    if isinstance(threats, str):
        return threats
    if isinstance(threats, Attack):
        return threats.kind
    return "+".join(threats_name(item) for item in threats) or "none"


def moment_of(episodes: Episodes, row: int = 0) -> Moment:
    """The present moment of row ``row``."""
    state, game = episodes.state, episodes.game
    clock, minds = state.clock[row], state.belief.minds[row]
    kinds_on = _attacks_on(state.channel.attacks[row], int(clock["step"]))
    up, down = _verdicts(episodes, row)
    numbers = {name: float(clock[name]) for name in ("e_none", "e_now", "e_instant")}
    return Moment(
        scenario=episodes.scenario.name,
        suite=SUITE_NAMES[int(clock["suite"])],
        threats=threats_name(game.threats),
        step=int(clock["step"]),
        horizon_steps=episodes.scenario.horizon_steps,
        dt_s=float(episodes.scenario.physical.dt_s),
        lives_saved=numbers["e_now"] - numbers["e_none"],
        score=headline_score(**numbers),
        **numbers,
        patients=int(clock["listed"]),
        handed_over=int((state.world.patients[row]["status"] == HANDED_OVER).sum()),
        killed_at_once=int(clock["dead"]),
        aftershocks=int(clock["aftershocks"]),
        robots_lost=int((state.world.robots[row]["alive"] == 0).sum()),
        truth=_truth(episodes, row),
        twin=_twin(episodes, row),
        kinds=state.world.robots[row]["kind"].astype(int),
        alive=state.world.robots[row]["alive"] == 1,
        tasks=tuple(episodes.codec.names[task] if task else "idle" for task in minds["task"]),
        view_age=clock["step"] - minds["view_step"].astype(int),
        deceived=minds["deceived"] == 1,
        up=up,
        down=down,
        attacked=_attacked(episodes, row, kinds_on),
        attacks=tuple(ATTACK_KINDS[kind] for kind in kinds_on),
    )


def _truth(episodes: Episodes, row: int) -> Side:
    """The physical layer's own state."""
    world = episodes.state.world
    zones, patients, robots = world.zones[row], world.patients[row], world.robots[row]
    rpm = [rpm_at(int(r), np.float32(t)) for r, t in zip(patients["rpm0"], patients["clock_min"], strict=True)]
    there = patients["status"] != EMPTY
    length = episodes.setup.site.passages["length_m"][np.maximum(robots["passage"], 0)]
    walking = robots["next_zone"] >= 0
    return Side(
        damage=zones["damage"].astype(float),
        smoke=zones["smoke"].astype(float),
        burning=zones["burning"] == 1,
        condition=world.passages[row]["condition"].astype(int),
        patient_status=patients["status"].astype(int),
        patient_zone=np.where(there, patients["zone"], -1).astype(int),
        patient_rpm=np.where(patients["status"] == HANDED_OVER, patients["rpm_handover"], np.array(rpm, float)),
        patient_known=there,
        patient_age=np.zeros(len(patients), int),
        patient_trust=np.full(len(patients), np.nan),
        robot_zone=robots["zone"].astype(int),
        robot_next=robots["next_zone"].astype(int),
        robot_fraction=np.where(walking, np.clip(robots["progress_m"] / length, 0.0, 1.0), 0.0),
        robot_energy=robots["energy"].astype(float),
        robot_patient=robots["patient"].astype(int),
        robot_age=np.zeros(len(robots), int),
        robot_trust=np.full(len(robots), np.nan),
    )


def _twin(episodes: Episodes, row: int) -> Side:
    """What the server believes."""
    state = episodes.state
    zones, patients, robots = (part[row] for part in (state.twin.zones, state.twin.patients, state.twin.robots))
    step = int(state.clock[row]["step"])
    waited_min = (step - patients["rpm_step"]) * np.float32(episodes.scenario.physical.dt_s / 60.0)
    rpm = [rpm_after(np.float32(r), np.float32(t)) for r, t in zip(patients["rpm"], waited_min, strict=True)]
    silent = (zones["sensor_step"] < 0) & (zones["robot_step"] < 0)
    return Side(
        damage=np.where(silent, np.nan, np.clip(zones["mean"][:, 0], 0.0, 5.0)),
        smoke=np.where(silent, 0.0, np.clip(zones["mean"][:, 1], 0.0, 1.0)),
        burning=np.zeros(len(zones), bool),
        condition=state.twin.passages[row]["condition"].astype(int),
        patient_status=patients["status"].astype(int),
        patient_zone=np.where(patients["status"] == EMPTY, -1, patients["zone"]).astype(int),
        patient_rpm=np.array(rpm, float),
        patient_known=patients["known"] == 1,
        patient_age=step - np.maximum(patients["step"], 0).astype(int),
        patient_trust=np.where(patients["step"] < 0, np.nan, patients["trust"]),
        robot_zone=robots["zone"].astype(int),
        robot_next=np.full(len(robots), -1),
        robot_fraction=np.zeros(len(robots)),
        robot_energy=robots["energy"].astype(float),
        robot_patient=robots["patient"].astype(int),
        robot_age=step - robots["step"].astype(int),
        robot_trust=robots["trust"].astype(float),
    )


def _verdicts(episodes: Episodes, row: int) -> tuple[Array, Array]:
    """Verdicts of the last step's messages by link; an injected message that did not verify shows as rejected."""
    state = episodes.state
    robots = state.world.robots.shape[1]
    shown = []
    for direction in (UPLINK, DOWNLINK):
        outcome = state.channel.outcomes[row, direction]
        verdict = outcome["verdict"].astype(int)
        verdict[(verdict == DELIVERED) & (outcome["injected_rejected"] == 1)] = REJECTED
        verdict[:robots][state.world.robots[row]["alive"] == 0] = NO_MESSAGE
        if direction == DOWNLINK:
            verdict[robots:] = NO_MESSAGE
        if state.clock[row]["step"] == 0:
            verdict[:] = NO_MESSAGE
        shown.append(verdict)
    return shown[0], shown[1]


def _attacks_on(table: Array, step: int) -> list[int]:
    """Kinds that act in the step just made (at step 0: in the one to come)."""
    return [kind for kind in range(len(ATTACK_KINDS)) if attack_is_on(table[kind], max(step - 1, 0))]


def _attacked(episodes: Episodes, row: int, kinds_on: list[int]) -> Array:
    """(L,) whether any of these kinds aims at the link, or makes its robot lie."""
    channel = episodes.state.channel
    mask = sum(1 << kind for kind in kinds_on)
    attacked = (channel.links[row]["targets"] & mask) != 0
    robots = episodes.state.world.robots.shape[1]
    attacked[:robots] |= (channel.liars[row, :robots] & mask) != 0
    return np.asarray(attacked)
