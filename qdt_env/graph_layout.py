"""The graph observation: its features, and how it stands in one vector with the flat observation."""

from collections.abc import Mapping

import numpy as np

from qdt_env.spaces import Block, ObservationLayout

# Features per zone and passage of what a robot believes, in order. All lie in [0, 1].
GRAPH_ZONE_FEATURES = ("damage", "smoke", "seen", "entrance", "depot", "here")
GRAPH_PASSAGE_FEATURES = ("blocked", "slow", "length")
_PARTS = {"zones": "zones", "ways": "passages", "edges": "edges", "patient_zones": "patient_zones"}  # block: key


class GraphLayout(ObservationLayout):
    """The flat observation with the graph behind it, so that learners and policies carry one vector.

    After the flat blocks stand ``zones`` (Z, 6), ``ways`` (E, 3), ``edges`` (E, 2; the numbers of two zones as floats,
    -1 where there is no such passage) and ``patient_zones`` (P, 1; a zone's number, -1 unknown).

    Attributes:
        zones, ways: Z and E that there is room for.
    """

    def __init__(self, flat: ObservationLayout, zones: int, passages: int) -> None:
        """Lay out the graph of ``zones`` zones and ``passages`` passages behind the blocks of ``flat``."""
        vars(self).update(vars(flat))
        self.blocks, self.zones, self.ways = dict(flat.blocks), zones, passages
        self._flat_size = flat.size
        for name, rows, features in (
            ("zones", zones, GRAPH_ZONE_FEATURES),
            ("ways", passages, GRAPH_PASSAGE_FEATURES),
            ("edges", passages, ("from", "to")),
            ("patient_zones", flat.patients, ("zone",)),
        ):
            self.blocks[name] = Block(name, self.size, rows, features)
            self.size = self.blocks[name].stop

    def join(self, seen: Mapping[str, np.ndarray], out: np.ndarray | None = None) -> np.ndarray:
        """The observations of all robots as vectors of this layout.

        Args:
            seen: ``observation`` (B, R, F), ``zones`` (B, R, Z, 6), ``passages`` (B, R, E, 3), ``edges`` (B, E, 2) and
                ``patient_zones`` (B, R, P), as ``RescueVectorEnv(observation="graph")`` shows them.
            out: what this method returned for the same buildings before, to be overwritten; None for a fresh array.

        Returns:
            (B, R, size) float32.
        """
        flat = seen["observation"]
        names = tuple(_PARTS)
        if out is None:
            out = np.empty((*flat.shape[:2], self.size), np.float32)
        else:
            names = tuple(name for name in names if name != "edges")  # a row's building stays
        out[..., : self._flat_size] = flat
        for name in names:
            part = seen[_PARTS[name]]
            part = part[:, None] if name == "edges" else part
            out[..., self.blocks[name].start : self.blocks[name].stop] = part.reshape(*part.shape[:2], -1)
        return out
