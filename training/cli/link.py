"""``qdt link``: the secret key rate of one QKD link against loss and interception."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from qdt_env.records import require
from qdt_env.security.qkd.hardware import PRESETS, preset_by_name
from training.cli.outputs import JsonFile, check_outputs, write_figure, write_json
from training.cli.report import Seed, plain, progress_bar
from training.cli.sheets import Markdown, show_sheets
from training.link_study import LinkPoint, draw_link, study_link

_WORDS = "kbit/s: finite-key theory / mean of the simulated blocks; endless blocks at the first f."


def link(
    hardware: Annotated[str, typer.Option("--hardware", help=f"One of {', '.join(PRESETS)}.")] = "robot100MHz",
    max_loss_db: Annotated[float, typer.Option("--max-loss", help="Highest channel loss, dB.")] = 35.0,
    step_db: Annotated[float, typer.Option("--step", help="Distance of the losses, dB.")] = 2.5,
    intercept: Annotated[str, typer.Option("--intercept", help="Intercepted fractions.")] = "0,0.01,0.02,0.05,0.1",
    pns: Annotated[float, typer.Option("--pns", help="Fraction of the pulses under photon-number splitting.")] = 0.0,
    blocks: Annotated[int, typer.Option("--blocks", "-n", help="Simulated blocks per point.")] = 10,
    best: Annotated[bool, typer.Option("--optimise", help="Best intensities and basis bias for each loss.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write.")] = Path("link.png"),
    seed: Seed = 0,
    markdown: Markdown = False,
    json_file: JsonFile = None,
) -> None:
    """One link: endless blocks, finite-key theory and simulated blocks, by loss and interception; table and figure.

    Examples: `qdt link` · `qdt link --hardware daylight --max-loss 25 --optimise -o daylight.png` ·
    `qdt link --intercept 0 --pns 0.2 -n 50 --json splitting.json`
    """
    chosen = preset_by_name(hardware)
    require(0 <= max_loss_db <= 70, "max-loss", max_loss_db, "0 to 70 dB")
    require(0.1 <= step_db <= 70, "step", step_db, "0.1 to 70 dB")
    require(1 <= blocks <= 100_000, "blocks", blocks, "1 to 100000")
    check_outputs({"--output": output, "--json": json_file}, pictures=["--output"])
    intercepts = _fractions(intercept)
    losses = np.arange(0.0, max_loss_db + 1e-9, step_db).tolist()
    with progress_bar() as begin:
        done = begin(f"{hardware}, {blocks} blocks a point", len(losses) * len(intercepts))
        points = study_link(
            chosen, losses, intercepts, pns, blocks=blocks, seed=seed, best_settings=best, progress=done
        )
    settings = "settings optimised for each loss" if best else "fixed settings"
    title = f"{hardware}: {chosen.protocol}, blocks of {chosen.block_bits:,.0f} sifted bits, {settings}"
    title += "" if pns == 0 else f", {100 * pns:g} % of pulses split"
    sheet = ("Secret key rate by loss and intercepted fraction f", _headings(intercepts), _rows(points, intercepts))
    show_sheets(title, [sheet], [_WORDS], markdown)
    config = {
        "hardware": asdict(chosen), "losses_db": losses, "intercepts": intercepts, "pns": pns, "blocks": blocks,
        "optimise": best, "seed": seed, "picture": str(output),
    }  # fmt: skip
    write_json(json_file, "link", config, [point.to_dict() for point in points])
    write_figure(output, lambda path: draw_link(points, path, title), "--output")
    plain(stderr=True).print(f"Drawn to {output}", markup=False)


def _fractions(text: str) -> list[float]:
    """Numbers in [0, 1], separated by commas, rising and each once."""
    try:
        values = sorted({float(part) for part in text.split(",")})
    except ValueError:
        values = []
    allowed = "1 to 8 numbers in [0, 1], separated by commas"
    require(1 <= len(values) <= 8 and all(0 <= value <= 1 for value in values), "intercept", text, allowed)
    return values


def _rate(bit_s: float) -> str:
    """Bits per second as kbit/s, three digits."""
    return "0" if bit_s < 0.5 else f"{bit_s / 1e3:.3g}"


def _headings(intercepts: list[float]) -> tuple[str, ...]:
    """Of the table's columns, one per intercepted fraction."""
    return ("loss, dB", "block, s", "QBER, %", "endless", *(f"f = {100 * f:g} %" for f in intercepts))


def _rows(points: list[LinkPoint], intercepts: list[float]) -> list[tuple[str, ...]]:
    """One per loss: the undisturbed link in full, then theory and simulation for each intercepted fraction."""
    rows = []
    for i in range(0, len(points), len(intercepts)):
        row = points[i : i + len(intercepts)]
        first = row[0]
        qber = f"{100 * first.qber:.2f} / {100 * first.simulated_qber:.2f}"
        cells = [f"{_rate(p.theory_bit_s)} / {_rate(p.simulated_bit_s.mean)}" for p in row]
        rows.append((f"{first.loss_db:g}", f"{first.block_s:.3g}", qber, _rate(first.asymptotic_bit_s), *cells))
    return rows
