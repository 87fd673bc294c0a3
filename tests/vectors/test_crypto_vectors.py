"""Published vectors through this project's code paths, not only through the library beneath."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from qdt_env.security.authentication import AuthenticationError, poly1305, verify_poly1305
from qdt_env.security.ciphers import Aead
from qdt_env.security.derivation import HandshakeError, combine, hkdf_sha256, join, split
from qdt_env.security.identity import Party
from qdt_env.security.key_exchange import Ingredients, Initiator, Occasion, Responder

unhex = bytes.fromhex

# NIST SP 800-38D / McGrew, Viega 2005, appendix B: AES-256, 96-bit nonce. (key, nonce, payload, associated, sealed)
GCM_KEY = "feffe9928665731c6d6a8f9467308308" * 2
GCM_PLAIN = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
GCM_CIPHER = (
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
)
GCM = {
    13: ("00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    14: ("00" * 32, "00" * 12, "00" * 16, "", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
    15: (GCM_KEY, "cafebabefacedbaddecaf888", GCM_PLAIN, "", GCM_CIPHER + "b094dac5d93471bdec1a502270e3cc6c"),
    16: (
        GCM_KEY,
        "cafebabefacedbaddecaf888",
        GCM_PLAIN[:120],
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        GCM_CIPHER[:120] + "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
}


@pytest.mark.parametrize("case", GCM)
def test_aes_256_gcm(case):
    key, nonce, payload, associated, sealed = map(unhex, GCM[case])
    cipher = Aead(key)
    assert cipher.seal(nonce, payload, associated) == sealed
    assert cipher.open(nonce, sealed, associated) == payload
    with pytest.raises(AuthenticationError):
        cipher.open(nonce, sealed[:-1] + bytes([sealed[-1] ^ 1]), associated)


# RFC 8439, section 2.5.2 and appendix A.3 (numbers of the appendix): (r, s, message, tag)
POLY1305 = {
    "2.5.2": (
        "85d6be7857556d337f4452fe42d506a8",
        "0103808afb0db2fd4abff6af4149f51b",
        b"Cryptographic Forum Research Group".hex(),
        "a8061dc1305136c6c22b8baf0c0127a9",
    ),
    "A.3 #1": ("00" * 16, "00" * 16, "00" * 64, "00" * 16),
    "A.3 #7": ("02" + "00" * 15, "00" * 16, "ff" * 16, "03" + "00" * 15),
    "A.3 #8": ("02" + "00" * 15, "ff" * 16, "02" + "00" * 15, "03" + "00" * 15),
    "A.3 #9": ("01" + "00" * 15, "00" * 16, "ff" * 16 + "f0" + "ff" * 15 + "11" + "00" * 15, "05" + "00" * 15),
    "A.3 #10": ("01" + "00" * 15, "00" * 16, "ff" * 16 + "fb" + "fe" * 15 + "01" * 16, "00" * 16),
    "A.3 #11": ("02" + "00" * 15, "00" * 16, "fd" + "ff" * 15, "fa" + "ff" * 15),
}


@pytest.mark.parametrize("case", POLY1305)
def test_poly1305(case):
    r, s, message, tag = map(unhex, POLY1305[case])
    assert poly1305(r, s, message) == tag
    verify_poly1305(r, s, message, tag)


# RFC 5869, appendix A: (salt, secret, info, output)
HKDF = {
    "A.1": (
        "000102030405060708090a0b0c",
        "0b" * 22,
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    "A.2": (
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0x50)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    "A.3": (
        "",
        "0b" * 22,
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
}


@pytest.mark.parametrize("case", HKDF)
def test_hkdf_sha256(case):
    salt, secret, info, output = map(unhex, HKDF[case])
    assert hkdf_sha256(salt, secret, info, len(output)) == output


def test_ml_kem_768_as_the_initiator_of_an_exchange():
    """Public key and secret of a seeded key, with a ciphertext that must be rejected implicitly."""
    vector = json.loads((Path(__file__).parent / "ml_kem_768.json").read_text())
    seed, ek, c, shared = (unhex(vector[name]) for name in ("seed", "ek", "c", "K"))
    occasion = Occasion("pqc", 0, 0, Party("a"), Party("b"))
    initiator = Initiator(Ingredients(kem=True), occasion)
    initiator._kem = MLKEM768PrivateKey.from_seed_bytes(seed)
    hello = initiator.hello()
    assert split(hello)[1] == ek
    public = join(b"", c)
    _, secret = initiator.finish(join(public, b""))
    assert secret == combine((shared,), join(occasion.info, hello, public), occasion.info)


def test_x25519_as_both_ends_of_an_exchange():
    """RFC 7748, section 6.1."""
    alice = X25519PrivateKey.from_private_bytes(
        unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    )
    bob_public = unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    shared = unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    occasion = Occasion("ecdh", 0, 0, Party("a"), Party("b"))
    initiator = Initiator(Ingredients(dh=True), occasion)
    initiator._dh = alice
    hello = initiator.hello()
    assert split(hello)[0].hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    public = join(bob_public, b"")
    _, secret = initiator.finish(join(public, b""))
    assert secret == combine((shared,), join(occasion.info, hello, public), occasion.info)


def test_x25519_refuses_points_of_low_order():
    """RFC 7748, section 6.1: an all-zero secret is no secret."""
    responder = Responder(Ingredients(dh=True), Occasion("ecdh", 0, 0, Party("a"), Party("b")))
    with pytest.raises(HandshakeError, match="X25519"):
        responder.reply(join(bytes(32), b"", b""))


def test_ed25519_signature_of_a_party():
    """RFC 8032, section 7.1, test 2."""
    party = Party("a")
    public = Ed25519PublicKey.from_public_bytes(
        unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    )
    signature = unhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    party._public = {"ed25519": public}
    party.verify(("ed25519",), join(signature), b"\x72")
    with pytest.raises(HandshakeError, match="ed25519"):
        party.verify(("ed25519",), join(signature), b"\x73")
