"""The picture: its format, that it repeats, and that it follows the state."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.hospital.graph import ELEVATOR, OUTDOOR
from qdt_env.physical.state import BLOCKED, COLLAPSE, NONE
from qdt_env.scenario import load_scenario
from qdt_env.viewer import FrameRenderer, frame
from qdt_env.viewer.frame import HEIGHT_PX, WIDTH_PX, best_layout
from qdt_env.viewer.symbols import OPEN_COLOUR, legend_entries

ROOT = Path(__file__).resolve().parents[3]


def started(scenario: str | Path = "ward", suite: str = "qkd", threats: str = "none", seed: int = 4) -> Episodes:
    episodes = Episodes(load_scenario(scenario), GameConfig(suite=suite, threats=threats))
    episodes.reset(np.array([0]), np.array([seed]), np.array([0]))
    return episodes


def wait(episodes: Episodes, steps: int) -> None:
    actions = np.full((1, len(episodes.scenario.team)), episodes.codec.wait, np.int32)
    for _ in range(steps):
        episodes.step(actions)


def halves(renderer: FrameRenderer, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The truth's and the twin's part of a picture; the grounds of both are cut off with their headings."""
    scenario = renderer._episodes.scenario
    from qdt_env.viewer.plan import plan_extent

    xmin, ymin, xmax, ymax = plan_extent(scenario.building)
    layout = best_layout(scenario.building.n_storeys, xmax - xmin, ymax - ymin, len(scenario.team))
    parts = []
    for left, bottom, width, height in (layout.panels[0][0], layout.panels[1][0]):
        low = HEIGHT_PX - round(bottom + height)
        parts.append(image[low : low + int(height), round(left) : round(left) + int(width)])
    return parts[0], parts[1]


@pytest.mark.parametrize("scenario", ["ward", "clinic"])
def test_the_picture_is_an_image(scenario):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        renderer = FrameRenderer(started(scenario))
        image = renderer.draw()
    assert image.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert image.dtype == np.uint8
    assert image.flags.writeable and image.base is None
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def test_the_real_clinic_is_drawn(clinic_path):
    episodes = started(clinic_path, "plaintext", "mixed")
    wait(episodes, 30)
    assert FrameRenderer(episodes).draw().shape == (HEIGHT_PX, WIDTH_PX, 3)


def test_the_same_state_gives_the_same_bytes():
    first, second = started(threats="tamper"), started(threats="tamper")
    renderer = FrameRenderer(first)
    renderer.draw()
    wait(first, 12)
    wait(second, 12)
    image = renderer.draw()
    assert np.array_equal(image, renderer.draw())
    assert np.array_equal(image, FrameRenderer(second).draw())
    renderer.close()
    assert np.array_equal(image, renderer.draw())


def test_drawing_changes_nothing_and_later_frames_leave_earlier_ones_alone():
    episodes = started()
    before = [part.tobytes() for part in (episodes.state.clock, *episodes.state.world, *episodes.state.twin)]
    renderer = FrameRenderer(episodes)
    image = renderer.draw()
    kept = image.copy()
    after = (episodes.state.clock, *episodes.state.world, *episodes.state.twin)
    assert all(a == b.tobytes() for a, b in zip(before, after, strict=True))
    wait(episodes, 20)
    renderer.draw()
    assert np.array_equal(image, kept)


def test_the_picture_follows_truth_and_twin_separately():
    episodes = started()
    renderer = FrameRenderer(episodes)
    truth, twin = halves(renderer, renderer.draw())

    zones = episodes.state.world.zones[0]
    zones["damage"] = np.where(zones["damage"] == COLLAPSE, NONE, COLLAPSE)
    new_truth, new_twin = halves(renderer, renderer.draw())
    assert not np.array_equal(truth, new_truth)
    assert np.array_equal(twin, new_twin)

    episodes.state.twin.passages[0]["condition"][0] = BLOCKED
    last_truth, last_twin = halves(renderer, renderer.draw())
    assert np.array_equal(new_truth, last_truth)
    assert not np.array_equal(new_twin, last_twin)


