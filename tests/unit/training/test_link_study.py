"""``qdt link``: theory beside simulation, the picture and the command."""

import json
from dataclasses import replace

import pytest
import typer
from matplotlib.figure import Figure
from typer.testing import CliRunner

from qdt_env.security.qkd.hardware import PRESETS
from training.cli.link import link
from training.link_study import _against_interception, draw_link, study_link

ROBOT = PRESETS["robot100MHz"]
app = typer.Typer()
app.command()(link)


def test_simulated_blocks_lie_about_the_theory_and_below_the_limit():
    """Four blocks a point of n_Z = 1e5: within five standard errors, which are about 5 % of a block."""
    points = study_link(ROBOT, [10.0, 20.0], [0.0, 0.02, 0.1], blocks=4, seed=3)
    assert [(p.loss_db, p.intercepted) for p in points] == [(a, f) for a in (10.0, 20.0) for f in (0.0, 0.02, 0.1)]
    for point in points:
        assert point.theory_bit_s <= point.asymptotic_bit_s
        assert abs(point.simulated_bit_s.mean - point.theory_bit_s) <= 0.2 * point.theory_bit_s + 1e-9
        assert point.simulated_qber == pytest.approx(point.qber, abs=0.0015)
    assert points[2].theory_bit_s == points[2].simulated_bit_s.mean == 0.0 < points[2].asymptotic_bit_s
    again = study_link(ROBOT, [10.0, 20.0], [0.0, 0.02, 0.1], blocks=4, seed=3)
    assert again == points
    assert study_link(ROBOT, [10.0], [0.0], blocks=4, seed=4)[0].simulated_bit_s != points[0].simulated_bit_s


def test_best_settings_are_used_where_there_is_a_key():
    at_20, at_45 = study_link(ROBOT, [20.0, 45.0], [0.0], blocks=1, best_settings=True)
    assert at_20.settings != ROBOT and at_20.theory_bit_s == pytest.approx(7.8e3, rel=0.01)
    assert at_45.settings == ROBOT and at_45.theory_bit_s == 0.0


def test_splitting_costs_key_and_leaves_the_qber():
    free, split = (study_link(ROBOT, [20.0], [0.0], pns=b, blocks=2)[0] for b in (0.0, 0.1))
    assert split.theory_bit_s < 0.7 * free.theory_bit_s
    assert split.qber == pytest.approx(free.qber, rel=0.02)


def test_pictures_are_drawn_whatever_the_points(tmp_path):
    points = study_link(ROBOT, [10.0, 45.0], [0.0, 0.1], blocks=2)
    dead = study_link(ROBOT, [50.0], [0.1], blocks=1)
    mixed = [*points, replace(points[0], loss_db=12.0, settings=PRESETS["daylight"])]
    for name, drawn in (("both", points), ("dead", dead), ("mixed", mixed)):
        path = tmp_path / f"{name}.png"
        draw_link(drawn, path, name)
        assert path.stat().st_size > 10_000


def test_shares_are_of_the_undisturbed_rate_whatever_was_intercepted():
    panel = Figure().subplots()
    _against_interception(panel, study_link(ROBOT, [10.0], [0.02, 0.05], blocks=2))
    limit, theory, *_ = panel.lines
    assert (limit.get_ydata()[0], theory.get_ydata()[0]) == (1.0, 1.0)
    assert 0.0 < theory.get_ydata()[-1] < limit.get_ydata()[-1] < 1.0
    empty = Figure().subplots()
    _against_interception(empty, study_link(ROBOT, [50.0], [0.1], blocks=1))
    assert [text.get_text() for text in empty.texts] == ["no key at any of these losses"]


def test_command(tmp_path):
    picture, results = tmp_path / "link.png", tmp_path / "link.json"
    options = ["--max-loss", "10", "--step", "10", "--intercept", "0.02,0", "-n", "2", "-o", str(picture)]
    result = CliRunner().invoke(app, [*options, "--json", str(results)])
    assert result.exit_code == 0, result.output
    assert "robot100MHz: one-decoy, blocks of 100,000 sifted bits, fixed settings" in result.output
    assert picture.stat().st_size > 10_000
    document = json.loads(results.read_text())
    assert document["command"] == "link" and document["config"]["intercepts"] == [0.0, 0.02]
    row = document["results"][2]
    assert row["loss_db"] == 10.0 and row["theory_bit_s"] == pytest.approx(78.8e3, rel=0.01)
    assert row["simulated_bit_s"]["n"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hardware", "fog"], "preset: got 'fog'"),
        (["--max-loss", "90"], "max-loss=90.0 is not allowed"),
        (["--step", "0"], "step=0.0 is not allowed"),
        (["--intercept", "0,2"], "intercept='0,2' is not allowed"),
        (["--intercept", "x"], "intercept='x' is not allowed"),
        (["--pns", "-1"], "pns: got -1.0"),
        (["--blocks", "0"], "blocks=0 is not allowed"),
        (["--output", "link.txt"], "--output='link.txt' is not allowed"),
        (["--json", "/nowhere/link.json"], "--json='/nowhere/link.json'"),
    ],
)
def test_command_refuses(options, message):
    result = CliRunner().invoke(app, options)
    assert isinstance(result.exception, ValueError) and message in str(result.exception)
