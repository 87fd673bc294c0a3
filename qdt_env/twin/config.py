"""Parameters of the twin: prior beliefs, reading variances, trust (4-security, "Trust")."""

from dataclasses import dataclass, fields

import numpy as np

from qdt_env.records import require


@dataclass(frozen=True)
class TwinConfig:
    """Named parameters of fusion and trust; "assumed" unless a source is given."""

    # zones: damage state, smoke [0..1], occupied beds
    prior_mean: tuple[float, ...] = (3.0, 0.0, 1.0)  # after a shock of this size (assumed)
    prior_var: tuple[float, ...] = (2.25, 0.04, 2.0)  # (assumed)
    drift_var: tuple[float, ...] = (1e-3, 1e-4, 0.05)  # process noise per step: what no report announces (assumed)
    sensor_var: tuple[float, ...] = (0.25, 0.0025, 0.25)  # what the twin expects of a fixed sensor
    robot_var: tuple[float, ...] = (0.0625, 0.0009, 0.0625)  # and of a robot in the zone
    # passages: passability 1 open, 0.4 slow, 0 blocked
    passage_prior_var: float = 0.15  # of the pre-shock plan: open (assumed)
    passage_var: float = 0.01  # of a robot's reading (assumed)
    passage_drift_var: float = 0.002  # per step (assumed)
    # patients
    rpm_prior: float = 9.0  # of a missing person nobody has seen (assumed)
    rpm_prior_var: float = 9.0
    rpm_var: float = 4.0  # of a field triage reading: Kahn's over-triage is about one class (3.5) in half the cases
    rpm_drift_var: float = 0.02  # per step (assumed)
    rpm_least_var: float = 1.0  # repeated looks of the same eyes cannot do better (assumed)
    work_prior_min: float = 20.0  # extrication expected of an unseen patient in a collapsed zone (assumed) [robot-min]
    triage_period_steps: int = 18  # readings of one observer within this count once
    # trust: 4-security defaults
    trust_on: bool = True  # off: every source counts fully (for the ablation)
    positive_decay: float = 0.98  # lp
    negative_decay: float = 0.995  # ln
    negative_weight: float = 3.0  # w
    age_steps: float = 20.0  # tau
    admission_evidence: float = 3.0  # r of a source, robot or fixed sensor, that passed its acceptance test (assumed)
    accept_quantile: float = 0.95
    least_trust: float = 0.5  # below it a source has no weight
    reading_age_steps: int = 60  # peers' readings older than this are no evidence (assumed)

    def __post_init__(self) -> None:
        """Reject what the formulas cannot take.

        Raises:
            ValueError: naming the field, what was given and what is allowed.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            require(bool(np.all(np.isfinite(value))), field.name, value, "finite numbers")
            if isinstance(value, tuple):
                require(len(value) == 3, field.name, value, "three numbers: damage, smoke, beds")
                require(min(value) >= 0.0, field.name, value, "numbers >= 0")
            else:
                require(value >= 0, field.name, value, "a number >= 0")
        for name in ("positive_decay", "negative_decay", "accept_quantile", "least_trust"):
            require(0.0 < getattr(self, name) < 1.0, name, getattr(self, name), "a number in (0, 1)")
        for name in ("sensor_var", "robot_var", "prior_var"):
            require(min(getattr(self, name)) > 0.0, name, getattr(self, name), "numbers > 0")
        for name in ("passage_var", "rpm_var", "passage_prior_var", "rpm_prior_var"):
            require(getattr(self, name) > 0.0, name, getattr(self, name), "a number > 0")
        require(self.age_steps > 0, "age_steps", self.age_steps, "a number > 0")
