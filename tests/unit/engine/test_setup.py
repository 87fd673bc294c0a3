"""What the engine prepares once per scenario."""

import numpy as np

from qdt_env.engine.setup import sensor_rota
from qdt_env.hospital import generate_building


def test_every_fixed_sensor_reports_once_a_period_through_its_gateway() -> None:
    building, period = generate_building("clinic", 0), 6
    zones, turns = sensor_rota(building, period)
    assert sorted(zones) == list(range(building.n_zones)) and turns[0] == 0 and turns[-1] == building.n_zones
    for turn in range(len(turns) - 1):
        for z in zones[turns[turn] : turns[turn + 1]]:
            gateway, moment = divmod(turn, period)
            assert building.zone_gateway[z] == gateway and (moment + z) % period == 0
    shares = np.diff(turns).reshape(len(building.gateways), period).sum(axis=0)
    assert shares.max() - shares.min() <= 1, "every step carries the same share"
