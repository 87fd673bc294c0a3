"""The finite-key bounds against a second, literal transcription, their limits and their gate."""

import math
from dataclasses import replace

import numpy as np
import pytest

from qdt_env.security.qkd.counts import COUNTS
from qdt_env.security.qkd.detection import cell_probabilities
from qdt_env.security.qkd.finite_key import binary_entropy, finite_key, key_length, sampling_gap
from qdt_env.security.qkd.hardware import PRESETS, hardware_record

ROBOT = PRESETS["robot100MHz"]
LIM = replace(PRESETS["lim2014"], eps_per_bit=False, eps_secret=1e-10)


def mean_counts(hardware, loss_db, n_z, intercepted=0.0, pns=0.0):
    """A block at its mean counts, rounded."""
    cells = cell_probabilities(hardware, loss_db, intercepted, pns)
    counts = np.zeros(1, COUNTS)
    counts["pulses"] = math.ceil(n_z / cells[0].sum())
    counts["n"] = np.round(cells.sum(-1) * counts["pulses"])
    counts["m"] = np.round(cells[..., 1] * counts["pulses"])
    return counts[0]


def literally(counts, hardware, leak):
    """4-security's formulas, line by line, in plain Python."""
    k, p = hardware.intensities, hardware.shares
    one = hardware.protocol == "one-decoy"
    b, eps = (19 if one else 21), hardware.eps_secret
    used = range(2 if one else 3)
    tau = [sum(p[i] * math.exp(-k[i]) * k[i] ** j / math.factorial(j) for i in used) for j in (0, 1)]

    def delta(x):
        return math.sqrt(x / 2 * math.log(b / eps))

    def bounds(basis):
        n, m = [int(x) for x in counts["n"][basis]], [int(x) for x in counts["m"][basis]]
        up = [math.exp(k[i]) / p[i] * (n[i] + delta(sum(n))) for i in used]
        down = [max(0.0, math.exp(k[i]) / p[i] * (n[i] - delta(sum(n)))) for i in used]
        m_up = [math.exp(k[i]) / p[i] * (m[i] + delta(sum(m))) for i in used]
        m_down = [max(0.0, math.exp(k[i]) / p[i] * (m[i] - delta(sum(m)))) for i in used]
        if one:
            s0u = min(2 * (tau[0] * m_up[i] + delta(sum(n))) for i in used)
            s0 = max(0.0, tau[0] * (k[0] * down[1] - k[1] * up[0]) / (k[0] - k[1]))
            bracket = down[1] - k[1] ** 2 / k[0] ** 2 * up[0] - (k[0] ** 2 - k[1] ** 2) / k[0] ** 2 * s0u / tau[0]
            return s0, tau[1] * k[0] / (k[1] * (k[0] - k[1])) * bracket, tau[1] * (m_up[0] - m_down[1]) / (k[0] - k[1])
        s0 = max(0.0, tau[0] * (k[1] * down[2] - k[2] * up[1]) / (k[1] - k[2]))
        bracket = down[1] - up[2] - (k[1] ** 2 - k[2] ** 2) / k[0] ** 2 * (up[0] - s0 / tau[0])
        s1 = tau[1] * k[0] * bracket / (k[0] * (k[1] - k[2]) - k[1] ** 2 + k[2] ** 2)
        return s0, s1, tau[1] * (m_up[1] - m_down[2]) / (k[1] - k[2])

    s0, s1, _ = bounds(0)
    _, d, v1 = bounds(1)
    x = v1 / d
    gamma = math.sqrt(
        (d + s1) * (1 - x) * x / (d * s1 * math.log(2)) * math.log2((d + s1) / (d * s1 * (1 - x) * x) * b**2 / eps**2)
    )
    phi = x + gamma
    h = -phi * math.log2(phi) - (1 - phi) * math.log2(1 - phi)
    length = s0 + s1 * (1 - h) - leak - 6 * math.log2(b / eps) - math.log2(2 / hardware.eps_correct)
    return math.floor(length), s0, s1, phi


@pytest.mark.parametrize("hardware", [ROBOT, PRESETS["rusca2018"], LIM], ids=lambda h: h.name)
@pytest.mark.parametrize("loss_db", [5.0, 20.0])
def test_bounds_are_the_published_formulas(hardware, loss_db):
    counts = mean_counts(hardware, loss_db, 1e7)
    ours = key_length(counts, hardware_record(hardware)[0], 1e6)
    assert ours == pytest.approx(literally(counts, hardware, 1e6), rel=1e-9)
    assert ours[0] > 1e5


