"""Attacks: what an adversary does, to whom, from when, and how strongly (4-security, "Attacks").

An :class:`Attack` is the readable description; :func:`attack_table` is the same as numbers, one record per kind, for
the compiled kernels. Who is hit is a Philox draw of the attack stream, so an attack never disturbs the world.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qdt_env import random
from qdt_env.compiled import rule

ATTACK_KINDS = (
    "intercept",
    "pns",
    "blinding",
    "mitm",
    "tamper",
    "spoof",
    "replay",
    "delay",
    "drop",
    "jam",
    "key-compromise",
    "quantum-adversary",
    "insider",
    "collusion",
    "on-off",
    "sleeper",
    "whitewash",
)
N_ATTACK_KINDS = len(ATTACK_KINDS)
INTERCEPT, PNS, BLINDING, MITM, TAMPER, SPOOF, REPLAY, DELAY, DROP, JAM = range(10)
KEY_COMPROMISE, QUANTUM_ADVERSARY, INSIDER, COLLUSION, ON_OFF, SLEEPER, WHITEWASH = range(10, 17)

# Bit masks over kinds: who looks at which bits. Sources lie about content, links suffer everything else.
SOURCE_KINDS_MASK = (1 << INSIDER) | (1 << COLLUSION) | (1 << ON_OFF) | (1 << SLEEPER) | (1 << WHITEWASH)
LINK_KINDS_MASK = ((1 << N_ATTACK_KINDS) - 1) & ~SOURCE_KINDS_MASK
MESSAGE_KINDS_MASK = sum(1 << kind for kind in (MITM, TAMPER, SPOOF, REPLAY, DELAY, DROP, JAM))

INTENSITY_MEANING = {
    "intercept": "fraction of the pulses measured and resent, [0, 1]",
    "pns": "fraction of the single photons blocked in favour of split multi-photon pulses, [0, 1]",
    "blinding": "probability that the detectors are under control for the keys of an epoch, [0, 1]",
    "mitm": "probability per message, [0, 1]",
    "tamper": "probability per message, [0, 1]",
    "spoof": "probability per message slot that a message is injected, [0, 1]",
    "replay": "probability per message slot that a recorded message is injected, [0, 1]",
    "delay": "probability per message, [0, 1]",
    "drop": "probability per message, [0, 1]",
    "jam": "probability per message, and share of the key-making time lost, [0, 1]",
    "key-compromise": "probability, once per targeted link, that the theft succeeds, [0, 1]",
    "quantum-adversary": "any value above 0 means present, [0, 1]",
    "insider": "size of the lie in standard deviations of the reading, [0, 100]",
    "collusion": "size of the shared lie in standard deviations, [0, 100]",
    "on-off": "size of the lie in standard deviations while on, [0, 100]",
    "sleeper": "size of the lie in standard deviations after onset, [0, 100]",
    "whitewash": "size of the lie in standard deviations; a fresh identity each period, [0, 100]",
}
MAX_LIE_SIGMA = 100.0
NEVER_ENDS = 2**31 - 1

# Draw numbers within the attack stream, apart from the message draws (which start at 0).
_TARGET_DRAW = 0x10000
_PRESET_ENTITY = 0xFFFFFFFF


@dataclass(frozen=True)
class Attack:
    """One attack of the adversary's script.

    Attributes:
        kind: one of ``ATTACK_KINDS``.
        onset_step: first step at which it acts, >= 0.
        intensity: strength; its meaning and range by kind are in ``INTENSITY_MEANING``.
        targets: share of the links (of the sources for insider and its relatives) that are hit, [0, 1].
        last_step: last step at which it acts, or None for the whole episode.
        period_steps: 0 for steady; else it alternates, this many steps on and as many off (>= 1, needed by on-off).
        delay_steps: age in steps that ``delay`` adds and ``replay`` plays back, >= 1.

    Raises:
        ValueError: a field is out of its range; the message names the field, what was given and what is allowed.
    """

    kind: str
    onset_step: int = 0
    intensity: float = 1.0
    targets: float = 1.0
    last_step: int | None = None
    period_steps: int = 0
    delay_steps: int = 3

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        if self.kind not in ATTACK_KINDS:
            raise ValueError(f"attack kind: got {self.kind!r}, allowed: {', '.join(ATTACK_KINDS)}")
        top = MAX_LIE_SIGMA if (1 << self.code) & SOURCE_KINDS_MASK else 1.0
        self._check("intensity", 0.0 <= self.intensity <= top, f"{INTENSITY_MEANING[self.kind]}")
        self._check("targets", 0.0 <= self.targets <= 1.0, "a share in [0, 1]")
        self._check("onset_step", 0 <= self.onset_step < NEVER_ENDS, "0 or more")
        last = NEVER_ENDS if self.last_step is None else self.last_step
        self._check("last_step", self.onset_step <= last <= NEVER_ENDS, "None, or onset_step or later")
        lowest = 1 if self.kind == "on-off" else 0
        self._check("period_steps", lowest <= self.period_steps < NEVER_ENDS, f"{lowest} or more")
        self._check("delay_steps", 1 <= self.delay_steps < NEVER_ENDS, "1 or more")

    def _check(self, field: str, holds: bool, allowed: str) -> None:
        """Raise the one error format of this class."""
        if not holds:
            raise ValueError(f"attack {self.kind}: {field}: got {getattr(self, field)!r}, allowed: {allowed}")

    @property
    def code(self) -> int:
        """Index of the kind in ``ATTACK_KINDS``."""
        return ATTACK_KINDS.index(self.kind)


# Presets. Strengths and onsets are assumed: strong enough to show in an episode of 180 steps (30 min).
THREATS: dict[str, tuple[Attack, ...]] = {
    "none": (),
    "eavesdrop": (Attack("intercept", intensity=0.35),),
    "tamper": (Attack("tamper", intensity=0.5),),
    "replay": (Attack("replay", intensity=0.5, delay_steps=12),),
    "delay": (Attack("delay", intensity=0.7, delay_steps=3),),
    "drop": (Attack("drop", intensity=0.3),),
    "spoof": (Attack("spoof", intensity=0.5),),
    "key-compromise": (Attack("key-compromise", onset_step=20), Attack("tamper", onset_step=20, intensity=0.5)),
    "insider": (Attack("insider", intensity=3.0, targets=0.25),),
    "quantum-adversary": (Attack("quantum-adversary", onset_step=30), Attack("tamper", onset_step=30, intensity=0.5)),
    "mixed": (
        Attack("intercept", intensity=0.1, targets=0.5),
        Attack("tamper", intensity=0.15, targets=0.5),
        Attack("replay", intensity=0.15, targets=0.5, delay_steps=12),
        Attack("drop", intensity=0.1, targets=0.5),
        Attack("key-compromise", onset_step=40, targets=0.25),
        Attack("insider", onset_step=10, intensity=3.0, targets=0.15),
    ),
    "jam": (Attack("jam", onset_step=10, intensity=0.8, targets=0.5),),
    "mitm": (Attack("mitm", intensity=0.5),),
    "pns": (Attack("pns", intensity=0.5),),
    "blinding": (Attack("blinding"), Attack("tamper", intensity=0.5)),
    "collusion": (Attack("collusion", intensity=3.0, targets=0.4),),
    "on-off": (Attack("on-off", intensity=3.0, targets=0.25, period_steps=10),),
    "sleeper": (Attack("sleeper", onset_step=60, intensity=3.0, targets=0.25),),
    "whitewash": (Attack("whitewash", intensity=3.0, targets=0.25, period_steps=20),),
}
RANDOM_THREATS = "random"  # the name under which callers ask for random_threats of each episode

Threats = str | Attack | Sequence[str | Attack]

# One record per kind: steps, then intensity by INTENSITY_MEANING (0 = absent), targets in [0, 1].
ATTACK = np.dtype(
    [
        ("onset", "i4"),
        ("last", "i4"),
        ("intensity", "f4"),
        ("targets", "f4"),
        ("period", "i4"),
        ("delay_steps", "i4"),
    ],
    align=True,
)


_ALLOWED_THREATS = f"{', '.join(THREATS)} (joined with '+'), or '{RANDOM_THREATS}' where an episode is given"


def threats_by_name(threats: Threats) -> tuple[Attack, ...]:
    """The attacks that ``threats`` stands for.

    Args:
        threats: a preset's name, several joined with "+" ("tamper+jam"), an :class:`Attack`, or a sequence of these.

    Raises:
        ValueError: an unknown preset, or two attacks of one kind (the table holds one record per kind).
    """
    if isinstance(threats, Attack):
        return (threats,)
    if isinstance(threats, str):
        attacks: list[Attack] = []
        for name in threats.split("+"):
            if name.strip() not in THREATS:
                raise ValueError(f"threats: got {name.strip()!r}, allowed: {_ALLOWED_THREATS}")
            attacks.extend(THREATS[name.strip()])
    elif not isinstance(threats, Sequence):
        raise ValueError(f"threats: got {threats!r}, allowed: {_ALLOWED_THREATS}, an Attack, or a list of these")
    else:
        attacks = [attack for item in threats for attack in threats_by_name(item)]
    unique = tuple(dict.fromkeys(attacks))
    _refuse_doubles(unique)
    return unique


def random_threats(seed: int, episode: int, most: int = 3) -> tuple[Attack, ...]:
    """Domain randomisation: 0 .. ``most`` presets of the table, a pure function of (seed, episode).

    Onsets are moved by up to 60 steps (assumed), so that a policy cannot learn the clock instead of the signs.
    A preset that brings a kind already present is left out.
    """
    names = [name for name in THREATS if name not in ("none", "mixed")]
    key = np.uint64(seed)  # compiled code takes a Python int for an int64
    first = random.words(key, episode, 0, random.ATTACK, _PRESET_ENTITY, 0)
    attacks: list[Attack] = []
    for number in range(int(first[0]) % (most + 1)):
        which, shift, _, _ = random.words(key, episode, 0, random.ATTACK, _PRESET_ENTITY, 1 + number)
        later = int(shift) % 61
        preset = THREATS[names[int(which) % len(names)]]
        if {attack.kind for attack in preset}.isdisjoint(attack.kind for attack in attacks):
            attacks.extend(_moved(attack, later) for attack in preset)
    return tuple(attacks)


def _moved(attack: Attack, later_steps: int) -> Attack:
    """The same attack with a later onset."""
    fields = {name: getattr(attack, name) for name in attack.__dataclass_fields__}
    fields["onset_step"] = attack.onset_step + later_steps
    return Attack(**fields)


def _refuse_doubles(attacks: Sequence[Attack]) -> None:
    """Raise if one kind occurs twice: the kernels hold one record per kind."""
    kinds = [attack.kind for attack in attacks]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise ValueError(f"threats: got {kinds.count(kind)} different attacks of kind {kind!r}, allowed: one")


def attack_table(attacks: Sequence[Attack]) -> np.ndarray:
    """The adversary's script as numbers: shape (17,), dtype ``ATTACK``, indexed by kind; intensity 0 = absent.

    Raises:
        ValueError: two attacks of one kind.
    """
    _refuse_doubles(attacks)
    table = np.zeros(N_ATTACK_KINDS, ATTACK)
    for attack in attacks:
        last = NEVER_ENDS if attack.last_step is None else attack.last_step
        table[attack.code] = (
            attack.onset_step,
            last,
            attack.intensity,
            attack.targets,
            attack.period_steps,
            attack.delay_steps,
        )
    return table


@rule
def attack_is_on(record, step):
    """Whether an ``ATTACK`` record acts at ``step``: present, within onset .. last, and in an "on" half-period."""
    if record["intensity"] <= np.float32(0.0) or step < record["onset"] or step > record["last"]:
        return False
    period = record["period"]
    return period <= 0 or ((step - record["onset"]) // period) % 2 == 0


@rule
def link_is_target(seed, episode, link, kind_code, targets):
    """Whether the attack of ``kind_code`` hits this link (or source): one Bernoulli(``targets``) draw per entity."""
    if targets >= np.float32(1.0):
        return True
    return random.uniform(seed, episode, 0, random.ATTACK, link, _TARGET_DRAW + kind_code) < targets


@rule
def target_mask(seed, episode, entity, attack_table):
    """Which kinds hit this link or source in this episode, as an int32 bit mask (bit = kind code)."""
    mask = np.int32(0)
    for kind in range(N_ATTACK_KINDS):
        record = attack_table[kind]
        if record["intensity"] > np.float32(0.0) and link_is_target(seed, episode, entity, kind, record["targets"]):
            mask |= np.int32(1 << kind)
    return mask
