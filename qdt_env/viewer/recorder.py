"""Writes a mission down while it is played: reads the engine's state after each step, and changes nothing of it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import qdt_env
from qdt_env.engine.episodes import Episodes
from qdt_env.hospital.graph import PASSAGE_KINDS, ZONE_KINDS, HospitalGraph
from qdt_env.physical.state import DAMAGE_STATES, PASSAGE_CONDITIONS, PATIENT_STATUS, ROBOT_EVENTS, ROBOT_KINDS, VERBS
from qdt_env.records import path_of, require
from qdt_env.security.attacks import ATTACK_KINDS
from qdt_env.security.link import ALARMS
from qdt_env.security.outcomes import CONTENTS, VERDICTS
from qdt_env.security.suites import SUITE_NAMES
from qdt_env.twin.frontier import MerkleFrontier
from qdt_env.twin.heads import TreeHead
from qdt_env.twin.leaf import encode_leaf
from qdt_env.viewer.columns import COLUMNS, COUNTS, EXACT, LINK_FLAGS, Instant, exact_numbers
from qdt_env.viewer.geometry import door_points, door_segments
from qdt_env.viewer.moment import threats_name
from qdt_env.viewer.recording import END, FORMAT_VERSION, HEADER, STEP, TREE_HEAD, RecordingWriter, check_new_file

__all__ = ["Recorder"]


class Recorder:
    """Records one row of episodes that keep a ledger or none: a new file for every mission.

    The first mission goes into the file given, the n-th into one with ``-n`` before the suffix. The state after the
    reset is the first step record. A file is closed with the mission's metrics when the mission is over, or as it
    stands by :meth:`close`, which comes before every further reset.

    Args:
        path: of the first file, which must not exist.
        episodes: what is recorded; read, never written.
        row: which row, 0 .. B-1.
        player: who plays, for titles, such as {"policy": "gain"}.

    Raises:
        ValueError: there is no such row; the file cannot be made; or several rows share a ledger, whose history cannot
            be checked by the leaves of one.
    """

    def __init__(
        self, path: str | Path, episodes: Episodes, row: int = 0, *, player: dict[str, Any] | None = None
    ) -> None:
        require(0 <= row < episodes.n, "row", row, f"0 to {episodes.n - 1}")
        alone = episodes.chronicle is None or episodes.n == 1
        require(alone, "record", episodes.n, "1 mission at a time with a ledger")
        self.path = path_of(path, "record")
        check_new_file(self.path)
        self._first_path, self._begun = self.path, 0
        self._episodes, self._row, self._player = episodes, row, player or {}
        self._writer: RecordingWriter | None = None
        self._frontier = MerkleFrontier()
        self._heads = 0
        self._last: list[np.ndarray[Any, Any]] = []

    def begin(self) -> None:
        """A mission has been reset: open its file, write the header and the first state.

        Raises:
            ValueError: the file cannot be made, or the one before is still open: close it before the reset.
        """
        require(self._writer is None, "record", str(self.path), "one mission at a time: close() before the reset")
        self._begun += 1
        if self._begun > 1:
            first = self._first_path
            self.path = first.with_name(f"{first.stem}-{self._begun}{first.suffix}")
        self._writer = RecordingWriter(self.path)
        self._writer.append(HEADER, _json(self._header()))
        self._last = []
        self._write_step(b"")

    def record(self) -> None:
        """A step has been made; ends the file when the mission is over."""
        if self._writer is None:
            return
        chronicle, leaf = self._episodes.chronicle, b""
        if chronicle is not None and chronicle.last is not None:
            leaf = encode_leaf(chronicle.last)
            self._frontier.append(leaf)
        self._write_step(leaf)
        self._write_head()
        if self._episodes.state.clock[self._row]["over"] == 1:
            self.close()

    def close(self) -> None:
        """End the file with a signed head over all steps and the metrics as they stand; again does nothing.

        A mission of which no step was made leaves no file.
        """
        if self._writer is None:
            return
        if self._episodes.state.clock[self._row]["step"] == 0:
            self._writer.close()
            self._writer, self._begun = None, self._begun - 1
            self.path.unlink()
            return
        chronicle = self._episodes.chronicle
        if chronicle is not None and chronicle.ledger.size:
            chronicle.ledger.sign_head()
            self._write_head()
        over = bool(self._episodes.state.clock[self._row]["over"])
        self._writer.append(END, _json({"over": over, "metrics": self._episodes.metrics(self._row)}))
        self._writer.close()
        self._writer = None

    def _write_step(self, leaf: bytes) -> None:
        """The columns as differences to the step before, the exact numbers, then the ledger's leaf."""
        instant = Instant(self._episodes, self._row)
        now = [column.numbers(instant) for column in COLUMNS]
        before = self._last or [np.zeros_like(one) for one in now]
        changes = b"".join((one - old).tobytes() for one, old in zip(now, before, strict=True))
        exact = exact_numbers(self._episodes, self._row).tobytes()
        self._last = now
        assert self._writer is not None
        self._writer.append(STEP, changes + exact + leaf)

    def _write_head(self) -> None:
        """The ledger's last head, where it is a new one."""
        chronicle = self._episodes.chronicle
        head: TreeHead | None = chronicle.ledger.head if chronicle is not None else None
        if head is None or head.size <= self._heads or self._writer is None:
            return
        self._heads = head.size
        described = {**vars(head), "root": head.root.hex(), "signature": head.signature.hex()}
        self._writer.append(TREE_HEAD, _json(described))

    def _header(self) -> dict[str, Any]:
        """Everything that does not change."""
        episodes, clock = self._episodes, self._episodes.state.clock[self._row]
        scenario, game = episodes.scenario, episodes.game
        instant = Instant(episodes, self._row)
        return {
            "format": FORMAT_VERSION,
            "package": {"name": "qdt-env", "version": qdt_env.__version__},
            "mission": {
                "scenario": scenario.name,
                "seed": str(int(clock["seed"])),
                "episode": int(clock["episode"]),
                "horizon_steps": scenario.horizon_steps,
                "dt_s": float(scenario.physical.dt_s),
                "start_min": float(scenario.physical.start_min),
                "suite": SUITE_NAMES[int(clock["suite"])],
                "threats": threats_name(game.threats),
                "channel": game.channel,
                "control": game.control,
                "reward": game.reward,
                "perfect_information": game.perfect_information,
                "patients": int(clock["listed"]),
                "killed_at_once": int(clock["dead"]),
                "player": self._player,
            },
            "config": {name: asdict(getattr(scenario, name)) for name in ("physical", "twin", "channel")},
            "team": list(scenario.team),
            "building": _building(scenario.building),
            "names": {
                "actions": list(episodes.codec.names), "attacks": ATTACK_KINDS, "verdicts": VERDICTS,
                "contents": CONTENTS, "alarms": ALARMS, "damage": DAMAGE_STATES, "conditions": PASSAGE_CONDITIONS,
                "patient_status": PATIENT_STATUS, "robot_kinds": ROBOT_KINDS, "robot_events": ROBOT_EVENTS,
                "verbs": VERBS, "link_flags": LINK_FLAGS, "counts": COUNTS,
            },
            "columns": [
                {"name": c.name, "type": c.dtype, "scale": c.scale, "none": c.none, "n": len(c.numbers(instant))}
                for c in COLUMNS
            ],
            "exact": EXACT,
            "ledger": self._ledger(),
        }  # fmt: skip

    def _ledger(self) -> dict[str, Any] | None:
        """What is needed to check the leaves that follow: the ledger's header and the tree before them."""
        chronicle = self._episodes.chronicle
        if chronicle is None:
            return None
        # With leaves of others before it, the ledger's roots cannot be recomputed from this recording.
        require(chronicle.ledger.size == self._frontier.size, "ledger", chronicle.ledger.size, "a new ledger")
        return {
            "log_id": chronicle.ledger.header.log_id.hex(),
            "header": chronicle.ledger.header.encode().hex(),
            "size": self._frontier.size,
            "frontier": [one.hex() for one in self._frontier.hashes],
        }


