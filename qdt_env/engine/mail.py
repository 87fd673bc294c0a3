"""Mail of one step in the wire fidelity: the rows of all messages packed, taken and recorded by few compiled calls.

Between what is packed here and what is taken here lie the codec's headers, the ciphers and the attacker
(:mod:`qdt_env.engine.wire`). A call into compiled code costs as much as a cipher, so each of these does its part for
all links at once.
"""

from typing import NamedTuple

import numpy as np

from qdt_env.compiled import batch, phase
from qdt_env.engine.downlink import take_filed_view
from qdt_env.engine.fuse import fuse_messages
from qdt_env.engine.links import advance_keys
from qdt_env.engine.state import DOWNLINK, UPLINK
from qdt_env.engine.step import act, conclude
from qdt_env.engine.uplink import due_zones, silence
from qdt_env.physical.state import COLLAPSE
from qdt_env.security.link_life import SURVEY_ENTRIES, survey_link
from qdt_env.security.outcomes import record_outcome
from qdt_env.twin.packed import (
    PACKED_PASSAGE,
    PACKED_PATIENT,
    PACKED_READING,
    PACKED_REPORT,
    PACKED_ROBOT,
    PACKED_SIGHTING,
    PACKED_ZONE,
)
from qdt_env.twin.report_rows import check_readings, pack_report, take_report_rows
from qdt_env.twin.state import MAX_SIGHTINGS, Twin
from qdt_env.twin.view_rows import pack_view, take_view_rows

NOTHING, MESSAGE, NO_MESSAGE = 0, 1, 2  # what goes up or has come over a link; the last: bytes without a sense


class Mail(NamedTuple):
    """Rows of the messages of one episode's step, R robots, G gateways, L = R + G links.

    What is sent and what has come lie in two of them: nothing gets from one to the other but over the links.
    """

    heads: np.ndarray  # (R,) PACKED_REPORT
    conditions: np.ndarray  # (R, D) int8
    sightings: np.ndarray  # (R, MAX_SIGHTINGS) PACKED_SIGHTING
    sighting_bytes: np.ndarray  # (R, bytes) uint8: the same memory
    readings: np.ndarray  # (G, capacity) PACKED_READING
    reading_bytes: np.ndarray  # (G, bytes) uint8: the same memory
    kinds: np.ndarray  # (L,) int32: NOTHING, MESSAGE or NO_MESSAGE
    seen: np.ndarray  # (R,) int32, sightings in use
    written: np.ndarray  # (L,) int32, step that the message names
    believed: np.ndarray  # (L,) int32, step at which the receiver takes it to be written
    age_steps: np.ndarray  # (L,) int32, how old it is
    surveys: np.ndarray  # (L, SURVEY_ENTRIES) int64, see ``link_life.survey_link``
    takers: np.ndarray  # (R,) int32, 1 for a robot that takes over the view in the files
    patients: np.ndarray  # (P,) PACKED_PATIENT
    passages: np.ndarray  # (E,) PACKED_PASSAGE
    zones: np.ndarray  # (Z,) PACKED_ZONE
    robots: np.ndarray  # (R,) PACKED_ROBOT


def empty_mail(gateways: int, slots: int, capacity: int, twin: Twin) -> Mail:
    """Zeroed mail.

    Args:
        gateways: G.
        slots: D, most passages of a zone.
        capacity: most readings of a gateway's message.
        twin: for the numbers of patients, passages, zones and robots.
    """
    robots = twin.robots.shape[1]
    links = robots + gateways
    sightings = np.zeros((robots, MAX_SIGHTINGS), PACKED_SIGHTING)
    readings = np.zeros((gateways, capacity), PACKED_READING)
    return Mail(
        heads=np.zeros(robots, PACKED_REPORT),
        conditions=np.zeros((robots, slots), np.int8),
        sightings=sightings,
        sighting_bytes=sightings.view(np.uint8),
        readings=readings,
        reading_bytes=readings.view(np.uint8),
        kinds=np.zeros(links, np.int32),
        seen=np.zeros(robots, np.int32),
        written=np.zeros(links, np.int32),
        believed=np.zeros(links, np.int32),
        age_steps=np.zeros(links, np.int32),
        surveys=np.zeros((links, SURVEY_ENTRIES), np.int64),
        takers=np.zeros(robots, np.int32),
        patients=np.zeros(twin.patients.shape[1], PACKED_PATIENT),
        passages=np.zeros(twin.passages.shape[1], PACKED_PASSAGE),
        zones=np.zeros(twin.zones.shape[1], PACKED_ZONE),
        robots=np.zeros(robots, PACKED_ROBOT),
    )


