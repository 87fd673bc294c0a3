"""Wegman-Carter tags: they verify, everything else does not, and the bound is the stated one."""

import pytest

from qdt_env.security.authentication import AuthenticationError, forgery_bound, poly1305, verify_poly1305

R, S = bytes(range(16)), bytes(range(16, 32))


def test_a_true_tag_verifies():
    verify_poly1305(R, S, b"reading", poly1305(R, S, b"reading"))


@pytest.mark.parametrize("bit", range(0, 128, 7))
def test_a_changed_tag_message_or_pad_does_not(bit):
    tag = poly1305(R, S, b"message of two blocks or so")

    def flipped(data):
        return bytes(b ^ (1 << bit % 8 if i == bit // 8 else 0) for i, b in enumerate(data))

    for r, s, message, sent in (
        (R, S, b"message of two blocks or so", flipped(tag)),
        (R, flipped(S), b"message of two blocks or so", tag),
        (R, S, flipped(b"message of two blocks or so"), tag),
        (R, S, b"message of two blocks or so", tag[:-1]),
        (R, S, b"message of two blocks or so", b""),
    ):
        with pytest.raises(AuthenticationError):
            verify_poly1305(r, s, message, sent)


def test_the_same_pad_hides_the_polynomial_only_once():
    """Why s is spent: two tags under one pad differ by the difference of the polynomials, whatever s is."""

    def difference(s):
        first, second = (int.from_bytes(poly1305(R, s, m), "little") for m in (b"first", b"other"))
        return (first - second) % 2**128

    assert difference(S) == difference(bytes(16))


def test_forgery_bound():
    assert forgery_bound(0) == 0.0
    assert forgery_bound(256) == 8 * 16 / 2**106
    assert forgery_bound(257) == 8 * 17 / 2**106
    with pytest.raises(ValueError, match="message_bytes"):
        forgery_bound(-1)


@pytest.mark.parametrize(("r", "s"), [(b"", S), (R, R[:15]), (R + R, S)])
def test_key_parts_of_another_length_are_refused(r, s):
    with pytest.raises(ValueError, match="allowed: 16"):
        poly1305(r, s, b"")
