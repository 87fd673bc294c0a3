"""RLlib's PPO on the PettingZoo face, over the machines of a Ray cluster, one masked policy shared by all robots.

    python -m training.rllib --iterations 3
    python -m training.rllib --iterations 200 --runners 8 --address 192.168.1.2:6379

The machines are as :mod:`training.cluster` says. Robots that are lost leave their episode early; the others play on.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pyarrow.fs
import torch
import typer
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import register_env

from qdt_env import hospital_rescue_v0
from qdt_env.records import require
from training.cli.main import exit_code
from training.cluster import joined

ENV, POLICY = "hospital_rescue_v0", "robot"
HIDDEN = 128
PATIENCE_S = 1800.0  # with a runner's share of an iteration; RLlib's own minute is short where machines are shared
_MOST_SEED = 2**31 - 1  # RLlib adds numbers of runners and environments, and NumPy's old generators take 32 bits
_FORBIDDEN = -1e9  # as a logit: the probability is 0 in float32, the gradient too, and no infinity comes in


@dataclass(frozen=True)
class Iteration:
    """What one iteration of training did.

    Attributes:
        number: 1, 2, ...
        agent_steps: of robots alive, all iterations so far.
        mean_return: of a mission, summed over its robots, mean of the last missions that ended; NaN before any did.
        wall_s: of this iteration.
    """

    number: int
    agent_steps: int
    mean_return: float
    wall_s: float


class MaskedModule(TorchRLModule, ValueFunctionAPI):
    """Two small networks on the flat observation: logits of the allowed actions, and the value."""

    def setup(self) -> None:
        """Build the networks for the spaces that RLlib says."""
        seen, actions, config = (getattr(self, name) for name in ("observation_space", "action_space", "model_config"))
        size, hidden = seen["observations"].shape[0], config["hidden"]
        self.policy, self.value = _network(size, hidden, actions.n), _network(size, hidden, 1)

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Logits (B, A), those of forbidden actions far below all others."""
        seen = batch[Columns.OBS]
        logits = self.policy(seen["observations"])
        return {Columns.ACTION_DIST_INPUTS: logits.masked_fill(seen["action_mask"] == 0, _FORBIDDEN)}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> torch.Tensor:
        """Values (B,)."""
        values: torch.Tensor = self.value(batch[Columns.OBS]["observations"]).squeeze(-1)
        return values


def rllib_config(runners: int = 2, steps: int = 2000, seed: int = 0, **game: Any) -> PPOConfig:
    """PPO with shared parameters on missions of ``game``, for whoever wants to change more than the options here.

    Join the cluster first (``training.cluster.joined``): the environment is registered with the one that is joined.

    Args:
        runners: processes that play, beside the one that learns; 0 plays there.
        steps: environment steps per iteration, of all runners together.
        seed: of the networks and, per runner, the missions.
        **game: as of ``parallel_env``, but for ``action_mask``.
    """
    _check(runners, steps, seed)
    # closing over nothing but the game, so that the other machines need no more than this package
    register_env(ENV, lambda config: ParallelPettingZooEnv(hospital_rescue_v0.parallel_env(**config)))
    spec = RLModuleSpec(module_class=MaskedModule, model_config={"hidden": HIDDEN})
    return (
        PPOConfig()
        .environment(ENV, env_config={"action_mask": "rllib", **game}, disable_env_checking=True)
        .env_runners(num_env_runners=runners, sample_timeout_s=PATIENCE_S)
        .fault_tolerance(restart_failed_env_runners=True)
        .multi_agent(policies={POLICY}, policy_mapping_fn=lambda agent, episode, **kwargs: POLICY)
        .rl_module(rl_module_spec=spec)
        .training(train_batch_size_per_learner=steps, minibatch_size=min(steps, 512), num_epochs=6, lr=3e-4, gamma=1.0)
        .debugging(seed=seed)
    )