def test_vacuum_bound_has_the_factor_that_the_print_lacks():
    """Rusca et al. 2018, A18 without e^k/p_k would claim more single photons than there are counts to show."""
    counts = mean_counts(ROBOT, 15.0, 1e5)
    n, m = counts["n"][0].astype(float), counts["m"][0].astype(float)
    delta_m = math.sqrt(m.sum() / 2 * math.log(19 / 1e-9))
    delta_n = math.sqrt(n.sum() / 2 * math.log(19 / 1e-9))
    tau0 = sum(p * math.exp(-k) for k, p in zip(ROBOT.intensities, ROBOT.shares, strict=True))
    w = [math.exp(k) / p for k, p in zip(ROBOT.intensities[:2], ROBOT.shares[:2], strict=True)]
    with_factor = min(2 * (tau0 * w[i] * (m[i] + delta_m) + delta_n) for i in (0, 1))
    printed = min(2 * (tau0 * (m[i] + delta_m) + delta_n) for i in (0, 1))
    assert with_factor > printed * 1.05
    _, _, s1, _ = key_length(counts, hardware_record(ROBOT)[0], 0.0)
    assert s1 == pytest.approx(literally(counts, ROBOT, 0.0)[2], rel=1e-12)


def test_gate_is_the_length_and_not_the_qber():
    """The same QBER of 3 % gives key in a block of 1e5 and none in one of 3e3."""
    hardware = replace(ROBOT, misalignment=0.03)
    assert finite_key(mean_counts(hardware, 15.0, 1e5), hardware).length_bits > 0
    small = finite_key(mean_counts(hardware, 15.0, 3e3), hardware)
    assert small.length_bits == 0 and small.qber == pytest.approx(0.03, abs=1e-3) and small.reason


def test_nothing_detected_nothing_gained():
    counts = np.zeros(1, COUNTS)[0]
    for hardware in (ROBOT, LIM, PRESETS["lim2014"]):
        assert key_length(counts, hardware_record(hardware)[0], 0.0) == (0.0, 0.0, 0.0, 0.5)
        assert "no single photons" in finite_key(counts, hardware).reason


def test_every_bound_is_told():
    counts = mean_counts(ROBOT, 15.0, 1e5)
    key = finite_key(counts, "robot100MHz")
    assert key.sifted_bits == counts["n"][0].sum() and key.errors == counts["m"][0].sum()
    assert key.leaked_bits == pytest.approx(1.06 * key.sifted_bits * binary_entropy(key.qber))
    paid = key.leaked_bits + key.security_bits
    assert key.length_bits == math.floor(key.vacuum + key.single * (1 - binary_entropy(key.phase_error)) - paid)
    assert key.security_bits == pytest.approx(6 * math.log2(19e9) + math.log2(2e15))
    rate = key.single_test_errors / key.single_test
    assert key.phase_error == pytest.approx(rate + sampling_gap(1e-9, rate, key.single_test, key.single, 19.0))
    assert key.reason == ""
    assert finite_key(counts, "robot100MHz", leaked_bits=0).length_bits > key.length_bits


def test_epsilon_per_bit_pays_for_the_key_it_gives():
    counts = mean_counts(PRESETS["lim2014"], 20.0, 1e7)
    key = finite_key(counts, "lim2014")
    assert key.eps_secret == pytest.approx(1e-15 * key.length_bits, rel=1e-4)
    fixed = finite_key(counts, replace(PRESETS["lim2014"], eps_per_bit=False, eps_secret=key.eps_secret))
    assert fixed.length_bits == pytest.approx(key.length_bits, abs=1)


def test_impossible_counts_are_refused():
    counts = np.zeros(1, COUNTS)
    counts["m"][0, 0, 0] = 1
    with pytest.raises(ValueError, match="counts: got"):
        finite_key(counts[0], ROBOT)
    with pytest.raises(ValueError, match="leaked_bits: got -1"):
        finite_key(np.zeros(1, COUNTS)[0], ROBOT, -1)


def test_entropy_at_known_points():
    assert [binary_entropy(p) for p in (-1.0, 0.0, 0.5, 1.0)] == [0.0, 0.0, 1.0, 0.0]
    assert binary_entropy(0.11) == pytest.approx(0.499916, abs=1e-6)
