"""Mean secret key rate by loss, interception and photon-number splitting: the finite-key length at mean counts.

Planners, pictures and quick looks read the table; the environment's links draw exact counts instead
(:mod:`qdt_env.security.qkd.counts`).
"""

import math

import numpy as np

from qdt_env.compiled import batch, phase, rule
from qdt_env.security.qkd.counts import correction_efficiency
from qdt_env.security.qkd.detection import CELLS_SHAPE, KEY_BASIS, WRONG, Conditions, check_conditions, detection_cells
from qdt_env.security.qkd.finite_key import binary_entropy, secret_bits
from qdt_env.security.qkd.hardware import Hardware, hardware_record, preset_by_name

# Axes of the tables: channel loss 0 .. 50 dB, intercepted fraction 0 .. 0.5, fraction of single photons blocked 0 .. 1.
LOSS_STEP_DB = np.float32(1.0)
INTERCEPT_STEP = np.float32(0.0125)
PNS_STEP = np.float32(0.1)
TABLE_SHAPE = (51, 41, 11)


@phase
def mean_block(hardware, leak, cells, n, m):
    """What a block of n_Z key-basis detections is worth on average, at the mean counts.

    Args:
        hardware: ``HARDWARE`` record.
        leak: (K, 2) table of ``counts.leak_table``, or (0, 2) for the hardware's constant f_EC.
        cells: (2, 3, 2) probabilities per pulse.
        n, m: (2, 3) float64, overwritten with the mean counts.

    Returns:
        (l unrounded, pulses, QBER); l <= 0: no key. Without light: (0, inf, 0).
    """
    per_pulse, wrong = 0.0, 0.0
    for k in range(3):
        per_pulse += cells[KEY_BASIS, k, 0] + cells[KEY_BASIS, k, 1]
        wrong += cells[KEY_BASIS, k, WRONG]
    if per_pulse <= 0.0:
        return 0.0, math.inf, 0.0
    pulses = hardware["block_bits"] / per_pulse
    for basis in range(2):
        for k in range(3):
            n[basis, k] = pulses * (cells[basis, k, 0] + cells[basis, k, 1])
            m[basis, k] = pulses * cells[basis, k, WRONG]
    qber = min(wrong / per_pulse, 0.5)
    efficiency = correction_efficiency(qber, leak) if leak.shape[0] > 0 else hardware["correction_efficiency"]
    leaked = min(efficiency * binary_entropy(qber), 1.0) * hardware["block_bits"]
    return secret_bits(n, m, hardware, leaked)[0], pulses, qber


@batch
def _fill_rates(rates, seconds, qbers, hardware, leak, loss_db, intercepted, pns, cells, n, m):
    """Rate, seconds per block and QBER of every condition."""
    for i in range(rates.shape[0]):
        detection_cells(cells, hardware, loss_db[i], intercepted[i], pns[i])
        length, pulses, qber = mean_block(hardware, leak, cells, n, m)
        seconds[i] = pulses / hardware["pulse_rate_hz"]
        rates[i] = max(length, 0.0) / seconds[i]
        qbers[i] = qber


def finite_key_rate(
    hardware: str | Hardware,
    loss_db: Conditions,
    intercepted: Conditions = 0.0,
    pns: Conditions = 0.0,
    leak: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Secret key rate of blocks of n_Z detections at their mean counts.

    Args:
        hardware: a name in ``PRESETS`` or a :class:`Hardware`.
        loss_db: channel loss without the receiver's, >= 0 dB; broadcasts with the others.
        intercepted: fraction of the pulses measured and resent, [0, 1].
        pns: fraction of the pulses on which photon-number splitting is done, [0, 1].
        leak: a ``counts.leak_table``; None: the hardware's constant f_EC.

    Returns:
        (rate in bit/s, seconds per block, QBER), each float64 and >= 0, of the broadcast shape.

    Raises:
        ValueError: an unknown preset, a negative loss or a fraction outside [0, 1].
    """
    check_conditions(loss_db, intercepted, pns)
    loss, f, b = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (loss_db, intercepted, pns)))
    rates, seconds, qbers = np.zeros(loss.size), np.zeros(loss.size), np.zeros(loss.size)
    record = hardware_record(preset_by_name(hardware))[0]
    table = np.zeros((0, 2)) if leak is None else leak
    scratch = np.zeros(CELLS_SHAPE), np.zeros((2, 3)), np.zeros((2, 3))
    _fill_rates(rates, seconds, qbers, record, table, loss.ravel(), f.ravel(), b.ravel(), *scratch)
    return rates.reshape(loss.shape), seconds.reshape(loss.shape), qbers.reshape(loss.shape)


def rate_table(preset: str | Hardware = "robot100MHz", leak: np.ndarray | None = None) -> np.ndarray:
    """Key rates for the kernels: float32, bit/s, ``TABLE_SHAPE`` = (loss_db, intercepted, pns) on the module's grid.

    Arguments as in :func:`finite_key_rate`.
    """
    losses, intercepts, blocked = TABLE_SHAPE
    loss_db = np.arange(losses)[:, None, None] * float(LOSS_STEP_DB)
    intercepted = np.arange(intercepts)[None, :, None] * float(INTERCEPT_STEP)
    pns = np.minimum(np.arange(blocked)[None, None, :] * float(PNS_STEP), 1.0)
    return finite_key_rate(preset, loss_db, intercepted, pns, leak)[0].astype(np.float32)


@rule
def _cell(value, step, size):
    """Grid cell and fraction within it, clamped to an axis of ``size`` points."""
    place = min(max(np.float32(value) / step, np.float32(0.0)), np.float32(size - 1))
    cell = min(int(place), size - 2)
    return cell, place - np.float32(cell)


@rule
def _mixed(low, high, share):
    """Linear interpolation."""
    return low + share * (high - low)


@rule
def key_rate(table, loss_db, intercepted, pns=0.0):
    """Secret key rate in bit/s, float32, trilinear in a :func:`rate_table`; arguments are clamped to its grid.

    Beyond 50 dB the rate is that of 50 dB (zero for the robots' presets).
    """
    i, u = _cell(loss_db, LOSS_STEP_DB, table.shape[0])
    j, v = _cell(intercepted, INTERCEPT_STEP, table.shape[1])
    k, w = _cell(pns, PNS_STEP, table.shape[2])
    near = _mixed(
        _mixed(table[i, j, k], table[i, j, k + 1], w), _mixed(table[i, j + 1, k], table[i, j + 1, k + 1], w), v
    )
    i += 1
    far = _mixed(
        _mixed(table[i, j, k], table[i, j, k + 1], w), _mixed(table[i, j + 1, k], table[i, j + 1, k + 1], w), v
    )
    return _mixed(near, far, u)
