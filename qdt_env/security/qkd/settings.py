"""The best settings of a link for a given loss: intensities, how often each is sent, and the bias of the bases."""

import math
from dataclasses import replace

import numpy as np

from qdt_env.compiled import batch, rule
from qdt_env.security.qkd.detection import CELLS_SHAPE, check_conditions, detection_cells
from qdt_env.security.qkd.hardware import ONE_DECOY, Hardware, hardware_record, preset_by_name
from qdt_env.security.qkd.table import mean_block

SECOND_DECOY = 2e-4  # mu_3 of Lim et al. 2014: what an intensity modulator lets through at best
_SIGNAL, _RATIO, _SHARE, _BASIS = (0.05, 1.5), (0.02, 0.98), (0.005, 0.995), (0.02, 0.999)
_NO_KEY = 1e3
_EVALUATIONS = 6_000


@rule
def _within(span, x):
    """A point of the unit interval on a span."""
    return span[0] + (span[1] - span[0]) * min(max(x, 0.0), 1.0)


@batch
def _apply(point, record):
    """Write a point of the unit cube into a ``HARDWARE`` record: intensities, shares, basis bias."""
    intensities, shares = record["intensities"], record["shares"]
    intensities[0] = _within(_SIGNAL, point[0])
    shares[0] = _within(_SHARE, point[2])
    record["key_basis_probability"] = _within(_BASIS, point[3])
    if record["protocol"] == ONE_DECOY:
        intensities[1], intensities[2] = _within(_RATIO, point[1]) * intensities[0], 0.0
        shares[1], shares[2] = 1.0 - shares[0], 0.0
    else:
        intensities[1] = SECOND_DECOY + _within(_RATIO, point[1]) * (intensities[0] - 2.0 * SECOND_DECOY)
        intensities[2] = SECOND_DECOY
        shares[1] = (1.0 - shares[0]) * _within(_SHARE, point[4])
        shares[2] = 1.0 - shares[0] - shares[1]


@batch
def _missed(point, record, loss_db, leak, cells, n, m):
    """What is minimised: -ln of the key bits per pulse; where there is no key, above all that, the bits missing."""
    _apply(point, record)
    detection_cells(cells, record, loss_db, 0.0, 0.0)
    length, pulses, _ = mean_block(record, leak, cells, n, m)
    outside = 0.0
    for x in point:
        outside += max(-x, 0.0) + max(x - 1.0, 0.0)
    return (math.log(pulses / length) if length > 0.0 else _NO_KEY - length) + outside


def optimise(hardware: str | Hardware, loss_db: float, block_bits: float | None = None) -> Hardware:
    """The hardware with the settings that give the highest mean finite-key rate at a loss, without an attacker.

    A global search by dividing rectangles (Jones et al. 1993), then Nelder and Mead's; deterministic, about 0.1 s.

    Args:
        hardware: a name in ``PRESETS`` or a :class:`Hardware`; its intensities, shares and basis bias are replaced.
            The second decoy, where there is one, stays at ``SECOND_DECOY``.
        loss_db: channel loss without the receiver's, >= 0 dB.
        block_bits: n_Z, default: the hardware's.

    Raises:
        ValueError: an unknown preset, a negative loss or a block below one bit.
    """
    from scipy.optimize import direct, minimize  # half a second that a simulation need not spend

    check_conditions(loss_db, 0.0, 0.0)
    chosen = preset_by_name(hardware)
    chosen = chosen if block_bits is None else replace(chosen, block_bits=float(block_bits))
    record = hardware_record(chosen)
    rest = record[0], float(loss_db), np.zeros((0, 2)), np.zeros(CELLS_SHAPE), np.zeros((2, 3)), np.zeros((2, 3))
    unknowns = 4 if chosen.protocol == "one-decoy" else 5
    point = direct(_missed, [(0.0, 1.0)] * unknowns, args=rest, maxfun=_EVALUATIONS, maxiter=_EVALUATIONS).x
    options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": _EVALUATIONS}
    for _ in range(3):  # starting anew frees a simplex that has collapsed
        point = minimize(_missed, point, rest, method="Nelder-Mead", options=options).x
    _apply(point, record[0])
    return replace(
        chosen,
        intensities=tuple(record["intensities"][0].tolist()),
        shares=tuple(record["shares"][0].tolist()),
        key_basis_probability=float(record["key_basis_probability"][0]),
    )
