"""How fast one core makes keys: sifted bits, error correction, privacy amplification, whole blocks.

    python benchmarks/key_distillation.py                     # about a minute
    python benchmarks/key_distillation.py --json keys.json
    python benchmarks/key_distillation.py --sequence-python ../sequence-venv/bin/python
    python benchmarks/key_distillation.py --quick             # seconds: only to see that it runs

Beside it stands SeQUeNCe's two-node BB84 (PyPI "sequence"), in the same run: where this Python has it, or by another
Python that does. Rates are per CPU second of the one thread; see ``_measure.py`` for how they are kept apart from what
others do on the machine. SeQUeNCe's are by its own process's CPU time.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _measure import Calibration, Sample, Stopwatch, machine, rates
from rich.table import Table

from qdt_env.security.qkd.amplification import seed_bits, toeplitz
from qdt_env.security.qkd.block import distil
from qdt_env.security.qkd.cascade import FRAME_BITS, reconcile, shannon_bits
from qdt_env.security.qkd.pulses import sift_pulses, transmit
from qdt_env.security.qkd.transmission import SiftedBlock, event_level_block
from qdt_env.security.qkd.verification import polynomial_hash
from training.cli.outputs import check_outputs, write_json
from training.cli.report import screen

QBERS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.10)
AIM_CASCADE, AIM_EFFICIENCY, AIM_SIFTED, AIM_RATIO = 5e6, 1.06, 5e6, 1_000  # set before anything was built
BLOCK_BITS, KEY_BITS = 100_000, 50_000
PRESET, LOSSES_DB = "robot100MHz", (0.2, 10.0)
SEQUENCE = Path(__file__).with_name("_sequence.py")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Sifted bits, error correction and keys per second.")
    parser.add_argument("--repeats", type=int, default=5, help="times each measurement is made (default: 5)")
    parser.add_argument("--frames", type=int, default=60, help="Cascade frames of a repeat (default: 60)")
    parser.add_argument("--blocks", type=int, default=12, help="key blocks of a repeat (default: 12)")
    parser.add_argument("--sequence-python", metavar="PYTHON", help="a Python that has SeQUeNCe (default: this one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--quick", action="store_true", help="a few frames and blocks, to see that it runs")
    chosen = parser.parse_args()
    check_outputs({"--json": chosen.json})
    if chosen.quick:
        chosen.repeats, chosen.frames, chosen.blocks = 2, 3, 2
    return chosen


def generator(*key: int) -> np.random.Generator:
    """A generator of its own for each measurement."""
    return np.random.Generator(np.random.Philox(key=[key[0], sum(part << (16 * i) for i, part in enumerate(key[1:]))]))


class Correction:
    """Cascade on frames of 2^14 bits with binomial errors: time, leakage, wrong frames."""

    def __init__(self, qber: float) -> None:
        """Nothing is corrected yet."""
        self.qber, self.leaked, self.frames, self.wrong = qber, 0, 0, 0
        self.repeats: list[list[Sample]] = []

    def repeat(self, number: int, frames: int, calibration: Calibration) -> None:
        """Correct so many frames, each timed by itself."""
        rng, watch = generator(1, number, round(self.qber * 1e4)), Stopwatch(calibration)
        for frame in range(frames):
            alice = rng.integers(0, 2, FRAME_BITS, dtype=np.uint8)
            bob = alice ^ (rng.random(FRAME_BITS) < self.qber)
            watch.time(self._correct, alice, bob, frame, work=FRAME_BITS)
            watch.end_chunk()
        self.repeats.append(watch.samples)

    def _correct(self, alice: np.ndarray, bob: np.ndarray, seed: int) -> None:
        done = reconcile(alice, bob, self.qber, seed)
        self.leaked, self.frames = self.leaked + done.leaked_bits, self.frames + 1
        self.wrong += not np.array_equal(done.corrected, alice)

    def result(self, quiet_s: float) -> dict[str, Any]:
        """As plain numbers."""
        speed = rates(self.repeats, quiet_s)
        shannon = shannon_bits(self.qber, self.frames * FRAME_BITS)
        return {
            "qber": self.qber,
            "efficiency": self.leaked / shannon,
            "frames": self.frames,
            "wrong_frames": self.wrong,
            **speed,
            "aim": AIM_CASCADE,
            "ratio": speed["per_cpu_s"] / AIM_CASCADE,
        }


def timed(call: Any, jobs: list[tuple[Any, ...]], work: float, calibration: Calibration) -> list[Sample]:
    """One chunk per job."""
    watch = Stopwatch(calibration)
    for job in jobs:
        watch.time(call, *job, work=work)
        watch.end_chunk()
    return watch.samples


def sifted_blocks(loss_db: float, blocks: int, number: int) -> list[SiftedBlock]:
    """Blocks to make keys of."""
    rng = generator(2, number, round(loss_db))
    return [event_level_block(PRESET, loss_db, rng) for _ in range(blocks)]


def steps_of_a_block(chosen: argparse.Namespace, calibration: Calibration) -> dict[str, list[list[Sample]]]:
    """Samples of the hash, the amplification and whole blocks; the unit of work is one block."""
    rng = generator(3)
    bits = rng.integers(0, 2, BLOCK_BITS, dtype=np.uint8)
    seed = rng.integers(0, 2, seed_bits(BLOCK_BITS, KEY_BITS), dtype=np.uint8)
    samples: dict[str, list[list[Sample]]] = {}
    for number in range(-1, chosen.repeats):  # the first to compile and to warm up
        once = {
            "verification hash, 1e5 bits": timed(polynomial_hash, [(bits, 12345)] * chosen.blocks, 1, calibration),
            "Toeplitz, 1e5 -> 5e4 bits": timed(toeplitz, [(bits, seed, KEY_BITS)] * chosen.blocks, 1, calibration),
        }
        for loss_db in (10.0, 25.0):
            jobs = [(block, k) for k, block in enumerate(sifted_blocks(loss_db, chosen.blocks, number + 1))]
            once[f"whole block at {loss_db:.0f} dB"] = timed(distil, jobs, 1, calibration)
        if number >= 0:
            for what, chunks in once.items():
                samples.setdefault(what, []).append(chunks)
    return samples


def pulse_level(pulses: int, loss_db: float, rng: np.random.Generator) -> SiftedBlock:
    """The same link pulse by pulse."""
    return sift_pulses(transmit(PRESET, pulses, loss_db, rng=rng))


def sifting(chosen: argparse.Namespace, calibration: Calibration) -> dict[str, list[list[Sample]]]:
    """Samples of sifted bits by how they are simulated; the unit of work is a sifted bit of the key basis."""
    samples: dict[str, list[list[Sample]]] = {}
    pulses = 200_000 if chosen.quick else 2_000_000
    for number in range(-1, chosen.repeats):
        for loss_db in LOSSES_DB:
            rng = generator(4, number + 1, round(loss_db))
            expected = len(event_level_block(PRESET, loss_db, rng).alice)
            jobs = [(PRESET, loss_db, rng)] * chosen.blocks
            whole = timed(event_level_block, jobs, expected, calibration)
            expected = len(pulse_level(pulses, loss_db, rng).alice)
            single = timed(pulse_level, [(pulses, loss_db, rng)], expected, calibration)
            if number >= 0:
                samples.setdefault(f"event level, {loss_db} dB", []).append(whole)
                samples.setdefault(f"pulse level, {loss_db} dB", []).append(single)
    return samples


def sequence_python(named: str | None) -> str | None:
    """A Python that can import SeQUeNCe, if there is one."""
    if named is not None:
        return named
    found = importlib.util.find_spec("sequence")
    return sys.executable if found is not None and importlib.util.find_spec("sequence.qkd") is not None else None


def sequence_runs(python: str | None, chosen: argparse.Namespace) -> dict[str, Any] | str:
    """Sifted bits per second of SeQUeNCe's BB84 by loss, each in a process of its own; or why there are none."""
    if python is None:
        return "not installed"
    results = {}
    for loss_db in LOSSES_DB:
        runs = []
        for _ in range(1 if chosen.quick else min(chosen.repeats, 3)):
            command = [python, str(SEQUENCE), "--loss-db", str(loss_db), "--bits", "256" if chosen.quick else "3000"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return f"failed: {done.stderr.strip().splitlines()[-1:]}"
            runs.append(json.loads(done.stdout))
        results[str(loss_db)] = {
            "version": runs[0]["version"],
            "per_cpu_s": median(run["sifted_bits"] / run["cpu_s"] for run in runs),
            "per_wall_s": median(run["sifted_bits"] / run["wall_s"] for run in runs),
            "sifted_bits": sum(run["sifted_bits"] for run in runs),
            "qber": runs[0]["qber"],
        }
    return results


def gather(chosen: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured, as plain numbers."""
    calibration = Calibration()
    corrections = [Correction(qber) for qber in QBERS]
    reconcile(np.zeros(64, np.uint8), np.zeros(64, np.uint8), 0.05, 0)  # compile
    for number in range(chosen.repeats):
        for correction in corrections:
            correction.repeat(number, chosen.frames, calibration)
    blocks = steps_of_a_block(chosen, calibration)
    sifted = sifting(chosen, calibration)
    sequence = sequence_runs(sequence_python(chosen.sequence_python), chosen)
    quiet_s = calibration.quiet_s
    sifted_rates = {what: rates(repeats, quiet_s) for what, repeats in sifted.items()}
    ratios = {}
    if isinstance(sequence, dict):
        for loss_db, theirs in sequence.items():
            ratios[loss_db] = sifted_rates[f"event level, {loss_db} dB"]["per_cpu_s"] / theirs["per_cpu_s"]
    return {
        "machine": machine(),
        "calibration": calibration.summary(),
        "cascade": [correction.result(quiet_s) for correction in corrections],
        "blocks": {what: rates(repeats, quiet_s) for what, repeats in blocks.items()},
        "sifted": sifted_rates,
        "sequence": sequence,
        "times_sequence": ratios,
    }


def show(results: dict[str, Any]) -> None:
    """Tables of the results."""
    console = screen()
    cascade = Table(title="Cascade, frames of 2^14 bits, one core")
    for column in ("QBER, %", "Mbit/s", "lowest", "highest", "quiet core", "aim", "f_EC", "aim", "wrong frames"):
        cascade.add_column(column, justify="right")
    for row in results["cascade"]:
        speeds = [f"{row[key] / 1e6:.1f}" for key in ("per_cpu_s", "per_cpu_s_low", "per_cpu_s_high", "per_quiet_s")]
        wrong = f"{row['wrong_frames']} of {row['frames']}"
        aim = f"{row['aim'] / 1e6:.0f}"
        cascade.add_row(
            f"{100 * row['qber']:.0f}", *speeds, aim, f"{row['efficiency']:.4f}", f"{AIM_EFFICIENCY}", wrong
        )
    console.print(cascade)
    blocks = Table(title="Milliseconds")
    for column in ("what", "reached", "lowest", "highest", "quiet core"):
        blocks.add_column(column, justify="left" if column == "what" else "right")
    for what, row in results["blocks"].items():
        keys = ("per_cpu_s", "per_cpu_s_high", "per_cpu_s_low", "per_quiet_s")
        blocks.add_row(what, *(f"{1e3 / row[key]:.2f}" for key in keys))
    console.print(blocks)
    show_sifted(results)
    calibration = results["calibration"]
    console.print(
        f"{results['machine']['processor']}, {results['machine']['cores']} cores, load {results['machine']['load']}. "
        f"A Philox draw took {calibration['draw_ns']:.2f} ns (quiet core {calibration['draw_ns_quiet']:.2f})."
    )


def show_sifted(results: dict[str, Any]) -> None:
    """Sifted bits per second, ours and SeQUeNCe's."""
    console = screen()
    sifted = Table(title="Sifted bits per CPU second of one core")
    for column in ("simulation", "reached", "lowest", "highest", "aim", "times SeQUeNCe"):
        sifted.add_column(column, justify="left" if column == "simulation" else "right")
    for what, row in results["sifted"].items():
        event = what.startswith("event")
        times = results["times_sequence"].get(what.removeprefix("event level, ").removesuffix(" dB")) if event else None
        numbers = [f"{row[key]:,.0f}" for key in ("per_cpu_s", "per_cpu_s_low", "per_cpu_s_high")]
        aim = f"{AIM_SIFTED:,.0f}, x {AIM_RATIO:,}" if event else ""
        sifted.add_row(what, *numbers, aim, f"{times:,.0f}" if times else "")
    if isinstance(results["sequence"], dict):
        for loss_db, row in results["sequence"].items():
            sifted.add_row(f"SeQUeNCe {row['version']}, {loss_db} dB", f"{row['per_cpu_s']:,.0f}", "", "", "", "")
    console.print(sifted)
    if not isinstance(results["sequence"], dict):
        console.print(f'SeQUeNCe (PyPI "sequence"): {results["sequence"]}, so it is not compared.')


def main() -> None:
    """Measure, show, write."""
    chosen = arguments()
    results = gather(chosen)
    show(results)
    if chosen.json:
        config = {k: v for k, v in vars(chosen).items() if k != "json"}
        write_json(chosen.json, "benchmarks/key_distillation.py", config, results)


if __name__ == "__main__":
    main()
