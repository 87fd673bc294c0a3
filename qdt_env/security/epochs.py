"""The keys of both ends, epoch by epoch: where they come from by suite, and when they go.

:class:`Epochs` does with real keys what ``link._rekey`` decides: when the ``LINK`` record says that an epoch began, the
two ends run the suite's key exchange; when it says that the session has no key, both forget theirs.
"""

import os
from collections.abc import Callable

from qdt_env.security.channel import ChannelConfig
from qdt_env.security.ciphers import EpochKeys, epoch_keys, pad_bytes, pad_keys, plain_keys
from qdt_env.security.derivation import combine
from qdt_env.security.identity import Party
from qdt_env.security.key_exchange import INGREDIENTS, Ingredients, Occasion, QkdPart, exchange
from qdt_env.security.keystore import KeyStore, KeyUnavailable
from qdt_env.security.link_life import LinkLife
from qdt_env.security.session import Session
from qdt_env.security.suites import Suite
from qdt_env.security.wire import DOWNLINK, UPLINK

KeySource = Callable[[int, int], bytes]  # (link number, block number) -> key material of the block, perhaps none

MAX_EMPTY_BLOCKS = 1_000  # blocks without key in a row before the source is given up
_MATERIAL_BYTES = 4_096


def random_material(link: int, block: int) -> bytes:
    """Key material as a perfect QKD link would make it: random bytes of the operating system."""
    return os.urandom(_MATERIAL_BYTES)


