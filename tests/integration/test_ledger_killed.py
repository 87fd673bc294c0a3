"""kill -9 while a ledger is being written: what was committed is there, verifies, and can be gone on with."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qdt_env.twin.ledger import Leaf, Ledger, audit_file, make_signers

ROOT = Path(__file__).resolve().parents[2]
NAMES, SEED, MISSION, ORIGIN = ("server", "gateway 0"), b"kill" * 8, bytes(16), b"o" * 16
COMMIT_EVERY, PERIOD = 3, 10

WRITER = """
import sys
from tests.integration.test_ledger_killed import leaf_of, opened
ledger = opened(sys.argv[1])
for step in range(ledger.size, 10**9):
    ledger.append(leaf_of(step))
    if not ledger._pending:  # just committed: from here on these leaves must survive
        print(ledger.size, flush=True)
"""


def leaf_of(step: int) -> Leaf:
    return Leaf(MISSION, step, bytes([step % 6] * 20))


def opened(path: str | Path) -> Ledger:
    signers = make_signers(NAMES, SEED)
    return Ledger(path, signers=signers, period=PERIOD, commit_every=COMMIT_EVERY, origin=ORIGIN)


def write_until_killed(path: Path, commits: int) -> int:
    """Run the writer, kill it with SIGKILL after so many commits; returns the size that it last reported."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None and writer.stderr is not None
        reported = 0
        for _ in range(commits):
            line = writer.stdout.readline()
            assert line, writer.stderr.read()
            reported = int(line)
        writer.kill()
        rest = [int(line) for line in writer.stdout if line.endswith("\n")]
        assert writer.wait() == -signal.SIGKILL
    return max([reported, *rest])


@pytest.mark.parametrize("rounds", [3, pytest.param(15, marks=pytest.mark.slow)])
def test_what_was_committed_survives_kill_9(tmp_path: Path, rounds: int) -> None:
    path = tmp_path / "ledger.sqlite"
    random = np.random.Generator(np.random.Philox(key=rounds))
    kept: dict[int, bytes] = {}
    size = 0
    for _ in range(rounds):
        committed = write_until_killed(path, int(random.integers(1, 60)))
        assert committed > size
        found = audit_file(path, witnessed=kept)
        assert found.ok, found.problem
        assert found.leaves >= committed, "a committed leaf is gone"
        assert found.witnessed == len(kept), "a head signed before an earlier death is gone"
        assert found.signed == found.leaves // PERIOD * PERIOD, "a head is committed with its leaves, or neither"
        ledger = opened(path)
        assert ledger.size == found.leaves
        if ledger.head is not None:
            kept[ledger.head.size] = ledger.head.root
        ledger.append(leaf_of(ledger.size))
        ledger.commit()
        size = ledger.size
        ledger.close(sign=False)
    assert audit_file(path, witnessed=kept).leaves == size


def test_killed_before_the_first_commit_it_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    code = (
        "import os, sys\n"
        "from tests.integration.test_ledger_killed import leaf_of, opened\n"
        "ledger = opened(sys.argv[1])\n"
        "ledger.append(leaf_of(0))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with opened(path) as ledger:
        assert ledger.size == 0
        ledger.append(leaf_of(0))
    assert audit_file(path).signed == 1
