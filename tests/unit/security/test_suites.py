"""The suite table: names, costs, and its numeric twin."""

import numpy as np
import pytest

from qdt_env.security.suites import FALLBACKS, SUITE_NAMES, SUITES, fallback_code, suite_by_name, suite_table


def test_codes_are_the_places_in_the_list_of_names():
    assert tuple(SUITES) == SUITE_NAMES
    assert [suite.code for suite in SUITES.values()] == list(range(7))


def test_numeric_table_says_what_the_dataclasses_say():
    table = suite_table()
    for suite in SUITES.values():
        for field in table.dtype.names:
            assert table[suite.code][field] == np.float32(getattr(suite, field)), (suite.name, field)


def test_one_time_pad_costs_2176_bits_for_256_bytes_and_the_others_nothing():
    assert suite_by_name("qkd-otp").key_bits_per_message(256) == 2176
    assert all(s.key_bits_per_message(256) == 0 for s in SUITES.values() if s.name != "qkd-otp")
    assert suite_by_name("qkd").key_bits_per_epoch == suite_by_name("hybrid").key_bits_per_epoch == 256


def test_grades_lie_in_the_unit_interval_and_rise_with_the_security_class():
    ordered = sorted(SUITES.values(), key=lambda suite: suite.security_class)
    grades = [suite.grade for suite in ordered if suite.name != "hybrid"]
    assert grades == sorted(grades)
    assert all(0.0 < suite.grade <= 1.0 for suite in ordered)


def test_only_ecdh_falls_to_a_quantum_computer_and_only_plaintext_lacks_a_tag():
    assert [s.name for s in SUITES.values() if s.falls_to_quantum] == ["ecdh"]
    assert [s.name for s in SUITES.values() if not s.authenticated] == ["plaintext"]
    assert [s.name for s in SUITES.values() if s.static_key] == ["psk"]


def test_wrong_names_are_refused_with_the_allowed_ones():
    with pytest.raises(ValueError, match="suite: got 'aes', allowed: plaintext, psk"):
        suite_by_name("aes")
    with pytest.raises(ValueError, match="fallback: got 'wait', allowed: hold, hybrid, pqc"):
        fallback_code("wait")
    assert [fallback_code(name) for name in FALLBACKS] == [0, 1, 2]


def test_negative_message_length_is_refused():
    with pytest.raises(ValueError, match="message_bytes: got -1"):
        suite_by_name("qkd-otp").key_bits_per_message(-1)
