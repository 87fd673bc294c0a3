"""Places on the plan: doors at walls, nobody on top of another."""

import numpy as np
import pytest

from qdt_env.hospital import generate_building
from qdt_env.viewer.geometry import door_points, door_segments, push_apart, stand, walk


@pytest.mark.parametrize("preset", ["ward", "clinic"])
def test_doors_lie_at_their_rooms(preset):
    graph = generate_building(preset)
    points = door_points(graph)
    assert np.isfinite(points).all()
    touching = graph.bbox_m[graph.passage_zones].astype(float)
    gap = np.minimum(touching[:, 0, 2:], touching[:, 1, 2:]) - np.maximum(touching[:, 0, :2], touching[:, 1, :2])
    near = gap.min(axis=1) > -0.5
    for box in touching[near].transpose(1, 0, 2):
        assert (points[near] >= box[:, :2] - 0.3).all() and (points[near] <= box[:, 2:] + 0.3).all()
    segments = door_segments(graph, points)
    np.testing.assert_allclose(segments.mean(axis=1), points)


def test_everybody_has_a_place_of_their_own():
    graph = generate_building("ward")
    robots, patients = np.array([3, 3, 5, -1]), np.array([3] * 7 + [5, -1])
    robot_xy, patient_xy = stand(graph, robots, patients, 0.9, 0.5)
    assert np.isnan(robot_xy[3]).all() and np.isnan(patient_xy[8]).all()
    places = np.concatenate([robot_xy[:3], patient_xy[:8]])
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)[~np.eye(len(places), dtype=bool)]
    assert apart.min() > 0.25
    assert (robot_xy[0, 1] > patient_xy[:7, 1]).all()


def test_a_walking_robot_passes_the_door():
    graph = generate_building("ward")
    points = door_points(graph)
    first, second = map(int, graph.passage_zones[0])
    start = graph.position_m[first, :2].astype(float)
    np.testing.assert_allclose(walk(graph, points, start, first, -1, 0.0), start)
    np.testing.assert_allclose(walk(graph, points, start, first, second, 0.5), points[0])
    np.testing.assert_allclose(walk(graph, points, start, first, second, 1.0), graph.position_m[second, :2], rtol=1e-6)


def test_robots_that_meet_are_drawn_apart():
    places = np.array([[0.0, 0.0], [0.0, 0.0], [0.1, 0.0], [9.0, 9.0]])
    moved = push_apart(places, np.array([0, 0, 1, 0]), 1.0)
    assert np.linalg.norm(moved[0] - moved[1]) == pytest.approx(1.0)
    np.testing.assert_array_equal(moved[2:], places[2:])
