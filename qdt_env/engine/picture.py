"""The twin's state, or under perfect information the truth, as a read-only snapshot for planners."""

import numpy as np

from qdt_env.engine.state import Setup, State
from qdt_env.physical.patients import rpm_after_each, rpm_at
from qdt_env.scenario import ScenarioConfig
from qdt_env.twin.snapshot import TwinSnapshot

_SILENT_S = 600.0  # a robot that has not reported for this long counts as lost for planners (assumed)


def take_snapshot(scenario: ScenarioConfig, setup: Setup, state: State, row: int, *, privileged: bool) -> TwinSnapshot:
    """Copy what the twin believes about the episode in ``row``; the truth instead, marked so, if ``privileged``."""
    step = int(state.clock["step"][row])
    known = _true_estimates(scenario, state, row) if privileged else _twin_estimates(scenario, state, row, step)
    return TwinSnapshot(
        step=step,
        dt_s=scenario.physical.dt_s,
        horizon_steps=scenario.horizon_steps,
        privileged=privileged,
        building=scenario.building,
        hierarchy=setup.hierarchy,
        physical=scenario.physical,
        robot_kind=state.world.robots["kind"][row].copy(),
        **known,
    )


def _twin_estimates(scenario: ScenarioConfig, state: State, row: int, step: int) -> dict[str, np.ndarray]:
    """The snapshot's arrays from the twin."""
    patients, robots = state.twin.patients[row], state.twin.robots[row]
    passages, zones = state.twin.passages[row], state.twin.zones[row]
    age_min = (step - patients["rpm_step"]) * scenario.physical.dt_s / 60.0
    rpm = np.empty(len(patients), np.float32)
    rpm_after_each(patients["rpm"], age_min.astype(np.float32), rpm)
    return {
        "patient_status": patients["status"].copy(),
        "patient_zone": patients["zone"].astype(np.int32),
        "patient_rpm": rpm,
        "patient_rpm_sd": np.sqrt(patients["var"]),
        "patient_work_min": patients["work_min"].copy(),
        "patient_trust": patients["trust"].copy(),
        "patient_age_steps": (step - np.maximum(patients["step"], 0)).astype(np.int32),
        "patient_known": patients["known"] == 1,
        "patient_kitted": patients["kitted"] == 1,
        "robot_zone": robots["zone"].astype(np.int32),
        "robot_energy": robots["energy"].copy(),
        "robot_alive": step - robots["step"] < _SILENT_S / scenario.physical.dt_s,
        "robot_task": robots["task"].astype(np.int32),
        "robot_patient": robots["patient"].astype(np.int32),
        "robot_kits": robots["kits"].copy(),
        "robot_trust": robots["trust"].copy(),
        "passage_condition": passages["condition"].copy(),
        "passage_age_steps": (step - np.maximum(passages["step"], 0)).astype(np.int32),
        "zone_damage": zones["damage"].copy(),
        "zone_smoke": zones["smoke"] / np.float32(100.0),
        "zone_seen": zones["seen"] == 1,
    }


def _true_estimates(scenario: ScenarioConfig, state: State, row: int) -> dict[str, np.ndarray]:
    """The snapshot's arrays from the truth: a privilege."""
    patients, robots = state.world.patients[row], state.world.robots[row]
    rpm = [rpm_at(int(p["rpm0"]), np.float32(p["clock_min"])) for p in patients]
    now = np.zeros(len(patients), np.int32)
    return {
        "patient_status": patients["status"].copy(),
        "patient_zone": patients["zone"].astype(np.int32),
        "patient_rpm": np.array(rpm, np.float32),
        "patient_rpm_sd": np.full(len(patients), 1e-3, np.float32),
        "patient_work_min": patients["work_min"].copy(),
        "patient_trust": np.ones(len(patients), np.float32),
        "patient_age_steps": now,
        "patient_known": patients["status"] > 0,
        "patient_kitted": patients["kitted"] == 1,
        "robot_zone": robots["zone"].astype(np.int32),
        "robot_energy": robots["energy"].copy(),
        "robot_alive": robots["alive"] == 1,
        "robot_task": state.belief.minds["task"][row].astype(np.int32),
        "robot_patient": robots["patient"].astype(np.int32),
        "robot_kits": robots["kits"].copy(),
        "robot_trust": np.ones(len(robots), np.float32),
        "passage_condition": state.world.passages["condition"][row].copy(),
        "passage_age_steps": np.zeros(scenario.building.n_passages, np.int32),
        "zone_damage": state.world.zones["damage"][row].copy(),
        "zone_smoke": state.world.zones["smoke"][row].copy(),
        "zone_seen": np.ones(scenario.building.n_zones, bool),
    }
