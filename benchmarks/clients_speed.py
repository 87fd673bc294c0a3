"""What learners' libraries make of the environment: agent-steps a second through each adapter, beside the plain faces.

    python benchmarks/clients_speed.py                     # a few minutes
    python benchmarks/clients_speed.py --json clients.json
    python benchmarks/clients_speed.py --quick             # seconds: only to see that it runs

The same random tasks are played on the ward through the generic wrappers of RLlib, TorchRL, SuperSuit and Tianshou
around the PettingZoo face, and through the native batched adapters (``training.torchrl_env``, ``training.sb3_env``).
Timed is the client's own call that steps the environment and starts it anew, on one thread; choosing actions is not. No
policy and no learning: this is the rate that a learner cannot exceed. An agent-step is one step of one robot, lost ones
included. A library that is not installed is left out; see ``_measure.py`` for how rates are kept apart from what others
do on the machine.
"""

import argparse
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from _measure import Calibration, Sample, Stopwatch, machine, rates
from rich.table import Table

from agents.policy import RandomPolicy
from qdt_env import hospital_rescue_v0
from qdt_env.vector_env import RescueVectorEnv
from training.cli.outputs import check_outputs, write_json
from training.cli.report import screen

CHUNK_S = 0.03
Seen = tuple[np.ndarray, np.ndarray]  # observations (B, R, F), masks (B, R, A)


class Client(Protocol):
    """A library's way to the environment, with ``rows`` missions at once."""

    rows: int

    def look(self) -> Seen:
        """What the robots see now."""

    def put(self, actions: np.ndarray) -> Any:
        """Actions (B, R) in the library's form."""

    def step(self, put: Any) -> None:
        """The library's step, and a new mission where one is over: the call that is timed."""


class Dicts:
    """The PettingZoo face, or RLlib's wrapper around it."""

    rows = 1

    def __init__(self, env: Any, key: str) -> None:
        self.env, self.key = env, key
        self.seen, _ = env.reset()

    def look(self) -> Seen:
        """See :class:`Client`."""
        flat = np.stack([one[self.key] for one in self.seen.values()])
        return flat[None], np.stack([one["action_mask"] for one in self.seen.values()])[None]

    def put(self, actions: np.ndarray) -> Any:
        """See :class:`Client`."""
        return dict(zip(self.seen, actions[0].tolist(), strict=True))

    def step(self, put: Any) -> None:
        """See :class:`Client`."""
        self.seen, _, terminated, truncated, _ = self.env.step(put)
        if all(terminated.values()) or all(truncated.values()):
            self.seen, _ = self.env.reset()


class Turns:
    """Tianshou's wrapper around the AEC face, robot after robot."""

    rows = 1

    def __init__(self, env: Any) -> None:
        self.env, self.agents = env, list(env.agents)

    def look(self) -> Seen:
        """See :class:`Client`."""
        seen = [self.env.env.observe(agent) for agent in self.agents]
        return np.stack([one["observation"] for one in seen])[None], np.stack([one["action_mask"] for one in seen])[
            None
        ]

    def put(self, actions: np.ndarray) -> Any:
        """See :class:`Client`."""
        return actions[0].tolist()

    def step(self, put: Any) -> None:
        """See :class:`Client`."""
        for action in put:
            _, _, terminated, truncated, _ = self.env.step(action)
        if terminated or truncated:
            self.env.reset()


class Arrays:
    """RescueVectorEnv itself."""

    def __init__(self, env: RescueVectorEnv) -> None:
        self.env, self.rows = env, env.num_envs
        self.seen, _ = env.reset()

    def look(self) -> Seen:
        """See :class:`Client`."""
        return self.seen["observation"], self.seen["action_mask"]

    def put(self, actions: np.ndarray) -> Any:
        """See :class:`Client`."""
        return actions

    def step(self, put: Any) -> None:
        """See :class:`Client`."""
        self.seen, *_ = self.env.step(put)


