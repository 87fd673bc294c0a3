"""One QKD link by loss and interception: endless blocks, finite-key theory and event-level simulation side by side."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qdt_env.security.qkd.asymptotic import secret_key_rate_bit_s
from qdt_env.security.qkd.finite_key import finite_key
from qdt_env.security.qkd.hardware import Hardware
from qdt_env.security.qkd.settings import optimise
from qdt_env.security.qkd.table import finite_key_rate
from qdt_env.security.qkd.transmission import Adversary, event_level_block
from training.figures import picture
from training.statistics import Interval, mean_interval

_COLOURS = ("#1b1b1b", "#0072b2", "#009e73", "#d55e00", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")


@dataclass(frozen=True)
class LinkPoint:
    """One condition of a link.

    Attributes:
        loss_db: channel loss without the receiver's, >= 0 dB.
        intercepted, pns: fractions of the pulses under either attack, [0, 1].
        asymptotic_bit_s: rate of endless blocks, >= 0 bit/s.
        theory_bit_s: finite-key rate at the mean counts, >= 0 bit/s.
        simulated_bit_s: finite-key rate of simulated blocks, mean and interval.
        qber: error rate of the key basis in theory, [0, 1].
        simulated_qber: the same over all simulated blocks.
        block_s: seconds that a block of n_Z detections takes, > 0.
        settings: intensities, shares and basis bias in use.
    """

    loss_db: float
    intercepted: float
    pns: float
    asymptotic_bit_s: float
    theory_bit_s: float
    simulated_bit_s: Interval
    qber: float
    simulated_qber: float
    block_s: float
    settings: Hardware

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers."""
        numbers = {name: value for name, value in asdict(self).items() if name != "settings"}
        used = ("intensities", "shares", "key_basis_probability")
        return numbers | {
            "simulated_bit_s": self.simulated_bit_s.to_dict(),
            "settings": {name: getattr(self.settings, name) for name in used},
        }


