"""Another project's measurement in an interpreter of its own, one repeat at a time.

So its repeats and ours can take turns and meet the same noise. The scripts ``_peer_envs.py`` and ``_benchmarl.py`` run
there. They answer each line that they read with a line of JSON, the first, unasked, with versions or with what is
absent, and do nothing while they wait.
"""

import json
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class Peer:
    """A script beside this one, run by another Python.

    Attributes:
        versions: of the packages it measures, by name; empty where it is absent.
        absent: why it cannot be measured; empty where it can.
    """

    def __init__(self, python: str, script: str, *arguments: str) -> None:
        """Start it; it is ready, or absent, when this returns."""
        self.versions: dict[str, str] = {}
        self.absent = ""
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  # lives as long as the process
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = subprocess.Popen(
                [python, str(HERE / script), *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=_environment(),
            )  # fmt: skip
        except OSError as error:
            self.absent = f"{python}: {error.strerror}"
            return
        first = self._answer()
        self.versions, self.absent = first.get("versions", {}), first.get("absent", "")

    def repeat(self) -> dict[str, Any] | None:
        """One more repeat: the script's own figures, or None where it is absent or has just failed."""
        if self.absent:
            return None
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
            answer = self._answer()
        except BrokenPipeError:
            answer = {"absent": self._last_words()}
        self.absent = answer.get("absent", "")
        return None if self.absent else answer

    def close(self) -> None:
        """Let it end."""
        if self._process is not None:
            with suppress(BrokenPipeError):
                self._process.communicate()
        self._errors.close()

    def _answer(self) -> dict[str, Any]:
        """The next line of JSON, or why there is none."""
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"absent": self._last_words()}
        return answer

    def _last_words(self) -> str:
        """The last line of its errors, once it has ended."""
        assert self._process is not None
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines() or [f"ended with status {self._process.returncode}"]
        return lines[-1]


def _environment() -> dict[str, str]:
    """Ours without the paths to our packages, which may be of another version than the peer's."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
