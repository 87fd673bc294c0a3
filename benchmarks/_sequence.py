"""SeQUeNCe's own BB84 between two nodes, timed: run by a Python that has it, prints one line of JSON.

    python -m pip install sequence
    python benchmarks/_sequence.py --loss-db 10 --bits 2000

SeQUeNCe (Wu et al. 2021, Quantum Sci. Technol. 6, 045027) is a discrete-event simulator: every photon is an event. It
has BB84 with weak pulses but without decoy states. Source, loss and detectors are set as in our robot100MHz preset.
"""

import argparse
import json
import time
from importlib.metadata import version

from sequence.components.optical_channel import ClassicalChannel, QuantumChannel
from sequence.kernel.timeline import Timeline
from sequence.qkd.BB84 import pair_bb84_protocols
from sequence.topology.node import QKDNode

PULSE_RATE_HZ, MEAN_PHOTONS = 100e6, 0.35
EFFICIENCY, DARK_COUNTS_HZ, DEAD_TIME_S = 0.5, 100.0, 50e-9
DISTANCE_M, FIDELITY = 1_000.0, 0.98
KEY_BITS = 256


class Taker:
    """Stands above BB84 in both stacks, counts the keys and stops when there are enough."""

    def __init__(self, timeline: Timeline, wanted: int) -> None:
        self.keys, self.timeline, self.wanted = 0, timeline, wanted

    def pop(self, info: int) -> None:
        self.keys += 1
        if self.keys >= 2 * self.wanted:
            self.timeline.stop()  # dark counts would go on for ever


def two_nodes(loss_db: float) -> tuple[Timeline, QKDNode, QKDNode]:
    """Alice and Bob with a quantum and a classical channel."""
    timeline = Timeline()
    alice, bob = QKDNode("alice", timeline, stack_size=1), QKDNode("bob", timeline, stack_size=1)
    for seed, node in enumerate((alice, bob)):
        node.set_seed(seed)
    pair_bb84_protocols(alice.protocol_stack[0], bob.protocol_stack[0])
    for one, other in ((alice, bob), (bob, alice)):
        light = QuantumChannel(
            f"light to {other.name}",
            timeline,
            loss_db / DISTANCE_M,
            DISTANCE_M,
            polarization_fidelity=FIDELITY,
            frequency=PULSE_RATE_HZ,
        )
        light.set_ends(one, other.name)
        ClassicalChannel(f"words to {other.name}", timeline, DISTANCE_M).set_ends(one, other.name)
        one.update_lightsource_params("frequency", PULSE_RATE_HZ)
        one.update_lightsource_params("mean_photon_num", MEAN_PHOTONS)
    for detector in bob.components["bob.qsdetector"].detectors:
        detector.efficiency, detector.dark_count = EFFICIENCY, DARK_COUNTS_HZ
        detector.count_rate = 1 / DEAD_TIME_S
    return timeline, alice, bob


def main() -> None:
    """Make keys until there are so many sifted bits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loss-db", type=float, default=10.0)
    parser.add_argument("--bits", type=int, default=2_000, help="sifted bits to make")
    chosen = parser.parse_args()
    timeline, alice, bob = two_nodes(chosen.loss_db)
    wanted = -(-chosen.bits // KEY_BITS)
    taker = Taker(timeline, wanted)
    for node in (alice, bob):
        node.protocol_stack[0].upper_protocols.append(taker)
    timeline.init()
    alice.protocol_stack[0].push(KEY_BITS, wanted)
    wall, cpu = time.perf_counter(), time.process_time()
    timeline.run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    bits = taker.keys // 2 * KEY_BITS
    errors = alice.protocol_stack[0].error_rates
    result = {
        "version": version("sequence"),
        "sifted_bits": bits,
        "qber": sum(errors) / max(len(errors), 1),
        "cpu_s": cpu,
        "wall_s": wall,
        "events": timeline.run_counter,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