class Tensors:
    """TorchRL, through its wrapper or natively."""

    def __init__(self, env: Any, rows: int) -> None:
        self.env, self.rows = env, rows
        self.seen = env.reset()

    def look(self) -> Seen:
        """See :class:`Client`."""
        robot = self.seen["robot"]
        flat, mask = robot["observation"].numpy(), robot["action_mask"].numpy()
        return flat.reshape(self.rows, *flat.shape[-2:]), mask.reshape(self.rows, *mask.shape[-2:])

    def put(self, actions: np.ndarray) -> Any:
        """See :class:`Client`."""
        import torch

        chosen = torch.from_numpy(actions.astype(np.int64))
        return self.seen.set(("robot", "action"), chosen.reshape(self.seen["robot", "action_mask"].shape[:-1]))

    def step(self, put: Any) -> None:
        """See :class:`Client`."""
        _, self.seen = self.env.step_and_maybe_reset(put)


class SubEnvs:
    """Stable-Baselines3, through SuperSuit or natively."""

    def __init__(self, env: Any, rows: int, masks: Callable[[Any], np.ndarray]) -> None:
        self.env, self.rows, self.masks = env, rows, masks
        self.seen = env.reset()
        self.infos = env.reset_infos

    def look(self) -> Seen:
        """See :class:`Client`."""
        mask = self.masks(self)
        return self.seen.reshape(self.rows, -1, self.seen.shape[-1]), mask.reshape(self.rows, -1, mask.shape[-1])

    def put(self, actions: np.ndarray) -> Any:
        """See :class:`Client`."""
        return actions.reshape(-1)

    def step(self, put: Any) -> None:
        """See :class:`Client`."""
        self.seen, _, _, self.infos = self.env.step(put)


def face(action_mask: str, make: Callable[..., Any] = hospital_rescue_v0.parallel_env) -> Any:
    """The ward, with lost robots kept: not all clients can take robots that leave."""
    return make(scenario="ward", threats="mixed", action_mask=action_mask, keep_dead=True)


def rllib_wrapper() -> Client:
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

    return Dicts(ParallelPettingZooEnv(face("rllib")), "observations")


def torchrl_wrapper() -> Client:
    from torchrl.envs.libs.pettingzoo import PettingZooWrapper

    return Tensors(PettingZooWrapper(face("info"), use_mask=True, done_on_any=False), 1)


def torchrl_native(rows: int, copy: bool) -> Client:
    from training.torchrl_env import RescueTorchEnv

    return Tensors(RescueTorchEnv(rows, threats="mixed", copy=copy), rows)


def sb3_supersuit() -> Client:
    import supersuit

    robots = supersuit.pettingzoo_env_to_vec_env_v1(face("info"))
    env = supersuit.concat_vec_envs_v1(robots, 8, num_cpus=0, base_class="stable_baselines3")
    return SubEnvs(env, 8, lambda client: np.stack([info["action_mask"] for info in client.infos]))


def sb3_native(rows: int) -> Client:
    from training.sb3_env import RescueVecEnv

    return SubEnvs(RescueVecEnv(rows, threats="mixed"), rows, lambda client: client.env.action_masks())


def tianshou_wrapper() -> Client:
    from tianshou.env import PettingZooEnv

    return Turns(PettingZooEnv(face("obs", hospital_rescue_v0.env)))


