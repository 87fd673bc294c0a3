"""A cipher suite of your own: ChaCha20-Poly1305 under keys that a simulated BB84 link made."""

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from qdt_env.security.authentication import AuthenticationError
from qdt_env.security.ciphers import EpochKeys
from qdt_env.security.keystore import KeyStore
from qdt_env.security.qkd.block import distil
from qdt_env.security.qkd.hardware import preset_by_name
from qdt_env.security.qkd.transmission import event_level_block
from qdt_env.security.session import Rejected, Session
from qdt_env.security.suites import QKD
from qdt_env.security.wire import DOWNLINK, UPLINK


class ChaCha:
    """Whatever seals and opens like this is a ``qdt_env.security.ciphers.Cipher``."""

    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self.seal = self._cipher.encrypt  # (nonce, payload, associated) -> sealed

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """The payload; a tag that does not fit raises what sessions expect."""
        try:
            return self._cipher.decrypt(nonce, sealed, associated)
        except InvalidTag:
            raise AuthenticationError("the tag does not fit") from None


def quantum_keys(rng: np.random.Generator) -> tuple[KeyStore, KeyStore]:
    """The stores of both ends, filled from one block of BB84 over 10 dB."""
    block = distil(event_level_block(preset_by_name("daylight"), 10.0, rng), rng)
    robot, server = KeyStore(), KeyStore()
    robot.add(block.key)
    server.add(block.key)
    return robot, server


def first_epoch(store: KeyStore, sends: int) -> Session:
    """One end of the link with one 256-bit key for each direction, taken once."""
    up, down = store.take(2, size_bits=256)
    session = Session(QKD, link=0, sends=sends, max_age_steps=6)
    session.install(EpochKeys(0, (ChaCha(up.secret), ChaCha(down.secret))))
    return session


if __name__ == "__main__":
    stores = quantum_keys(np.random.default_rng(1))
    robot, server = first_epoch(stores[0], UPLINK), first_epoch(stores[1], DOWNLINK)
    print(server.open(robot.seal(b"zone 12: smoke", step=3), step=3).payload)
    forged = bytearray(robot.seal(b"zone 12: smoke", step=4))
    forged[-1] ^= 1
    try:
        server.open(bytes(forged), step=4)
    except Rejected as refused:
        print("refused:", refused.reason)
