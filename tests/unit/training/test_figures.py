"""The pictures of ``qdt bench``: a title says what is drawn, and claims nothing that the data do not show."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from training.cli.planner_figure import _by_noise
from training.cli.threat_figure import _after_theft
from training.noise_study import NoiseCurve
from training.planner_comparison import Study
from training.security_matrix import Matrix


def study(ring: float) -> Study:
    """Curves under noise: a swap mixer that falls from 0.8 to 0.2, and a ring that stays where it is."""
    rates, still = np.array([0.0, 0.01]), np.zeros(2)
    curves = [
        NoiseCurve(ansatz, "3x4", rates, optimum, still, still)
        for ansatz, optimum in (("swap", np.array([0.8, 0.2])), ("xy-ring", np.full(2, ring)))
    ]
    return Study([], [], [], [], curves)


@pytest.mark.parametrize(("ring", "overtakes"), [(0.5, True), (0.1, False)])
def test_one_circuit_is_said_to_overtake_where_it_does(ring: float, overtakes: bool) -> None:
    panel = Figure().subplots()
    _by_noise(panel, study(ring))
    said = "; upright: from where xy-ring is better than swap" if overtakes else ""
    assert panel.get_title() == f"Gate errors alone, no decay{said}"
    assert len(panel.texts) == overtakes


def test_an_empty_panel_says_why() -> None:
    panel = Figure().subplots()
    _after_theft(panel, Matrix.__new__(Matrix), [])
    assert [text.get_text() for text in panel.texts] == ["none of these threats steals keys"]
