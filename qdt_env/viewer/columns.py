"""What is recorded of every step: named columns of whole numbers, one per zone, passage, patient, robot or link.

A column's number is its value times ``scale``, rounded; ``NONE`` stands for what is absent or unknown (255 in a column
of bytes, the lowest number in a signed one). The float64 columns of ``EXACT`` are kept bit by bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdt_env.engine.episodes import Episodes
from qdt_env.engine.state import DOWNLINK, UPLINK
from qdt_env.physical.state import COLLAPSE
from qdt_env.security.attacks import ATTACK_KINDS
from qdt_env.spaces import ROBOT_INFO
from qdt_env.twin.state import EVIDENCE_KEPT
from qdt_env.viewer.moment import NO_MESSAGE, Moment, moment_of

Array = np.ndarray[Any, Any]

# Flags of a link, as bits of the column "link.flags".
LINK_FLAGS = ("key_ready", "key_known", "compromised", "broken", "fallback")
EXACT = ("lives_saved", "survivors", "survivors_none", "survivors_instant", "return", "key_bits")
COUNTS = ("aftershocks", "lost", "decisions", "stale_decisions", "deceived_decisions", "masked_actions")
# Lowest and highest value of a type, and the number for no value.
_LIMITS = {
    "u1": (0, 254, 255),
    "u2": (0, 65_534, 65_535),
    "i1": (-127, 127, -128),
    "i2": (-32_767, 32_767, -32_768),
    "i4": (-(2**31) + 1, 2**31 - 1, -(2**31)),
}


class Instant:
    """One row of the engine's state, with the moment that the pictures show of it."""

    def __init__(self, episodes: Episodes, row: int) -> None:
        state = episodes.state
        self.moment: Moment = moment_of(episodes, row)
        self.clock = state.clock[row]
        self.step = int(self.clock["step"])
        self.zones, self.patients = state.world.zones[row], state.world.patients[row]
        self.robots, self.orders = state.world.robots[row], state.world.orders[row]
        self.known_zones, self.known_passages = state.twin.zones[row], state.twin.passages[row]
        self.known_patients, self.known_robots = state.twin.patients[row], state.twin.robots[row]
        self.minds, self.links = state.belief.minds[row], state.channel.links[row]
        self.outcomes, self.info = state.channel.outcomes[row], episodes.out.info[row]
        self.sent, self.inbox = state.reports.heads[row], state.inbox.heads[row]
        self.evidence, self.liars = state.twin.evidence[row], state.channel.liars[row]
        self.gateways = episodes.setup.site.gateways
        self.twin_config = episodes.scenario.twin


@dataclass(frozen=True)
class Column:
    """A named column.

    Attributes:
        name: "side.thing.what", or "thing.what" for the truth.
        dtype: NumPy's name of the little-endian integer type.
        scale: recorded number per unit of the value.
        take: the values of an instant, (n,) float or int; NaN where there is none.
    """

    name: str
    dtype: str
    scale: float
    take: Callable[[Instant], Array]

    @property
    def none(self) -> int:
        """The number that stands for no value."""
        return _LIMITS[self.dtype][2]

    def numbers(self, instant: Instant) -> Array:
        """(n,) recorded numbers of an instant; what lies outside the type's range is brought to its edge."""
        values = self.take(instant)
        low, high, none = _LIMITS[self.dtype]
        if values.dtype.kind != "f":
            return np.minimum(np.maximum(values.astype(np.int64), low), high).astype(self.dtype)
        scaled = np.minimum(np.maximum(np.rint(values * self.scale), low), high)
        return np.where(np.isnan(scaled), none, scaled).astype(self.dtype)


