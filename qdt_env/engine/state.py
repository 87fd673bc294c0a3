"""The state of B episodes: the layers' own tuples side by side, and what only the engine knows."""

from typing import NamedTuple

import numpy as np

from qdt_env.hospital.routing import Hierarchy
from qdt_env.physical.state import Site, World, empty_world
from qdt_env.security.attacks import ATTACK, N_ATTACK_KINDS
from qdt_env.security.link import LINK
from qdt_env.security.qkd.counts import COUNTS
from qdt_env.security.qkd.detection import CELLS_SHAPE
from qdt_env.security.qkd.gather import QkdTables
from qdt_env.twin.state import (
    TWIN_PASSAGE,
    TWIN_PATIENT,
    TWIN_ROBOT,
    TWIN_ZONE,
    Reports,
    Twin,
    empty_reports,
    empty_twin,
)

UPLINK, DOWNLINK = 0, 1
NO_ROOM = 1e-9  # lives: a mission in which no more could be won by instant rescue has score 0
OVERRULED = -2  # own_step of what the own eyes saw before younger news overruled it

CLOCK = np.dtype(
    [
        ("seed", "u8"),
        ("episode", "i8"),  # number of the episode under this seed, 0 .. 2^32-1
        ("potential", "f8"),  # sum of expected survival, helped minus unhelped [lives]
        ("e_none", "f8"),  # expected survivors if nobody helps, at the end of the episode once it is over
        ("e_instant", "f8"),  # expected survivors if all had been handed over at the start
        ("e_now", "f8"),  # expected survivors as things stand
        ("cost", "f8"),  # named costs so far [lives]
        ("step", "i4"),
        ("aftershocks", "i4"),
        ("listed", "i4"),  # patients in slots
        ("unlisted", "i4"),  # patients beyond the last slot
        ("dead", "i4"),  # killed at once (severity 4)
        ("lost", "i4"),  # robots lost so far
        ("decisions", "i4"),  # actions taken that set a new task
        ("stale_decisions", "i4"),  # of these, on a view older than a minute
        ("deceived_decisions", "i4"),  # of these, on a view that was forged
        ("masked_actions", "i4"),  # actions outside the mask, executed as "continue"
        ("suite", "i1"),  # index of SUITE_NAMES
        ("over", "i1"),  # 0/1
    ],
    align=True,
)
OUTCOME = np.dtype(
    [("verdict", "i1"), ("content", "i1"), ("injected_rejected", "i1"), ("age_steps", "i2"), ("key_bits", "i4")],
    align=True,
)
BELIEF_PATIENT = np.dtype(
    [
        ("rpm", "f4"),  # estimate at rpm_step
        ("work_min", "f4"),
        ("trust", "f4"),  # S of the source when the twin took it
        ("step", "i2"),  # when the news was written, -1 census only
        ("rpm_step", "i2"),
        ("own_step", "i2"),  # last seen with own eyes, -1 never, or OVERRULED
        ("zone", "i2"),  # -1 unknown
        ("status", "i1"),
        ("known", "i1"),  # 0/1: somebody saw the patient
        ("kitted", "i1"),
    ],
    align=True,
)
BELIEF_PASSAGE = np.dtype([("own_step", "i2"), ("condition", "i1")], align=True)
BELIEF_ZONE = np.dtype(
    [
        ("damage", "i1"),
        ("smoke", "i1"),  # percent
        ("seen", "i1"),  # 0/1: a robot has been there, as far as this one knows
        ("empty", "i1"),  # 0/1: a depot where this robot found no kit
    ],
    align=True,
)
MIND = np.dtype(
    [
        ("near_unseen_s", "f4"),  # travel time to the nearest zone nobody has seen, inf none
        ("near_blocked_s", "f4"),  # to the nearest passage believed blocked
        ("near_depot_s", "f4"),
        ("near_gateway_s", "f4"),
        ("masked_actions", "i4"),
        ("task", "i2"),  # action being carried out, 0 none
        ("target", "i2"),  # zone it goes to, -1 none
        ("routed_to", "i2"),  # zone that `to_target` was computed for, -1 none
        ("travelled_from", "i2"),  # zone that `travel_s` was computed for, -1 none
        ("near_unseen", "i2"),
        ("near_blocked", "i2"),  # passage
        ("near_blocked_zone", "i2"),  # its nearer side
        ("near_depot", "i2"),
        ("near_gateway", "i2"),
        ("view_step", "i2"),  # when the view acted on was written, as far as the robot can tell
        ("taken_step", "i2"),  # the step of the twin that the belief equals, own eyes apart
        ("full_view", "i1"),  # 1: the next view must be taken whole
        ("map_dirty", "i1"),  # 1: the believed map changed since the arc times were filled
        ("news", "i1"),  # 1: zones seen changed
        ("event", "i1"),  # why it asks again (physical.state)
        ("deceived", "i1"),  # 1: the view acted on is forged (ground truth, not observed)
    ],
    align=True,
)
GAME = np.dtype(
    [
        ("horizon_steps", "i4"),
        ("control", "i4"),  # 0 task, 1 move
        ("sensor_period_steps", "i4"),
        ("report_bits", "i4"),
        ("view_bits", "i4"),
        ("gateway_bits", "i4"),  # of a gateway's message, which has room for the most readings due at once
        ("own_eyes_steps", "i4"),  # own perception outranks the view this long
        ("stale_steps", "i4"),  # a view older than this makes a stale decision
        ("quantum_range_m", "f4"),  # reach of the free-space quantum channel
        ("extent_x_m", "f4"),
        ("extent_y_m", "f4"),
        ("low_x_m", "f4"),
        ("low_y_m", "f4"),
        ("storeys", "f4"),
        ("perfect", "i4"),  # 1: perfect information, beliefs are the truth (an explicit privilege)
        ("individual", "i4"),  # reward to the robot that handed over
    ],
    align=True,
)


