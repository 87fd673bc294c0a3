"""What each step did, as leaves of a transparency ledger; the same for both fidelities of the channel.

The twin's server writes it, so it holds what the server knows: which messages it got and took, which views were
acknowledged, how its trust moved. That an accepted message was forged is not among it.
"""

import hashlib
from collections import deque
from pathlib import Path

import numpy as np

from qdt_env.engine.state import DOWNLINK, UPLINK, Setup, State
from qdt_env.records import path_of
from qdt_env.scenario import ScenarioConfig
from qdt_env.security.outcomes import DELAYED, DELIVERED, FORGED
from qdt_env.twin.codec import encode_report, encode_view
from qdt_env.twin.ledger import Leaf, Ledger, LedgerError, make_signers

TRUST_STEP = 0.01  # smallest change of a source's trust that is written down (assumed)
_ACCEPTED = (DELIVERED, DELAYED, FORGED)


def _digest(message: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(message).digest()


def open_ledger(path: str | Path | None, scenario: ScenarioConfig) -> Ledger:
    """A new ledger in a file (None: in memory), its heads signed in turns by the server and the building's gateways.

    The keys are fresh ones.

    Raises:
        LedgerError: the file is a ledger already (its keys are gone), or something else.
    """
    if path is not None and path_of(path, "ledger").is_file() and Path(path).stat().st_size > 0:
        todo = "close the environment that writes this one, then name another file or delete it"
        raise LedgerError(f"ledger {str(path)!r}: exists already, allowed is a new file: {todo}")
    names = ["server", *(f"gateway_{g}" for g in range(len(scenario.building.gateways)))]
    return Ledger(path, signers=make_signers(names))


class Chronicle:
    """Writes a leaf per step and row into a ledger.

    A mission's 16 bytes are its seed (8), episode (4) and number within the ledger (4), big-endian.

    Attributes:
        ledger: that it writes.
        last: the leaf written last, of whichever row; None before the first.
    """

    def __init__(self, ledger: Ledger, setup: Setup, state: State) -> None:
        """For episodes that live in ``state``."""
        self.ledger = ledger
        self.last: Leaf | None = None
        self._setup, self._state = setup, state
        rows, robots = state.clock.size, setup.site.team.size
        self._missions = [b""] * rows
        self._trust = np.zeros((rows, robots), np.float32)
        self._advice = [b""] * rows
        oldest = int(setup.channel["max_age_steps"][0])  # of a late view that is still accepted
        self._views: list[deque[bytes]] = [deque(maxlen=oldest + 1) for _ in range(rows)]  # digests, the last one now
        self._begun = len(ledger.missions)

    def begin(self, row: int) -> None:
        """A fresh mission in row ``row``."""
        clock = self._state.clock[row]
        number = self._begun.to_bytes(4, "big")
        self._missions[row] = int(clock["seed"]).to_bytes(8, "big") + int(clock["episode"]).to_bytes(4, "big") + number
        self._begun += 1
        self._trust[row] = self._state.twin.robots["trust"][row]
        self._views[row].clear()

    def note_advice(self, row: int, advice: bytes) -> None:
        """The advice that was followed in the step to come, in any encoding; its digest is written down."""
        self._advice[row] = _digest(advice)

    def record(self, row: int) -> None:
        """The leaf of the step that row ``row`` has just made.

        Raises:
            LedgerError: the ledger refuses.
        """
        state, step = self._state, int(self._state.clock["step"][row]) - 1
        robots = self._setup.site.team.size
        verdicts = state.channel.outcomes["verdict"][row]
        accepted = np.isin(verdicts, _ACCEPTED)
        heads = state.inbox.heads[row]
        reports = tuple(
            (r, _digest(encode_report(state.inbox, row, r, int(heads["written"][r]))))
            for r in range(robots)
            if heads["valid"][r]
        )
        twin, views = state.twin, self._views[row]
        views.append(
            _digest(encode_view(twin.patients[row], twin.passages[row], twin.zones[row], twin.robots[row], step))
        )
        # The receipt for a late view names the view of then. A forged one passes for that of now.
        ages = np.where(verdicts == DELAYED, state.channel.outcomes["age_steps"][row], 0)[DOWNLINK]
        known = np.where(verdicts == FORGED, DELIVERED, verdicts)
        self.last = Leaf(
            mission=self._missions[row],
            step=step,
            verdicts=known[UPLINK].astype(np.uint8).tobytes() + known[DOWNLINK, :robots].astype(np.uint8).tobytes(),
            reports=reports,
            views=tuple((r, views[-1 - ages[r]]) for r in range(robots) if accepted[DOWNLINK, r]),
            trust=self._trust_changes(row),
            advice=self._advice[row],
        )
        self.ledger.append(self.last)
        self._advice[row] = b""

    def _trust_changes(self, row: int) -> tuple[tuple[int, float], ...]:
        """Robots whose trust has moved since it was last written down."""
        now = self._state.twin.robots["trust"][row]
        moved = np.flatnonzero(np.abs(now - self._trust[row]) >= TRUST_STEP)
        self._trust[row, moved] = now[moved]
        return tuple((int(r), float(now[r])) for r in moved)
