"""Parties: what they sign the others verify, and their private keys stay where they were made."""

import copy
import pickle

import pytest

from qdt_env.security.derivation import HandshakeError
from qdt_env.security.identity import Party

SCHEMES = ("ed25519", "ml-dsa-44")


def test_what_a_party_signs_verifies_for_it_alone():
    a, b = Party("a"), Party("a")
    signatures = a.sign(SCHEMES, b"message")
    a.verify(SCHEMES, signatures, b"message")
    for party, message in ((a, b"massage"), (b, b"message")):
        with pytest.raises(HandshakeError, match="ed25519 signature does not verify"):
            party.verify(SCHEMES, signatures, message)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda party: pickle.loads(pickle.dumps(party))])
def test_a_copy_has_the_name_and_keys_of_its_own(copied):
    party = Party("robot_0")
    signatures = party.sign(SCHEMES, b"message")
    twin = copied(party)
    assert twin.name == "robot_0"
    with pytest.raises(HandshakeError):
        twin.verify(SCHEMES, signatures, b"message")
    twin.verify(SCHEMES, twin.sign(SCHEMES, b"message"), b"message")
    party.verify(SCHEMES, signatures, b"message")
