"""The threat matrix says what each suite stands and falls to, and notices a suite that is broken."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qdt_env.engine import setup as engine_setup
from qdt_env.engine.episodes import GameConfig
from qdt_env.scenario import ScenarioConfig, load_scenario, with_horizon
from qdt_env.security.simulate import simulate_link
from qdt_env.security.suites import SUITE_NAMES, suite_by_name, suite_table
from training.security_matrix import (
    MATRIX_THREATS,
    SIGNS,
    Cell,
    Matrix,
    forgeries_by_epoch,
    forgeries_by_step,
    play_cell,
    play_matrix,
    theft_step,
)

STEPS, SEEDS = 60, range(6)
FORGING = ("mitm", "tamper", "spoof", "replay", "delay")
KEYED = tuple(name for name in SUITE_NAMES if name != "plaintext")
EPOCHAL = tuple(name for name in KEYED if name != "psk")


@pytest.fixture(scope="module")
def ward() -> ScenarioConfig:
    return with_horizon(load_scenario("ward"), STEPS)


@pytest.fixture(scope="module")
def matrix(ward: ScenarioConfig) -> Matrix:
    threats = (*FORGING, "key-compromise", "quantum-adversary", "eavesdrop")
    return play_matrix(ward, threats=threats, seeds=SEEDS)


def total(matrix: Matrix, suite: str, threats: str, metric: str) -> float:
    return float(matrix.cells[suite, threats].metrics[metric].sum())


@pytest.mark.parametrize("threats", FORGING)
def test_no_authenticated_suite_accepts_a_forgery_and_plaintext_does(matrix: Matrix, threats: str) -> None:
    for suite in KEYED:
        assert total(matrix, suite, threats, "messages_sent") > 2000
        assert total(matrix, suite, threats, "messages_forged") == 0, suite
        assert total(matrix, suite, threats, "messages_exposed") == 0, suite
    sent = total(matrix, "plaintext", threats, "messages_sent")
    assert total(matrix, "plaintext", threats, "messages_forged") > 0.3 * sent
    assert total(matrix, "plaintext", threats, "messages_exposed") == sent


def test_without_threats_nothing_is_forged_and_nothing_seems_wrong(matrix: Matrix) -> None:
    for suite in SUITE_NAMES:
        quiet = matrix.cells[suite, "none"]
        assert quiet.forged.sum() == 0 and (quiet.signs == -1).all() and not quiet.hit.any()
        assert quiet.first_sign == "" and quiet.steps_to_detect == np.inf
        assert matrix.cost(suite, "none").mean == 0.0


def test_after_the_theft_psk_falls_for_ever_and_the_others_recover_within_an_epoch(matrix: Matrix) -> None:
    theft = theft_step("key-compromise")
    assert theft == 20 and matrix.epoch_steps == 6
    psk = matrix.cells["psk", "key-compromise"]
    assert psk.forged[:, :theft].sum() == 0
    assert (forgeries_by_step(psk)[theft:] > 0).all()  # to the last step
    for suite in EPOCHAL:
        cell = matrix.cells[suite, "key-compromise"]
        by_epoch = forgeries_by_epoch(cell, matrix.epoch_steps)
        assert cell.forged[:, :theft].sum() == 0 and by_epoch[0] > 0, suite
        assert (by_epoch[1:] == 0).all(), suite
        assert forgeries_by_step(cell)[24:].sum() == 0, suite  # epochs begin every 6 steps: the theft's ends at 24


def test_a_quantum_adversary_opens_ecdh_past_traffic_included_and_nothing_else(matrix: Matrix) -> None:
    ecdh = matrix.cells["ecdh", "quantum-adversary"]
    assert ecdh.forged[:, :30].sum() == 0 and (forgeries_by_step(ecdh)[30:] > 0).all()
    assert (ecdh.metrics["messages_exposed"] == ecdh.metrics["messages_sent"]).all()
    for suite in ("psk", "pqc", "qkd", "qkd-otp", "hybrid"):
        assert total(matrix, suite, "quantum-adversary", "messages_forged") == 0
        assert total(matrix, suite, "quantum-adversary", "messages_exposed") == 0


def test_an_eavesdropper_is_seen_at_once_and_starves_the_one_time_pad(matrix: Matrix) -> None:
    for suite in ("qkd", "qkd-otp", "hybrid"):
        heard = matrix.cells[suite, "eavesdrop"]
        assert heard.first_sign == "alarm" and heard.steps_to_detect <= 2
    quiet, heard = (matrix.cells["qkd-otp", threats] for threats in ("none", "eavesdrop"))
    assert (heard.metrics["key_bits"] < 0.5 * quiet.metrics["key_bits"]).all()
    assert (heard.metrics["messages_no_key"] > quiet.metrics["messages_no_key"]).all()
    assert total(matrix, "hybrid", "eavesdrop", "messages_no_key") == 0  # goes on with its other key parts


@pytest.mark.parametrize("threats", ["eavesdrop", "jam", "pns"])
def test_one_link_under_the_one_time_pad_starves(threats: str) -> None:
    def run(threats: str) -> tuple[int, float]:
        done = simulate_link("qkd-otp", threats, steps=360, loss_db=20.0, message_bytes=1500)
        return done.counts()["no key"], float(done.link["key_bits_spent"])

    quiet, hit = run("none"), run(threats)
    assert quiet[0] == 0 and hit[0] > 200 and hit[1] < 0.75 * quiet[1]


def test_replays_spoofs_and_delays_are_noticed_by_what_they_are(matrix: Matrix) -> None:
    for threats, sign in (("tamper", "rejected"), ("spoof", "rejected"), ("replay", "rejected"), ("delay", "late")):
        for suite in KEYED:
            cell = matrix.cells[suite, threats]
            assert cell.first_sign == sign and cell.steps_to_detect <= 2 and np.isfinite(cell.noticed).all()
        assert not (matrix.cells["plaintext", threats].signs[:, : SIGNS.index("gaps")] >= 0).any()


def patched(monkeypatch: pytest.MonkeyPatch, suite: str, field: str, value: int) -> None:
    """Plant a bug into a suite."""
    table = suite_table()
    table[suite_by_name(suite).code][field] = value
    monkeypatch.setattr(engine_setup, "suite_table", lambda: table)


def test_the_matrix_shows_a_suite_whose_tags_are_not_checked(
    ward: ScenarioConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    patched(monkeypatch, "qkd", "authenticated", 0)
    assert play_cell(ward, GameConfig("qkd", "tamper"), "gain", SEEDS).metrics["messages_forged"].sum() > 0


def test_the_matrix_shows_a_suite_that_never_renews_its_key(
    ward: ScenarioConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    patched(monkeypatch, "qkd", "static_key", 1)
    cell = play_cell(ward, GameConfig("qkd", "key-compromise"), "gain", SEEDS)
    assert (forgeries_by_epoch(cell, 6)[1:] > 0).all()


def test_the_matrix_shows_a_suite_that_falls_to_shors_algorithm(
    ward: ScenarioConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    patched(monkeypatch, "pqc", "falls_to_quantum", 1)
    assert play_cell(ward, GameConfig("pqc", "quantum-adversary"), "gain", SEEDS).forged.sum() > 0


@pytest.mark.parametrize(("suite", "threats"), [("psk", "key-compromise"), ("plaintext", "tamper"), ("pqc", "delay")])
def test_the_wire_channel_has_the_same_cells(ward: ScenarioConfig, suite: str, threats: str) -> None:
    pytest.importorskip("cryptography")
    fast, real = (
        play_cell(ward, GameConfig(suite, threats, channel=c), "gain", [1, 4]) for c in ("statistical", "wire")
    )
    assert (fast.forged == real.forged).all() and (fast.signs == real.signs).all() and (fast.hit == real.hit).all()
    assert all((fast.metrics[name] == real.metrics[name]).all() for name in fast.metrics)


def synthetic(forged: Any, signs: Any, onset: Any = (0, 0), hit: Any = (True, True)) -> Cell:
    scores = {"score": np.array([0.5, 0.25])}
    return Cell(
        "qkd", "tamper", np.arange(2), scores, np.array(onset), np.array(hit), np.array(forged), np.array(signs)
    )


def test_forgeries_by_epoch_keeps_all_forgeries_from_the_onset_on() -> None:
    forged = np.arange(26).reshape(2, 13)
    cell = synthetic(forged, np.full((2, 5), -1), onset=(3, 3))
    mean = forged.mean(0)
    assert forgeries_by_epoch(cell, 4) == pytest.approx([mean[3:7].sum(), mean[7:11].sum(), mean[11:].sum()])
    assert forgeries_by_epoch(cell, 20) == pytest.approx([mean[3:].sum()])
    assert forgeries_by_epoch(cell, 4, onset_step=13).size == 0
    for faulty in ({"epoch_steps": 0}, {"epoch_steps": 4, "onset_step": None}):
        with pytest.raises(ValueError, match="is not allowed"):
            forgeries_by_epoch(synthetic(forged, np.full((2, 5), -1), onset=(3, 4)), **faulty)  # type: ignore[arg-type]


def test_what_was_never_noticed_counts_as_for_ever() -> None:
    nothing = [[0, 0], [0, 0]]
    both = synthetic(nothing, [[-1, 7, -1, 3, -1], [-1, 4, -1, -1, -1]])
    assert both.noticed.tolist() == [3.0, 4.0] and both.steps_to_detect == 3.5
    one = synthetic(nothing, [[-1, 7, -1, 3, -1], [-1] * 5])
    assert one.noticed.tolist() == [3.0, np.inf] and one.steps_to_detect == np.inf and one.first_sign == "gaps"
    assert one.to_dict()["steps_to_detect"] is None and one.to_dict()["missions_noticed"] == 1
    spared = synthetic(nothing, [[-1, 7, -1, 3, -1], [-1, -1, -1, -1, 1]], hit=(True, False))
    assert spared.steps_to_detect == 3.0 and spared.missions_noticed == 1 and spared.first_sign == "gaps"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"suites": ["rot13"]}, "rot13"),
        ({"threats": ["dragons"]}, "dragons"),
        ({"suites": []}, "suites=0 is not allowed"),
        ({"seeds": []}, "seeds=0 is not allowed"),
        ({"channel": "smoke"}, "channel='smoke' is not allowed"),
        ({"policy": "clever"}, "policy='clever' is not allowed"),
    ],
)
def test_what_cannot_be_played_is_refused(ward: ScenarioConfig, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        play_matrix(ward, **({"suites": ["qkd"], "threats": ["none"], "seeds": [1]} | arguments))


def assert_verdicts(matrix: Matrix) -> None:
    """Who stands and who falls, to what, and how long."""
    for (suite, threats), cell in matrix.cells.items():
        stolen = threats == "key-compromise" or (threats == "blinding" and suite in ("qkd", "qkd-otp"))
        broken = threats == "quantum-adversary" and suite == "ecdh"
        if suite == "plaintext" or stolen or broken:
            assert (cell.metrics["messages_exposed"] > 0).all(), (suite, threats)
        else:
            assert cell.forged.sum() == 0 and cell.metrics["messages_exposed"].sum() == 0, (suite, threats)
        if threats in FORGING and suite == "plaintext" or stolen or broken:
            assert (cell.metrics["messages_forged"] > 0).all(), (suite, threats)
    for suite in matrix.suites:
        by_epoch = forgeries_by_epoch(matrix.cells[suite, "key-compromise"], matrix.epoch_steps)
        assert by_epoch[0] > 0 and (by_epoch[1:] > 0).all() == (suite in ("plaintext", "psk"))
        assert (by_epoch[1:] == 0).all() == (suite in EPOCHAL)


@pytest.mark.slow
def test_the_whole_matrix_of_the_ward() -> None:
    """20 paired missions a cell. Starvation under qkd-otp must show in the score: 95 % interval below 0."""
    full = play_matrix(load_scenario("ward"), threats=MATRIX_THREATS, seeds=range(20))
    assert_verdicts(full)
    for threats in ("tamper", "mitm", "spoof", "blinding", "quantum-adversary"):
        assert full.cost("plaintext", threats).high < 0.0
    for threats in ("eavesdrop", "pns"):
        quiet, starved = (full.cells["qkd-otp", name] for name in ("none", threats))
        assert starved.mean("messages_no_key") > 5 * quiet.mean("messages_no_key")
        assert full.cost("qkd-otp", threats).high < 0.0
        assert full.cells["hybrid", threats].mean("messages_no_key") == 0


@pytest.mark.slow
def test_the_verdicts_hold_on_the_real_clinic(clinic_path: Path) -> None:
    threats = (*FORGING, "blinding", "key-compromise", "quantum-adversary", "eavesdrop")
    mission = with_horizon(load_scenario(clinic_path), 240)
    matrix = play_matrix(mission, threats=threats, seeds=range(2))
    assert_verdicts(matrix)
    quiet, starved = (matrix.cells["qkd-otp", name] for name in ("none", "eavesdrop"))
    assert starved.mean("messages_no_key") > 5 * quiet.mean("messages_no_key")
    assert starved.mean("score") < quiet.mean("score")
