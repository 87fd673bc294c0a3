"""Unit conversions and cited constants; nothing else in the project converts units."""

SECONDS_PER_MINUTE = 60.0
SECONDS_PER_DAY = 86_400.0
BITS_PER_BYTE = 8


def minutes(seconds: float) -> float:
    """Seconds to minutes."""
    return seconds / SECONDS_PER_MINUTE


def days(seconds: float) -> float:
    """Seconds to days."""
    return seconds / SECONDS_PER_DAY


def transmittance(loss_db: float) -> float:
    """Loss in decibel to the transmitted fraction, 10^(-dB/10), in (0, 1] for non-negative losses."""
    return float(10.0 ** (-loss_db / 10.0))


def steps_per(seconds: float, dt_s: float) -> int:
    """How many whole steps of ``dt_s`` seconds cover ``seconds`` (at least one)."""
    return max(1, round(seconds / dt_s))
