"""What networks read of observations, beside the same taken by hand from the named blocks."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="learned policies need PyTorch")

from agents.advice_held import with_advice  # noqa: E402
from agents.sight import ALONG, own_size, patient_size, read  # noqa: E402
from qdt_env.spaces import TRAVEL_SCALE_S, ObservationLayout  # noqa: E402

LAYOUT = ObservationLayout(patients=6, slots=3, robots=4)
N = 9


def observations(layout: ObservationLayout, seed: int = 0) -> np.ndarray:
    """Random features; which patients and mates are there is random, too, and nobody is for the last robot."""
    rng = np.random.default_rng(seed)
    seen = rng.random((N, layout.size)).astype(np.float32)
    layout.feature(seen, "tasks", "open")[:] = rng.random((N, layout.patients)) < 0.5
    layout.slice(seen, "team")[..., 0] = rng.random((N, layout.robots - 1)) < 0.5
    there = np.arange(layout.slots) <= rng.integers(0, layout.slots, N)[:, None]  # the last robot is nowhere
    there[-1] = False
    layout.slice(seen, "passages")[~there] = 0.0
    layout.slice(seen, "passages")[..., 0] = there
    layout.slice(seen, "team")[-1] = layout.slice(seen, "tasks")[-1] = 0.0
    return seen


def minutes(squashed: np.ndarray) -> np.ndarray:
    """Undoes t / (t + scale); at least half a minute."""
    return np.maximum(TRAVEL_SCALE_S / 60.0 * squashed / (1.0 - squashed), 0.5)


@pytest.mark.parametrize("advised", [False, True])
def test_everything_is_read_from_its_block(advised: bool) -> None:
    layout = with_advice(LAYOUT) if advised else LAYOUT
    seen, chosen = observations(layout), np.random.default_rng(1).integers(0, 3, (N, 6)).astype(np.float32)
    if advised:
        layout.feature(seen, "advice", "given")[:, 0] = np.arange(N) % 2
        layout.feature(seen, "advice", "slot")[:, 0] = (1 + np.arange(N) % 6) / 6
    sight = read(layout, torch.from_numpy(seen), torch.from_numpy(chosen), advised)
    assert sight.own.shape == (N, own_size(advised)) and sight.patients.shape[1] == patient_size(advised)

    blocks = [layout.slice(seen, name).reshape(N, -1) for name in ("self", "services", "channel", "time")]
    if advised:
        blocks += [layout.feature(seen, "advice", name) for name in ("given", "age")]
    ways = layout.slice(seen, "passages")
    mean = ways.sum(1) / np.maximum(ways[..., :1].sum(1), 1.0)  # over the passages that are there
    np.testing.assert_allclose(sight.own, np.concatenate([*blocks, mean, ways.max(1)], 1), rtol=1e-6)
    assert np.array_equal(sight.own[:, -ALONG // 2 :], ways.max(1))

    mates = layout.slice(seen, "team")
    there = mates[..., 0] > 0.5
    assert np.array_equal(sight.mates, mates[there])
    assert np.array_equal(np.diff(sight.mates_first), there.sum(1)) and not there[-1].any()

    tasks, is_open = layout.slice(seen, "tasks"), layout.feature(seen, "tasks", "open") > 0.5
    rows, slots = np.nonzero(is_open)
    assert np.array_equal(sight.open.row, rows) and np.array_equal(sight.open.slot, slots)
    assert np.array_equal(np.diff(sight.open.first), is_open.sum(1))
    now, handover, left, travel, total = (
        layout.feature(seen, "tasks", name)[is_open].astype(np.float64)
        for name in ("survival_now", "survival_at_handover", "survival_if_left", "travel", "handover")
    )
    wanted = [(handover - left), 10 * (handover - left) / minutes(total), 10 * (now - left) / minutes(travel)]
    wanted += [chosen[is_open]]
    if advised:
        wanted += [(rows % 2 == 1) & (slots == rows % 6)]
    assert np.array_equal(sight.patients[:, : tasks.shape[2]], tasks[is_open])
    np.testing.assert_allclose(sight.patients[:, tasks.shape[2] :], np.stack(wanted, 1), rtol=1e-4, atol=1e-6)


def test_a_time_without_end_and_one_of_nothing_stay_finite() -> None:
    seen = observations(LAYOUT)
    for name, value in (("travel", 0.0), ("handover", 1.0)):
        LAYOUT.feature(seen, "tasks", name)[:] = value
    sight = read(LAYOUT, torch.from_numpy(seen), torch.zeros(N, 6), advised=False)
    assert torch.isfinite(sight.patients).all()


def test_a_team_of_one_has_no_mates() -> None:
    alone = ObservationLayout(patients=6, slots=3, robots=1)
    sight = read(alone, torch.zeros(2, alone.size), torch.zeros(2, 6), advised=False)
    assert sight.mates.shape[0] == 0 and sight.patients.shape[0] == 0 and sight.mates_first.tolist() == [0, 0, 0]
