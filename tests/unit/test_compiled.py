"""Cached kernels are forgotten when a source that they were built from changes."""

import os
from pathlib import Path

import pytest

from qdt_env.compiled import drop_stale_kernels

SOURCES = {
    "rule": "",
    "other": "",
    "phase": "from qdt_env.other import one\nfrom qdt_env.rule import two\nfrom qdt_env.other import three\n",
    "renamed": "from qdt_env import other, rule as formula  # both\n",
    "listed": "from qdt_env.other import (\n    one,  # why\n    two,\n)\nfrom qdt_env import (\n    rule,\n)\n",
    "late": "def work():\n    from qdt_env.phase import three\n",
    "apart": "from qdt_env.other import one\nimport os\n",
}


@pytest.mark.parametrize(
    ("edited", "left"), [("rule", {"other", "apart"}), ("phase", {"rule", "other", "renamed", "listed", "apart"})]
)
def test_an_edit_reaches_every_kernel_built_on_it(edited: str, left: set[str], tmp_path: Path) -> None:
    package = tmp_path / "qdt_env"
    cache = package / "__pycache__"
    cache.mkdir(parents=True)
    for name, source in SOURCES.items():
        (package / f"{name}.py").write_text(source)
    drop_stale_kernels(package)
    for name in SOURCES:
        (cache / f"{name}.kernel-1.py311.nbi").touch()
        (cache / f"{name}.kernel-1.py311.1.nbc").touch()
    drop_stale_kernels(package)
    assert len(list(cache.glob("*.nb[ic]"))) == 2 * len(SOURCES)

    os.utime(package / f"{edited}.py", ns=(1, 1))
    drop_stale_kernels(package)
    assert {path.name.partition(".")[0] for path in cache.glob("*.nb[ic]")} == left
