"""BenchMARL's MAPPO on VMAS navigation, timed: run by a Python that has it, see ``_peers.py``.

    python -m venv peers && peers/bin/python -m pip install torch==2.13.0 vmas benchmarl
    peers/bin/python benchmarks/_benchmarl.py --threads 2 --minibatch 1500 --passes 1 <<< go

Three agents in 60 worlds; 6,000 steps of a world are collected and learned from in an iteration, networks and all other
settings are BenchMARL's own. Evaluation, logs and checkpoints are off. An answer is one whole iteration, collecting and
updating. Needs nothing of this project.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import sys
import tempfile
import time
import warnings
from typing import Any, TextIO

PACKAGES = ("benchmarl", "vmas", "torchrl", "tensordict", "torch")
AGENTS = 3


def experiment(chosen: argparse.Namespace, folder: str, answers: TextIO) -> Any:
    """The experiment, which waits for a line before each iteration and answers it after."""
    if importlib.util.find_spec("benchmarl") is None:
        raise ImportError("BenchMARL is not installed")
    import torch
    from benchmarl.algorithms import MappoConfig
    from benchmarl.environments import VmasTask
    from benchmarl.experiment import Callback, Experiment, ExperimentConfig
    from benchmarl.models.mlp import MlpConfig

    torch.set_num_threads(chosen.threads)
    config = ExperimentConfig.get_from_yaml()
    config.evaluation, config.render, config.loggers, config.create_json = False, False, [], False
    config.max_n_frames, config.max_n_iters, config.save_folder = None, 1_000_000, folder
    config.on_policy_n_envs_per_worker = chosen.worlds
    config.on_policy_minibatch_size = chosen.minibatch or config.on_policy_minibatch_size
    config.on_policy_n_minibatch_iters = chosen.passes or config.on_policy_n_minibatch_iters
    frames = config.on_policy_collected_frames_per_batch
    updates = config.on_policy_n_minibatch_iters * -(-frames // config.on_policy_minibatch_size)
    about = {"work": AGENTS * frames, "updates": updates, "samples": AGENTS * config.on_policy_minibatch_size}

    class Turns(Callback):  # type: ignore[misc]
        """One iteration for each line."""

        started: tuple[float, float] | None = None

        def __reduce__(self) -> Any:  # the experiment pickles its callbacks; nothing reads them again
            return dict, ()

        def on_train_end(self, training_td: Any, group: str) -> None:
            if self.started is not None:
                wall, cpu = time.perf_counter() - self.started[0], time.process_time() - self.started[1]
                print(json.dumps({**about, "cpu_s": cpu, "wall_s": wall}), file=answers, flush=True)
            else:  # the first iteration warms up
                versions = {name: importlib.metadata.version(name) for name in PACKAGES}
                print(json.dumps({"versions": versions}), file=answers, flush=True)
            if not sys.stdin.readline():
                raise SystemExit(0)
            self.started = time.perf_counter(), time.process_time()

    task = VmasTask.NAVIGATION.get_from_yaml()
    task.config["n_agents"] = AGENTS
    return Experiment(
        task=task, algorithm_config=MappoConfig.get_from_yaml(), model_config=MlpConfig.get_from_yaml(),
        critic_model_config=MlpConfig.get_from_yaml(), seed=0, config=config, callbacks=[Turns()],
    )  # fmt: skip


def main() -> None:
    """Iterate as long as lines come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--minibatch", type=int, help="world-steps of a gradient step (default: BenchMARL's, 400)")
    parser.add_argument("--passes", type=int, help="over what was collected (default: BenchMARL's, 45)")
    chosen = parser.parse_args()
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a package prints is no answer
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = experiment(chosen, folder, answers)
        except ImportError as error:
            print(json.dumps({"absent": str(error)}), file=answers, flush=True)
            return
        found.run()


if __name__ == "__main__":
    main()
