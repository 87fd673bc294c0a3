"""Policies over named blocks of entities: one set of weights for any number of robots, patients and zones.

A robot's observation is cut into the blocks of ``qdt_env.spaces.ObservationLayout``. Patients and team mates are read
by one small network each and compared by attention from the robot's own point of view; every patient's action gets its
logit from that patient's own code. Reordering patients therefore reorders their logits and changes nothing else, and
what was learned on a ward can be asked on a hospital.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.blocks import cut, hide
from agents.entities import Present, attend, score
from agents.graph_networks import MapReader
from agents.sight import ALONG, own_size, patient_size, read
from qdt_env.records import require
from qdt_env.spaces import SERVICES, TEAM_FEATURES, ObservationLayout

_FORBIDDEN = -1e9  # logit of a masked action: its probability is 0 in float32


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of a policy.

    Attributes:
        width: length of an entity's code.
        hidden: length of the robot's own code.
        memory: a GRU over the robot's own decisions.
        commits: robots decide only when they are free; a busy one goes on with its task.
        patience: steps after which a robot that chose to wait is asked again.
        in_turn: robots that decide in the same step do so one after the other and see what those before them chose.
        reconsiders: a robot whose patient turns out to need longer than it thought decides anew
            (``agents.second_thoughts``), though it commits; choosing the same patient again goes on.
        recharges: a robot whose battery is low goes for a fresh one without being asked (``agents.recharging``).
        without: blocks, or "block.feature", that are hidden from the policy (for ablations).
        graph: rounds of messages over the building as the robot believes it (``agents.graph_networks``); 0: the flat
            observation alone. More than 0 takes observations of a ``qdt_env.graph_layout.GraphLayout``.
    """

    width: int = 32
    hidden: int = 64
    memory: bool = False
    commits: bool = True
    patience: int = 6
    in_turn: bool = True
    reconsiders: bool = True
    recharges: bool = True
    without: tuple[str, ...] = ()
    graph: int = 0

    def __post_init__(self) -> None:
        """Reject impossible sizes.

        Raises:
            ValueError: a size or patience below 1, or fewer rounds than none.
        """
        require(self.width >= 1, "width", self.width, "1 or more")
        require(self.hidden >= 1, "hidden", self.hidden, "1 or more")
        require(self.patience >= 1, "patience", self.patience, "1 or more steps")
        require(self.graph >= 0, "graph", self.graph, "0 or more rounds")


