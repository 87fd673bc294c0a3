"""An attack of your own, on the bytes of one link: it cuts every second report in half."""

from qdt_env.security.adversary import Adversary
from qdt_env.security.channel import ChannelConfig
from qdt_env.security.secure_link import UPLINK, SecureLink
from qdt_env.security.wire import HEADER_BYTES, pack_header, parse_frame


class Truncator(Adversary):
    """Keeps the header and the first half of what follows; mends the header's length where nothing protects it."""

    def tamper(self, data: bytes, step: int) -> bytes:
        """What he sends on in place of a frame that the script strikes."""
        frame = parse_frame(data)
        if self._suite.authenticated:
            return data[: HEADER_BYTES + len(frame.sealed) // 2]
        return pack_header(*frame[:6], step, len(frame.sealed) // 2) + frame.sealed[: len(frame.sealed) // 2]


def play(suite: str, steps: int = 40) -> dict[str, int]:
    """How many reports of one link met which fate."""
    # The preset "tamper" says when: each report with probability 1/2. The adversary says what he does then.
    link = SecureLink("robot", "server", suite, ChannelConfig(natural_loss=0.0), "tamper", seed=1)
    link.adversary = Truncator(link.suite, link=0)
    fates: dict[str, int] = {}
    for _ in range(steps):
        link.advance(dt_s=10.0, loss_db=15.0)
        delivery = link.send(b"zone 12: smoke 0.80, two patients", UPLINK)
        fates[delivery.name] = fates.get(delivery.name, 0) + 1
    return fates


if __name__ == "__main__":
    for suite in ("plaintext", "qkd"):
        print(suite, play(suite))