def contestants(rows: int) -> dict[str, tuple[str, str, Callable[[], Client]]]:
    """Name: the library, the package that it needs, how to make it."""
    return {
        "PettingZoo face": ("none", "numpy", lambda: Dicts(face("obs"), "observation")),
        "RescueVectorEnv": (
            "none",
            "numpy",
            lambda: Arrays(RescueVectorEnv(rows, threats="mixed", autoreset_mode="SameStep")),
        ),
        "ParallelPettingZooEnv": ("RLlib", "ray", rllib_wrapper),
        "PettingZooWrapper": ("TorchRL", "torchrl", torchrl_wrapper),
        "RescueTorchEnv": ("TorchRL", "torchrl", lambda: torchrl_native(rows, True)),
        "RescueTorchEnv, copy=False": ("TorchRL", "torchrl", lambda: torchrl_native(rows, False)),
        "SuperSuit": ("Stable-Baselines3", "supersuit", sb3_supersuit),
        "RescueVecEnv": ("Stable-Baselines3", "sb3_contrib", lambda: sb3_native(rows)),
        "PettingZooEnv": ("Tianshou", "tianshou", tianshou_wrapper),
    }


def play(client: Client, policy: RandomPolicy, seconds: float, calibration: Calibration, seed: int) -> list[Sample]:
    """Step for so many CPU seconds, in chunks."""
    watch, rng, spent = Stopwatch(calibration), np.random.default_rng(seed), 0.0
    while spent < seconds:
        seen = client.look()
        put = client.put(policy.act(*seen, rng))
        watch.time(client.step, put, work=seen[1].shape[0] * seen[1].shape[1])
        if watch.pending_s >= CHUNK_S:
            spent += watch.pending_s
            watch.end_chunk()
    return watch.samples


def gather(chosen: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured, as plain numbers."""
    calibration = Calibration()
    plain = hospital_rescue_v0.parallel_env("ward")
    policy = RandomPolicy(plain.layout, plain.codec)
    clients, absent = {}, []
    for name, (library, package, make) in contestants(chosen.rows).items():
        if find_spec(package) is None:
            absent.append(f"{name} ({library})")
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the libraries' own, about versions and render modes
            clients[name] = library, make()
    if find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)
    seen: dict[str, list[list[Sample]]] = {name: [] for name in clients}
    for repeat in range(chosen.repeats):
        for name, (_, client) in clients.items():
            seen[name].append(play(client, policy, chosen.seconds, calibration, repeat))
    measured = [
        {"client": name, "library": library, "rows": client.rows, **rates(seen[name], calibration.quiet_s)}
        for name, (library, client) in clients.items()
    ]
    return {"machine": machine(), "calibration": calibration.summary(), "clients": measured, "absent": absent}


def show(results: dict[str, Any]) -> None:
    """A table of the results."""
    console = screen()
    table = Table(title="Agent-steps per CPU second of one core (ward, random tasks, stepping alone)")
    for column in ("library", "through", "missions", "agent-steps/s", "lowest", "highest", "quiet core"):
        table.add_column(column, justify="left" if column in ("library", "through") else "right")
    for row in results["clients"]:
        numbers = [f"{row[key]:,.0f}" for key in ("per_cpu_s", "per_cpu_s_low", "per_cpu_s_high", "per_quiet_s")]
        table.add_row(row["library"], row["client"], str(row["rows"]), *numbers)
    console.print(table)
    if results["absent"]:
        console.print(f"Not installed (extra 'clients' or 'ray'): {', '.join(results['absent'])}.")
    computer = results["machine"]
    console.print(f"{computer['processor']}, {computer['cores']} cores, load {computer['load']}.")


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description="What learners' libraries make of the environment.")
    parser.add_argument("--rows", type=int, default=256, help="missions at once of batched adapters (default: 256)")
    parser.add_argument("--repeats", type=int, default=3, help="times each measurement is made (default: 3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="CPU seconds of each measurement (default: 4)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--quick", action="store_true", help="a few steps each, to see that it runs")
    chosen = parser.parse_args()
    check_outputs({"--json": chosen.json})
    if chosen.quick:
        chosen.rows, chosen.repeats, chosen.seconds = 4, 1, CHUNK_S
    results = gather(chosen)
    show(results)
    if chosen.json:
        config = {name: value for name, value in vars(chosen).items() if name != "json"}
        write_json(chosen.json, "benchmarks/clients_speed.py", config, results)


if __name__ == "__main__":
    main()
