"""Block counts: addressing, additivity, block ends and the leak table. The distribution: tests/statistical."""

import math

import numpy as np
import pytest

from qdt_env.security.qkd.counts import (
    COUNTS,
    clear_counts,
    correction_efficiency,
    draw_binomial,
    draw_counts,
    leak_table,
    leaked_bits,
    pulses_for,
)
from qdt_env.security.qkd.detection import cell_probabilities

CELLS = cell_probabilities("robot100MHz", 15.0)


def drawn(*address, pulses=1e8, cells=CELLS):
    counts = np.zeros(1, COUNTS)[0]
    draw_counts(counts, cells, pulses, *address)
    return counts


def test_a_draw_is_a_function_of_its_address():
    first = drawn(7, 0, 3, 1, 0)
    assert first == drawn(7, 0, 3, 1, 0)
    for other in ((8, 0, 3, 1, 0), (7, 1, 3, 1, 0), (7, 0, 4, 1, 0), (7, 0, 3, 2, 0), (7, 0, 3, 1, 1)):
        assert first["n"].tolist() != drawn(*other)["n"].tolist()


def test_counts_add_up():
    counts = np.zeros(1, COUNTS)[0]
    draw_counts(counts, CELLS, 1e8, 7, 0, 0, 0, 0)
    draw_counts(counts, CELLS, 5e7, 7, 0, 1, 0, 0)
    assert counts["pulses"] == 1.5e8
    a, b = drawn(7, 0, 0, 0, 0), drawn(7, 0, 1, 0, 0, pulses=5e7)
    assert (counts["n"] == a["n"] + b["n"]).all() and (counts["m"] == a["m"] + b["m"]).all()
    assert (counts["m"] <= counts["n"]).all() and not counts["n"][:, 2].any()
    clear_counts(counts)
    assert counts == np.zeros(1, COUNTS)[0]


def test_certain_and_impossible_cells():
    cells = np.zeros((2, 3, 2))
    assert not drawn(1, 0, 0, 0, 0, cells=cells)["n"].any()
    cells[0, 0, 1] = 1.0
    sure = drawn(1, 0, 0, 0, 0, pulses=12345.0, cells=cells)
    assert sure["n"][0, 0] == sure["m"][0, 0] == 12345
    cells[:, :, :] = 1 / 12  # every pulse falls somewhere
    assert drawn(1, 0, 0, 0, 0, pulses=1e6, cells=cells)["n"].sum() == 1_000_000


@pytest.mark.parametrize(("n", "p"), [(0, 0.3), (5, 0.0), (5, 1.0), (1, 0.5), (20, 0.5), (3, 0.999), (1e15, 1e-16)])
def test_binomial_at_its_edges(n, p):
    values = {draw_binomial(float(n), p, 1, 0, step, 0, 0) for step in range(300)}
    assert all(0 <= v <= n and v == int(v) for v in values)
    if p in (0.0, 1.0) or n == 0:
        assert values == {n * p}
    elif n <= 5:
        assert len(values) >= 2


def test_a_block_ends_with_its_expected_detections():
    per_pulse = CELLS[0].sum()
    assert pulses_for(1e5, CELLS) == math.ceil(1e5 / per_pulse)
    assert pulses_for(0.0, CELLS) == 0.0 == pulses_for(-3.0, CELLS)
    assert pulses_for(1.0, np.zeros((2, 3, 2))) == math.inf


def test_leak_follows_the_efficiencies_it_is_given():
    published = ((0.01, 1.037), (0.03, 1.036), (0.05, 1.039), (0.08, 1.055), (0.10, 1.055))
    table = leak_table(published)
    for qber, f in published:
        assert correction_efficiency(qber, table) == pytest.approx(f)
        h = -qber * math.log2(qber) - (1 - qber) * math.log2(1 - qber)
        assert leaked_bits(round(qber * 1e5), 100_000, table) == math.ceil(f * 1e5 * h)
    assert correction_efficiency(0.04, table) == pytest.approx((1.036 + 1.039) / 2)
    assert correction_efficiency(0.001, table) == 1.037 and correction_efficiency(0.3, table) == 1.055
    assert leaked_bits(0, 0, table) == 0 == leaked_bits(0, 100, table)
    assert leaked_bits(50, 100, table) == 100 == leaked_bits(90, 100, table)


@pytest.mark.parametrize("bad", [(), ((0.1, 1.1), (0.05, 1.1)), ((0.1, 0.9),), ((0.0, 1.1),), ((0.5, 1.1),)])
def test_leak_table_refuses(bad):
    with pytest.raises(ValueError, match="efficiencies: got"):
        leak_table(bad)
