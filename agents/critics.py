"""Critics: what the rest of a mission is worth, to a robot by what it observes, to the team by the truth."""

import torch
from torch import Tensor, nn

from agents.entities import present, score
from agents.networks import Eyes, NetworkConfig
from qdt_env.spaces import ObservationLayout


def _begin_at_zero(*layers: nn.Linear) -> None:
    """A fresh critic says 0: what it said at random would be bootstrapped from, and set the scale of all returns."""
    for layer in layers:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


class ObservingCritic(nn.Module):
    """Value of what one robot observes (IPPO)."""

    def __init__(self, config: NetworkConfig | None = None, advised: bool = False) -> None:
        """A fresh critic."""
        super().__init__()
        config = config or NetworkConfig()
        self.eyes = Eyes(config, advised)
        self.value = nn.Linear(config.hidden, 1)
        _begin_at_zero(self.value)

    def forward(self, layout: ObservationLayout, observation: Tensor) -> Tensor:
        """(N,) values of observations (N, F)."""
        core, _, _ = self.eyes(layout, observation, observation.new_zeros(len(observation), layout.patients))
        return self.value(core)[:, 0]


class CentralCritic(nn.Module):
    """Value for the whole team (MAPPO): of the true state, and of what the deciding robot was told of it.

    The truth alone does not tell a team that knows where to go from one that does not: whoever scouts changes nothing
    but what is known. Yu et al. 2022 call the two together an agent-specific global state. Only training reads it;
    nothing leads from it to a policy's action.
    """

    def __init__(self, config: NetworkConfig | None = None, advised: bool = False) -> None:
        """A fresh critic."""
        super().__init__()
        self.truth, self.known = TruthCritic(config), ObservingCritic(config, advised)

    def forward(self, sizes: tuple[int, int, int, int], layout: ObservationLayout, context: Tensor) -> Tensor:
        """(N,) values of contexts (N, S + F), true states followed by observations; see :class:`TruthCritic`."""
        state, observation = context[:, : -layout.size], context[:, -layout.size :]
        return self.truth(sizes, state) + self.known(layout, observation)


class TruthCritic(nn.Module):
    """Value of the true state: sums over patients, robots, zones and passages."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        """A fresh critic."""
        super().__init__()
        config = config or NetworkConfig()
        width, hidden = config.width, config.hidden
        self.zone, self.robot = nn.Linear(3, width), nn.Linear(9, width)
        self.context = nn.Linear(3 * width + 2, hidden)
        self.patient, self.patient_seen_by = nn.Linear(8, width), nn.Linear(hidden, width)
        self.patient_value, self.value = nn.Linear(width, 1), nn.Linear(hidden, 1)
        _begin_at_zero(self.patient_value, self.value)

    def forward(self, sizes: tuple[int, int, int, int], state: Tensor) -> Tensor:
        """(N,) values.

        Args:
            sizes: zones, passages, patients and robots that the state has room for.
            state: (N, S) float32, see ``qdt_env.engine.privileged``.
        """
        zones, passages, patients, robots = sizes
        parts = torch.split(state, [3 * zones, passages, 8 * patients, 9 * robots, 1], 1)
        zone = torch.relu(self.zone(parts[0].reshape(-1, zones, 3))).mean(1)
        team = torch.relu(self.robot(parts[3].reshape(-1, robots, 9)))
        shut = parts[1].mean(1, keepdim=True)
        context = torch.relu(self.context(torch.cat([zone, team.mean(1), team.amax(1), shut, parts[4]], -1)))
        every = parts[2].reshape(-1, patients, 8)
        open_ = present(every[..., 0] > 0.0)
        own = self.patient(open_.of(every))
        worth = score(own, self.patient_seen_by(context), self.patient_value.weight[0], open_.first)
        worth = context.new_zeros(len(state)).index_add(0, open_.row, worth + self.patient_value.bias)
        return worth + self.value(context)[:, 0]