class Channel(NamedTuple):
    """The security layer's state; links are robots 0..R-1, then gateways."""

    links: np.ndarray  # (B, R+G) LINK
    blocks: np.ndarray  # (B, R+G, 1+S) COUNTS: detections being gathered into a block, then the last S blocks
    cells: np.ndarray  # (B, 2, 3, 2) float64 scratch: probabilities of detections
    outcomes: np.ndarray  # (B, 2, R+G) OUTCOME of the last step, by direction
    attacks: np.ndarray  # (B, kinds) ATTACK
    liars: np.ndarray  # (B, R) int32 bit mask of insider kinds on each robot


class Belief(NamedTuple):
    """What each robot knows: its last accepted view, merged with what it saw itself."""

    patients: np.ndarray  # (B, R, P) BELIEF_PATIENT
    passages: np.ndarray  # (B, R, E) BELIEF_PASSAGE
    zones: np.ndarray  # (B, R, Z) BELIEF_ZONE
    team: np.ndarray  # (B, R, R) TWIN_ROBOT as delivered
    minds: np.ndarray  # (B, R) MIND
    arc_s: np.ndarray  # (B, R, M) float32 arc times of the believed map
    travel_s: np.ndarray  # (B, R, Z) float32 from the robot's zone
    exit_s: np.ndarray  # (B, R, Z) float32 to the nearest entrance
    to_target_s: np.ndarray  # (B, R, Z) float32 to the zone `routed_to`
    crossing_s: np.ndarray  # (B, E) float32 to cross each passage by the map that was filled last (scratch)


class History(NamedTuple):
    """Messages of the last H steps, which delaying and replaying attackers draw on (H = 1 without them).

    Views have one slot more, the last: the one that arrives in place of the twin's, as attackers or the wire made it.
    """

    patients: np.ndarray  # (B, H+1, P) TWIN_PATIENT
    passages: np.ndarray  # (B, H+1, E) TWIN_PASSAGE
    zones: np.ndarray  # (B, H+1, Z) TWIN_ZONE
    robots: np.ndarray  # (B, H+1, R) TWIN_ROBOT
    reports: Reports  # (B, H*R): report of robot r at slot h is row h*R + r
    readings: np.ndarray  # (B, H, Z, 3) float32


class State(NamedTuple):
    """Everything that changes."""

    clock: np.ndarray  # (B,) CLOCK
    world: World
    reports: Reports  # (B, R) as sent
    inbox: Reports  # (B, R) as they arrived at the twin
    readings: np.ndarray  # (B, Z, 3) float32 last readings of the fixed sensors (damage, smoke, beds), NaN: dead
    inbox_readings: np.ndarray  # (B, Z, 3) float32 as they arrived at the twin
    twin: Twin
    channel: Channel
    belief: Belief
    history: History