class Epochs:
    """Both ends' sessions of one link, and the store that feeds them.

    Args:
        suite: the link's suite.
        channel: parameters; fallback, max_age_steps and pool_capacity_bits are used.
        a, b: the parties, or their names; ``a`` sends up and begins the key exchanges.
        link: link number.
        key_source: makes key material when the store is short.
        store: both ends' store, or None for one in memory.

    Attributes:
        ends: the two sessions by the direction in which they send: ``ends[UPLINK]`` is a's, ``ends[DOWNLINK]`` b's.
        store: the store.
    """

    def __init__(
        self,
        suite: Suite,
        channel: ChannelConfig,
        a: Party | str,
        b: Party | str,
        link: int,
        key_source: KeySource,
        store: KeyStore | None = None,
    ) -> None:
        self._suite, self._fallback, self._link = suite, channel.fallback, link
        self._a, self._b = (party if isinstance(party, Party) else Party(party) for party in (a, b))
        self.store = KeyStore(capacity_bits=2**31) if store is None else store
        self._key_source, self._next_block = key_source, 0
        self.ends = tuple(
            Session(suite.code, link, sends, channel.max_age_steps, self.store) for sends in (UPLINK, DOWNLINK)
        )
        self._epoch = -1
        self._takes_pads, self._epoch_bits = suite.one_time_pad, suite.key_bits_per_epoch
        self._spent_bits = 0
        self._monitor_until = 0
        self._has_software = False
        self._static: EpochKeys | None = None

    def follow(self, life: LinkLife) -> None:
        """Bring the keys to where the link's record is.

        Raises:
            KeyUnavailable: the key source does not make the bits that the record has credited. There are no keys of an
                epoch that is over then; the next call tries again.
        """
        begins = life.epoch != self._epoch
        if begins or not life.ready:  # first of all: whatever fails below, nobody goes on under keys that are over
            self.drop()
        try:
            qkd = self._take_epoch_keys(life.spent_bits)
        finally:
            if life.monitor_until > self._monitor_until:  # an attacker may know all that these detectors ever made
                self.store.discard()
                self._monitor_until = life.monitor_until
        if begins and life.ready:
            self._begin(life.epoch, None if life.on_software else qkd)
        self._epoch = life.epoch

    def drop(self) -> None:
        """Forget the keys at both ends, and the pads whose frames never came."""
        for end in self.ends:
            end.drop()
        if self._suite.one_time_pad:
            self.store.discard_waiting()

    def seal(self, payload: bytes, step: int, direction: int, pool_bits: float) -> tuple[bytes | None, int]:
        """Seal at the sending end, as far as there are keys.

        Args:
            payload: the message.
            step: when it was written.
            direction: where it goes.
            pool_bits: key bits that the link's record allows to spend.

        Returns:
            The frame and the key bits spent for it; (None, 0) for want of keys.
        """
        end = self.ends[direction]
        if end.keys is None:
            return None, 0
        if not self._takes_pads:
            return end.seal(payload, step), 0
        needed = 8 * pad_bytes(len(payload))
        if pool_bits >= needed:
            self._supply(needed)
            self._spent_bits += needed
            return end.seal(payload, step, pad=True), needed
        if self._fallback == "hold":
            return None, 0
        self._add_software()
        return end.seal(payload, step), 0

    def _begin(self, epoch: int, qkd: QkdPart | None) -> None:
        """New keys at both ends."""
        if self._suite.name == "plaintext":
            ours = theirs = plain_keys(epoch)
        elif self._suite.name == "psk":
            ours = theirs = self._static_keys(epoch)
        elif self._suite.one_time_pad:
            # The points are of the secret that both ends were given at deployment, a fresh pair for each epoch: with a
            # stolen point and one heard message, a forger could solve for the pad of the tag.
            ours = theirs = pad_keys(epoch, os.urandom(32))
            self._has_software = False
        else:
            secrets = self._exchange(self._ingredients(qkd), epoch, qkd)
            ours, theirs = (epoch_keys(epoch, secret) for secret in secrets)
        self.ends[UPLINK].install(ours)
        self.ends[DOWNLINK].install(theirs)

    def _static_keys(self, epoch: int) -> EpochKeys:
        """The same ciphers in every epoch, from the pre-shared key; the epoch in the nonce keeps nonces apart."""
        if self._static is None:
            occasion = Occasion(self._suite.name, 0, self._link, self._a, self._b)
            pre_shared, salt = os.urandom(32), os.urandom(32)  # the salt is public; it keeps two runs apart
            self._static = epoch_keys(0, combine((pre_shared,), salt, occasion.info))
        return EpochKeys(epoch, self._static.ciphers)

    def _ingredients(self, qkd: QkdPart | None) -> Ingredients:
        """What this epoch's key is made of."""
        if not self._suite.quantum_keys or qkd is not None:
            return INGREDIENTS[self._suite.name]
        if self._suite.goes_on_without_qkd or self._fallback == "hybrid":
            return INGREDIENTS["software hybrid"]
        return INGREDIENTS[self._fallback]

    def _exchange(self, ingredients: Ingredients, epoch: int, qkd: QkdPart | None) -> tuple[bytes, bytes]:
        """Both ends' secrets."""
        occasion = Occasion(self._suite.name, epoch, self._link, self._a, self._b)
        return exchange(ingredients, occasion, qkd, lambda key_id: self.store.claim(key_id)[0].secret)

    def _add_software(self) -> None:
        """Ciphers for messages that find no pad, made when the first of the epoch needs them."""
        if not self._has_software:
            secrets = self._exchange(self._ingredients(None), self._epoch, None)
            for end, secret in zip(self.ends, secrets, strict=True):
                end.fall_back(epoch_keys(self._epoch, secret).ciphers)
            self._has_software = True

    def _take_epoch_keys(self, spent_bits: int) -> QkdPart | None:
        """The epoch keys that the record has charged since last time; of several only the last is of use."""
        size_bits = self._epoch_bits
        qkd = None
        while size_bits and self._spent_bits + size_bits <= spent_bits:
            if qkd is not None:
                self.store.claim(qkd.id)
            self._supply(size_bits)
            (key,) = self.store.take(1, size_bits)
            qkd = QkdPart(key.id, key.secret)
            self._spent_bits += size_bits
        return qkd

    def _supply(self, bits: int) -> None:
        """Fetch material until the store holds ``bits`` bits: the record has credited them already."""
        empty = 0
        while self.store.available_bits < bits:
            material = self._key_source(self._link, self._next_block)
            self._next_block += 1
            empty = 0 if material else empty + 1
            if empty > MAX_EMPTY_BLOCKS or (self.store.add(material) == 0 and material):
                raise KeyUnavailable(f"link {self._link}: the key source or the store gives no {bits} bits")
