"""Rescue robots in a collapsed hospital that they know only through a digital twin over QKD-secured channels.

``from qdt_env import hospital_rescue_v0`` gives the PettingZoo environment; ``pettingzoo.make("parallel",
"HospitalRescue-v0")`` finds it by name. ``gymnasium.make("qdt_env:HospitalRescue-v0")`` gives one dispatcher for all
robots, ``gymnasium.make_vec`` many of them at once. Importing this package loads no torch, no PennyLane and no
matplotlib.
"""

import gymnasium as _gymnasium
from pettingzoo import register as _register

__version__ = "0.1.0"

_register("parallel", "HospitalRescue-v0", "qdt_env.hospital_rescue_v0:parallel_env")
_register("aec", "HospitalRescue-v0", "qdt_env.hospital_rescue_v0:env")
_gymnasium.register(
    "HospitalRescue-v0",
    entry_point="qdt_env.gym_env:HospitalRescueEnv",
    vector_entry_point="qdt_env.gym_env:HospitalRescueVectorEnv",
)
