"""A key management entity (KME) at one end of a link, by the rules of ETSI GS QKD 014 V1.1.1, apart from HTTP.

The two ends of a link are two KMEs over one store, as the two ends of a QKD link hold the same bits: a master at either
end takes keys, the slaves at the other end fetch the same ones by id. Every method names its caller, whose identity
the face (``kme_server``) has verified.
"""

import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from qdt_env.security.etsi014 import (
    BAD_REQUEST,
    UNAUTHORIZED,
    UNAVAILABLE,
    Etsi014Error,
    KeyRequest,
    Status,
    check_names,
)
from qdt_env.security.keystore import MAX_KEYS_PER_TAKE, Key, KeyUnavailable
from qdt_env.security.reserved_keystore import NotReserved, ReservedKeyStore

# The standard's own words where it gives them.
_SIZE_MESSAGE = "size shall be a multiple of 8"
_EXTENSION_MESSAGE = "not all extension_mandatory parameters are supported"
_NOT_FOUND_MESSAGE = "one or more keys specified are not found on KME"


@dataclass(frozen=True)
class Limits:
    """What a KME grants in one request.

    Attributes:
        key_size: size of a key where none is asked for, bits; from min_key_size to max_key_size, a multiple of 8.
        min_key_size, max_key_size: bits, multiples of 8 above 0.
        max_key_per_request: keys, 1 .. 1,024.
        max_SAE_ID_count: additional slaves, >= 0.

    Raises:
        ValueError: a field is out of range.
    """

    key_size: int = 256
    min_key_size: int = 64
    max_key_size: int = 4_096
    max_key_per_request: int = 128
    max_SAE_ID_count: int = 8

    def __post_init__(self) -> None:
        """Refuse what cannot be granted."""
        sizes = 8 <= self.min_key_size <= self.key_size <= self.max_key_size
        multiples = not any(getattr(self, field.name) % 8 for field in fields(self) if field.name.endswith("_size"))
        if not (sizes and multiples):
            given = f"{self.min_key_size}, {self.key_size}, {self.max_key_size}"
            raise ValueError(f"min_key_size, key_size, max_key_size: got {given}, allowed: rising multiples of 8")
        if not 1 <= self.max_key_per_request <= MAX_KEYS_PER_TAKE:
            given = f"got {self.max_key_per_request}, allowed: 1 .. {MAX_KEYS_PER_TAKE}"
            raise ValueError(f"max_key_per_request: {given}")
        if self.max_SAE_ID_count < 0:
            raise ValueError(f"max_SAE_ID_count: got {self.max_SAE_ID_count}, allowed: 0 or more")


@dataclass(frozen=True)
class End:
    """One end of a link: a KME and the applications that it serves.

    Attributes:
        kme_id: the KME's name.
        saes: SAE IDs, one or more.
    """

    kme_id: str
    saes: tuple[str, ...]


