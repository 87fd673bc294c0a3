"""The repository keeps its promises: light imports, one version, commands that exist."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "pennylane", "matplotlib", "ray")


def setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def make_commands(document: str) -> set[str]:
    """Targets that a document tells its reader to run, in code spans or at the start of a line of a code block."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return set(re.findall(r"(?:`|^\$? *)make ([a-z][a-z-]*)", text, re.MULTILINE))


@pytest.mark.parametrize("module", ["qdt_env", "qdt_env.hospital_rescue_v0"])
def test_import_loads_no_heavy_package(module):
    code = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_version_is_the_same_everywhere():
    import qdt_env

    version = setup_cfg()["metadata"]["version"]
    assert qdt_env.__version__ == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documented_make_commands_exist(document):
    commands = make_commands(document)
    assert {"demo", "test"} <= commands
    assert commands <= makefile_targets()


def test_constraints_pin_every_direct_dependency():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", pin) for pin in pins), "exact public versions only"
    assert pins[0].startswith("torch==")

    options = setup_cfg()
    ranges = [options["options"]["install_requires"], *options["options.extras_require"].values()]
    direct = {re.split(r"[\[<>=~!]", line)[0] for block in ranges for line in block.split()}
    normal = {re.sub(r"[-_.]+", "-", pin.split("==")[0]).lower() for pin in pins}
    assert direct <= normal


@pytest.mark.parametrize("package", ["qdt_env", "agents", "training"])
def test_packages_are_marked_as_typed(package):
    assert (ROOT / package / "py.typed").is_file()
