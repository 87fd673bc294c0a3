"""Information-theoretic authentication: Wegman-Carter tags for the QKD classical channel and the one-time pad.

Poly1305 evaluates the message as a polynomial at a secret point r modulo 2^130 - 5 and adds a pad s. With r kept and
a fresh s for each message it is a Wegman-Carter authenticator: 128 key bits a message, safe from any computing power.

Sources: Wegman, Carter 1981, "New hash functions and their use in authentication and set equality"; Bernstein 2005,
"The Poly1305-AES message-authentication code" (bound); RFC 8439, section 2.5 (format).

Both ends must share r (and the first pads) before the first message, or have another root of trust (a signature key):
without one, a man in the middle of the very first exchange is undetectable.
"""

import hmac
import math
from collections.abc import Callable
from functools import cache

R_BYTES = 16
PAD_BYTES = 16
TAG_BYTES = 16


class AuthenticationError(Exception):
    """A tag does not fit its message: what came was not sent like this by a holder of the key."""


@cache
def _generate_tag() -> Callable[[bytes, bytes], bytes]:
    """Poly1305 of the cryptography package, which only the wire fidelity needs."""
    from cryptography.hazmat.primitives.poly1305 import Poly1305

    return Poly1305.generate_tag


def poly1305(r: bytes, s: bytes, message: bytes) -> bytes:
    """The 16-byte Poly1305 tag of ``message`` under the one-time key r || s (RFC 8439, section 2.5).

    Args:
        r: 16 bytes; clamped as the RFC says.
        s: 16 bytes; must never be used for a second message.
        message: any length.

    Raises:
        ValueError: r or s is not 16 bytes long.
    """
    for name, part in (("r", r), ("s", s)):
        if len(part) != R_BYTES:
            raise ValueError(f"{name}: got {len(part)} bytes, allowed: {R_BYTES}")
    return _generate_tag()(r + s, message)


def verify_poly1305(r: bytes, s: bytes, message: bytes, tag: bytes) -> None:
    """Check a tag in constant time; arguments as in :func:`poly1305`.

    Raises:
        AuthenticationError: the tag does not fit. A silent False could be overlooked.
        ValueError: r or s is not 16 bytes long.
    """
    if not hmac.compare_digest(poly1305(r, s, message), tag):
        raise AuthenticationError("Wegman-Carter tag does not verify")


def forgery_bound(message_bytes: int) -> float:
    """Most that one attempt at a forged message of ``message_bytes`` bytes can succeed: 8 ceil(L / 16) / 2^106.

    Source: Bernstein 2005, theorem 3.3 (differential probability of the clamped polynomial); [0, 1].

    Raises:
        ValueError: a negative length.
    """
    if message_bytes < 0:
        raise ValueError(f"message_bytes: got {message_bytes}, allowed: 0 or more")
    return min(1.0, 8 * math.ceil(message_bytes / 16) / 2.0**106)
