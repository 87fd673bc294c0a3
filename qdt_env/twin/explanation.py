"""Why a source is trusted as it is: its evidence, opinion and last judgements, for people."""

from dataclasses import dataclass

import numpy as np

from qdt_env.records import require
from qdt_env.twin.config import TwinConfig
from qdt_env.twin.state import EVIDENCE_KEPT, Twin
from qdt_env.twin.trust import trust_score


@dataclass(frozen=True)
class Judgement:
    """One reading measured against what the others said.

    Attributes:
        step: when.
        zone: index of the zone that the reading was of.
        surprise: F in [0, 1]; below ``accept_quantile`` the reading counts for the source, above against it.
        information: iota in [0, 1], how much the others could tell.
        gained, lost: evidence for and against that it brought, >= 0.
    """

    step: int
    zone: int
    surprise: float
    information: float
    gained: float
    lost: float


@dataclass(frozen=True)
class TrustExplanation:
    """Trust S = belief + uncertainty/2 in one source, and what made it.

    Attributes:
        source: number of the robot.
        trust: S in [0, 1] at ``step``.
        belief, disbelief, uncertainty: b, d and u in [0, 1], sum 1.
        positive, negative: decayed evidence r and s, >= 0.
        step: now; ``evidence_step``: of the last judgement, or 0 before the first.
        judgements: the last ones, oldest first, at most ``EVIDENCE_KEPT``.
    """

    source: int
    trust: float
    belief: float
    disbelief: float
    uncertainty: float
    positive: float
    negative: float
    step: int
    evidence_step: int
    judgements: tuple[Judgement, ...]

    def __str__(self) -> str:
        """A few lines of text, the most surprising judgements named."""
        lines = [
            f"source {self.source}: trust {self.trust:.2f} = belief {self.belief:.2f} + uncertainty "
            f"{self.uncertainty:.2f} / 2 (evidence for {self.positive:.1f}, against {self.negative:.1f}, "
            f"last at step {self.evidence_step})"
        ]
        for told in self.judgements:
            effect = f"-{told.lost:.2f}" if told.lost > 0 else f"+{told.gained:.2f}"
            lines.append(f"  step {told.step}: zone {told.zone}, surprise {told.surprise:.3f}, evidence {effect}")
        return "\n".join(lines)


def explain_trust(twin: Twin, row: int, source: int, cfg: np.void, config: TwinConfig, step: int) -> TrustExplanation:
    """Explain the trust in robot ``source`` of episode ``row``.

    Args:
        twin: the twin's arrays.
        row: episode.
        source: robot number, 0 .. R-1.
        cfg: the ``TwinConfig`` record of the kernels; ``config`` the same for Python.
        config: parameters of trust.
        step: now.

    Raises:
        ValueError: no such source.
    """
    robots = twin.robots.shape[1]
    require(0 <= source < robots, "source", source, f"0 to {robots - 1}")
    record = twin.robots[row, source]
    positive, negative = float(record["positive"]), float(record["negative"])
    fade = float(np.exp(-(step - int(record["evidence_step"])) / config.age_steps))
    belief, disbelief = (part / (positive + negative + 2.0) * fade for part in (positive, negative))
    judged = int(record["judged"])
    kept = [twin.evidence[row, source, k % EVIDENCE_KEPT] for k in range(max(0, judged - EVIDENCE_KEPT), judged)]
    return TrustExplanation(
        source=source,
        trust=float(trust_score(positive, negative, step - int(record["evidence_step"]), cfg)),
        belief=belief,
        disbelief=disbelief,
        uncertainty=1.0 - belief - disbelief,
        positive=positive,
        negative=negative,
        step=step,
        evidence_step=int(record["evidence_step"]),
        judgements=tuple(_judgement(one, config) for one in kept),
    )


def _judgement(record: np.void, config: TwinConfig) -> Judgement:
    """One ``EVIDENCE`` record with what it brought (``trust.credit``)."""
    surprise, information = float(record["surprise"]), float(record["information"])
    over = min(max((surprise - config.accept_quantile) / (1.0 - config.accept_quantile), 0.0), 1.0)
    return Judgement(
        step=int(record["step"]),
        zone=int(record["zone"]),
        surprise=surprise,
        information=information,
        gained=information if surprise < config.accept_quantile else 0.0,
        lost=config.negative_weight * information * over,
    )
