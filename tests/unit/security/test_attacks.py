"""Attack scripts: validation, presets, schedules and who is hit."""

import numpy as np
import pytest

from qdt_env.security import attacks
from qdt_env.security.attacks import (
    ATTACK_KINDS,
    INTENSITY_MEANING,
    THREATS,
    Attack,
    attack_is_on,
    attack_table,
    link_is_target,
    random_threats,
    target_mask,
    threats_by_name,
)


def test_constants_are_the_places_in_the_list_of_kinds():
    for place, kind in enumerate(ATTACK_KINDS):
        assert getattr(attacks, kind.upper().replace("-", "_")) == place
    assert set(INTENSITY_MEANING) == set(ATTACK_KINDS)
    assert attacks.SOURCE_KINDS_MASK | attacks.LINK_KINDS_MASK == 2**17 - 1
    assert attacks.SOURCE_KINDS_MASK & attacks.LINK_KINDS_MASK == 0


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "ddos"}, "attack kind: got 'ddos', allowed: intercept"),
        ({"kind": "tamper", "intensity": 1.5}, "attack tamper: intensity: got 1.5, allowed: probability"),
        ({"kind": "tamper", "intensity": float("nan")}, "intensity: got nan"),
        ({"kind": "insider", "intensity": -1.0}, "attack insider: intensity: got -1.0"),
        ({"kind": "jam", "targets": 1.01}, "targets: got 1.01, allowed: a share"),
        ({"kind": "jam", "onset_step": -1}, "onset_step: got -1"),
        ({"kind": "jam", "onset_step": 9, "last_step": 8}, "last_step: got 8, allowed: None, or onset_step"),
        ({"kind": "on-off", "intensity": 3.0}, "period_steps: got 0, allowed: 1 or more"),
        ({"kind": "delay", "delay_steps": 0}, "delay_steps: got 0, allowed: 1 or more"),
    ],
)
def test_impossible_attacks_are_refused(fields, says):
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        Attack(**fields)


def test_every_preset_named_in_the_design_exists_and_fits_the_table():
    named = "none eavesdrop tamper replay delay drop spoof key-compromise insider quantum-adversary mixed jam mitm pns"
    named += " blinding collusion on-off sleeper whitewash"
    assert set(named.split()) == set(THREATS)
    for preset in THREATS.values():
        assert np.count_nonzero(attack_table(preset)["intensity"]) == len(preset)


def test_threats_can_be_named_joined_and_given():
    assert threats_by_name("none") == ()
    assert threats_by_name("tamper+jam") == THREATS["tamper"] + THREATS["jam"]
    own = Attack("drop", intensity=0.2)
    assert threats_by_name(own) == (own,)
    assert threats_by_name(["tamper", own]) == (*THREATS["tamper"], own)


def test_unknown_threats_and_two_of_a_kind_are_refused():
    with pytest.raises(ValueError, match="threats: got 'virus', allowed: none, eavesdrop"):
        threats_by_name("tamper+virus")
    with pytest.raises(ValueError, match="2 different attacks of kind 'tamper'"):
        threats_by_name("tamper+key-compromise")
    with pytest.raises(ValueError, match="kind 'jam'"):
        attack_table([Attack("jam"), Attack("jam", intensity=0.5)])


def test_random_threats_repeat_from_the_seed_and_differ_between_episodes():
    scripts = [random_threats(3, episode) for episode in range(60)]
    assert scripts == [random_threats(3, episode) for episode in range(60)]
    assert len(set(scripts)) > 30
    assert {kind for script in scripts for kind in (a.kind for a in script)} > {"tamper", "insider"}
    for script in scripts:
        attack_table(script)  # no two of a kind


def test_an_attack_acts_from_onset_to_last_and_in_its_on_periods():
    table = attack_table([Attack("on-off", 4, 3.0, last_step=20, period_steps=5), Attack("jam", 2, last_step=3)])
    on_off = [step for step in range(30) if attack_is_on(table[attacks.ON_OFF], step)]
    assert on_off == [*range(4, 9), *range(14, 19)]
    assert [step for step in range(9) if attack_is_on(table[attacks.JAM], step)] == [2, 3]
    assert not attack_is_on(table[attacks.DROP], 5)


def test_target_mask_has_the_bits_of_the_attacks_that_hit():
    table = attack_table([Attack("jam"), Attack("tamper", targets=0.0), Attack("drop", targets=0.5)])
    masks = np.array([target_mask(1, 0, entity, table) for entity in range(64)])
    assert np.all(masks & (1 << attacks.JAM))
    assert not np.any(masks & (1 << attacks.TAMPER))
    hit = (masks & (1 << attacks.DROP)) != 0
    assert hit.tolist() == [link_is_target(1, 0, e, attacks.DROP, np.float32(0.5)) for e in range(64)]
    assert 0 < hit.sum() < 64
