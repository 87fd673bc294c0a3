"""No check that cannot fail: environments with one planted bug each, and the check that must find it."""

import copy
import random
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.utils import BaseParallelWrapper

from qdt_env import hospital_rescue_v0
from qdt_env.scenario import ScenarioConfig
from qdt_env.testing import CHECKS, ConformanceError, check_parallel_env

ROOT = Path(__file__).resolve().parents[2]
STEPS = 40
HORIZON = 15


class Planted(BaseParallelWrapper):  # type: ignore[misc]
    """An environment whose results pass through ``spoil``; bugs override what they need."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(hospital_rescue_v0.parallel_env(**kwargs))
        self.at = 0

    @property
    def agents(self) -> Any:
        return self.env.agents

    @property
    def inner(self) -> Any:
        """Arrays that the kernels write."""
        return self.env._episodes.out

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.at = 0
        observations, infos = super().reset(seed=seed, options=options)
        self.spoil(observations, {}, {}, {}, infos)
        return observations, infos

    def step(self, actions: dict[str, Any]) -> Any:
        self.at += 1
        results = super().step(actions)
        if results[0]:
            self.spoil(*results)
        return results

    def spoil(self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: Any) -> None:
        """Do the damage, in place."""


BUGS: dict[str, tuple[str, type[Planted]]] = {}


def caught_by(check: str) -> Callable[[type[Planted]], type[Planted]]:
    """Register a bug with the name of the check that must find it."""

    def register(bug: type[Planted]) -> type[Planted]:
        BUGS[bug.__name__] = check, bug
        return bug

    return register


def first(part: dict[str, Any]) -> Any:
    return next(iter(part), None)


# observations


@caught_by("observations")
class NanLate(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        if self.at == 7:
            observations[first(observations)]["observation"][3] = np.nan


@caught_by("observations")
class OutOfBounds(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        observations[first(observations)]["observation"][-1] = 1.001


@caught_by("observations")
class WrongDtype(Planted):
    """float16 is castable to float32, so that ``space.contains`` lets it pass."""

    def spoil(self, observations: Any, *_: Any) -> None:
        for seen in observations.values():
            seen["observation"] = seen["observation"].astype(np.float16)


@caught_by("observations")
class WrongShape(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        for seen in observations.values():
            seen["observation"] = seen["observation"][:-1]


@caught_by("observations")
class SurplusKey(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        for seen in observations.values():
            seen["extra"] = np.zeros(1, np.float32)


# spaces and metadata


@caught_by("spaces")
class FreshSpaces(Planted):
    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(int(super().action_space(agent).n))


@caught_by("spaces")
class UnboundedSpace(Planted):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        part = self.env.observation_space("robot_0").spaces
        part["observation"] = spaces.Box(-np.inf, np.inf, part["observation"].shape, np.float32)


@caught_by("spaces")
class NestedDict(Planted):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        inner = self.env.observation_space("robot_0")
        self.nested = spaces.Dict({"observation": spaces.Dict({"deep": inner["observation"]})})

    def observation_space(self, agent: str) -> Any:
        return self.nested


@caught_by("metadata")
class NoFrameRate(Planted):
    metadata = {"name": "rescue_v0", "render_modes": [], "is_parallelizable": True}  # noqa: RUF012


@caught_by("metadata")
class StrangeNames(Planted):
    possible_agents = ("medic", "digger")


# masks


@caught_by("masks")
class StaleMask(Planted):
    """The mask handed out is that of the step before."""

    before: Any = None

    def spoil(self, observations: Any, *_: Any) -> None:
        now = {agent: seen["action_mask"].copy() for agent, seen in observations.items()}
        if self.at > 0:
            for agent, seen in observations.items():
                seen["action_mask"] = self.before[agent].copy()
        self.before = now


@caught_by("masks")
class EverythingLegal(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        for seen in observations.values():
            seen["action_mask"][:] = 1


@caught_by("masks")
class NarrowMask(Planted):
    """Some actions that the environment would carry out are shown as illegal."""

    def spoil(self, observations: Any, *_: Any) -> None:
        for seen in observations.values():
            seen["action_mask"][1:-1] = 0


@caught_by("masks")
class BoolMask(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        for seen in observations.values():
            seen["action_mask"] = seen["action_mask"].astype(bool)


@caught_by("masks")
class NothingLegal(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        if self.at == 3:
            observations[first(observations)]["action_mask"][:] = 0


@caught_by("masks")
class IllegalRaises(Planted):
    def step(self, actions: dict[str, Any]) -> Any:
        for agent, action in actions.items():
            if agent in self.agents and 0 <= action < self.action_space(agent).n:
                assert self.inner.mask[0, int(agent[-1]), int(action)], "illegal"
        return super().step(actions)


@caught_by("masks")
class IllegalMeansWait(Planted):
    """Illegal actions are counted, but executed as "wait"."""

    swapped: Any = {}  # noqa: RUF012

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.swapped = dict.fromkeys(self.possible_agents, 0)
        return super().reset(seed=seed, options=options)

    def step(self, actions: dict[str, Any]) -> Any:
        actions = dict(actions)
        for agent, action in actions.items():
            row = self.inner.mask[0, int(agent[-1])]
            if 0 <= action < len(row) and not row[int(action)]:
                actions[agent] = len(row) - 1
                self.swapped[agent] += 1
        return super().step(actions)

    def spoil(self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: Any) -> None:
        for agent, info in infos.items():
            info["masked_actions"] += self.swapped[agent]


# rewards and ends


@caught_by("rewards_and_ends")
class ArrayReward(Planted):
    def spoil(self, observations: Any, rewards: Any, *_: Any) -> None:
        rewards.update({agent: np.array([reward]) for agent, reward in rewards.items()})


@caught_by("rewards_and_ends")
class NanReward(Planted):
    def spoil(self, observations: Any, rewards: Any, *_: Any) -> None:
        if self.at == 9:
            rewards[first(rewards)] = float("nan")


@caught_by("rewards_and_ends")
class NumpyEnds(Planted):
    def spoil(self, observations: Any, rewards: Any, terminations: Any, *_: Any) -> None:
        terminations.update({agent: np.bool_(end) for agent, end in terminations.items()})


@caught_by("rewards_and_ends")
class MixedEnds(Planted):
    def spoil(self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: Any) -> None:
        agent = first(truncations)
        if agent and truncations[agent]:
            terminations[agent], truncations[agent] = True, False


@caught_by("rewards_and_ends")
class Undead(Planted):
    """Says that an agent terminated, and goes on with it."""

    def spoil(self, observations: Any, rewards: Any, terminations: Any, *_: Any) -> None:
        if self.at == 4:
            terminations[first(terminations)] = True


@caught_by("rewards_and_ends")
class Forgotten(Planted):
    def spoil(self, observations: Any, rewards: Any, *_: Any) -> None:
        if self.at == 5:
            rewards.pop(first(rewards))


# infos


@caught_by("infos")
class LateKey(Planted):
    def spoil(self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: Any) -> None:
        if self.at == 12:
            infos[first(infos)]["late"] = 1.0


@caught_by("infos")
class TextInInfos(Planted):
    def spoil(self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: Any) -> None:
        for info in infos.values():
            info["verdict"] = "rejected"


@caught_by("infos")
class ChangingType(Planted):
    def spoil(self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: Any) -> None:
        if self.at == 6:
            infos[first(infos)]["step"] = 6


@caught_by("infos")
class InfiniteInfo(Planted):
    def spoil(self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: Any) -> None:
        infos[first(infos)]["score"] = float("inf")


# the state


@caught_by("state")
class StateView(Planted):
    kept: Any = None

    def state(self) -> Any:
        if self.kept is None or self.kept[0] != self.at:
            self.kept = self.at, super().state()
        return self.kept[1]


@caught_by("state")
class FrozenState(Planted):
    def state(self) -> Any:
        return np.zeros_like(super().state())


@caught_by("state")
class StateDtype(Planted):
    def state(self) -> Any:
        return super().state().astype(np.float64)


# the same seed


@caught_by("determinism")
class ChanceAfterStepFive(Planted):
    """PettingZoo's parallel_seed_test stops after one step and lets this pass."""

    def spoil(self, observations: Any, *_: Any) -> None:
        if self.at > 5:
            observations[first(observations)]["observation"][0] = secrets.randbits(16) / 2**16


