"""Who is evaluated: a policy, an advisor, and what is changed for it alone, such as another suite for an ablation."""

import hashlib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from agents.hiding import hidden_columns
from agents.planning import make_planner
from agents.policies import SUFFIX, policy_file
from agents.policy import Policy
from qdt_env.engine.episodes import GameConfig
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig
from qdt_env.spaces import ActionCodec, ObservationLayout
from training.rollout import NO_ADVISOR, advisor_names, fitting_policy

HIDE = "hide"
CHANGES = ("suite", "threats", "channel", "trust", HIDE)  # what an entry may have otherwise than the others
_SWITCH = {"on": True, "off": False}


@dataclass(frozen=True)
class Entry:
    """One line of an evaluation.

    Attributes:
        policy: a name that ``run_missions`` takes, or the path of a checkpoint.
        advisor: one of ``training.rollout.advisor_names``.
        changes: (what, to what) of :data:`CHANGES`, for this entry alone: suite, threats and channel by name, trust
            "on" or "off" (off: the twin counts every source fully), hide with blocks, "block.feature" or groups of
            ``agents.hiding``, joined by "+", that the policy does not see.
    """

    policy: str
    advisor: str = NO_ADVISOR
    changes: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """As :func:`parse_entry` reads it: "gain+exact@suite=psk"."""
        changes = ",".join(f"{what}={value}" for what, value in self.changes)
        advised = "" if self.advisor == NO_ADVISOR else f"+{self.advisor}"
        return self.policy + advised + (f"@{changes}" if changes else "")

    @property
    def hidden(self) -> tuple[str, ...]:
        """What the policy does not see, for :func:`agents.hiding.hidden_columns`."""
        named = dict(self.changes).get(HIDE)
        return tuple(named.split("+")) if named else ()

    @property
    def label(self) -> str:
        """For tables and figures: of a checkpoint's path only the file and its folder."""
        path = Path(self.policy)
        short = "/".join([*path.parts[-2:-1], path.stem]) if path.suffix == SUFFIX else self.policy
        return short + self.name[len(self.policy) :]


def checkpoint_digest(policy: str) -> str:
    """SHA-256 (hex) of the trained policy's file, "" for a hand-written policy or a file that is not there."""
    path = policy_file(policy)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else ""


def parse_entry(text: str) -> Entry:
    """Read "policy", "policy+advisor", either with "@suite=...,threats=...,channel=...,trust=off,hide=..." behind it.

    Raises:
        ValueError: an unknown advisor or change. Whether there is such a policy, :func:`check_entry` finds out.
    """
    player, at, changes = text.rpartition("@")
    if not at or "=" not in changes:
        player, changes = text, ""
    policy, plus, advisor = player.rpartition("+")
    if not plus or (player.endswith(SUFFIX) and advisor not in advisor_names()):
        policy, advisor = player, NO_ADVISOR
    require(bool(policy), "policy", text, "a name, POLICY+ADVISOR, or either with @CHANGE=VALUE behind it")
    require(advisor in advisor_names(), "advisor", advisor, f"one of {', '.join(advisor_names())}")
    return Entry(policy, advisor, tuple(_change(text, part) for part in changes.split(",")) if changes else ())


def _change(text: str, part: str) -> tuple[str, str]:
    """One "what=value"."""
    what, equals, value = part.partition("=")
    require(bool(equals) and what in CHANGES, "policy", text, f"behind @ one or more of {', '.join(CHANGES)}, as X=Y")
    require(what != "trust" or value in _SWITCH, "trust", value, "on or off")
    return what, value


def applied(entry: Entry, scenario: ScenarioConfig, game: GameConfig) -> tuple[ScenarioConfig, GameConfig]:
    """Scenario and game with the entry's changes.

    Raises:
        ValueError: an unknown suite, threat or channel.
    """
    changes: dict[str, Any] = {what: value for what, value in entry.changes if what != HIDE}
    if "trust" in changes:
        scenario = replace(scenario, twin=replace(scenario.twin, trust_on=_SWITCH[changes.pop("trust")]))
    return scenario, replace(game, **changes)


def made_policy(entry: Entry, scenario: ScenarioConfig, game: GameConfig) -> tuple[Policy, ObservationLayout]:
    """The entry's policy, without its advisor, and the layout of what it observes.

    Raises:
        ValueError: no such policy, one that cannot play this game, or no such feature to hide from it.
    """
    _, game = applied(entry, scenario, game)
    slots, passages = scenario.patient_slots, scenario.building.max_degree
    plain = ObservationLayout(slots, passages, len(scenario.team))
    codec = ActionCodec(game.control, slots, passages)
    policy, layout = fitting_policy(entry.policy, plain, scenario.building, codec, entry.advisor != NO_ADVISOR)
    hidden_columns(layout, entry.hidden)
    return policy, layout


def check_entry(entry: Entry, scenario: ScenarioConfig, game: GameConfig) -> None:
    """Find out before hours of play whether policy and advisor are there and can play this game together.

    Raises:
        ValueError: naming what was given and what is allowed.
    """
    made_policy(entry, scenario, game)
    alone = entry.advisor == NO_ADVISOR
    _, game = applied(entry, scenario, game)
    require(alone or entry.policy != "wait", "advisor", entry.advisor, "'none' with policy 'wait'")
    require(alone or game.control == "task", "control", game.control, "'task' for a policy that follows advice")
    if not alone:
        make_planner(entry.advisor)  # its package may not be installed


def scenario_digest(scenario: ScenarioConfig) -> str:
    """SHA-256 (hex) over the building and every parameter but the name."""
    kept = [field.name for field in fields(scenario) if field.name not in ("name", "building")]
    text = "\n".join([scenario.building.digest(), *(f"{name}={getattr(scenario, name)!r}" for name in kept)])
    return hashlib.sha256(text.encode()).hexdigest()
