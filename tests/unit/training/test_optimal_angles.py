"""How the kept angles are found."""

import numpy as np
import pytest

from agents.quantum.optimal_angles import optimal_angles
from training.optimal_angles import interpolated, maximise, objectives


def test_interpolation_keeps_lines_through_the_origin_and_constants_inside():
    np.testing.assert_allclose(interpolated(np.array([2.0])), [2.0, 2.0])
    np.testing.assert_allclose(interpolated(np.array([1.0, 2.0, 3.0])), [1.0, 5.0 / 3.0, 7.0 / 3.0, 3.0])


@pytest.mark.parametrize("name", ["regular-3", "sherrington-kirkpatrick"])
def test_climbing_from_depth_2_reaches_the_kept_value_of_depth_3(name):
    objective, _ = objectives()[name]
    gammas, betas = (interpolated(angles) for angles in optimal_angles(name, 2))
    value, gammas, betas = maximise(objective, gammas, betas)
    assert value == pytest.approx(objective(*optimal_angles(name, 3)), abs=1e-7)
    assert value == pytest.approx(objective(gammas, betas), abs=1e-12)


@pytest.mark.parametrize("degree", [3, 4, 5])
def test_closed_form_angles_of_depth_one_are_the_maximum(degree):
    objective, gamma = objectives()[f"regular-{degree}"]
    value, _, _ = maximise(objective, np.array([gamma + 0.2]), np.array([0.3]))
    assert value == pytest.approx(objective(np.array([gamma]), np.array([np.pi / 8])), abs=1e-9)
