"""kill -9 while a mission is recorded: the file plays to its last whole step."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qdt_env.viewer.playback import check_history, read_recording
from training.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys
from qdt_env import hospital_rescue_v0
env = hospital_rescue_v0.parallel_env("ward", threats="mixed", record=sys.argv[1])
env.reset(seed=4)
while env.agents:
    env.step({})
    print("step", flush=True)
"""


def test_a_killed_run_plays_to_its_last_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.qdr"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as run:
        assert run.stdout is not None
        made = 0
        while made < 70:
            assert run.stdout.readline()
            made += 1
        run.kill()
        made += sum(1 for line in run.stdout if line == "step\n")
        assert run.wait() == -signal.SIGKILL
    recording = read_recording(path)
    assert recording.cut and made <= recording.steps < 180, "a step that was reported is gone"
    history = check_history(recording)
    assert history.problem == "" and history.signed == recording.steps // 50 * 50
    assert main(["replay", str(path)]) == 0
    said = capsys.readouterr().out
    assert f"it was cut after step {recording.steps}" in said and (tmp_path / "m.html").is_file()
