"""Cipher suites: where a link's keys come from, what they cost, and to whom they fall (4-security, "Suites").

A :class:`Suite` is the readable description; :func:`suite_table` is the same as numbers for the compiled kernels.
"""

from dataclasses import dataclass

import numpy as np

SUITE_NAMES = ("plaintext", "psk", "ecdh", "pqc", "qkd", "qkd-otp", "hybrid")
PLAINTEXT, PSK, ECDH, PQC, QKD, QKD_OTP, HYBRID = range(7)
N_SUITES = len(SUITE_NAMES)

# What a starved qkd or qkd-otp link does: wait for keys, or go on with software keys.
FALLBACKS = ("hold", "hybrid", "pqc")
HOLD, FALL_TO_HYBRID, FALL_TO_PQC = range(3)

SECURITY_CLASSES = ("none", "pre-shared", "classical", "post-quantum", "quantum-safe", "information-theoretic")

AES_256_KEY_BITS = 256
TAG_BITS = 128  # AES-GCM and Poly1305 tags; also the Wegman-Carter pad that one Poly1305 tag spends (RFC 8439)


@dataclass(frozen=True)
class Suite:
    """How one link protects its messages; the defaults are those of an AEAD suite with keys made in software.

    Attributes:
        name: one of ``SUITE_NAMES``.
        code: its index there, 0 .. 6.
        keys: where the keys come from, for people.
        grade: key grade g_key of the link trust, in [0, 1] (assumed, see ``SUITES``).
        security_class: index into ``SECURITY_CLASSES``, shown to the policies.
        authenticated: a changed, foreign, replayed or stale message does not verify.
        confidential: a listener without the key reads nothing.
        static_key: one key for the whole mission: once stolen it stays stolen.
        falls_to_quantum: Shor's algorithm opens it, past traffic included.
        quantum_keys: keys are drawn from the link's QKD pool.
        one_time_pad: every message spends its own length in key bits, plus ``TAG_BITS`` for the tag.
        goes_on_without_qkd: the session has other key parts, so an empty pool weakens it but does not stop it.
        key_bits_per_epoch: key bits taken from the pool at each rekeying, >= 0.
    """

    name: str
    code: int
    keys: str
    grade: float
    security_class: int
    authenticated: bool = True
    confidential: bool = True
    static_key: bool = False
    falls_to_quantum: bool = False
    quantum_keys: bool = False
    one_time_pad: bool = False
    goes_on_without_qkd: bool = False
    key_bits_per_epoch: int = 0

    def key_bits_per_message(self, message_bytes: int) -> int:
        """Key bits one message of ``message_bytes`` bytes spends: 2,176 for 256 bytes under qkd-otp, else 0."""
        if message_bytes < 0:
            raise ValueError(f"message_bytes: got {message_bytes}, allowed: 0 or more")
        return 8 * message_bytes + TAG_BITS if self.one_time_pad else 0


# The grades are assumed: an order with room between its steps, not a measurement. Plaintext keeps a quarter, so that
# what it carries still moves the twin (a grade of 0 would hide the damage that forgeries do behind an unused link).
SUITES: dict[str, Suite] = {
    s.name: s
    for s in (
        Suite("plaintext", PLAINTEXT, "none", 0.25, 0, authenticated=False, confidential=False),
        Suite("psk", PSK, "one static AES-256 key per link", 0.70, 1, static_key=True),
        Suite("ecdh", ECDH, "X25519 per epoch, Ed25519 identity", 0.80, 2, falls_to_quantum=True),
        Suite("pqc", PQC, "ML-KEM-768 per epoch, ML-DSA-44 identity", 0.90, 3),
        Suite("qkd", QKD, "BB84 -> AES-256-GCM", 0.97, 4, quantum_keys=True, key_bits_per_epoch=AES_256_KEY_BITS),
        Suite("qkd-otp", QKD_OTP, "BB84 -> one-time pad, Wegman-Carter", 1.0, 5, quantum_keys=True, one_time_pad=True),
        Suite(
            "hybrid",
            HYBRID,
            "HKDF over QKD, ML-KEM-768 and X25519",
            1.0,
            4,
            quantum_keys=True,
            goes_on_without_qkd=True,
            key_bits_per_epoch=AES_256_KEY_BITS,
        ),
    )
}

# The numeric record of a suite: flags are 0 or 1, key_bits_per_epoch in bits, grade in [0, 1].
SUITE = np.dtype(
    [
        ("grade", "f4"),
        ("key_bits_per_epoch", "i4"),
        ("code", "i1"),
        ("authenticated", "i1"),
        ("confidential", "i1"),
        ("static_key", "i1"),
        ("falls_to_quantum", "i1"),
        ("quantum_keys", "i1"),
        ("one_time_pad", "i1"),
        ("goes_on_without_qkd", "i1"),
        ("security_class", "i1"),
    ],
    align=True,
)


def suite_by_name(name: str) -> Suite:
    """The suite called ``name``.

    Raises:
        ValueError: no such suite; the message lists the allowed names.
    """
    if not isinstance(name, str) or name not in SUITES:
        raise ValueError(f"suite: got {name!r}, allowed: {', '.join(SUITE_NAMES)}")
    return SUITES[name]


def fallback_code(name: str) -> int:
    """Index of a fallback policy in ``FALLBACKS``.

    Raises:
        ValueError: no such policy; the message lists the allowed names.
    """
    if name not in FALLBACKS:
        raise ValueError(f"fallback: got {name!r}, allowed: {', '.join(FALLBACKS)}")
    return FALLBACKS.index(name)


def suite_table() -> np.ndarray:
    """All suites as numbers: shape (7,), dtype ``SUITE``, indexed by suite code. A fresh array at each call."""
    table = np.zeros(N_SUITES, SUITE)
    for suite in SUITES.values():
        for field in table.dtype.names or ():
            table[suite.code][field] = getattr(suite, field)
    return table
