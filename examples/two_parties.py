"""Two parties, an eavesdropper, a stolen key: the security layer on its own, without robots."""

from qdt_env.security.attacks import Attack
from qdt_env.security.channel import ChannelConfig
from qdt_env.security.secure_link import DOWNLINK, UPLINK, Party, SecureLink

SCRIPT = [
    Attack("intercept", onset_step=4, intensity=0.5),  # Eve measures half of the photons ...
    Attack("key-compromise", onset_step=8),  # ... then steals the key of the running epoch
    Attack("tamper", onset_step=8),  # and changes every message from there on
]
ALICE, BOB, QUIET = Party("alice"), Party("bob"), ChannelConfig(natural_loss=0.0)


def tell(suite: str) -> None:
    """Twenty steps of one link under attack."""
    air: list[bytes] = []

    def tap(frame: bytes, direction: int) -> None:
        air.append(frame)

    link = SecureLink(ALICE, BOB, suite, QUIET, SCRIPT, forge=lambda words: b"all is well", wiretap=tap)
    print(suite)
    for step in range(20):
        link.advance(dt_s=10.0, loss_db=15.0)
        up = link.send(b"fire in room 12", UPLINK)
        down = link.send(b"come back", DOWNLINK)
        if step in (3, 8, 12):
            print(
                f"  step {step:2}: up {up.name}, bob gets {up.payload!r}, Eve reads {up.overheard!r}; down {down.name}"
            )
    words = sum(b"fire" in frame for frame in air)
    print(f"  words seen in {words} of {len(air)} frames, QBER {link.link['qber']:.3f}, trust {link.trust:.2f}")


if __name__ == "__main__":
    for suite in ("plaintext", "psk", "qkd"):
        tell(suite)
