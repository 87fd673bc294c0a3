"""Words a building is described with: zone functions, passage kinds, and the error that names what is wrong."""

# Functions of the real clinic (shared/data/clinic.json), then those a larger hospital needs. Append only: the index
# of a function is stored in ``HospitalGraph.zone_kind``.
ZONE_KINDS: tuple[str, ...] = (
    "office",
    "corridor",
    "clinical",
    "storage",
    "toilet",
    "waiting",
    "entry",
    "soiled",
    "staff",
    "stair",
    "imaging",
    "exam",
    "reception",
    "electrical",
    "meeting",
    "lab",
    "plant",
    "hazmat",
    "changing",
    "clean_supply",
    "treatment",
    "mechanical",
    "outdoor",
    "elevator",
    "roof",
    "ward",
    "operating",
    "emergency",
    "intensive_care",
    "pharmacy",
)
ZONE_INDEX: dict[str, int] = {kind: index for index, kind in enumerate(ZONE_KINDS)}

PASSAGE_KINDS: tuple[str, ...] = ("door", "opening", "hall", "stair", "elevator", "elevator_door", "outdoor")
PASSAGE_INDEX: dict[str, int] = {kind: index for index, kind in enumerate(PASSAGE_KINDS)}
DOOR, OPENING, HALL, STAIR, ELEVATOR, ELEVATOR_DOOR, OUTDOOR = range(7)

OUTSIDE_KINDS: tuple[str, ...] = ("entry", "outdoor", "roof")

NO_DEPARTMENT = "none"

# A storage room holds medical supplies unless its department is one of these (compared without case): cleaning,
# plant and paper stores. "Logistics" is among them because the clinic's holds receiving, security and IT parts.
NON_MEDICAL_DEPARTMENTS: frozenset[str] = frozenset(
    {
        "",
        "administration",
        "biomedical",
        "circulation",
        "electrical",
        "housekeeping",
        "janitorial",
        "logistics",
        "mechanical",
        "none",
        "records",
    }
)


class BuildingError(ValueError):
    """A building that cannot be used; the message names the zone, passage, attribute or file at fault."""


def shorten(names: list[str], limit: int = 5) -> str:
    """The first names, quoted, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
