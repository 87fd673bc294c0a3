"""The examples for other learners' libraries train, each in a process of its own."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {  # what each needs beside this package
    "torchrl_mappo": "torchrl",
    "torchrl_native": "torchrl",
    "sb3_supersuit": "supersuit",
    "sb3_maskable": "sb3_contrib",
    "tianshou_ppo": "tianshou",
    "rllib_ppo": "ray",
}


def run(example: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """An example in a process of its own."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"{example}.py"), *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_it_trains_and_prints_the_mean_return(example: str) -> None:
    pytest.importorskip(EXAMPLES[example], reason="needs the extra 'clients' or 'ray'")
    done = run(example)
    assert done.returncode == 0, done.stderr
    (told,) = re.findall(r"^mean return (\S+)$", done.stdout, re.MULTILINE)
    assert math.isfinite(float(told)) and abs(float(told)) < 10.0, "expected survivors in one ward"
    assert not re.search(rf"{re.escape(str(ROOT))}/(qdt_env|training|agents)/\S+ \w*Warning", done.stderr), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_less_than_a_step_is_refused(example: str) -> None:
    pytest.importorskip(EXAMPLES[example], reason="needs the extra 'clients' or 'ray'")
    done = run(example, "--steps", "0")
    assert done.returncode == 2 and done.stderr.endswith("error: --steps: got 0, allowed is 1 or more\n"), done.stderr


def test_the_key_servers_example_says_what_it_takes() -> None:
    done = run("etsi014_message")
    assert done.returncode == 2 and done.stderr.startswith("usage: etsi014_message.py [-h] {alice,bob} url directory")


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_is_short(example: str) -> None:
    lines = (ROOT / "examples" / f"{example}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 60
