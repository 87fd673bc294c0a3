"""What is true: the records of the physical layer, one array per kind of thing, episode axis first."""

from typing import NamedTuple

import numpy as np

# damage states (Hazus) and passage conditions
NONE, SLIGHT, MODERATE, EXTENSIVE, COMPLETE, COLLAPSE = range(6)
DAMAGE_STATES = ("None", "Slight", "Moderate", "Extensive", "Complete", "Collapse")
OPEN, SLOW, BLOCKED = range(3)
PASSAGE_CONDITIONS = ("open", "slow", "blocked")

# patient status
EMPTY, TRAPPED, FREE, CARRIED, HANDED_OVER = range(5)
PATIENT_STATUS = ("empty", "trapped", "free", "carried", "handed over")

# robot kinds, and what makes a robot stop and ask again
LEGGED, TRACKED, AERIAL = range(3)
ROBOT_KINDS = ("legged", "tracked", "aerial")
NO_EVENT, DONE, MET_BLOCKED, PATIENT_ABSENT, NO_ROUTE, CANNOT = range(6)
ROBOT_EVENTS = ("none", "done", "blocked passage", "patient absent", "no route", "cannot")

# what a robot sets out to do in a step (the order that control gives to the physical layer)
STAY, GO, EXTRICATE, GIVE_KIT, PICK_UP, HAND_OVER, TAKE_KIT, CLEAR, RECHARGE, REFRESH = range(10)
VERBS = ("stay", "go", "extricate", "give kit", "pick up", "hand over", "take kit", "clear", "recharge", "refresh keys")

SITE_ZONE = np.dtype(
    [
        ("x_m", "f4"),
        ("y_m", "f4"),
        ("z_m", "f4"),
        ("area_m2", "f4"),
        ("fibre_db", "f4"),  # loss of the server's fibre to the gateway placed here [dB]
        ("gateway", "i2"),  # index of the gateway serving this zone
        ("storey", "i2"),
        ("kind", "i1"),
        ("indoor", "i1"),  # 0/1; only indoor zones are damaged and occupied
        ("entrance", "i1"),  # 0/1
        ("depot", "i1"),  # 0/1
    ],
    align=True,
)
SITE_PASSAGE = np.dtype(
    [
        ("length_m", "f4"),
        ("exchange_per_s", "f4"),  # smoke exchange while not blocked [1/s]
        ("a", "i2"),
        ("b", "i2"),
        ("kind", "i1"),
    ],
    align=True,
)
ZONE = np.dtype(
    [
        ("demand", "f4"),  # standard normal log-demand of the shaking here
        ("smoke", "f4"),  # concentration [0, 1]
        ("inflow", "f4"),  # scratch of the smoke sweep [0, 1]
        ("occupants", "i2"),  # patients physically here and not handed over
        ("kits", "i2"),  # stock of a depot
        ("damage", "i1"),  # NONE..COLLAPSE
        ("burning", "i1"),  # 0/1
        ("sensor_alive", "i1"),  # 0/1
    ],
    align=True,
)
PASSAGE = np.dtype(
    [
        ("draw", "f4"),  # uniform [0, 1): which condition a damage state makes of it
        ("clear_min", "f4"),  # robot-minutes of clearing left
        ("condition", "i1"),  # OPEN, SLOW, BLOCKED
        ("cleared_at", "i1"),  # damage state at which it was last cleared, -1 never
    ],
    align=True,
)
PATIENT = np.dtype(
    [
        ("pace", "f4"),  # the patient's own clock rate m, log-normal, about 1
        ("clock_min", "f4"),  # age on the Delphi table [min]
        ("clock_none_min", "f4"),  # the same had nobody helped [min]
        ("work_min", "f4"),  # extrication left [robot-min]
        ("expected", "f4"),  # survival at the horizon without further help [0, 1]
        ("expected_none", "f4"),  # the same had nobody ever helped [0, 1]
        ("rpm_handover", "f4"),  # RPM when handed over, -1 before
        ("zone", "i2"),
        ("home", "i2"),  # zone at the start
        ("census", "i2"),  # zone by the bed census
        ("carrier", "i2"),  # robot, -1 none
        ("kit_until", "i2"),  # step until which a kit works
        ("found_step", "i2"),  # first seen by a robot, -1 never
        ("treated_step", "i2"),  # first kit, extrication work or pick-up, -1 never
        ("handover_step", "i2"),  # -1 never
        ("rpm0", "i1"),  # RPM at the shock, 3..12
        ("status", "i1"),  # EMPTY..HANDED_OVER
        ("trapped_none", "i1"),  # 0/1: trapped had nobody helped
        ("kitted", "i1"),  # 0/1: got a kit
        ("changed", "i1"),  # 0/1: something happened that the projections do not know yet
        ("diggers", "i1"),  # robots extricating in this step
        ("red", "i1"),  # 0/1: triage class at the start of the mission
    ],
    align=True,
)
ROBOT = np.dtype(
    [
        ("energy", "f4"),  # battery [0, 1]
        ("progress_m", "f4"),  # metres into the passage being crossed
        ("used", "f4"),  # battery used so far, in full charges
        ("zone", "i2"),
        ("next_zone", "i2"),  # end of the passage being crossed, -1 none
        ("passage", "i2"),  # passage being crossed, -1 none
        ("patient", "i2"),  # carried, -1 none
        ("met_passage", "i2"),  # passage found blocked in this step, -1 none
        ("kind", "i1"),
        ("alive", "i1"),  # 0/1
        ("kits", "i1"),
        ("event", "i1"),  # NO_EVENT.. : why it asks again
    ],
    align=True,
)
ORDER = np.dtype(
    [
        ("patient", "i2"),
        ("passage", "i2"),
        ("hops", "i1"),  # valid entries of the route
        ("verb", "i1"),  # STAY..REFRESH
    ],
    align=True,
)
ROUTE_HOPS = 6  # zones that a robot can cross in one step at most


class Site(NamedTuple):
    """The building as the kernels read it; shared by all episodes, never written."""

    zones: np.ndarray  # (Z,) SITE_ZONE
    passages: np.ndarray  # (E,) SITE_PASSAGE
    neighbours: np.ndarray  # (Z, D) int32 zone, -1 padded
    neighbour_passages: np.ndarray  # (Z, D) int32 passage, -1 padded
    entrances: np.ndarray  # (N,) int32 zone
    depots: np.ndarray  # (M,) int32 zone
    gateways: np.ndarray  # (G,) int32 zone
    field: np.ndarray  # (Z, Z) float32 lower Cholesky factor of the demand field's correlation
    team: np.ndarray  # (R,) int32 robot kinds


class World(NamedTuple):
    """The physical layer's state, B episodes."""

    zones: np.ndarray  # (B, Z) ZONE
    passages: np.ndarray  # (B, E) PASSAGE
    patients: np.ndarray  # (B, P) PATIENT
    robots: np.ndarray  # (B, R) ROBOT
    orders: np.ndarray  # (B, R) ORDER
    routes: np.ndarray  # (B, R, ROUTE_HOPS) int32 passages to take, in order


def empty_world(episodes: int, zones: int, passages: int, patients: int, robots: int) -> World:
    """A zeroed world of the given sizes."""
    return World(
        zones=np.zeros((episodes, zones), ZONE),
        passages=np.zeros((episodes, passages), PASSAGE),
        patients=np.zeros((episodes, patients), PATIENT),
        robots=np.zeros((episodes, robots), ROBOT),
        orders=np.zeros((episodes, robots), ORDER),
        routes=np.zeros((episodes, robots, ROUTE_HOPS), np.int32),
    )
