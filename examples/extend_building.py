"""A building of your own: a networkx graph, checked, written to a file, and played."""

import sys
from pathlib import Path

import networkx as nx

from qdt_env.engine.episodes import GameConfig
from qdt_env.hospital import HospitalGraph, load_building, save_building
from qdt_env.physical.config import PhysicalConfig
from qdt_env.scenario import ScenarioConfig
from training.rollout import run_missions

ROOMS = ("emergency", "ward", "ward", "operating", "intensive_care", "ward", "pharmacy", "staff")


def field_hospital() -> HospitalGraph:
    """One corridor, four rooms on either side, an entrance at either end."""
    graph = nx.MultiGraph(building="field hospital")
    for k in range(4):
        x = 10.0 * k
        graph.add_node(f"corridor {k}", function="corridor", department="main", level=0, area=40.0,
                       centroid=[x + 5, 10.0, 0.0], bbox=[x, 8.0, x + 10, 12.0])  # fmt: skip
        for side, y in ((0, 4.0), (1, 16.0)):
            room = f"room {2 * k + side}"
            graph.add_node(room, function=ROOMS[2 * k + side], department="main", level=0, area=80.0,
                           centroid=[x + 5, y, 0.0], bbox=[x, y - 4, x + 10, y + 4])  # fmt: skip
            graph.add_edge(room, f"corridor {k}", kind="door", length=6.0, width=1.2)
        if k:
            graph.add_edge(f"corridor {k - 1}", f"corridor {k}", kind="hall", length=10.0, width=4.0)
    for outside, corridor, x in (("street", "corridor 0", -5.0), ("yard", "corridor 3", 45.0)):
        graph.add_node(outside, function="entry", level=0, area=40.0, centroid=[x, 10.0, 0.0])
        graph.add_edge(outside, corridor, kind="door", length=8.0, width=1.8)
    return HospitalGraph.from_networkx(graph)


def scenario_of(building: HospitalGraph) -> ScenarioConfig:
    """Twenty minutes with three robots; bedded more densely than Hazus' mean of all hospital floors."""
    dense = PhysicalConfig(area_per_person_m2=6.5)
    return ScenarioConfig("field hospital", building, ("tracked", "tracked", "legged"), 120, physical=dense)


if __name__ == "__main__":
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "field_hospital.json")
    save_building(field_hospital(), path)
    scenario = scenario_of(load_building(path))
    for policy in ("wait", "gain"):
        missions = run_missions(scenario, GameConfig("qkd", "mixed"), policy, seeds=range(16))
        print(f"{policy:<5} score {missions.mean('score'):.3f}, {missions.mean('handed_over'):.1f} handed over")
    print(f"wrote {path}: try qdt building draw {path}")
