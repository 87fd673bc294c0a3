"""A planner of your own: whatever has a name and a plan. It is compared on problems and followed in missions."""

import time
from dataclasses import dataclass

import numpy as np

from agents.planning import Budget, Plan, Problem, make_planner
from agents.planning.classical import greedy_choice, scored_plan
from agents.planning.instances import load_instances
from qdt_env.engine.episodes import GameConfig
from qdt_env.scenario import load_scenario
from training.rollout import run_missions


@dataclass(frozen=True)
class SwapPlanner:
    """Starts from the greedy choice and swaps the options of two groups as long as that helps."""

    rounds: int = 5
    name: str = "swap two"

    def plan(self, problem: Problem, budget: Budget, rng: np.random.Generator) -> Plan:
        """The best of all single swaps, again and again."""
        started_s, evaluations = time.perf_counter(), 0
        best = greedy_choice(problem)
        for _ in range(self.rounds):
            tried = [best]
            for first in range(problem.groups):
                for second in range(first):
                    swapped = best.copy()
                    swapped[[first, second]] = best[[second, first]]
                    tried.append(swapped)
            costs = problem.costs(np.array(tried))  # inf where a choice is not allowed
            evaluations += len(tried)
            if costs.argmin() == 0:
                break
            best = tried[int(costs.argmin())]
        return scored_plan(problem, best, self.name, started_s, evaluations=evaluations, budget=budget)


def ratios(names: tuple[str, ...]) -> dict[str, float]:
    """Mean cost above the optimum, on the strongly coupled 4x5 triage problems."""
    problems = [instance.problem for instance in load_instances("triage", (4, 5), "strong")]
    planners = [SwapPlanner(), *map(make_planner, names)]
    costs = [[one.plan(p, Budget(), np.random.default_rng(0)).value for p in problems] for one in planners]
    above = np.array(costs) - costs[-1]
    return {planner.name: float(mean) for planner, mean in zip(planners, above.mean(1), strict=True)}


if __name__ == "__main__":
    for name, above in ratios(("greedy", "exact")).items():
        print(f"{name:<9} {above:.4f} above the optimum")
    ward, game = load_scenario("ward"), GameConfig("qkd", "mixed")
    missions = run_missions(ward, game, "gain", "swap two", range(8), planner=SwapPlanner())
    print(f"{missions.spent.plans} plans in 8 missions, score {missions.mean('score'):.3f}")
