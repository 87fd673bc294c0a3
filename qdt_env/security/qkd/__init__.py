"""Quantum key distribution: how many secret bits a link makes under loss and attack."""
