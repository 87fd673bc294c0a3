"""What all tests share: the real clinic and Hypothesis' settings."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
CLINIC = ROOT.parent / "shared" / "data" / "clinic.json"

# No deadline: the first example may compile a kernel. In CI the examples are the same in every run.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def clinic_path() -> Path:
    """The real two-storey clinic, which lies beside the repository and is not part of it."""
    if not CLINIC.is_file():
        pytest.skip("the real clinic is not here: ../shared/data/clinic.json, beside the repository")
    return CLINIC


@pytest.fixture
def mistake(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], str]:
    """What ``qdt`` says to wrong arguments in a folder with one file, here.txt: one line, and nothing changes."""

    def said(arguments: list[str]) -> str:
        from training.cli.main import main

        monkeypatch.chdir(tmp_path)
        Path("here.txt").write_text("mine", "utf-8")
        capsys.readouterr()
        assert main(arguments) == 2
        out, error = capsys.readouterr()
        assert error.startswith("error: ") and len(error.strip().splitlines()) == 1 and out == ""
        assert [path.name for path in tmp_path.iterdir()] == ["here.txt"]
        assert Path("here.txt").read_text("utf-8") == "mine"
        return error

    return said


@pytest.fixture
def in_a_fork() -> Callable[[Callable[[], object]], str]:
    """Calls something in a forked process: what it said in its RuntimeError, or "" where it had none."""
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")

    def call(work: Callable[[], object]) -> str:
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads; the child starts none
            child = os.fork()
        if child == 0:
            said = "failed"
            try:
                work()
                said = ""
            except RuntimeError as error:
                said = str(error)
            finally:  # whatever happens, no second test run
                os.write(writer, said.encode())
                os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with open(reader) as heard:
            return heard.read()

    return call
