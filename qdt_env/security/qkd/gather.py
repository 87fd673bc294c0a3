"""A link gathers detections into blocks, step by step, and every full block is worth some secret bits.

This is the statistical fidelity of key making: the counts are drawn exactly, what error correction leaks comes from a
table, and the key length is the finite-key bound. The wire fidelity takes the closed blocks' counts from here and makes
the bits themselves.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from qdt_env.compiled import phase
from qdt_env.frames import Frame
from qdt_env.security.qkd.cascade import LEAK_TABLE
from qdt_env.security.qkd.counts import clear_counts, draw_counts, leak_table, leaked_bits, pulses_for
from qdt_env.security.qkd.detection import KEY_BASIS, detection_cells
from qdt_env.security.qkd.finite_key import key_length
from qdt_env.security.qkd.hardware import hardware_record
from qdt_env.security.qkd.table import key_rate, rate_table

MOST_KEY_SHARE = 0.3  # secret bits per sifted bit that no preset exceeds: a block is begun where there is room for it
_MOST_BLOCKS = 1 << 10  # of one step; 1e10 pulses a second fill no more


class QkdTables(NamedTuple):
    """What kernels read about one kind of link."""

    hardware: np.ndarray  # (1,) HARDWARE
    rates: np.ndarray  # TABLE_SHAPE float32, mean secret bits per second
    leak: np.ndarray  # (K, 2) efficiency of error correction by QBER


@cache
def qkd_tables(preset: str) -> QkdTables:
    """The tables of a preset of ``qkd.hardware.PRESETS``, made once.

    Raises:
        ValueError: no such preset; the message lists the allowed names.
    """
    leak = leak_table([(qber, efficiency) for qber, efficiency, _ in LEAK_TABLE])
    return QkdTables(hardware_record(preset), rate_table(preset, leak), leak)


@cache
def qkd_frame(preset: str) -> Frame:
    """The same as a frame, which only kernels read."""
    return Frame(qkd_tables(preset))


@phase
def block_key(counts, tables):
    """Secret bits of a full block by the leak table: whole, >= 0."""
    sifted, errors = 0, 0
    for k in range(3):
        sifted += counts["n"][KEY_BASIS, k]
        errors += counts["m"][KEY_BASIS, k]
    return key_length(counts, tables.hardware[0], leaked_bits(errors, sifted, tables.leak))[0]


@phase
def gather_blocks(
    link, blocks, cells, tables, loss_db, intercepted, pns, working, dt_s, capacity_bits, seed, episode, step, entity
):
    """One step of gathering: closed blocks go into the link's pool.

    A block is begun only while the store has room for it; the link idles otherwise. Where the tables promise no key,
    and after a block that gave none, nothing more is tried in this step.

    Args:
        link: ``LINK`` record; ``pool_bits``, ``block_share`` and ``blocks`` change.
        blocks: (1 + S,) ``COUNTS``: the block being gathered, then the last S closed ones, number k at 1 + k % S.
        cells: (2, 3, 2) float64 scratch.
        tables: a frame of :class:`QkdTables`.
        loss_db: channel loss, >= 0 dB.
        intercepted, pns: attacks, [0, 1].
        working: share of the time in which the link is not jammed, [0, 1].
        dt_s: length of the step, > 0 s.
        capacity_bits: room of the store, >= 0.
        seed, episode, step, entity: address of the draws.
    """
    if key_rate(tables.rates, loss_db, intercepted, pns) <= np.float32(0.0):
        return
    hardware = tables.hardware[0]
    block_bits = hardware["block_bits"]
    enough = max(capacity_bits - MOST_KEY_SHARE * block_bits, 0.5 * capacity_bits)
    left = math.floor(hardware["pulse_rate_hz"] * dt_s * working)
    if left < 1.0 or link["pool_bits"] >= enough:
        return
    detection_cells(cells, hardware, loss_db, intercepted, pns)
    for index in range(_MOST_BLOCKS):
        needed = pulses_for((1.0 - link["block_share"]) * block_bits, cells)
        taken = min(needed, left)
        draw_counts(blocks[0], cells, taken, seed, episode, step, entity, index)
        left -= taken
        if taken < needed:
            link["block_share"] = min(link["block_share"] + (1.0 - link["block_share"]) * taken / needed, 1.0)
            return
        length = block_key(blocks[0], tables)
        blocks[1 + link["blocks"] % (blocks.shape[0] - 1)] = blocks[0]
        clear_counts(blocks[0])
        link["blocks"] += 1
        link["block_share"] = 0.0
        link["pool_bits"] = min(link["pool_bits"] + np.float32(length), capacity_bits)
        if length == 0.0 or link["pool_bits"] >= enough or left < 1.0:
            return
