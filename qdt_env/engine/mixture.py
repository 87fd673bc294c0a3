"""Mixture: rows of several buildings, suites and threats behind one set of arrays, for domain randomisation."""

from collections.abc import Sequence
from functools import cached_property, partial
from itertools import groupby

import numpy as np

from qdt_env.engine.belief_graph import BeliefGraphs, edges_of, empty_graphs, write_graphs
from qdt_env.engine.episodes import Episodes, GameConfig, empty_output
from qdt_env.engine.privileged import state_layout, state_of
from qdt_env.records import require
from qdt_env.scenario import ScenarioConfig
from qdt_env.spaces import ActionCodec, ObservationLayout
from qdt_env.threads import Threads
from qdt_env.twin.snapshot import TwinSnapshot


class Mixture:
    """B episodes, each row with a scenario, a suite and threats of its own, as one batch.

    Neighbouring rows of one scenario object share an engine, so a mixture of one scenario costs nothing. Engines write
    into slices of the same arrays.

    Attributes:
        engines: the :class:`Episodes`, in the order of the rows they hold.
        out: what they hand out, arrays of all B rows.
        codec, layout: action numbers and observation offsets, the same in every row.
        state_layout: room for the true state of every row.
    """

    def __init__(self, scenarios: Sequence[ScenarioConfig], games: Sequence[GameConfig], threads: int = 1) -> None:
        """Engines for rows that play ``scenarios[b]`` by ``games[b]``; ``threads`` share each step.

        Raises:
            ValueError: no rows, or scenarios or games that cannot stand side by side; the message says which and why.
        """
        require(len(scenarios) >= 1, "num_envs", len(scenarios), "1 or more")
        _check_sizes(scenarios, games[0].control)
        rows = len(scenarios)
        slots = max(scenario.building.max_degree for scenario in scenarios)
        first = scenarios[0]
        self.codec = ActionCodec(games[0].control, first.patient_slots, slots)
        self.layout = ObservationLayout(first.patient_slots, slots, len(first.team))
        self.out = empty_output(rows, self.layout, self.codec)
        self.engines: list[Episodes] = []
        starts = [0]
        for (_, _), part in groupby(range(rows), lambda b: (id(scenarios[b]), _suite_apart(games[b]))):
            held = list(part)
            starts.append(held[-1] + 1)
            own = slice(starts[-2], starts[-1])
            engine = Episodes(
                scenarios[held[0]], games[held[0]], len(held), rows=games[own], slots=slots,
                out=self.out if len(held) == rows else type(self.out)(*(array[own] for array in self.out)),
            )  # fmt: skip
            self.engines.append(engine)
        self._starts = np.array(starts)
        self._threads, self._on_wire = Threads(threads), games[0].channel == "wire"
        self.state_layout = state_layout(self.engines[0])
        for engine in self.engines[1:]:
            self.state_layout = self.state_layout.covering(state_layout(engine))
        self._graphs: BeliefGraphs | None = None

    def __getstate__(self) -> dict[str, object]:
        """A mixture of one engine can be copied and pickled; arrays shared by several would come apart.

        Raises:
            TypeError: several engines.
        """
        if len(self.engines) > 1:
            raise TypeError(f"a mixture of {len(self.engines)} engines cannot be copied or pickled: make it anew")
        return vars(self)

    @property
    def n(self) -> int:
        """Number of rows B."""
        return int(self.out.truncated.size)

    def reset(self, rows: np.ndarray, seeds: np.ndarray, episode_numbers: np.ndarray) -> None:
        """Start fresh episodes in ``rows``, ascending; arguments as :meth:`Episodes.reset`."""
        for engine, part, start in self._shared_out(rows):
            engine.reset(rows[part] - start, seeds[part], episode_numbers[part])

    def step(self, actions: np.ndarray) -> None:
        """Advance every row that is not over; ``actions`` (B, R) integers within the action space."""
        if self._on_wire:
            for k, engine in enumerate(self.engines):
                engine.step(actions[self._starts[k] : self._starts[k + 1]])
        else:
            actions = np.ascontiguousarray(actions, np.int32)
            self._threads.do([partial(self._step_part, actions, *part) for part in self._threads.parts(self.n)])

    def _step_part(self, actions: np.ndarray, first: int, last: int) -> None:
        """Rows ``first`` .. ``last - 1``, of whichever engines."""
        for engine, start, end in zip(self.engines, self._starts, self._starts[1:], strict=False):
            if start < last and first < end:
                engine.step_part(max(first - start, 0), min(last, end) - start, actions[start:end])

    def metrics_of(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of the episodes in ``rows`` (n,), ascending, float64 (n,) each, see ``engine.metrics``."""
        parts = [engine.metrics_of(rows[part] - start) for engine, part, start in self._shared_out(rows)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def snapshot(self, row: int) -> TwinSnapshot:
        """The twin's picture of row ``row``, see :meth:`Episodes.snapshot`."""
        engine = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self.engines[engine].snapshot(row - int(self._starts[engine]))

    def state(self) -> np.ndarray:
        """The truth of every row, (B, S) float32 in [0, 1], see ``engine.privileged.state_of``."""
        states = [state_of(engine, self.state_layout) for engine in self.engines]
        return states[0] if len(states) == 1 else np.concatenate(states)

    def graphs(self) -> BeliefGraphs:
        """What the robots of every row believe, in arrays that the next call overwrites."""
        room = self.state_layout
        if self._graphs is None:
            self._graphs = empty_graphs(self.n, room.robots, room.zones, room.passages, room.patients)
        for k, engine in enumerate(self.engines):
            own = slice(self._starts[k], self._starts[k + 1])
            write_graphs(engine, BeliefGraphs(*(part[own] for part in self._graphs)))
        return self._graphs

    @cached_property
    def edges(self) -> np.ndarray:
        """The two zones of every passage, (B, E, 2) int32, -1 where a row's building has fewer; cannot be written."""
        edges = [edges_of(engine) for engine in self.engines]
        if len(edges) == 1:
            return np.broadcast_to(edges[0], (self.n, *edges[0].shape))
        every = np.full((self.n, self.state_layout.passages, 2), -1, np.int32)
        for k, own in enumerate(edges):
            every[self._starts[k] : self._starts[k + 1], : len(own)] = own
        every.setflags(write=False)
        return every

    def _shared_out(self, rows: np.ndarray) -> list[tuple[Episodes, slice, int]]:
        """Which engine holds which stretch of the ascending ``rows``, and that engine's first row."""
        cuts = np.searchsorted(rows, self._starts)
        return [
            (engine, slice(int(cuts[k]), int(cuts[k + 1])), int(self._starts[k]))
            for k, engine in enumerate(self.engines)
            if cuts[k] < cuts[k + 1]
        ]


def _suite_apart(game: GameConfig) -> str:
    """Under real ciphers an engine plays one suite."""
    return game.suite if game.channel == "wire" else ""


def _check_sizes(scenarios: Sequence[ScenarioConfig], control: str) -> None:
    """All rows must fit the same arrays.

    Raises:
        ValueError: two scenarios of different sizes; the message names both and the size.
    """
    first = scenarios[0]
    for scenario in {id(scenario): scenario for scenario in scenarios}.values():
        for size, one, other in (
            ("robots", len(first.team), len(scenario.team)),
            ("patient slots (ScenarioConfig.patients)", first.patient_slots, scenario.patient_slots),
            ("passages at a zone", first.building.max_degree, scenario.building.max_degree),
        ):
            if one != other and not (size == "passages at a zone" and control == "task"):
                raise ValueError(
                    f"scenario={scenario.name!r} with {other} {size} is not allowed beside {first.name!r} with {one}: "
                    "all rows must have the same, or the actions and observations would differ"
                )
