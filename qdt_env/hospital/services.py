"""What a zone is for in a rescue: where patients are handed over, where kits lie, which gateway serves whom."""

from typing import Any

import numpy as np

from qdt_env.hospital.reading import ZoneColumns
from qdt_env.hospital.vocabulary import (
    NO_DEPARTMENT,
    NON_MEDICAL_DEPARTMENTS,
    OUTSIDE_KINDS,
    ZONE_INDEX,
    ZONE_KINDS,
    BuildingError,
)

Array = np.ndarray[Any, Any]


def is_indoor(zone_kind: Array) -> Array:
    """(Z,) bool: False for entry, outdoor and roof zones."""
    return ~np.isin(zone_kind, [ZONE_INDEX[kind] for kind in OUTSIDE_KINDS])


def find_entrances(zone_kind: Array) -> Array:
    """Zone indices of the entrances, (N,) int32.

    Raises:
        BuildingError: There is none, so no patient could be handed over.
    """
    entrances = np.flatnonzero(zone_kind == ZONE_INDEX["entry"]).astype(np.int32)
    if entrances.size == 0:
        raise BuildingError("the building has no entrance: at least one zone must have function 'entry'")
    return entrances


def find_depots(zones: ZoneColumns) -> Array:
    """Zone indices of the supply rooms, (N,) int32, possibly none.

    A supply room is a clean supply room or pharmacy by function, or a storage room whose department is medical (see
    ``NON_MEDICAL_DEPARTMENTS``) or whose name begins with "pharm".
    """
    return np.array([row for row in range(len(zones.zone_id)) if _is_depot(zones, row)], np.int32)


def _is_depot(zones: ZoneColumns, row: int) -> bool:
    """Whether kits lie in this zone."""
    function = ZONE_KINDS[zones.zone_kind[row]]
    if function in ("clean_supply", "pharmacy"):
        return True
    by_name = zones.zone_name[row].casefold().startswith("pharm")
    by_department = zones.department[row].casefold() not in NON_MEDICAL_DEPARTMENTS
    return function == "storage" and (by_name or by_department)


def place_gateways(zones: ZoneColumns, indoor: Array) -> tuple[Array, Array]:
    """One key-exchange gateway per storey and department.

    It stands in the group's indoor zone nearest to the group's centroid. Zones outdoors or without a department take
    the nearest gateway of their storey; where a storey has none (a roof), the nearest of the building.

    Args:
        zones: the zone columns.
        indoor: (Z,) bool.

    Returns:
        ``gateways`` (G,) int32 zone indices in order of storey and department name, and ``zone_gateway`` (Z,) int32
        indices into it.

    Raises:
        BuildingError: No zone is indoors.
    """
    if not indoor.any():
        raise BuildingError("the building has no indoor zone: every zone has function entry, outdoor or roof")
    position = zones.position_m.astype(np.float64)
    groups = _gateway_groups(zones, indoor)
    gateways = np.empty(len(groups), np.int32)
    zone_gateway = np.full(len(zones.zone_id), -1, np.int32)
    for index, group in enumerate(sorted(groups)):
        members = np.array(groups[group])
        offset = position[members] - position[members].mean(axis=0)
        gateways[index] = members[np.argmin(np.einsum("ij,ij->i", offset, offset))]
        zone_gateway[members] = index
    for zone in np.flatnonzero(zone_gateway < 0):
        offset = position[gateways] - position[zone]
        squared = np.einsum("ij,ij->i", offset, offset)
        same_storey = zones.storey[gateways] == zones.storey[zone]
        zone_gateway[zone] = np.argmin(np.where(same_storey, squared, np.inf) if same_storey.any() else squared)
    return gateways, zone_gateway


def _gateway_groups(zones: ZoneColumns, indoor: Array) -> dict[tuple[int, str], list[int]]:
    """Indoor zones by (storey, department); a storey whose zones name no department is one group."""
    groups: dict[tuple[int, str], list[int]] = {}
    unnamed: dict[int, list[int]] = {}
    for row in np.flatnonzero(indoor).tolist():
        storey, department = int(zones.storey[row]), zones.department[row]
        if department.casefold() == NO_DEPARTMENT:
            unnamed.setdefault(storey, []).append(row)
        else:
            groups.setdefault((storey, department), []).append(row)
    served = {storey for storey, _ in groups}
    for storey, members in unnamed.items():
        if storey not in served:
            groups[(storey, NO_DEPARTMENT)] = members
    return groups
