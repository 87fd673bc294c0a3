"""Quantum planners: the Ising form of a problem and the QAOA that samples it.

PennyLane is loaded when a planner is made, not when this package is imported.
"""