class Kme:
    """The KME at one end of a link. Safe to use from several threads.

    Args:
        here, there: this end and the other one.
        store: the bits of the link, shared with the KME of the other end.
        limits: what it grants.
        clock: seconds now, of a clock that survives a restart.

    Raises:
        ValueError: an SAE ID that is none, or that stands at both ends or twice.
    """

    def __init__(
        self, here: End, there: End, store: ReservedKeyStore, limits: Limits, clock: Callable[[], float]
    ) -> None:
        if not here.saes or not there.saes:
            raise ValueError(f"SAE IDs: got {list(here.saes)} and {list(there.saes)}, allowed: some at each end")
        check_names([here.kme_id, *here.saes, there.kme_id, *there.saes])
        self.here, self.there = here, there
        self._store, self._limits, self._clock = store, limits, clock

    def authorise(self, caller: str | None) -> str:
        """The caller's SAE ID, if this KME serves it; None for a caller who showed no certificate.

        Raises:
            Etsi014Error: 401.
        """
        if caller is None:
            raise Etsi014Error(UNAUTHORIZED, "no client certificate that names an SAE")
        if caller not in self.here.saes:
            raise Etsi014Error(UNAUTHORIZED, f"{self.here.kme_id} does not serve the SAE {caller!r:.80}")
        return caller

    def status(self, caller: str, slave: str) -> Status:
        """Get status: what the caller could get for this slave.

        Raises:
            Etsi014Error: 401 for a caller not served here, 400 for an unknown slave.
        """
        self.authorise(caller)
        self._check_peer("slave", slave)
        limits = self._limits
        return Status(
            source_KME_ID=self.here.kme_id,
            target_KME_ID=self.there.kme_id,
            master_SAE_ID=caller,
            slave_SAE_ID=slave,
            key_size=limits.key_size,
            stored_key_count=self._store.available_bits // limits.key_size,
            max_key_count=self._store.capacity_bits // limits.key_size,
            max_key_per_request=limits.max_key_per_request,
            max_key_size=limits.max_key_size,
            min_key_size=limits.min_key_size,
            max_SAE_ID_count=limits.max_SAE_ID_count,
        )

    def get_key(self, caller: str, slave: str, request: KeyRequest) -> tuple[Key, ...]:
        """Get key: fresh keys for the caller, the master, each reserved for its slaves.

        Raises:
            Etsi014Error: 401 for a caller not served here, 400 for a request outside the limits, 503 where the link
                has not made enough bits. No key is spent then.
        """
        self.authorise(caller)
        slaves = (slave, *request.additional_slave_SAE_IDs)
        for name in slaves:
            self._check_peer("slave", name)
        size_bits = self._check_request(request, slaves)
        receivers = [_receiver(caller, name) for name in slaves]
        try:
            return self._store.take_for(receivers, request.number, size_bits, self._clock())
        except KeyUnavailable:
            available = {"available_bits": self._store.available_bits}
            message = f"not enough key material for {request.number} keys of {size_bits} bits, try later"
            raise Etsi014Error(UNAVAILABLE, message, available) from None
        except sqlite3.Error as error:
            raise _broken(error) from None

    def get_key_with_ids(self, caller: str, master: str, ids: tuple[uuid.UUID, ...]) -> tuple[Key, ...]:
        """Get key with key IDs: the same keys for the caller, a slave, once.

        Raises:
            Etsi014Error: 401 for a caller not served here or not one for whom the master took these keys, 400 for ids
                that are unknown, expired or were fetched before. No key is spent then.
        """
        self.authorise(caller)
        self._check_peer("master", master)
        most = self._limits.max_key_per_request
        if len(ids) > most or len(set(ids)) != len(ids):
            raise Etsi014Error(BAD_REQUEST, f"key_IDs: got {len(ids)}, allowed: 1 .. {most}, each once")
        try:
            return self._store.claim_for(_receiver(master, caller), *ids, now_s=self._clock())
        except NotReserved:
            message = f"{caller} is no slave for whom {master} took all of these keys"
            raise Etsi014Error(UNAUTHORIZED, message) from None
        except KeyUnavailable:
            raise Etsi014Error(BAD_REQUEST, _NOT_FOUND_MESSAGE) from None
        except sqlite3.Error as error:
            raise _broken(error) from None

    def _check_peer(self, role: str, name: str) -> None:
        """Keys cross the link, so whoever shares one with the caller is at the other end."""
        if name not in self.there.saes:
            message = f"{role} SAE ID: got {name!r:.80}, allowed: an SAE that {self.there.kme_id} serves"
            raise Etsi014Error(BAD_REQUEST, message)

    def _check_request(self, request: KeyRequest, slaves: tuple[str, ...]) -> int:
        """The size asked for in bits, if the request is within the limits."""
        limits = self._limits
        if request.extension_mandatory:
            details: list[dict[str, Any]] = [
                {"unsupported": [_writable(name) for name in sorted(entry)]} for entry in request.extension_mandatory
            ]
            raise Etsi014Error(BAD_REQUEST, _EXTENSION_MESSAGE, *details)
        if not 1 <= request.number <= limits.max_key_per_request:
            allowed = f"1 .. {limits.max_key_per_request}"
            raise Etsi014Error(BAD_REQUEST, f"number: got {request.number}, allowed: {allowed}")
        size_bits = limits.key_size if request.size is None else request.size
        if size_bits % 8:
            raise Etsi014Error(BAD_REQUEST, _SIZE_MESSAGE, {"size": size_bits})
        if not limits.min_key_size <= size_bits <= limits.max_key_size:
            allowed = f"{limits.min_key_size} .. {limits.max_key_size} bits"
            raise Etsi014Error(BAD_REQUEST, f"size: got {size_bits}, allowed: {allowed}")
        if len(slaves) - 1 > limits.max_SAE_ID_count or len(set(slaves)) != len(slaves):
            allowed = f"up to {limits.max_SAE_ID_count}, each once and not the slave itself"
            raise Etsi014Error(BAD_REQUEST, f"additional_slave_SAE_IDs: got {len(slaves) - 1}, allowed: {allowed}")
        return size_bits


def _receiver(master: str, slave: str) -> str:
    """Whom a key is for: one slave of one master. Neither name can hold the sign between them."""
    return f"{master}>{slave}"


def _writable(name: str) -> str:
    """A name out of a JSON document as UTF-8 can write it: JSON can hold a lone surrogate, UTF-8 cannot."""
    return name.encode(errors="backslashreplace").decode()


def _broken(error: sqlite3.Error) -> Etsi014Error:
    """The disk is full, or worse. What was asked for was not handed out."""
    return Etsi014Error(UNAVAILABLE, f"the key store fails: {error}")
