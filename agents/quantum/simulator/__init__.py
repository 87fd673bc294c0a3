"""Exact simulation of the QAOA ansaetze on the states they can reach, with adjoint gradients; compiled on first use.

The costs of the basis states are a vector, the mixer acts on that vector's states directly, and no gate is applied.
Bit strings: 2^n; one-hot registers: the product of their options; injections: T! / (T - G)!, which is 40,320 for eight
robots and eight options where a circuit has 64 qubits.
"""

from agents.quantum.simulator.batch import Batch as Batch
from agents.quantum.simulator.batch import simulate_batch as simulate_batch
from agents.quantum.simulator.simulation import ANSAETZE as ANSAETZE
from agents.quantum.simulator.simulation import MAX_STATES as MAX_STATES
from agents.quantum.simulator.simulation import IsingSimulation as IsingSimulation
from agents.quantum.simulator.simulation import Simulation as Simulation
from agents.quantum.simulator.simulation import basis_states as basis_states