class Setup(NamedTuple):
    """Everything that does not: parameters and the building."""

    game: np.ndarray  # (1,) GAME
    physical: np.ndarray  # (1,) PhysicalConfig record
    twin: np.ndarray  # (1,) TwinConfig record
    channel: np.ndarray  # (1,) CHANNEL
    suites: np.ndarray  # (7,) SUITE
    qkd: QkdTables
    site: Site
    rota_zones: np.ndarray  # (Z,) int32 zones by gateway and by the step of the period at which their sensors report
    rota_turns: np.ndarray  # (G*period+1,) int32 where in `rota_zones` the turn g*period + step % period begins
    hierarchy: Hierarchy
    crossing_s: np.ndarray  # (kinds, conditions, E) float32 that a robot kind expects a passage to take
    outlook: np.ndarray  # (49, 361) float32 survival by RPM (quarters) and minutes ahead
    layout: np.ndarray  # (1,) LAYOUT offsets of the observation


class Output(NamedTuple):
    """What a step hands out, overwritten by the next."""

    observation: np.ndarray  # (B, R, F) float32
    mask: np.ndarray  # (B, R, A) int8
    info: np.ndarray  # (B, R, len(ROBOT_INFO)) float32
    reward: np.ndarray  # (B, R) float32
    terminated: np.ndarray  # (B, R) int8
    truncated: np.ndarray  # (B,) int8


def empty_state(episodes: int, setup: Setup, patients: int, history: int, blocks: int = 1) -> State:
    """A zeroed state.

    Args:
        episodes: rows B.
        setup: what is played.
        patients: slots P.
        history: steps that attackers can look back, >= 1.
        blocks: closed key blocks that each link remembers, >= 1.
    """
    zones, passages = setup.site.zones.size, setup.site.passages.size
    robots, slots = setup.site.team.size, setup.site.neighbours.shape[1]
    links = robots + setup.site.gateways.size
    arcs = setup.hierarchy.arc_zone.size
    return State(
        clock=np.zeros(episodes, CLOCK),
        world=empty_world(episodes, zones, passages, patients, robots),
        reports=empty_reports(episodes, robots, slots),
        inbox=empty_reports(episodes, robots, slots),
        readings=np.zeros((episodes, zones, 3), np.float32),
        inbox_readings=np.zeros((episodes, zones, 3), np.float32),
        twin=empty_twin(episodes, zones, passages, patients, robots),
        channel=Channel(
            links=np.zeros((episodes, links), LINK),
            blocks=np.zeros((episodes, links, 1 + blocks), COUNTS),
            cells=np.zeros((episodes, *CELLS_SHAPE)),
            outcomes=np.zeros((episodes, 2, links), OUTCOME),
            attacks=np.zeros((episodes, N_ATTACK_KINDS), ATTACK),
            liars=np.zeros((episodes, robots), np.int32),
        ),
        belief=Belief(
            patients=np.zeros((episodes, robots, patients), BELIEF_PATIENT),
            passages=np.zeros((episodes, robots, passages), BELIEF_PASSAGE),
            zones=np.zeros((episodes, robots, zones), BELIEF_ZONE),
            team=np.zeros((episodes, robots, robots), TWIN_ROBOT),
            minds=np.zeros((episodes, robots), MIND),
            arc_s=np.zeros((episodes, robots, arcs), np.float32),
            travel_s=np.zeros((episodes, robots, zones), np.float32),
            exit_s=np.zeros((episodes, robots, zones), np.float32),
            to_target_s=np.zeros((episodes, robots, zones), np.float32),
            crossing_s=np.zeros((episodes, passages), np.float32),
        ),
        history=History(
            patients=np.zeros((episodes, history + 1, patients), TWIN_PATIENT),
            passages=np.zeros((episodes, history + 1, passages), TWIN_PASSAGE),
            zones=np.zeros((episodes, history + 1, zones), TWIN_ZONE),
            robots=np.zeros((episodes, history + 1, robots), TWIN_ROBOT),
            reports=empty_reports(episodes, history * robots, slots),
            readings=np.zeros((episodes, history, zones, 3), np.float32),
        ),
    )