@batch
def begin_step(b, actions, setup, state, out, sent):
    """Act, world, sense, one step of key life; what is sent up goes into ``sent``, with a survey of every link."""
    act(b, actions, setup, state, out)
    advance_keys(b, setup, state)
    robots = setup.site.team.shape[0]
    clock = state.clock[b]
    for link in range(sent.surveys.shape[0]):
        survey_link(
            state.channel.links[b, link],
            setup.suites[clock.suite],
            state.channel.attacks[b],
            setup.channel[0],
            clock.seed,
            clock.episode,
            clock.step,
            link,
            0,
            sent.surveys[link],
        )
    for r in range(robots):
        if state.world.robots[b, r].alive == 0:
            silence(state.channel.outcomes[b, UPLINK, r])
            silence(state.channel.outcomes[b, DOWNLINK, r])
            sent.kinds[r] = NOTHING
        else:
            sent.kinds[r] = MESSAGE
            sent.seen[r] = state.reports.heads[b, r].sightings
            pack_report(
                state.reports.heads, state.reports.passages, state.reports.sightings, b, r,
                sent.heads, sent.conditions, sent.sightings, sent.sighting_bytes, r,
            )  # fmt: skip
    for g in range(setup.site.gateways.shape[0]):
        if state.world.zones[b, setup.site.gateways[g]].damage == COLLAPSE:
            silence(state.channel.outcomes[b, UPLINK, robots + g])
            sent.kinds[robots + g] = NOTHING
        else:
            sent.kinds[robots + g] = MESSAGE
            _pack_readings(b, g, setup, state, sent)


@phase
def _pack_readings(b, g, setup, state, sent):
    """The sensors' last readings of the zones that gateway ``g`` owes; a dead sensor's is absent."""
    for k in range(sent.reading_bytes.shape[1]):
        sent.reading_bytes[g, k] = 0
    first, last = due_zones(g, state.clock[b].step, setup)
    for k in range(last - first):
        z = setup.rota_zones[first + k]
        row = sent.readings[g, k]
        row.zone = z
        if state.readings[b, z, 0] == state.readings[b, z, 0]:
            row.present = 1
            for part in range(3):
                row.reading[part] = state.readings[b, z, part]


@batch
def fuse_mail(b, setup, state, come, sent, n_actions):
    """What has come up goes through the inbox into the twin; the view that it gives goes into ``sent``."""
    robots = setup.site.team.shape[0]
    for r in range(robots):
        state.inbox.heads[b, r].valid = 0
        if come.kinds[r] == MESSAGE:
            _take_report(b, r, state, come, n_actions)
    for g in range(setup.site.gateways.shape[0]):
        if come.kinds[robots + g] != NOTHING:
            _take_readings(b, g, setup, state, come)
    for link in range(come.kinds.shape[0]):
        come.kinds[link] = NOTHING
        if sent.kinds[link] == MESSAGE:
            _record(b, UPLINK, link, setup, state)
    fuse_messages(b, setup, state)
    twin = state.twin
    pack_view(
        twin.patients[b], twin.passages[b], twin.zones[b], twin.robots[b],
        sent.patients, sent.passages, sent.zones, sent.robots,
    )  # fmt: skip


@phase
def _record(b, direction, link, setup, state):
    """The outcome of the message on a link into the link's record."""
    clock = state.clock[b]
    outcome = state.channel.outcomes[b, direction, link]
    record_outcome(
        state.channel.links[b, link],
        setup.suites[clock.suite],
        setup.channel[0],
        outcome.verdict,
        outcome.content,
        outcome.age_steps,
        outcome.key_bits,
        outcome.injected_rejected,
        clock.step,
    )


@phase
def _take_report(b, r, state, come, n_actions):
    """Robot ``r``'s report into the inbox, if its rows make sense."""
    bad, _ = take_report_rows(
        come.heads, come.conditions, come.sightings, come.sighting_bytes, r, come.seen[r],
        state.inbox.heads, state.inbox.passages, state.inbox.sightings, b, r,
        come.written[r], state.twin.patients.shape[1], state.twin.zones.shape[1], n_actions,
    )  # fmt: skip
    if bad == 0:
        state.inbox.heads[b, r].written = come.believed[r]


@phase
def _take_readings(b, g, setup, state, come):
    """Gateway ``g``'s readings into the inbox: NaN for a sensor that is silent, and for all if they make no sense."""
    link = setup.site.team.shape[0] + g
    first, last = due_zones(g, state.clock[b].step - come.age_steps[link], setup)
    readable = come.kinds[link] == MESSAGE
    if readable:
        bad, _ = check_readings(come.readings, come.reading_bytes, g, setup.rota_zones, first, last - first)
        readable = bad == 0
    for k in range(last - first):
        row = come.readings[g, k]
        for part in range(3):
            reading = row.reading[part] if readable and row.present == 1 else np.float32(np.nan)
            state.inbox_readings[b, setup.rota_zones[first + k], part] = reading


@batch
def take_views(b, slot, setup, state, come, written, n_actions):
    """The view that has come is filed in a slot and taken over by the robots marked as takers, if its rows make sense.

    The marks are taken away.
    """
    filed = state.history
    bad, _ = take_view_rows(
        come.patients, come.passages, come.zones, come.robots,
        filed.patients[b, slot], filed.passages[b, slot], filed.zones[b, slot], filed.robots[b, slot],
        written, n_actions,
    )  # fmt: skip
    for r in range(come.takers.shape[0]):
        if come.takers[r] == 1 and bad == 0:
            take_filed_view(b, r, slot, setup, state)
        come.takers[r] = 0


@batch
def conclude_step(b, setup, state, out):
    """The downlink's outcomes into the links' records; observe and score."""
    for r in range(setup.site.team.shape[0]):
        if state.world.robots[b, r].alive == 1:
            _record(b, DOWNLINK, r, setup, state)
    conclude(b, setup, state, out)