def study_link(
    hardware: Hardware,
    losses_db: Sequence[float],
    intercepts: Sequence[float],
    pns: float = 0.0,
    *,
    blocks: int = 10,
    seed: int = 0,
    best_settings: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[LinkPoint]:
    """Every pair of loss and intercepted fraction, by theory and by simulated blocks.

    Args:
        hardware: the link.
        losses_db: channel losses, >= 0 dB.
        intercepts: intercepted fractions, [0, 1].
        pns: fraction of the pulses on which photon-number splitting is done, [0, 1].
        blocks: simulated blocks per pair, >= 1; each has about n_Z sifted bits.
        seed: of the simulation, >= 0.
        best_settings: optimise intensities, shares and basis bias for each loss, as published rates do; a loss without
            any key keeps the hardware's.
        progress: told how many pairs are done.
    """
    points: list[LinkPoint] = []
    for loss_db in losses_db:
        best = optimise(hardware, loss_db) if best_settings else hardware
        used = best if finite_key_rate(best, loss_db)[0] > 0 else hardware
        for intercepted in intercepts:
            rng = np.random.Generator(np.random.Philox(key=np.array([seed, len(points)], np.uint64)))
            points.append(_point(used, float(loss_db), Adversary(float(intercepted), pns), blocks, rng))
            if progress is not None:
                progress(len(points))
    return points


def _point(
    hardware: Hardware, loss_db: float, adversary: Adversary, blocks: int, rng: np.random.Generator
) -> LinkPoint:
    """One condition: the key length of each simulated block comes from what its two ends could count."""
    conditions = loss_db, adversary.intercepted, adversary.pns
    theory, seconds, qber = (float(x) for x in finite_key_rate(hardware, *conditions))
    rates, wrong, bits = np.zeros(blocks), 0, 0
    for i in range(blocks):
        block = event_level_block(hardware, loss_db, rng, adversary)
        rates[i] = finite_key(block.counts, hardware).length_bits / block.seconds
        wrong += int((block.alice != block.bob).sum())
        bits += block.alice.size
    return LinkPoint(
        *conditions,
        asymptotic_bit_s=float(secret_key_rate_bit_s(hardware, *conditions)),
        theory_bit_s=theory,
        simulated_bit_s=mean_interval(rates),
        qber=qber,
        simulated_qber=wrong / max(bits, 1),
        block_s=seconds,
        settings=hardware,
    )


def draw_link(points: Sequence[LinkPoint], path: Path, title: str) -> None:
    """Draw rate against loss, and against the intercepted fraction, to a picture file."""
    with picture(path, 1, 2, (11.5, 4.6), title) as (_, panels):
        _against_loss(panels[0, 0], points)
        _against_interception(panels[0, 1], points)


def _bars(panel: Any, x: list[float], points: Sequence[LinkPoint], colour: str, label: str | None) -> None:
    """Simulated means with their 95 % intervals, in kbit/s; a block without key is no point of a logarithmic axis."""
    means = np.array([p.simulated_bit_s.mean for p in points]) / 1e3
    ends = np.nan_to_num([p.simulated_bit_s.half_width for p in points]) / 1e3
    shown = means > 0
    at = np.array(x)[shown]
    panel.errorbar(at, means[shown], ends[shown], fmt="o", ms=3.5, color=colour, elinewidth=1, label=label)


def _curves(points: Sequence[LinkPoint]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(losses, endless rates, finite rates): a fine curve, or the points themselves where settings change with loss."""
    first = points[0]
    if len({p.settings for p in points}) > 1:
        return (
            np.array([p.loss_db for p in points]),
            np.array([p.asymptotic_bit_s for p in points]),
            np.array([p.theory_bit_s for p in points]),
        )
    at = np.linspace(first.loss_db, points[-1].loss_db, 400)
    conditions = first.settings, at, first.intercepted, first.pns
    return at, secret_key_rate_bit_s(*conditions), finite_key_rate(*conditions)[0]


def _against_loss(panel: Any, points: Sequence[LinkPoint]) -> None:
    """Rate by loss, a colour for every intercepted fraction."""
    for colour, f in zip(_COLOURS, sorted({p.intercepted for p in points}), strict=False):
        of_f = [p for p in points if p.intercepted == f]
        at, limit, theory = _curves(of_f)
        panel.plot(at, np.where(limit > 0, limit, np.nan) / 1e3, ":", lw=1, color=colour)
        panel.plot(at, np.where(theory > 0, theory, np.nan) / 1e3, "-", lw=1.2, color=colour)
        _bars(panel, [p.loss_db for p in of_f], of_f, colour, f"{100 * f:g} % intercepted")
    panel.set(yscale="log", xlabel="channel loss [dB]", ylabel="secret key rate [kbit/s]")
    panel.set_title("Dotted: endless blocks. Line: finite-key theory. Points: simulated blocks, 95 %")
    if any(p.asymptotic_bit_s > 0 for p in points):
        panel.legend(frameon=False)
    else:
        _say_no_key(panel)


def _against_interception(panel: Any, points: Sequence[LinkPoint]) -> None:
    """Share that is left of each undisturbed rate, at up to four losses that have a key."""
    alive = sorted({p.loss_db for p in points if p.theory_bit_s > 0})
    chosen = [alive[i] for i in sorted({round(j * (len(alive) - 1) / 4) for j in range(4)})] if alive else []
    most = max((p.intercepted for p in points), default=0.0) or 0.1
    grid = np.linspace(0.0, most, 200)
    for colour, loss_db in zip(_COLOURS, chosen, strict=False):
        of_loss = [p for p in points if p.loss_db == loss_db]
        conditions = of_loss[0].settings, loss_db, grid, of_loss[0].pns
        limit, theory = secret_key_rate_bit_s(*conditions), finite_key_rate(*conditions)[0]
        panel.plot(100 * grid, limit / limit[0], ":", lw=1, color=colour)
        panel.plot(100 * grid, theory / theory[0], "-", lw=1.2, color=colour)
        means = [p.simulated_bit_s.mean / theory[0] for p in of_loss]
        ends = np.nan_to_num([p.simulated_bit_s.half_width / theory[0] for p in of_loss])
        at = [100 * p.intercepted for p in of_loss]
        panel.errorbar(at, means, ends, fmt="o", ms=3.5, color=colour, elinewidth=1, label=f"{loss_db:g} dB")
    panel.set(
        xlabel="intercepted fraction [%]", ylabel="secret key rate, share of the undisturbed link's", ylim=(0, None)
    )
    panel.set_title("The same by intercepted fraction, each relative to itself without interception")
    if chosen:
        panel.legend(frameon=False, title="channel loss")
    else:
        _say_no_key(panel)


def _say_no_key(panel: Any) -> None:
    """An empty panel says why it is empty."""
    panel.text(0.5, 0.5, "no key at any of these losses", ha="center", va="center", transform=panel.transAxes)
    panel.set(xticks=[], yticks=[])
    panel.minorticks_off()
