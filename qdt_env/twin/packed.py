"""Layout of the wire codec's rows: the packed records, the range of every field, and the fields' names for errors.

Little-endian, without padding between fields. The ranges are those that a receiver accepts; no step lies after the
message's own.
"""

import numpy as np

from qdt_env.compiled import rule

PACKED_PATIENT = np.dtype(
    [
        ("rpm", "<f4"),  # [0, 12], with 1e-3 for rounding
        ("work_min", "<f4"),  # [0, 1e6]
        ("trust", "<f4"),  # [0, 1]
        ("step", "<i2"),  # -1 .. written
        ("rpm_step", "<i2"),  # 0 .. written
        ("zone", "<i2"),  # -1 .. Z - 1
        ("changed", "<i2"),  # 0 .. written
        ("status", "i1"),  # EMPTY .. HANDED_OVER
        ("known", "i1"),  # 0/1
        ("kitted", "i1"),  # 0/1
    ]
)
PACKED_PASSAGE = np.dtype([("step", "<i2"), ("changed", "<i2"), ("condition", "i1")])  # -1 .., 0 .., OPEN .. BLOCKED
PACKED_ZONE = np.dtype(
    [("changed", "<i2"), ("damage", "i1"), ("smoke", "i1"), ("seen", "i1")]
)  # 0 .., 0..5, 0..100, 0/1
PACKED_ROBOT = np.dtype(
    [
        ("energy", "<f4"),  # [0, 1]
        ("positive", "<f4"),  # trust evidence, [0, 1e6]
        ("negative", "<f4"),  # [0, 1e6]
        ("evidence_step", "<i2"),  # 0 .. written
        ("step", "<i2"),  # 0 .. written
        ("zone", "<i2"),  # 0 .. Z - 1
        ("task", "<i2"),  # 0 .. actions - 1
        ("patient", "<i2"),  # -1 .. P - 1
    ]
)
PACKED_REPORT = np.dtype(
    [
        ("reading", "<f4", (3,)),  # damage, smoke, beds: each within +-1e6 (noise and lies leave the physical range)
        ("energy", "<f4"),  # [0, 1]
        ("zone", "<i2"),  # 0 .. Z - 1
        ("task", "<i2"),  # 0 .. actions - 1
        ("patient", "<i2"),  # -1 .. P - 1
        ("kits", "i1"),  # 0 .. 127
        ("stands", "i1"),  # 0/1
    ]
)
PACKED_SIGHTING = np.dtype(
    [
        ("rpm", "<f4"),  # [0, 12], with 1e-3 for rounding
        ("work_min", "<f4"),  # [0, 1e6]
        ("patient", "<i2"),  # 0 .. P - 1, ascending
        ("status", "i1"),  # EMPTY .. CARRIED: a robot cannot report a handover, staff does
        ("kitted", "i1"),  # 0/1
    ]
)
PACKED_READING = np.dtype([("reading", "<f4", (3,)), ("zone", "<i2"), ("present", "i1")])  # as above; as due; 0/1

VIEW_FIELDS = (
    "", "patient rpm", "patient work_min", "patient trust", "patient step", "patient rpm_step", "patient zone",
    "patient changed", "patient status", "patient known", "patient kitted", "passage step", "passage changed",
    "passage condition", "zone changed", "zone damage", "zone smoke", "zone seen", "robot energy", "robot positive",
    "robot negative", "robot evidence_step", "robot step", "robot zone", "robot task", "robot patient",
)  # fmt: skip
FIRST_OF_PASSAGES, FIRST_OF_ZONES, FIRST_OF_ROBOTS = 11, 14, 18  # their places in VIEW_FIELDS
REPORT_FIELDS = (
    "", "reading", "energy", "zone", "task", "patient", "kits", "stands", "passage condition", "sighting rpm",
    "sighting work_min", "sighting patient", "sighting status", "sighting kitted", "sighting padding",
)  # fmt: skip
READING_FIELDS = ("", "reading", "zone", "present", "padding")

RPM_SLACK = 1e-3  # an estimate may round past the end of the scale
MOST_MINUTES = 1e6
MOST_EVIDENCE = 1e6
LARGEST_READING = 1e6  # squares of it stay finite in float32


@rule
def is_rpm(x):
    """An RPM score in [0, 12], rounding apart; no NaN."""
    return np.float32(-RPM_SLACK) <= x <= np.float32(12.0 + RPM_SLACK)


@rule
def is_flag(x):
    """0 or 1."""
    return x == 0 or x == 1


@rule
def is_reading(x):
    """Finite and small enough to be squared; no NaN."""
    return np.float32(-LARGEST_READING) <= x <= np.float32(LARGEST_READING)
