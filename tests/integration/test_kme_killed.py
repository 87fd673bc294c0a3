"""``qdt kme serve`` as a process: it serves until told to stop, and after kill -9 nothing is delivered twice."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from qdt_env.security.certificates import AUTHORITY, certificate_file, key_file  # noqa: E402
from qdt_env.security.etsi014 import Etsi014Error, KeyRequest  # noqa: E402
from qdt_env.security.etsi014_client import Etsi014Client  # noqa: E402
from qdt_env.security.reserved_keystore import ReservedKeyStore  # noqa: E402
from training.cli.main import main  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def start(directory: Path, *more: str) -> tuple[subprocess.Popen[str], list[str], dict[str, int]]:
    """A serving process, what it printed, and its ports."""
    report = directory / "serve.json"
    command = [sys.executable, "-m", "training.cli.main", "kme", "serve", "--store", str(directory / "keys.sqlite")]
    command += ["--certificates", str(directory / "c"), "--port", "0", "--json", str(report), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    lines: list[str] = []
    while not lines or not lines[-1].startswith("Ctrl-C"):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
    return process, lines, json.loads(report.read_text())["results"]["ports"]


def end(process: subprocess.Popen[str], how: signal.Signals) -> str:
    """Send a signal and wait; returns what was printed since."""
    process.send_signal(how)
    rest, error = process.communicate(timeout=60)
    assert "Traceback" not in error, error
    return rest


def client(directory: Path, name: str, port: int) -> Etsi014Client:
    files = certificate_file(directory, name), key_file(directory, name), certificate_file(directory, AUTHORITY)
    return Etsi014Client(f"https://localhost:{port}", name, *files)


@pytest.mark.slow
def test_it_prints_the_lines_that_fetch_a_key_and_stops_in_order(tmp_path):
    assert main(["kme", "certificates", str(tmp_path / "c")]) == 0
    process, lines, ports = start(tmp_path, "--capacity", "65536")
    try:
        assert f"kme-a serves alice: https://localhost:{ports['kme-a']}\n" in lines
        takes, fetches = (line.split() for line in lines if line.startswith("  curl "))
        assert takes[-1].strip("'").endswith("/api/v1/keys/bob/enc_keys?number=1&size=256")
        assert fetches[-1].strip("'").endswith("/api/v1/keys/alice/dec_keys?key_ID=...")
        alice, bob = client(tmp_path / "c", "alice", ports["kme-a"]), client(tmp_path / "c", "bob", ports["kme-b"])
        deadline = time.monotonic() + 60
        while alice.status("bob").stored_key_count < alice.status("bob").max_key_count:  # the link fills it
            assert time.monotonic() < deadline
            time.sleep(0.2)
        (key,) = alice.get_key("bob")
        assert bob.get_key_with_ids("alice", [key.id]) == (key,)
    finally:
        assert end(process, signal.SIGTERM) == "stopped\n"
    assert process.returncode == 0
    assert (tmp_path / "keys.sqlite").stat().st_mode & 0o077 == 0, "the store is its owner's"


class Traffic(threading.Thread):
    """Takes and fetches keys as fast as it can until the server is gone."""

    def __init__(self, directory, ports):
        super().__init__()
        self.alice, self.bob = client(directory, "alice", ports["kme-a"]), client(directory, "bob", ports["kme-b"])
        self.taken, self.fetched = [], []

    def run(self):
        while True:
            try:
                keys = self.alice.get_key("bob", KeyRequest(4, 64))
                self.taken += keys
                self.fetched += self.bob.get_key_with_ids("alice", [key.id for key in keys[::2]])
            except Etsi014Error:
                time.sleep(0.02)  # the link is slower than we are
            except ConnectionError:
                return


@pytest.mark.slow
def test_after_kill_9_nothing_is_delivered_twice(tmp_path):
    """n = 3 kills, each in the midst of traffic once 20 to 80 more keys are out, one store throughout."""
    assert main(["kme", "certificates", str(tmp_path / "c")]) == 0
    moments = random.Random(5)
    taken, fetched = [], []
    for _ in range(3):
        process, _, ports = start(tmp_path)
        bob = client(tmp_path / "c", "bob", ports["kme-b"])
        for key in fetched[-6:]:
            with pytest.raises(Etsi014Error, match="not found"):
                bob.get_key_with_ids("alice", [key.id])
        fetched_ids = {key.id for key in fetched}
        for key in [key for key in taken if key.id not in fetched_ids][-6:-2]:  # the last ones may have been lost
            assert bob.get_key_with_ids("alice", [key.id]) == (key,)
            fetched.append(key)
        traffic = Traffic(tmp_path / "c", ports)
        traffic.start()
        wanted, deadline = moments.randint(20, 80), time.monotonic() + 60
        while len(traffic.taken) < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        end(process, signal.SIGKILL)
        traffic.join()
        taken += traffic.taken
        fetched += traffic.fetched
    for keys in (taken, fetched):
        assert len({key.secret for key in keys}) == len({key.id for key in keys}) == len(keys) > 25
    store = ReservedKeyStore(tmp_path / "keys.sqlite")
    account = store.account()
    assert account.added == account.available + account.taken + account.expired
    assert account.taken == account.waiting + account.claimed + account.lapsed >= 64 * len(taken)
    left = b"".join(key.secret for key in store.take(1, account.available // 8 * 8)) if account.available else b""
    assert not any(key.secret in left for key in taken), "what was delivered is no longer in store"
    store.close()
