"""Many missions as one TorchRL environment: the arrays of ``RescueVectorEnv`` as tensors, without a loop over robots.

Its keys are those that TorchRL's own wrapper makes of ``parallel_env(action_mask="info", keep_dead=True)``, so that
what is written for one runs on the other. Batch size (B,); the group ``robot`` has R robots:

| key | shape | |
|---|---|---|
| ``("robot", "observation")`` | (B, R, F) float32 | zeros for a lost robot |
| ``("robot", "action_mask")`` | (B, R, A) bool | a lost robot may only wait |
| ``("robot", "mask")`` | (B, R) bool | whose next action counts |
| ``("robot", "info", name)`` | (B, R) float32 | names of ``qdt_env.spaces.ROBOT_INFO`` that were asked for |
| ``("robot", "action")`` | (B, R) int64 | |
| ``("robot", "reward")`` | (B, R, 1) float32 | |
| ``("robot", "terminated")``, ``"truncated"``, ``"done"`` | (B, R, 1) bool | lost; in play at the horizon; either |
| ``"terminated"``, ``"truncated"``, ``"done"`` | (B, 1) bool | all lost; the horizon came; the row is over |
| ``"state"`` | (B, S) float32 | with ``state=True``: the truth, for a centralised critic |

A row that is over stands still until TorchRL resets it, and then plays the next episode under its seed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict, TensorDictBase
from torchrl.data import Bounded, Categorical, Composite, Unbounded
from torchrl.envs import EnvBase

from qdt_env.records import require
from qdt_env.spaces import ROBOT_INFO
from qdt_env.vector_env import RescueVectorEnv

GROUP = "robot"


class RescueTorchEnv(EnvBase):
    """See the module's docstring for what a step returns.

    Args:
        num_envs: rows B.
        scenario: of every row.
        info: which of ``ROBOT_INFO`` to hand out.
        state: also hand out the privileged state.
        copy: False shares the engine's own arrays with the tensors. The next step overwrites them, observations of the
            step before too, so whoever needs them must copy what he needs. True, the default, copies once.
        device: where the tensors go; elsewhere than on "cpu" they are copied in any case.
        **game: as of :class:`RescueVectorEnv`.

    Attributes:
        vector_env: the environment below, for layout, codec and metrics.

    Raises:
        ValueError: an unknown name or an impossible size; the message names the parameter and what is allowed.
    """

    def __init__(
        self,
        num_envs: int = 1,
        scenario: Any = "ward",
        *,
        info: Sequence[str] = ("score",),
        state: bool = False,
        copy: bool = True,
        device: Any = "cpu",
        **game: Any,
    ) -> None:
        for name in info:
            require(name in ROBOT_INFO, "info", name, f"of {', '.join(ROBOT_INFO)}")
        made = RescueVectorEnv(num_envs, scenario, action_mask="info", autoreset_mode="Disabled", copy=copy, **game)
        super().__init__(device=device, batch_size=torch.Size([num_envs]))
        self.vector_env, self._info, self._with_state = made, tuple(info), state
        self._next_seed: int | None = None
        self._make_specs()

    def _make_specs(self) -> None:
        """What TorchRL is told about every key."""
        rows, robots, actions = self.vector_env.num_envs, self.vector_env.layout.robots, self.vector_env.codec.n
        shape, device = torch.Size([rows, robots]), self.device
        flag = Categorical(2, shape=shape, dtype=torch.bool, device=device)
        mask = Categorical(2, shape=torch.Size([*shape, actions]), dtype=torch.bool, device=device)
        seen: dict[str, Any] = {
            "observation": Bounded(0.0, 1.0, torch.Size([*shape, self.vector_env.layout.size]), device, torch.float32),
            "action_mask": mask,
            "mask": flag,
        }
        if self._info:
            numbers = {name: Unbounded(shape, device=device) for name in self._info}
            seen["info"] = Composite(numbers, shape=shape, device=device)
        whole: dict[str, Any] = {GROUP: Composite(seen, shape=shape, device=device)}
        if self._with_state:
            size = torch.Size(self.vector_env.state_space.shape)
            whole["state"] = Bounded(0.0, 1.0, size, device, torch.float32)
        self.observation_spec = Composite(whole, shape=shape[:1], device=device)
        self.action_spec = self._grouped({"action": Categorical(actions, shape=shape, device=device)})
        self.reward_spec = self._grouped({"reward": Unbounded(torch.Size([*shape, 1]), device=device)})

        def ends(of: torch.Size) -> dict[str, Any]:
            names = ("done", "terminated", "truncated")
            return {name: Categorical(2, shape=of, dtype=torch.bool, device=device) for name in names}

        done_spec = self._grouped(ends(torch.Size([*shape, 1])))
        done_spec.update(ends(torch.Size([rows, 1])))
        self.done_spec = done_spec

    def _grouped(self, specs: dict[str, Any]) -> Any:
        """Specs of the group of robots."""
        shape = torch.Size([self.vector_env.num_envs, self.vector_env.layout.robots])
        return Composite(
            {GROUP: Composite(specs, shape=shape, device=self.device)}, shape=shape[:1], device=self.device
        )

    def _set_seed(self, seed: int | None) -> None:
        """The next whole reset begins with the first episode under this seed, row b with that b later."""
        self._next_seed = seed

    def _reset(self, tensordict: TensorDictBase | None = None, **options: Any) -> TensorDictBase:
        """Start the rows that "_reset" marks, or all."""
        marked = None if tensordict is None else tensordict.get("_reset", None)
        if marked is None:
            seen, infos = self.vector_env.reset(seed=self._next_seed)
            self._next_seed = None
        else:
            seen, infos = self.vector_env.reset(options={"reset_mask": marked.reshape(-1).cpu().numpy()})
        out = self._shown(seen, infos)
        out.update(self.full_done_spec.zero())
        return out

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        """One step of all rows."""
        actions = tensordict.get((GROUP, "action")).cpu().numpy()
        seen, rewards, lost, late, infos = self.vector_env.step(actions)
        out = self._shown(seen, infos)
        ended = lost | late
        group = out.get(GROUP)
        group.set("reward", self._tensor(rewards)[..., None])
        for name, robots, row in (
            ("terminated", lost, lost.all(1)),
            ("truncated", late, late.any(1)),
            ("done", ended, ended.all(1)),
        ):
            group.set(name, self._tensor(robots)[..., None])
            out.set(name, self._tensor(row)[:, None])
        return out

    def _shown(self, seen: np.ndarray, infos: dict[str, Any]) -> TensorDictBase:
        """What the robots see now."""
        mask = self._tensor(infos["action_mask"]).view(torch.bool)
        shape = mask.shape[:2]
        self.full_action_spec[GROUP, "action"].update_mask(mask)  # so that TorchRL's random actions are legal
        parts = {"observation": self._tensor(seen), "action_mask": mask, "mask": self._tensor(infos["alive"])}
        if self._info:
            numbers = {name: self._tensor(infos[name]) for name in self._info}
            parts["info"] = TensorDict(numbers, batch_size=shape, device=self.device)
        group = TensorDict(parts, batch_size=shape, device=self.device)
        whole = {GROUP: group}
        if self._with_state:
            whole["state"] = self._tensor(self.vector_env.state())
        return TensorDict(whole, batch_size=self.batch_size, device=self.device)

    def _tensor(self, array: Any) -> torch.Tensor:
        """The array's own memory as a tensor, or its copy on another device."""
        return torch.from_numpy(array).to(self.device)
