"""A plan that says where it was made and what asking for it cost."""

from dataclasses import dataclass

from agents.planning.problem import Plan


@dataclass(frozen=True, eq=False)
class PlacedPlan(Plan):
    """A plan of a planner that sends requests or chooses between machines.

    Attributes:
        where: "local", "edge", or the name of the QPU that was asked, also where it gave no usable answer.
        requests: requests sent, >= 0.
        failures: requests without a usable answer, >= 0.
        key_bits: key bits spent on requests and answers, >= 0.
        message_bytes: bytes of requests and answers before sealing, >= 0.
    """

    where: str = "local"
    requests: int = 0
    failures: int = 0
    key_bits: int = 0
    message_bytes: int = 0
