"""Message passing over the building as one robot believes it: codes of zones that know what lies around them.

In each round every zone hears along its passages what the zones at their other ends know, coloured by what is believed
of the passage (blocked, slow, its length). Sums over passages do not depend on how zones and passages are numbered, and
one set of weights serves any building. (The form is that of Gilmer et al. 2017.)
"""

import torch
from torch import Tensor, nn

from qdt_env.graph_layout import GRAPH_PASSAGE_FEATURES, GRAPH_ZONE_FEATURES

_HERE = GRAPH_ZONE_FEATURES.index("here")
_SILENT = -1e9  # before the rectifier: nothing is heard along a passage that is not there


class ZoneCodes(nn.Module):
    """Codes of zones after some rounds of messages along the passages, both ways."""

    def __init__(self, rounds: int, width: int) -> None:
        """``rounds`` with weights of their own, codes of length ``width``."""
        super().__init__()
        self.zone = nn.Linear(len(GRAPH_ZONE_FEATURES), width)
        self.told = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(rounds))
        self.by_way_of = nn.ModuleList(nn.Linear(len(GRAPH_PASSAGE_FEATURES), width) for _ in range(rounds))
        self.kept = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(rounds))

    def forward(self, zones: Tensor, ways: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (N, Z, W) and whether a zone is there, (N, Z) bool.

        Args:
            zones: (N, Z, 6) features of the zones.
            ways: (N, E, 3) features of the passages.
            edges: (N, E, 2) zones that they join, -1 where there is no passage.
        """
        rows, most = zones.shape[:2]
        first = (torch.arange(rows, device=zones.device) * most)[:, None]
        ends = [(first + edges[..., k].long().clamp_min(0)).flatten() for k in (0, 1)]
        absent = (edges[..., :1] < 0).flatten(0, 1)
        codes = torch.relu(self.zone(zones)).flatten(0, 1)
        for told, by_way_of, kept in zip(self.told, self.by_way_of, self.kept, strict=True):
            words = told(codes)
            tone = by_way_of(ways).flatten(0, 1).masked_fill(absent, _SILENT)
            heard = torch.zeros_like(codes)
            for speaker, listener in (ends, ends[::-1]):
                heard = heard.index_add(0, listener, torch.relu(words.index_select(0, speaker) + tone))
            codes = torch.relu(kept(torch.cat([codes, heard], -1)))
        there = codes.new_zeros(len(codes)).index_fill(0, torch.cat(ends), 1.0)  # zone 0 is in every building
        return codes.unflatten(0, (rows, most)), there.unflatten(0, (rows, most)) > 0.5


class MapReader(nn.Module):
    """What a robot's map says of its own place, of the whole building and of each patient's place."""

    def __init__(self, rounds: int, width: int) -> None:
        """Of ``rounds`` rounds of messages, in codes of length ``width``."""
        super().__init__()
        self.codes = ZoneCodes(rounds, width)

    def forward(
        self, zones: Tensor, ways: Tensor, edges: Tensor, whose: Tensor, places: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Own zone's code beside the maximum over all zones, (N, 2 W), and codes at M patients' zones, (M, W).

        Args:
            zones, ways, edges: as of :class:`ZoneCodes`.
            whose: (M,) int64, the row of each patient.
            places: (M,) zone of each patient, -1 unknown; the code is then 0.
        """
        codes, there = self.codes(zones, ways, edges)
        here = (codes * zones[..., _HERE, None]).sum(1)
        whole = (codes * there[..., None]).amax(1)
        at = codes.flatten(0, 1).index_select(0, whose * codes.shape[1] + places.long().clamp_min(0))
        return torch.cat([here, whole], -1), at * (places >= 0)[:, None]