def _columns() -> tuple[Column, ...]:
    """The table."""

    def column(name: str, dtype: str, take: Callable[[Instant], Array], scale: float = 1.0) -> Column:
        return Column(name, dtype, scale, take)

    return (
        # truth
        column("zone.damage", "u1", lambda now: now.zones["damage"]),
        column("zone.smoke", "u1", lambda now: now.moment.truth.smoke, 200.0),
        column("zone.burning", "u1", lambda now: now.zones["burning"]),
        column("zone.sensor", "u1", lambda now: now.zones["sensor_alive"]),
        column("zone.kits", "i2", lambda now: now.zones["kits"]),
        column("passage.condition", "u1", lambda now: now.moment.truth.condition),
        column("patient.status", "u1", lambda now: now.patients["status"]),
        column("patient.zone", "i2", lambda now: now.moment.truth.patient_zone),
        column("patient.rpm", "u1", lambda now: now.moment.truth.patient_rpm, 20.0),
        column("patient.work", "u2", lambda now: now.patients["work_min"].astype(float), 10.0),
        column("patient.kitted", "u1", lambda now: now.patients["kitted"]),
        column("patient.survival", "u1", lambda now: now.patients["expected"].astype(float), 200.0),
        column("patient.survival_none", "u1", lambda now: now.patients["expected_none"].astype(float), 200.0),
        column("robot.alive", "u1", lambda now: now.robots["alive"]),
        column("robot.zone", "i2", lambda now: now.robots["zone"]),
        column("robot.next", "i2", lambda now: now.robots["next_zone"]),
        column("robot.fraction", "u1", lambda now: now.moment.truth.robot_fraction, 100.0),
        column("robot.energy", "u2", lambda now: now.robots["energy"].astype(float), 1000.0),
        column("robot.patient", "i2", lambda now: now.robots["patient"]),
        column("robot.kits", "u1", lambda now: now.robots["kits"]),
        column("robot.event", "u1", lambda now: now.robots["event"]),
        column("robot.task", "i2", lambda now: now.minds["task"]),
        column("robot.target", "i2", lambda now: now.minds["target"]),
        column("robot.verb", "u1", lambda now: now.orders["verb"]),
        column("view.step", "i2", lambda now: now.minds["view_step"]),
        column("view.deceived", "u1", lambda now: now.minds["deceived"]),
        # what the twin believes
        column("twin.zone.damage", "u1", lambda now: now.moment.twin.damage, 50.0),
        column("twin.zone.smoke", "u1", _believed_smoke, 200.0),
        column("twin.zone.step", "i2", _zone_step),
        column("twin.zone.source", "i2", _zone_source),
        column("twin.zone.sensor_trust", "u1", _sensor_trust, 200.0),
        column("twin.zone.seen", "u1", lambda now: now.known_zones["seen"]),
        column("twin.passage.condition", "u1", lambda now: now.moment.twin.condition),
        column("twin.passage.step", "i2", lambda now: now.known_passages["step"]),
        column("twin.passage.source", "i2", lambda now: now.known_passages["source"]),
        column("twin.patient.status", "u1", lambda now: now.known_patients["status"]),
        column("twin.patient.zone", "i2", lambda now: now.moment.twin.patient_zone),
        column("twin.patient.rpm", "u1", lambda now: now.moment.twin.patient_rpm, 20.0),
        column("twin.patient.work", "u2", lambda now: now.known_patients["work_min"].astype(float), 10.0),
        column("twin.patient.known", "u1", lambda now: now.known_patients["known"]),
        column("twin.patient.kitted", "u1", lambda now: now.known_patients["kitted"]),
        column("twin.patient.step", "i2", lambda now: now.known_patients["step"]),
        column("twin.patient.source", "i2", lambda now: now.known_patients["source"]),
        column("twin.patient.trust", "u1", lambda now: now.moment.twin.patient_trust, 200.0),
        column("twin.robot.zone", "i2", lambda now: now.known_robots["zone"]),
        column("twin.robot.energy", "u2", lambda now: now.known_robots["energy"].astype(float), 1000.0),
        column("twin.robot.task", "i2", lambda now: now.known_robots["task"]),
        column("twin.robot.patient", "i2", lambda now: now.known_robots["patient"]),
        column("twin.robot.step", "i2", lambda now: now.known_robots["step"]),
        column("twin.robot.trust", "u2", lambda now: now.known_robots["trust"].astype(float), 10_000.0),
        column("twin.robot.judged", "i2", lambda now: now.known_robots["judged"]),
        column("twin.robot.surprise", "u2", lambda now: _judgement(now, "surprise"), 10_000.0),
        column("twin.robot.information", "u2", lambda now: _judgement(now, "information"), 10_000.0),
        column("twin.robot.judged_zone", "i2", lambda now: _judgement(now, "zone")),
        # messages of the step, and the links that carried them
        *_message_columns("up", UPLINK),
        *_message_columns("down", DOWNLINK),
        column("sent.zone", "i2", lambda now: _of_report(now, "zone")),
        column("sent.damage", "i2", lambda now: _reading(now.sent, 0, _verdicts(now, UPLINK)), 100.0),
        column("sent.smoke", "i2", lambda now: _reading(now.sent, 1, _verdicts(now, UPLINK)), 100.0),
        column("sent.sightings", "i2", lambda now: _of_report(now, "sightings")),
        column("inbox.valid", "u1", lambda now: now.inbox["valid"]),
        column("inbox.zone", "i2", lambda now: np.where(now.inbox["valid"] == 1, now.inbox["zone"], -1)),
        column("inbox.damage", "i2", lambda now: _reading(now.inbox, 0, now.inbox["valid"] - 1), 100.0),
        column("inbox.smoke", "i2", lambda now: _reading(now.inbox, 1, now.inbox["valid"] - 1), 100.0),
        column("link.pool", "i4", lambda now: now.links["pool_bits"].astype(float)),
        column("link.spent", "i4", lambda now: now.links["key_bits_spent"].astype(float)),
        column("link.qber", "u2", lambda now: now.links["qber"].astype(float), 10_000.0),
        column("link.alarm", "u1", lambda now: now.links["alarm"]),
        column("link.epoch", "i2", lambda now: now.links["epoch"]),
        column("link.flags", "u1", _link_flags),
        column("link.attacks", "i4", _attacks),
        column("link.trust", "u2", lambda now: now.info[:, ROBOT_INFO.index("link_trust")].astype(float), 10_000.0),
        # the mission
        column("clock.counts", "i4", lambda now: np.array([now.clock[name] for name in COUNTS])),
        column("clock.attacks", "i4", lambda now: np.array([_mask(now)])),
    )  # fmt: skip


