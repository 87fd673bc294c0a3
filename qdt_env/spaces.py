"""Observation layout and action codec: the one place that knows every offset and every action number."""

from dataclasses import dataclass

import numpy as np

# Features per entity, in order. All lie in [-1, 1].
SELF_FEATURES = (
    "legged", "tracked", "aerial", "energy", "kits", "carrying", "carried_rpm", "x", "y", "storey", "damage", "smoke",
    "at_entrance", "at_depot", "at_gateway", "in_passage", "busy", "work_left", "event_done", "event_blocked",
    "event_absent", "event_no_route", "event_cannot",
)  # fmt: skip
PASSAGE_FEATURES = ("exists", "blocked", "slow", "length")
PATIENT_FEATURES = (
    "open", "known", "rpm", "survival_now", "survival_at_handover", "survival_if_left", "travel", "handover", "work",
    "claimed", "trust", "age",
)  # fmt: skip
SERVICE_FEATURES = ("possible", "travel")
TEAM_FEATURES = ("alive", "legged", "tracked", "aerial", "x", "y", "storey", "energy", "carrying")
CHANNEL_FEATURES = (
    "key_bits", "qber", "alarm", "fallback", "key_ready", "security_class", "rejected", "missing", "view_age",
    "last_delivered", "link_trust", "source_trust",
)  # fmt: skip
TIME_FEATURES = ("elapsed", "left")

# What the infos of every robot carry at every step, as floats.
ROBOT_INFO = (
    "uplink_verdict", "downlink_verdict", "uplink_content", "downlink_content", "view_age_steps", "event",
    "masked_actions", "key_bits_spent", "rejected", "forged", "missing", "no_key", "link_trust", "source_trust",
    "step", "lives_saved", "score",
)  # fmt: skip

SERVICES = ("scout", "kit", "clear", "recharge", "refresh", "wait")
SCOUT, KIT, CLEAR_NEAREST, RECHARGE_NEAREST, REFRESH_KEYS, WAIT = range(6)
MOVE_VERBS = ("give kit", "extricate", "pick up", "hand over", "take kit", "clear", "recharge", "refresh keys", "wait")
CONTINUE = 0

TRAVEL_SCALE_S = 600.0  # travel times are shown as t / (t + this), so that all are below 1
WORK_SCALE_MIN = 120.0
LENGTH_SCALE_M = 30.0
AGE_SCALE_STEPS = 60.0  # ages likewise
KEY_SCALE_BITS = 65_536.0

LAYOUT = np.dtype(
    [
        (name, "i4")
        for name in ("self", "passages", "tasks", "services", "team", "channel", "time", "size", "slots", "actions")
    ],
    align=True,
)


@dataclass(frozen=True)
class Block:
    """A named stretch of the flat observation, shape (rows, len(features))."""

    name: str
    start: int
    rows: int
    features: tuple[str, ...]

    @property
    def stop(self) -> int:
        """First offset after the block."""
        return self.start + self.rows * len(self.features)


class ObservationLayout:
    """Where everything is in the flat observation of one robot.

    ``layout.slice(observation, "tasks")`` gives the block as an array (..., rows, features) without copying;
    ``layout.feature(observation, "tasks", "trust")`` one feature of it, (..., rows).

    Attributes:
        blocks: the :class:`Block` objects by name, in order.
        size: length F of the flat observation.
        patients, slots, robots: sizes that the layout was made for.
    """

    def __init__(self, patients: int, slots: int, robots: int) -> None:
        """Lay the blocks out for ``patients`` slots, ``slots`` passages per zone and ``robots`` robots."""
        self.patients, self.slots, self.robots = patients, slots, robots
        self.blocks: dict[str, Block] = {}
        self.size = 0
        for name, rows, features in (
            ("self", 1, SELF_FEATURES),
            ("passages", slots, PASSAGE_FEATURES),
            ("tasks", patients, PATIENT_FEATURES),
            ("services", len(SERVICES), SERVICE_FEATURES),
            ("team", robots - 1, TEAM_FEATURES),
            ("channel", 1, CHANNEL_FEATURES),
            ("time", 1, TIME_FEATURES),
        ):
            self.blocks[name] = Block(name, self.size, rows, features)
            self.size = self.blocks[name].stop

    def slice(self, observation: np.ndarray, name: str) -> np.ndarray:
        """Block ``name`` of observations (..., F) as (..., rows, features), a view.

        Raises:
            KeyError: no such block; the message lists the names.
        """
        if name not in self.blocks:
            raise KeyError(f"block {name!r} does not exist: one of {', '.join(self.blocks)}")
        block = self.blocks[name]
        part = observation[..., block.start : block.stop]
        return part.reshape(*part.shape[:-1], block.rows, len(block.features))

    def feature(self, observation: np.ndarray, block: str, feature: str) -> np.ndarray:
        """One feature of a block, (..., rows), a view.

        Raises:
            KeyError: no such block or feature; the message lists the names.
        """
        features = self.blocks[block].features if block in self.blocks else ()
        part = self.slice(observation, block)
        if feature not in features:
            raise KeyError(f"feature {feature!r} does not exist in block {block!r}: one of {', '.join(features)}")
        return part[..., features.index(feature)]

    def record(self, actions: int) -> np.ndarray:
        """The offsets as one LAYOUT record for the kernels."""
        record = np.zeros(1, LAYOUT)
        for name, block in self.blocks.items():
            record[0][name] = block.start
        record[0]["size"] = self.size
        record[0]["slots"] = self.slots
        record[0]["actions"] = actions
        return record


class ActionCodec:
    """Action numbers of one control mode and what they mean.

    ``task``: 0 continue, 1..P patient slots, then scout, kit, clear, recharge, refresh, wait.
    ``move``: 0 continue, 1..D passage slots of the own zone, then the work verbs of ``MOVE_VERBS``.
    """

    def __init__(self, control: str, patients: int, slots: int) -> None:
        """Number the actions of ``control`` ("task" or "move")."""
        if control not in ("task", "move"):
            raise ValueError(f"control={control!r} is not allowed: 'task' or 'move'")
        self.control = control
        targets = patients if control == "task" else slots
        target_name = "patient" if control == "task" else "passage"
        self.names: tuple[str, ...] = (
            "continue",
            *(f"{target_name} {i}" for i in range(targets)),
            *(SERVICES if control == "task" else MOVE_VERBS),
        )
        self.first_service = 1 + targets

    @property
    def n(self) -> int:
        """Number of actions."""
        return len(self.names)

    def patient(self, slot: int) -> int:
        """Action that sends a robot to a patient slot (``task`` control).

        Raises:
            ValueError: no such slot, or another control.
        """
        if self.control != "task" or not 0 <= slot < self.first_service - 1:
            raise ValueError(f"patient slot {slot!r} does not exist under control {self.control!r}")
        return 1 + slot

    def service(self, name: str) -> int:
        """Action of a service or move verb by name.

        Raises:
            ValueError: no such name; the message lists the names.
        """
        if name not in self.names:
            raise ValueError(f"action {name!r} does not exist: one of {', '.join(self.names[self.first_service :])}")
        return self.names.index(name)

    @property
    def wait(self) -> int:
        """The action that does nothing; always allowed but within a passage (``move`` control), where the way is on."""
        return self.n - 1
