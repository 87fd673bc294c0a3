"""What all tests share: the real clinic and Hypothesis' settings."""

import os
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
