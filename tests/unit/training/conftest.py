"""What tests of learners' environments share."""

from dataclasses import replace

import pytest

from qdt_env.physical.config import PhysicalConfig
from qdt_env.scenario import ScenarioConfig, load_scenario


@pytest.fixture(scope="session")
def shaking_ward() -> ScenarioConfig:
    """The ward with many strong aftershocks, in which robots are lost one by one."""
    physical = PhysicalConfig(
        magnitude_gap=4.2, aftershock_pga_g=0.6, ignition=0.05, collapse_probability=0.3, lost_probability=1.0
    )
    return replace(load_scenario("ward"), physical=physical)
