"""Sensors of your own: how precise they are, how often they report, whether they survive; and what that is worth."""

from dataclasses import replace

import numpy as np

from qdt_env.engine.episodes import GameConfig
from qdt_env.scenario import ScenarioConfig, load_scenario
from training.story import tell

WARD = load_scenario("ward")


def with_sensors(**changes: object) -> ScenarioConfig:
    """The ward with other sensors; names and units as in ``qdt_env.physical.config.PhysicalConfig``."""
    return replace(WARD, physical=replace(WARD.physical, **changes))


SENSORS = {
    "as they are": WARD,
    # Standard deviations of damage [states], smoke [0..1] and occupied beds.
    "lidar on robots": with_sensors(robot_sigma=(0.05, 0.03, 0.05)),
    "sensors every 10 s": with_sensors(sensor_period_s=10.0),
    "hardened sensors": with_sensors(sensor_death=0.0),
    "blind robots": with_sensors(robot_sigma=(2.0, 0.5, 2.0)),
}


def errors(seeds: range) -> dict[str, float]:
    """Error of the twin's picture in damage states, mean over the missions' second halves."""
    found = {}
    for name, scenario in SENSORS.items():
        stories = [tell(scenario, GameConfig("qkd", "none"), "gain", seed) for seed in seeds]
        found[name] = float(np.mean([np.nanmean(story.damage_error[90:]) for story in stories]))
    return found


if __name__ == "__main__":
    for name, error in errors(range(4)).items():
        print(f"{name:<19} {error:.3f} damage states off")
