"""Calibrations: published ranges, the Pauli probability of a gate's infidelity, and refusals."""

import dataclasses

import numpy as np
import pytest

from agents.planning import PlanningError
from agents.quantum.calibrations import CALIBRATIONS, HERON, IDEAL, Calibration, Noise, calibration


@pytest.mark.parametrize(
    "preset", [c for c in CALIBRATIONS.values() if c.name.startswith("heron")], ids=lambda c: c.name
)
def test_heron_presets_lie_in_the_published_ranges(preset):
    assert 1.2e-3 <= preset.infidelity_2q <= 3.9e-3 and 68e-9 <= preset.gate_2q_s <= 84e-9
    assert 1.4e-4 <= preset.infidelity_1q <= 2.4e-4 and 4e-3 <= preset.readout <= 1.05e-2
    assert 144 <= preset.t1_us <= 293 and 87 <= preset.t2_us <= 354
    assert preset.t2_us <= 2 * preset.t1_us
    assert preset.shot_s(10e-6) == pytest.approx(260e-6, abs=3e-6)


@pytest.mark.parametrize(("qubits", "scale"), [(1, 1.5), (2, 1.25)])
def test_pauli_probability_gives_the_published_infidelity(qubits, scale):
    # Average fidelity of a channel with Kraus operators K: (d + sum |tr K|^2) / (d^2 + d) (Nielsen 2002); of a Pauli
    # error with probability p only the identity, sqrt(1 - p) I, has a trace.
    d = 2**qubits
    infidelity = HERON.infidelity_1q if qubits == 1 else HERON.infidelity_2q
    p = HERON.p1 if qubits == 1 else HERON.p2
    identity = np.sqrt(1.0 - p) * np.eye(d)
    fidelity = (d + np.trace(identity) ** 2) / (d * d + d)
    assert 1.0 - fidelity == pytest.approx(infidelity, rel=1e-9)
    assert p == pytest.approx(scale * infidelity)


def test_ideal_has_no_noise_and_names_are_found():
    assert IDEAL.noise == Noise() and calibration("heron") is HERON
    with pytest.raises(PlanningError, match="unknown calibration 'osprey'; allowed: ideal, heron-best"):
        calibration("osprey")


@pytest.mark.parametrize(("field", "value"), [("infidelity_2q", 0.8), ("t1_us", -1.0), ("readout_s", float("nan"))])
def test_bad_figures_name_themselves(field, value):
    with pytest.raises(PlanningError, match=field):
        dataclasses.replace(HERON, **{field: value})
    with pytest.raises(PlanningError, match="noise p2"):
        Noise(p2=1.5)


def test_calibrations_are_frozen():
    assert isinstance(HERON, Calibration)
    with pytest.raises(dataclasses.FrozenInstanceError):
        HERON.t1_us = 1.0  # type: ignore[misc]
