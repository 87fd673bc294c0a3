"""The wire fidelity: the same step with every message as bytes over a :class:`~qdt_env.security.SecureLink`.

Uplink and downlink are what differs. A report, a gateway's readings and a view are encoded, sealed, attacked, opened,
decoded; the twin and the robots get what came out. Key life is the engine's own, since the links live in its LINK
records, and the keys are made of the very blocks of detections that it has counted.
"""

import os
from functools import partial
from typing import Any

import numpy as np

from qdt_env.compiled import batch
from qdt_env.engine.downlink import alter_view
from qdt_env.engine.letters import Letters
from qdt_env.engine.mail import MESSAGE, begin_step, conclude_step, fuse_mail, take_views
from qdt_env.engine.setup import GameConfig, most_due
from qdt_env.engine.state import DOWNLINK, UPLINK, Output, Setup, State
from qdt_env.engine.uplink import FORGED_SIGMA, forge_report
from qdt_env.frames import Frame
from qdt_env.scenario import ScenarioConfig
from qdt_env.security.adversary import flip_payload
from qdt_env.security.keystore import KeyStore
from qdt_env.security.link_life import BLOCKS_REMEMBERED
from qdt_env.security.secure_link import Delivery, Party, SecureLink
from qdt_env.twin.codec import (
    READING,
    CodecError,
    decode_readings,
    decode_report,
    decode_view,
    encode_readings,
    encode_report,
    encode_view,
)
from qdt_env.twin.state import Reports, empty_reports

__all__ = ["BLOCKS_REMEMBERED", "WireChannel"]

_STORE_BITS = 2**31  # room enough: how much a link may spend is its record's business
_VIEW_SLOT = 1  # of the history (one step deep): the view that arrives
_DESK_SLOT = 0  # the one on the attacker's desk


@batch
def _alter_view(b, slot, setup, state):
    """The attacker's words over a view in the files."""
    alter_view(b, slot, setup, state)


@batch
def _alter_report(b, r, setup, reports):
    """The attacker's words over a report."""
    forge_report(b, r, setup, reports)