def _message_columns(way: str, direction: int) -> tuple[Column, ...]:
    """What became of the messages of one direction."""

    def of(name: str) -> Callable[[Instant], Array]:
        return lambda now: np.where(_verdicts(now, direction) == NO_MESSAGE, 0, now.outcomes[direction][name])

    return (
        Column(f"{way}.verdict", "i1", 1.0, lambda now: _verdicts(now, direction)),
        Column(f"{way}.content", "u1", 1.0, of("content")),
        Column(f"{way}.age", "i2", 1.0, of("age_steps")),
        Column(f"{way}.key_bits", "i4", 1.0, of("key_bits")),
        Column(f"{way}.injected", "u1", 1.0, of("injected_rejected")),
    )


def _verdicts(now: Instant, direction: int) -> Array:
    """(L,) verdict of the genuine message, ``NO_MESSAGE`` where nothing was sent."""
    verdict = now.outcomes[direction]["verdict"].astype(int)
    robots = len(now.robots)
    verdict[:robots][now.robots["alive"] == 0] = NO_MESSAGE
    verdict[robots:][now.zones["damage"][now.gateways] == COLLAPSE] = NO_MESSAGE
    if direction == DOWNLINK:
        verdict[robots:] = NO_MESSAGE
    if now.step == 0:
        verdict[:] = NO_MESSAGE
    return verdict


def _of_report(now: Instant, name: str) -> Array:
    """(R,) a field of what the robots sent, -1 where they sent nothing."""
    return np.where(_verdicts(now, UPLINK)[: len(now.sent)] == NO_MESSAGE, -1, now.sent[name])


def _reading(heads: Array, part: int, there: Array) -> Array:
    """(R,) damage (0) or smoke (1) in the reports, NaN without a report (``there`` < 0) or a reading in it."""
    given = (there[: len(heads)] >= 0) & (heads["stands"] == 1)
    return np.where(given, heads["reading"][:, part].astype(float), np.nan)


def _believed_smoke(now: Instant) -> Array:
    """(Z,) smoke by the twin, NaN without news."""
    return np.where(np.isnan(now.moment.twin.damage), np.nan, now.moment.twin.smoke)


def _zone_step(now: Instant) -> Array:
    """(Z,) when the youngest news of each zone was written, -1 none."""
    return np.maximum(now.known_zones["sensor_step"], now.known_zones["robot_step"])


def _zone_source(now: Instant) -> Array:
    """(Z,) who brought the youngest news: a robot, -1 the fixed sensor, -2 nobody."""
    zones = now.known_zones
    by_robot = zones["robot_step"] >= zones["sensor_step"]
    source = np.where(by_robot, zones["robot_source"], -1)
    return np.where(_zone_step(now) < 0, -2, source)


def _sensor_trust(now: Instant) -> Array:
    """(Z,) trust S in the fixed sensors, as ``twin.trust.trust_score`` makes it of their evidence."""
    zones, config = now.known_zones, now.twin_config
    if not config.trust_on:
        return np.ones(len(zones))
    positive, negative = zones["positive"].astype(float), zones["negative"].astype(float)
    fade = np.exp(-(now.step - zones["evidence_step"]) / config.age_steps)
    return 0.5 + 0.5 * (positive - negative) / (positive + negative + 2.0) * fade


def _judgement(now: Instant, name: str) -> Array:
    """(R,) a field of the last judgement of each robot, NaN or -1 before the first."""
    judged = now.known_robots["judged"]
    last = now.evidence[np.arange(len(judged)), np.maximum(judged - 1, 0) % EVIDENCE_KEPT][name]
    none = np.nan if last.dtype.kind == "f" else -1
    return np.where(judged > 0, last, none)


def _link_flags(now: Instant) -> Array:
    """(L,) ``LINK_FLAGS`` as bits."""
    return np.sum([now.links[name].astype(np.int32) << bit for bit, name in enumerate(LINK_FLAGS)], axis=0)


def _mask(now: Instant) -> int:
    """Kinds of attack under way, as bits."""
    return sum(1 << ATTACK_KINDS.index(name) for name in now.moment.attacks)


def _attacks(now: Instant) -> Array:
    """(L,) kinds of attack under way on each link or in its source, as bits."""
    kinds = now.links["targets"] & _mask(now)
    kinds[: len(now.liars)] |= now.liars & _mask(now)
    return np.asarray(kinds)


def exact_numbers(episodes: Episodes, row: int) -> Array:
    """(6,) float64 of ``EXACT``."""
    clock = episodes.state.clock[row]
    spent = episodes.state.channel.links[row]["key_bits_spent"].sum(dtype=np.float64)
    values = clock["potential"], clock["e_now"], clock["e_none"], clock["e_instant"], clock["potential"] - clock["cost"]
    return np.array([*values, spent], "<f8")


COLUMNS = _columns()
__all__ = ["COLUMNS", "COUNTS", "EXACT", "LINK_FLAGS", "Column", "Instant", "exact_numbers"]