@caught_by("determinism")
class LastBit(Planted):
    """One bit of one number, from the second episode of an instance on."""

    resets = 0

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.resets += 1
        return super().reset(seed=seed, options=options)

    def spoil(self, observations: Any, rewards: Any, *_: Any) -> None:
        if self.resets > 4 and rewards:
            rewards[first(rewards)] = np.nextafter(rewards[first(rewards)], 1.0).item()


@caught_by("global_random")
class UsesGlobalNumpy(Planted):
    def spoil(self, *_: Any) -> None:
        np.random.random()  # noqa: NPY002


@caught_by("global_random")
class UsesGlobalRandom(Planted):
    def spoil(self, *_: Any) -> None:
        random.random()


@caught_by("global_random")
class HeedsGlobalRandom(Planted):
    """Peeks at the generator without moving it."""

    def spoil(self, observations: Any, *_: Any) -> None:
        observations[first(observations)]["observation"][0] = float(random.getstate()[1][5] % 2)


@caught_by("fresh_process")
class HashOrder(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        observations[first(observations)]["observation"][0] = (hash("zone 12") % 1000) / 1000


@caught_by("copying")
class NoCopies(Planted):
    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("holds addresses")


@caught_by("copying")
class SharedCopies(Planted):
    def __deepcopy__(self, memo: Any) -> Any:
        return copy.copy(self)


# what clients do


@caught_by("copies")
class ObservationView(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        for agent, seen in observations.items():
            seen["observation"] = self.inner.observation[0, int(agent[-1])]


@caught_by("copies")
class MaskView(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        for agent, seen in observations.items():
            seen["action_mask"] = self.inner.mask[0, int(agent[-1])]


@caught_by("copies")
class SharedMask(Planted):
    """Equal masks, one array: right until a client writes into one."""

    def spoil(self, observations: Any, *_: Any) -> None:
        one = {}
        for seen in observations.values():
            seen["action_mask"] = one.setdefault(seen["action_mask"].tobytes(), seen["action_mask"])


@caught_by("copies")
class OneInfosDict(Planted):
    kept: Any = {}  # noqa: RUF012

    def step(self, actions: dict[str, Any]) -> Any:
        *rest, infos = super().step(actions)
        self.kept = self.kept or {}
        self.kept.clear()
        self.kept.update(infos)
        return (*rest, self.kept)


@caught_by("copies")
class TakesActions(Planted):
    def step(self, actions: dict[str, Any]) -> Any:
        results = super().step(actions)
        actions["team"] = 0
        return results


@caught_by("odd_actions")
class ClipsActions(Planted):
    def step(self, actions: dict[str, Any]) -> Any:
        n = self.action_space("robot_0").n
        return super().step({a: min(max(int(x), 0), n - 1) if x == x else 0 for a, x in actions.items()})


@caught_by("odd_actions")
class NeedsEveryone(Planted):
    def step(self, actions: dict[str, Any]) -> Any:
        return super().step({agent: actions[agent] for agent in self.agents})


@caught_by("odd_actions")
class MissingMeansWait(Planted):
    def step(self, actions: dict[str, Any]) -> Any:
        wait = int(self.action_space("robot_0").n) - 1
        return super().step({agent: actions.get(agent, wait) for agent in self.agents})


@caught_by("odd_actions")
class RefusesTooLate(Planted):
    """Raises after having moved on."""

    def step(self, actions: dict[str, Any]) -> Any:
        try:
            return super().step(actions)
        except ValueError:
            super().step({})
            raise


@caught_by("lost_agents")
class GhostsAct(Planted):
    """Who sends an action for a lost robot makes the others miss theirs."""

    def step(self, actions: dict[str, Any]) -> Any:
        ghosts = set(actions) - set(self.agents)
        return super().step({} if ghosts else actions)


@caught_by("lost_agents")
class GhostsRaise(Planted):
    def step(self, actions: dict[str, Any]) -> Any:
        assert set(actions) <= set(self.agents)
        return super().step(actions)


@caught_by("lost_agents")
class GhostsSee(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        for seen in observations.values():
            seen["observation"][-2:] = 0.5


@caught_by("lost_agents")
class GhostsMayAct(Planted):
    def spoil(self, observations: Any, *_: Any) -> None:
        for seen in observations.values():
            seen["action_mask"][0] = 1


# resets


@caught_by("resets")
class SameEpisode(Planted):
    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=7 if seed is None else seed, options=options)


@caught_by("resets")
class SeedIgnored(Planted):
    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=None if seed is None else 7, options=options)


@caught_by("resets")
class CountsSteps(Planted):
    """The next episode depends on how long the last one was."""

    total = 0

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.total = self.total + self.at if seed is None else 0
        extra = {"episode": 1 + self.total} if seed is None and not options else {}
        return super().reset(seed=seed, options=(options or {}) | extra)


@caught_by("resets")
class StrictOptions(Planted):
    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=seed, options=options and {"episode": 1})


# rendering


@caught_by("render")
class StillPicture(Planted):
    kept: Any = None

    def render(self) -> Any:
        self.kept = super().render() if self.kept is None else self.kept
        return self.kept


@caught_by("render")
class FloatPicture(Planted):
    def render(self) -> Any:
        image = super().render()
        return image / 255.0 if isinstance(image, np.ndarray) else image


@caught_by("render")
class HumanPicture(Planted):
    def render(self) -> Any:
        image = super().render()
        return np.zeros((2, 2, 3), np.uint8) if self.render_mode == "human" else image


@caught_by("render")
class RenderSteps(Planted):
    def render(self) -> Any:
        image = super().render()
        super().step({})
        return image


class Both(NanLate, FrozenState):
    """Two bugs."""


@pytest.fixture(scope="module")
def kinds(scenario_named: Callable[[str], ScenarioConfig]) -> dict[str, dict[str, Any]]:
    """Arguments of the environment, by check."""
    calm = {"scenario": scenario_named("small"), "max_cycles": HORIZON}
    ward = {"scenario": scenario_named("ward")}  # where masks change now and then
    return dict.fromkeys(CHECKS, calm) | {"masks": ward, "lost_agents": {"scenario": scenario_named("shaking")}}


@pytest.mark.parametrize("name", BUGS)
def test_the_check_finds_the_bug(name: str, kinds: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    check, bug = BUGS[name]
    monkeypatch.syspath_prepend(ROOT)  # for the fresh process, which must find this module
    steps = {"lost_agents": 900, "masks": 400, "render": 3}.get(check, STEPS)
    with pytest.raises(ConformanceError) as caught:
        CHECKS[check](partial(bug, **kinds[check]), steps=steps, seed=0)
    assert len(str(caught.value)) > 20


def test_without_a_bug_the_checks_pass(kinds: dict[str, dict[str, Any]]) -> None:
    """The wrapper itself is not what they find."""
    make = partial(Planted, **kinds["spaces"])
    cases = check_parallel_env(make, steps=STEPS, seed=0, skip={"fresh_process", "render", "lost_agents"})
    assert min(cases.values()) > 0
    assert CHECKS["lost_agents"](partial(Planted, **kinds["lost_agents"]), steps=900, seed=0) > 0


def test_every_check_has_a_bug_that_it_finds() -> None:
    assert {check for check, _ in BUGS.values()} == set(CHECKS)


def test_all_failures_are_told_at_once(kinds: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(
        ConformanceError, match=r"(?s)observations: .*robot_0.*not finite.*state: state\(\) never"
    ) as caught:
        check_parallel_env(
            partial(Both, **kinds["spaces"]), steps=STEPS, skip={"fresh_process", "render", "lost_agents"}
        )
    assert "copying: " not in str(caught.value)
    with pytest.raises(ValueError, match="skip=.*no such check.* is not allowed: of metadata"):
        check_parallel_env(partial(Both, **kinds["spaces"]), skip={"no such check"})