def train_with_rllib(
    iterations: int,
    *,
    address: str | None = None,
    runners: int = 2,
    steps: int = 2000,
    seed: int = 0,
    progress: Callable[[Iteration], None] | None = None,
    checkpoint: str | None = None,
    **game: Any,
) -> list[Iteration]:
    """Train with RLlib's PPO over a Ray cluster.

    Args:
        iterations: of playing and learning, 1 or more.
        address: of the cluster, see ``training.cluster.spread``.
        runners, steps, seed: see :func:`rllib_config`.
        progress: called after each iteration.
        checkpoint: folder, or its URI such as s3://bucket/folder, to write RLlib's checkpoint to when done.
        **game: scenario, suite, threats and more, as of ``parallel_env``.

    Raises:
        ClusterError: nobody answers at the address.
        ValueError: an unknown name, an impossible number, or a checkpoint that cannot be written there.
    """
    require(isinstance(iterations, int) and iterations >= 1, "iterations", iterations, "1 or more")
    _check(runners, steps, seed)
    hospital_rescue_v0.parallel_env(**game).close()  # refuses unknown names here and not on another machine
    place = None if checkpoint is None else writable_place(checkpoint)
    joined(address)
    algorithm = rllib_config(runners, steps, seed, **game).build_algo()
    try:
        done: list[Iteration] = []
        for number in range(1, iterations + 1):
            done.append(_iteration(number, algorithm.train(), done[-1].agent_steps if done else 0))
            if progress is not None:
                progress(done[-1])
        if place is not None:
            algorithm.save_to_path(place)
    finally:
        algorithm.stop()
    return done


def writable_place(folder: str) -> str:
    """The folder as RLlib takes it, a URI or an absolute path; made if it is not there, and tried by writing.

    Raises:
        ValueError: nothing can be written there.
    """
    place = folder if "://" in folder else str(Path(folder).expanduser().absolute())
    try:
        system, path = pyarrow.fs.FileSystem.from_uri(place)
        system.create_dir(path, recursive=True)
        trial = f"{path}/.writable"
        system.open_output_stream(trial).close()
        system.delete_file(trial)
    except (OSError, ValueError, NotImplementedError) as error:  # pyarrow's own are of these kinds
        raise ValueError(f"checkpoint: got {folder!r}, allowed is a folder that can be written: {error}") from None
    return place


def _check(runners: int, steps: int, seed: int) -> None:
    """Refuse impossible numbers."""
    require(isinstance(runners, int) and runners >= 0, "runners", runners, "0 or more")
    require(isinstance(steps, int) and steps >= 64, "steps", steps, "64 or more")
    require(isinstance(seed, int) and 0 <= seed <= _MOST_SEED, "seed", seed, f"0 to {_MOST_SEED}")


def _iteration(number: int, result: dict[str, Any], steps_before: int) -> Iteration:
    """The numbers of one of RLlib's reports that we tell; where no runner sent anything it has none of playing."""
    played = result.get("env_runners", {})
    steps = played.get("num_agent_steps_sampled_lifetime")
    agent_steps = int(sum(steps.values())) if steps else steps_before
    return Iteration(
        number, agent_steps, float(played.get("episode_return_mean", float("nan"))), result["time_this_iter_s"]
    )


def _network(inputs: int, hidden: int, outputs: int) -> torch.nn.Module:
    """Two hidden layers."""
    layers = [torch.nn.Linear(inputs, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, hidden), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(hidden, outputs))


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    iterations: Annotated[int, typer.Option(help="Of playing and learning.")] = 3,
    address: Annotated[str | None, typer.Option(help="HOST:6379 of a Ray cluster, or auto; alone where left out.")] = (
        None
    ),
    runners: Annotated[int, typer.Option(help="Processes that play; 0: the one that learns.")] = 2,
    steps: Annotated[int, typer.Option(help="Environment steps per iteration.")] = 2000,
    scenario: Annotated[str, typer.Option(help="ward, clinic, hospital, or a building file.")] = "ward",
    suite: Annotated[str, typer.Option(help="Cipher suite.")] = "qkd",
    threats: Annotated[str, typer.Option(help="Threats preset.")] = "mixed",
    seed: Annotated[int, typer.Option(help="Of networks and missions.")] = 0,
    checkpoint: Annotated[str | None, typer.Option(help="Folder or URI for RLlib's checkpoint.")] = None,
) -> None:
    """Train with RLlib's PPO, one line per iteration."""

    def tell(one: Iteration) -> None:
        print(
            f"{one.number:4}  {one.agent_steps:>9,} agent-steps  return {one.mean_return:+.3f}  {one.wall_s:.1f} s",
            flush=True,
        )

    train_with_rllib(
        iterations, address=address, runners=runners, steps=steps, seed=seed, progress=tell, checkpoint=checkpoint,
        scenario=scenario, suite=suite, threats=threats,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(exit_code(app, "python -m training.rllib"))