def test_truth_and_twin_differ():
    renderer = FrameRenderer(started())
    truth, twin = halves(renderer, renderer.draw())
    assert truth.shape == twin.shape
    assert (truth != twin).any(axis=2).mean() > 0.1


def test_attacks_are_marked():
    quiet, attacked = started(suite="plaintext"), started(suite="plaintext", threats="spoof")
    wait(quiet, 3)
    wait(attacked, 3)
    assert (attacked.state.channel.outcomes[0]["verdict"] == 5).any()
    pictures = []
    for episodes in (quiet, attacked):
        image = FrameRenderer(episodes).draw().astype(int)
        pictures.append(np.abs(image - np.array([0xE0, 0x11, 0x8A])).sum(axis=2) < 12)
    assert pictures[1].sum() > pictures[0].sum() + 100


def test_other_rows_and_wrong_rows():
    episodes = Episodes(load_scenario("ward"), GameConfig(), episodes=2)
    episodes.reset(np.arange(2), np.array([1, 4]), np.array([0, 0]))
    assert np.array_equal(FrameRenderer(episodes, row=1).draw(), FrameRenderer(started()).draw())
    with pytest.raises(ValueError, match="row: got 2, allowed: 0 to 1"):
        FrameRenderer(episodes, row=2)


def test_a_file_is_written(tmp_path):
    from matplotlib.image import imread

    renderer = FrameRenderer(started())
    renderer.draw()
    renderer.save(tmp_path / "frame.png")
    saved = np.round(imread(tmp_path / "frame.png")[..., :3] * 255.0).astype(int)
    assert saved.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert (np.abs(saved - renderer.draw()).max(axis=2) > 8).mean() < 0.01, "the file shows what draw() shows"


def test_the_legend_tells_all_passages_and_has_the_room_kept_for_it():
    entries = legend_entries(load_scenario("ward").building)
    assert len(entries) == frame._LEGEND_ENTRIES
    named = {entry.get_label(): entry for entry in entries}
    assert {"passage clear", "passage slow", "passage blocked"} <= named.keys()
    assert named["passage clear"].get_markerfacecolor() == OPEN_COLOUR


def test_bars_are_passages_through_walls_only():
    renderer = FrameRenderer(started())
    renderer.draw()
    graph = renderer._episodes.scenario.building
    drawn = np.concatenate([panel._passages for panel in renderer._panels[0]])
    through_walls = ~np.isin(graph.passage_kind, (ELEVATOR, OUTDOOR))
    assert (graph.passage_kind == OUTDOOR).any() and np.array_equal(drawn, np.flatnonzero(through_walls))


def test_every_building_fits():
    for storeys, width, height, robots in (
        (1, 40.0, 9.0, 3),
        (2, 40.0, 65.0, 8),
        (5, 60.0, 70.0, 24),
        (9, 20.0, 20.0, 40),
    ):
        layout = best_layout(storeys, width, height, robots)
        assert layout.px_per_m > 0.0
        for box in (*layout.groups, *layout.panels[0], *layout.panels[1], layout.info):
            assert min(box) >= 0.0
            assert box[0] + box[2] <= WIDTH_PX and box[1] + box[3] <= HEIGHT_PX


def test_no_matplotlib_on_import_and_no_pyplot_on_drawing():
    code = """
import sys
import qdt_env.viewer
assert "matplotlib" not in sys.modules
import numpy as np
from qdt_env.engine.episodes import Episodes, GameConfig
from qdt_env.scenario import load_scenario
episodes = Episodes(load_scenario("ward"), GameConfig())
episodes.reset(np.array([0]), np.array([1]), np.array([0]))
qdt_env.viewer.describe(episodes)
assert "matplotlib" not in sys.modules
image = qdt_env.viewer.FrameRenderer(episodes).draw()
assert "matplotlib.pyplot" not in sys.modules
import os
os.environ.pop("DISPLAY", None), os.environ.pop("WAYLAND_DISPLAY", None)
if sys.platform == "linux":
    qdt_env.viewer.show_frame(image, "nothing happens without a display")
    assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
