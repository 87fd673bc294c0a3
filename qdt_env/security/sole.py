"""What must exist once: a session, whose nonces are used once, and a key store, whose bits are spent once."""

import os
import threading
from contextlib import AbstractContextManager
from typing import Any


class Sole:
    """Base of what exists once: it has no copies, belongs to one process, and serves one thread at a time.

    A copy, a pickle or a forked process would go on with the same keys, counters and bits, and so use each of them a
    second time. ``copy.copy``, ``copy.deepcopy`` and ``pickle`` raise ``TypeError``; what works :meth:`_alone` raises
    ``RuntimeError`` in any other process than the one in which the object was made.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process = os.getpid()

    def __reduce__(self) -> Any:
        """Refuses; copies and pickles all ask here."""
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled, keys would be used twice: make another")

    def _alone(self) -> AbstractContextManager[Any]:
        """The lock, to work under ``with``; asked for the process first, since a fork may leave the lock taken."""
        if os.getpid() != self._process:
            name, made = type(self).__name__, self._process
            raise RuntimeError(f"this {name} belongs to process {made}, keys would be used twice: make one here")
        return self._lock