class WireChannel:
    """The secured links of B episodes, and the steps over them.

    Robots and gateways keep their identities from episode to episode, and the bits that a mission has not used stay in
    their stores for the next one; sessions begin anew. What the keys are does not touch what happens.
    """

    def __init__(
        self, scenario: ScenarioConfig, game: GameConfig, actions: int, setup: Setup, state: State, out: Output
    ) -> None:
        """For an engine whose history is one step deep and which remembers ``BLOCKS_REMEMBERED`` blocks."""
        self._channel_config, self._suite, self._n_actions = scenario.channel, game.suite, actions
        self._setup, self._state, self._out = setup, state, out
        self._robots, self._gateways = setup.site.team.size, setup.site.gateways.size
        self._most_due = most_due(setup.rota_turns)
        turns = np.split(setup.rota_zones, setup.rota_turns[1:-1])
        period = len(turns) // self._gateways
        self._rota = [turns[g * period : (g + 1) * period] for g in range(self._gateways)]
        self._server = Party("server")
        names = [f"robot_{r}" for r in range(self._robots)] + [f"gateway_{g}" for g in range(self._gateways)]
        self._parties = [Party(name) for name in names]
        self._links: list[list[SecureLink]] = [[] for _ in range(state.clock.size)]
        self._desk = empty_reports(1, self._robots, setup.site.neighbours.shape[1])  # where attackers alter reports
        self._start()

    def _start(self) -> None:
        """What no two of these share: stores, which are this process's, and addresses for the kernels."""
        self._make_stores()
        self._frames = Frame(self._setup), Frame(self._state), Frame(self._out)
        self._letters = Letters(self._setup, self._state, self._most_due, self._due)
        self._desk_frame = Frame(self._desk)

    def _make_stores(self) -> None:
        """A fresh store for every link."""
        self._stores = [[KeyStore(_STORE_BITS) for _ in self._parties] for _ in self._links]
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        """All but the links: keys and nonces must not live in two places."""
        links: list[list[SecureLink]] = [[] for _ in self._links]
        return {**vars(self), "_links": links, "_stores": None, "_letters": None, "_frames": None, "_desk_frame": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy can go on after its next reset."""
        vars(self).update(state)
        self._start()

    def reset(self, b: int) -> None:
        """Fresh links for row ``b``, whose records the engine has just reset."""
        if os.getpid() != self._process:  # forked: the bits in these stores are the other process's to spend
            self._make_stores()
        clock, channel = self._state.clock[b], self._state.channel
        self._links[b] = []
        for link, party in enumerate(self._parties):
            record = channel.links[b, link : link + 1]
            self._links[b].append(
                SecureLink(
                    party,
                    self._server,
                    self._suite,
                    self._channel_config,
                    channel.attacks[b],
                    seed=int(clock["seed"]),
                    episode=int(clock["episode"]),
                    entity=link,
                    record=record,
                    blocks=channel.blocks[b, link],
                    store=self._stores[b][link],
                    keeps_outcomes=False,
                    forge=partial(self._forge, b, link),
                )
            )

    def step(self, actions: np.ndarray) -> None:
        """Advance every row that is not over; ``actions`` (B, R) int32."""
        for b in range(len(self._links)):
            if self._state.clock["over"][b]:
                self._out.reward[b] = 0.0
            else:
                self._step_row(b, actions)

    def _step_row(self, b: int, actions: np.ndarray) -> None:
        """The order of a step, as in ``step.step_one``."""
        if not self._links[b]:
            raise RuntimeError("channel='wire': a copied environment has no keys, reset it before stepping it")
        setup, state, out = self._frames
        letters = self._letters
        begin_step(b, actions, setup, state, out, letters.sent)
        step = int(self._state.clock["step"][b])
        links, surveys = self._links[b], letters.surveys()
        kinds = letters.kinds()
        for link, message in enumerate(letters.reports(step) + letters.readings(step)):
            if kinds[link] == MESSAGE:
                links[link].follow(step, surveys[link])
                letters.take(link, self._send(b, link, UPLINK, message), step)
        fuse_mail(b, setup, state, letters.come, letters.sent, self._n_actions)
        self._send_views(b, [r for r in range(self._robots) if kinds[r] == MESSAGE], letters.view(step), step)
        conclude_step(b, setup, state, out)

    def _send(self, b: int, link: int, direction: int, payload: bytes) -> Delivery:
        """One message over a link, its outcome into the engine's record."""
        delivery = self._links[b][link].send(payload, direction)
        self._state.channel.outcomes[b, direction, link] = (
            delivery.verdict,
            delivery.content,
            delivery.injected_rejected,
            delivery.age_steps,
            delivery.key_bits,
        )
        return delivery

    def _send_views(self, b: int, robots: list[int], view: bytes, step: int) -> None:
        """The view to every live robot, who takes over what arrives; the same bytes are decoded once."""
        arrived: dict[bytes, list[int]] = {}
        for r in robots:
            payload = self._send(b, r, DOWNLINK, view).payload
            if payload is not None:
                arrived.setdefault(payload, []).append(r)
        setup, state, _ = self._frames
        for payload, takers in arrived.items():
            written = self._letters.take_view(payload, takers, step)
            if written is not None:
                take_views(b, _VIEW_SLOT, setup, state, self._letters.come, written, self._n_actions)

    def _read_report(self, payload: bytes, reports: Reports, row: int, r: int, step: int) -> bool:
        """Decode a report of robot ``r`` into ``reports[row, r]``; False where the bytes are no report."""
        patients, zones = self._state.twin.patients.shape[1], self._state.twin.zones.shape[1]
        try:
            decode_report(payload, reports, row, r, patients=patients, zones=zones, actions=self._n_actions, now=step)
        except CodecError:
            return False
        return True

    def _due(self, g: int, step: int) -> np.ndarray:
        """Zones that gateway ``g`` reports at a step."""
        return self._rota[g][step % len(self._rota[g])]

    def _file_view(self, payload: bytes, b: int, slot: int, step: int) -> bool:
        """Decode a view into a slot of the files; False where the bytes are no view."""
        filed = self._state.history
        rows = filed.patients[b, slot], filed.passages[b, slot], filed.zones[b, slot], filed.robots[b, slot]
        try:
            decode_view(payload, *rows, actions=self._n_actions, now=step)
        except CodecError:
            return False
        return True

    # the attacker's words: what he makes of a message that he can read; of another he makes nothing

    def _forge(self, b: int, link: int, payload: bytes) -> bytes:
        """The attacker's version of a payload on a link."""
        if link >= self._robots:
            return self._forge_readings(b, link - self._robots, payload)
        step = int(self._state.clock["step"][b])
        setup, state, _ = self._frames
        if self._file_view(payload, b, _DESK_SLOT, step):
            _alter_view(b, _DESK_SLOT, setup, state)
            filed = self._state.history
            rows = filed.patients[b, 0], filed.passages[b, 0], filed.zones[b, 0], filed.robots[b, 0]
            return encode_view(*rows, step)
        if not self._read_report(payload, self._desk, 0, link, step):
            return flip_payload(payload)
        _alter_report(0, link, setup, self._desk_frame)
        return encode_report(self._desk, 0, link, step)

    def _forge_readings(self, b: int, g: int, payload: bytes) -> bytes:
        """Readings shifted by the attacker."""
        step = int(self._state.clock["step"][b])
        due = self._due(g, step)
        rows = np.zeros(due.size, READING)
        try:
            decode_readings(payload, rows, due, gateway=g, now=step, capacity=self._most_due)
        except CodecError:
            return flip_payload(payload)
        if due.size == 0:
            return flip_payload(payload)  # no reading to lie about: the message is spoilt
        rows["reading"] += FORGED_SIGMA * self._setup.physical["sensor_sigma"][0]
        return encode_readings(rows, g, step, self._most_due)