class EntityPool(nn.Module):
    """A group of entities from a robot's point of view: attention and maximum over those that are there."""

    def __init__(self, features: int, ego: int, width: int) -> None:
        """Entities of ``features`` numbers, seen by an ego code of length ``ego``, get codes of length ``width``."""
        super().__init__()
        self.own, self.seen_by = nn.Linear(features, width), nn.Linear(ego, width, bias=False)
        self.query = nn.Linear(ego, width, bias=False)

    def forward(self, entities: Tensor, first: Tensor, ego: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Codes (M, W) and pools (N, W) twice, of entities (M, features) that begin at ``first``; ego (N, ego)."""
        return attend(self.own(entities), self.seen_by(ego), self.query(ego), first)


class Eyes(nn.Module):
    """A robot's observation as its own code, its patients' codes and the code of the whole situation."""

    def __init__(self, config: NetworkConfig, advised: bool) -> None:
        """For observations with an ``advice`` block or without."""
        super().__init__()
        self.config, self.advised = config, advised
        hidden, width = config.hidden, config.width
        mapped = width if config.graph else 0
        self.ego = nn.Linear(own_size(advised) + 2 * mapped, hidden)
        self.team = EntityPool(len(TEAM_FEATURES), hidden, width)
        self.tasks = EntityPool(patient_size(advised) + mapped, hidden, width)
        self.core = nn.Linear(hidden + 4 * width, hidden)
        self.map = MapReader(config.graph, width) if config.graph else None

    def forward(self, layout: ObservationLayout, observation: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Present]:
        """Code of the situation (N, H), codes (M, W) of the open patients, and whose they are.

        Args:
            layout: of the observations.
            observation: (N, F) float32.
            chosen: (N, P) float32, how many robots before this one chose the patient in this very step.
        """
        observation = hide(layout, observation, self.config.without)
        seen = read(layout, observation, chosen, self.advised)
        own, patients = seen.own, seen.patients
        if self.map is not None:
            drawn = [cut(layout, observation, name) for name in ("zones", "ways", "edges")]
            places = seen.open.of(cut(layout, observation, "patient_zones")[..., 0])
            around, at = self.map(*drawn, seen.open.row, places)
            own = torch.cat([own[:, :-ALONG], around, own[:, -ALONG:]], -1)
            patients = torch.cat([patients, at], -1)
        ego = torch.relu(self.ego(own))
        _, *team = self.team(seen.mates, seen.mates_first, ego)
        codes, *waiting = self.tasks(patients, seen.open.first, ego)
        return torch.relu(self.core(torch.cat([ego, *team, *waiting], -1))), codes, seen.open


class TeamPolicy(nn.Module):
    """Logits of every action of a robot, shared by all robots; their kind is part of what they observe."""

    def __init__(self, config: NetworkConfig | None = None, advised: bool = False) -> None:
        """A fresh policy; weights are drawn from torch's generator."""
        super().__init__()
        self.config, self.advised = config or NetworkConfig(), advised
        hidden, width = self.config.hidden, self.config.width
        self.eyes = Eyes(self.config, advised)
        self.memory = nn.GRUCell(hidden, hidden) if self.config.memory else None
        # What is remembered changes little at first, too little to bend a rectifier differently for two patients. An
        # inner product with their codes lets it say which of them; without, a cue is learned rarely and by luck.
        self.recall = nn.Linear(hidden, width) if self.config.memory else None
        self.patient_code, self.patient_seen_by = nn.Linear(width, width), nn.Linear(hidden, width)
        self.patient = nn.Linear(width, 1, bias=False)
        self.others = nn.Linear(hidden, 1 + len(SERVICES))
        for last in (self.patient, self.others):
            nn.init.orthogonal_(last.weight, 0.01)  # a fresh policy is close to uniform over what is allowed

    def logits(self, core: Tensor, codes: Tensor, open_: Present, mask: Tensor) -> Tensor:
        """(N, A) logits, ``_FORBIDDEN`` where ``mask`` (N, A) is 0, of codes (N, H) and (M, W) of the open patients."""
        worth = score(self.patient_code(codes), self.patient_seen_by(core), self.patient.weight[0], open_.first)
        if self.recall is not None:
            worth = worth + (codes * self.recall(core).index_select(0, open_.row)).sum(-1)
        each = core.new_zeros(len(core), mask.shape[1] - 1 - len(SERVICES)).index_put((open_.row, open_.slot), worth)
        others = self.others(core)
        return torch.cat([others[:, :1], each, others[:, 1:]], -1).masked_fill(mask == 0, _FORBIDDEN)

    def forward(
        self, layout: ObservationLayout, observation: Tensor, mask: Tensor, chosen: Tensor, remembered: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, A) and what to remember (N, H).

        Args:
            layout: of the observations.
            observation: (N, F) float32.
            mask: (N, A) int8.
            chosen: (N, P) float32, see :class:`Eyes`.
            remembered: (N, H) of the robots' last decisions, zeros at first; not read without memory.
        """
        core, codes, open_ = self.eyes(layout, observation, chosen)
        if self.memory is not None:
            core = remembered = self.memory(core, remembered)
        return self.logits(core, codes, open_, mask), remembered

    def replay(
        self,
        layout: ObservationLayout,
        observation: Tensor,
        mask: Tensor,
        chosen: Tensor,
        sequences: Tensor,
    ) -> Tensor:
        """Logits (N, A) of decisions as they were made, memory unrolled along each robot's own ones.

        Args:
            layout, observation, mask, chosen: as of :meth:`forward`.
            sequences: (Q, L) int64, each robot's decisions in order, -1 after the last; not read without memory.
        """
        core, codes, open_ = self.eyes(layout, observation, chosen)
        if self.memory is not None:
            remembered, parts, places = core.new_zeros(len(sequences), core.shape[1]), [], []
            for column in sequences.T:
                there = column >= 0
                remembered = remembered[: int(there.sum())]  # longest sequences first
                remembered = self.memory(core[column[there]], remembered)
                parts.append(remembered)
                places.append(column[there])
            core = torch.zeros_like(core).index_copy(0, torch.cat(places), torch.cat(parts))
        return self.logits(core, codes, open_, mask)