def _building(graph: HospitalGraph) -> dict[str, Any]:
    """The plan, to centimetres."""
    doors = door_points(graph)
    return {
        "name": graph.name,
        "digest": graph.digest(),
        "zones": {
            "id": graph.zone_id,
            "name": graph.zone_name,
            "department": graph.department,
            "kind": [ZONE_KINDS[kind] for kind in graph.zone_kind],
            "storey": graph.storey.tolist(),
            "area_m2": np.round(graph.area_m2.astype(float), 1).tolist(),
            "position_m": np.round(graph.position_m[:, :2].astype(float), 2).tolist(),
            "bbox_m": np.round(graph.bbox_m.astype(float), 2).tolist(),
            "indoor": graph.indoor.tolist(),
            "gateway": graph.zone_gateway.tolist(),
        },
        "passages": {
            "id": graph.passage_id,
            "zones": graph.passage_zones.tolist(),
            "kind": [PASSAGE_KINDS[kind] for kind in graph.passage_kind],
            "door_m": np.round(doors, 2).tolist(),
            "line_m": np.round(door_segments(graph, doors), 2).tolist(),
        },
        "entrances": graph.entrances.tolist(),
        "depots": graph.depots.tolist(),
        "gateways": graph.gateways.tolist(),
    }


def _json(value: Any) -> bytes:
    """Compact JSON in UTF-8; a number that does not exist is refused."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
