"""The advice and offload studies: paired lines on the same seeds, and who helps most in a cell."""

import numpy as np
import pytest

from agents.planning import planner_names
from qdt_env.scenario import ScenarioConfig, load_scenario, with_horizon
from training.advice_study import PLANNERS, Line, advice_study, delay_lines, hostile_lines, planner_lines
from training.offload_study import NOBODY, QUICK, Cell, Grid, cell_qpu, measure_timetable, offload_study
from training.statistics import Interval


@pytest.fixture(scope="module")
def short_ward() -> ScenarioConfig:
    return with_horizon(load_scenario("ward"), 30)


def test_lines_are_paired_with_greedy_and_with_no_advice(short_ward: ScenarioConfig) -> None:
    bars: list[str] = []

    def begin(title: str, total: int):  # type: ignore[no-untyped-def]
        bars.append(title)
        assert total == 30
        return lambda done: None

    outcomes = advice_study(short_ward, planner_lines(("none", "greedy", "exact")), range(3), begin=begin)
    assert [one.line.name for one in outcomes] == bars == ["none", "greedy", "exact"]
    none, greedy, exact = outcomes
    assert greedy.to_floor.mean == 0.0 and not greedy.below_floor and none.spent == {}
    assert exact.to_none is not None
    assert exact.to_none.mean == pytest.approx(float((exact.scores - none.scores).mean()))
    assert exact.spent["plans"] > 0 and exact.to_dict()["line"] == "exact"


def test_greedy_is_always_played(short_ward: ScenarioConfig) -> None:
    outcomes = advice_study(short_ward, [Line("mine", "linear")], range(2))
    assert [one.line.name for one in outcomes] == ["greedy", "mine"] and outcomes[1].to_none is None


def test_lines_of_the_delays_and_of_hostile_qpus() -> None:
    late = delay_lines("exact", (0, 6))
    assert [line.settings.get("delay_steps") for line in late] == [0, 6, 6]
    assert "interim" not in late[-1].settings and late[-1].name.endswith("robots wait")
    hostile = hostile_lines()
    assert {line.qpu.behaviour for line in hostile if line.qpu} == {"honest", "random", "worst", "inflated"}
    assert [line.name for line in planner_lines()] == [n for n in PLANNERS if n == "none" or n in planner_names()]


def test_what_cannot_be_compared_is_refused(short_ward: ScenarioConfig) -> None:
    with pytest.raises(ValueError, match="seeds=1 is not allowed: 2 or more"):
        advice_study(short_ward, [], [1])
    with pytest.raises(ValueError, match="names that differ"):
        advice_study(short_ward, [Line("a", "greedy"), Line("a", "exact")], range(2))
    with pytest.raises(ValueError, match="seeds=1"):
        offload_study(short_ward, seeds=[1])
    with pytest.raises(ValueError, match="sizes=\\(\\) is not allowed"):
        Grid(sizes=())


def test_a_cell_names_who_helps_beyond_the_interval() -> None:
    sure, unsure = Interval(0.02, 0.01, 0.03, 8), Interval(0.05, -0.01, 0.11, 8)
    worse = Interval(-0.05, -0.06, -0.04, 8)
    assert Cell(3, 1.0, "ideal", {"local": unsure, "edge": sure, "qpu": worse}).best == "edge"
    assert Cell(3, 1.0, "ideal", {"local": unsure, "qpu": worse}).best == NOBODY
    assert Cell(3, 1.0, "ideal", {"local": unsure}).to_dict()["delay_steps"] is None


@pytest.mark.slow
def test_the_grid_is_played(short_ward: ScenarioConfig) -> None:
    grid = Grid(sizes=(3,), latencies_s=(1.0, 30.0), noises=("ideal",), max_qubits=8)
    cells = offload_study(short_ward, grid, range(3))
    assert [(cell.size, cell.latency_s, cell.noise) for cell in cells] == [(3, 1.0, "ideal"), (3, 30.0, "ideal")]
    for cell in cells:
        assert set(cell.differences) == {"local", "edge", "qpu", "offload"}
        assert all(interval.n == 3 for interval in cell.differences.values())
    assert cells[0].delay_steps < cells[1].delay_steps and cells[0].failures <= 1.0
    assert grid.runs == 3 + 2 * 2 and QUICK.runs == 6 + 8 * 2
    assert cell_qpu(30.0, "heron", 8).noisy and not cell_qpu(30.0, "ideal", 8).noisy


@pytest.mark.slow
def test_the_timetable_is_measured() -> None:
    table = measure_timetable(((2, 3), (2, 4)), problems=3)
    assert {place for place, _ in table.seconds} == {"local", "edge", "qpu"}
    assert all(seconds > 0.0 for seconds in table.seconds.values())
    assert all(0.0 <= gain < np.inf for gain in table.gains.values())
