"""Layer 3: links, keys, cipher suites, attacks and message outcomes.

Stands alone: it imports nothing of the project but ``compiled``, ``frames``, ``random`` and ``units``, so another
project can use it without robots, patients or a twin. ``SecureLink`` is the wire fidelity (real keys, ciphers and
attacks; see docs/secure_link.md), ``simulate_link`` the statistical one.
"""

import importlib
from typing import TYPE_CHECKING, Any

from qdt_env.security.attacks import (
    ATTACK_KINDS,
    THREATS,
    Attack,
    attack_table,
    random_threats,
    threats_by_name,
)
from qdt_env.security.link import (
    LINK,
    ChannelConfig,
    advance_link,
    channel_record,
    explain_link_trust,
    link_trust,
    reset_link,
)
from qdt_env.security.outcomes import CONTENTS, VERDICTS, MessageOutcome, message_outcome, record_outcome
from qdt_env.security.qkd.asymptotic import secret_key_rate_bit_s
from qdt_env.security.qkd.table import key_rate, rate_table
from qdt_env.security.simulate import LinkRun, simulate_link
from qdt_env.security.suites import FALLBACKS, SUITE_NAMES, SUITES, Suite, suite_by_name, suite_table

if TYPE_CHECKING:
    from qdt_env.security.keystore import KeyStore
    from qdt_env.security.secure_link import DOWNLINK, UPLINK, Delivery, Party, SecureLink

__all__ = [
    "ATTACK_KINDS",
    "CONTENTS",
    "DOWNLINK",
    "FALLBACKS",
    "LINK",
    "UPLINK",
    "SUITES",
    "SUITE_NAMES",
    "THREATS",
    "VERDICTS",
    "Attack",
    "ChannelConfig",
    "Delivery",
    "KeyStore",
    "LinkRun",
    "MessageOutcome",
    "Party",
    "SecureLink",
    "Suite",
    "advance_link",
    "attack_table",
    "channel_record",
    "explain_link_trust",
    "key_rate",
    "link_trust",
    "message_outcome",
    "random_threats",
    "rate_table",
    "record_outcome",
    "reset_link",
    "secret_key_rate_bit_s",
    "simulate_link",
    "suite_by_name",
    "suite_table",
    "threats_by_name",
]

# The wire fidelity is loaded when it is first asked for: the statistical one needs neither it nor its ciphers.
_ON_DEMAND = {"KeyStore": "keystore"} | dict.fromkeys(
    ("DOWNLINK", "UPLINK", "Delivery", "Party", "SecureLink"), "secure_link"
)


def __getattr__(name: str) -> Any:
    """Names of the wire fidelity."""
    if name in _ON_DEMAND:
        return getattr(importlib.import_module(f"{__name__}.{_ON_DEMAND[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
