"""What a listener would say of a call: the E-model, ITU-T G.107, with the codecs of G.113.

Everything that a switch cannot know (levels, noise, echo, sidetone) is at the defaults of G.107, for which
Ro - Is is 93.2; echo is taken as cancelled. Wideband codecs are judged on the scale of narrow band.
"""

from __future__ import annotations

from math import log2
from typing import NamedTuple

_BASE = 93.2  # Ro - Is at the defaults of G.107
_WORST_EQUIPMENT = 95.0
_DELAY_NOTICED = 100.0  # ms


class Impairment(NamedTuple):
    """What a codec costs: without loss (Ie), and how it bears loss (Bpl)."""

    equipment: float
    robustness: float


# G.113 appendix I and its amendments; behind # what is not there and was taken from a codec like it
IMPAIRMENTS = {
    "pcmu": Impairment(0, 25.1),  # with the concealment of G.711 appendix I
    "pcma": Impairment(0, 25.1),
    "g729": Impairment(11, 19.0),  # annexes A and B
    "gsm": Impairment(20, 43.0),
    "amr": Impairment(5, 10.0),  # 12.2 kbit/s, as GSM-EFR
    "ilbc": Impairment(11, 32.0),
    "g726-40": Impairment(2, 25.1),  # its robustness as G.711's
    "g726-32": Impairment(7, 25.1),
    "g726-24": Impairment(25, 25.1),
    "g726-16": Impairment(50, 25.1),
    "g722": Impairment(0, 25.1),  # as G.711
    "l16": Impairment(0, 25.1),
    "opus": Impairment(0, 30.0),  # an assumption
    "amr-wb": Impairment(0, 15.0),
    "speex": Impairment(11, 25.0),
}
_UNKNOWN = Impairment(10, 20.0)


def impairment_of(codec: str) -> Impairment:
    """Of a codec as SDP names it."""
    return IMPAIRMENTS.get(codec.partition("/")[0].lower().removeprefix("aal2-"), _UNKNOWN)


def r_factor(codec: str, loss: float, burst_ratio: float = 1.0, delay_ms: float = 0.0) -> float:
    """The rating R from 0 to 93.2.

    ``loss`` is a share from 0 to 1; ``burst_ratio`` 1 for losses at random, more for bursts (G.107 §7.5);
    ``delay_ms`` the way from mouth to ear.
    """
    equipment, robustness = impairment_of(codec)
    percent = 100 * min(max(loss, 0.0), 1.0)
    effective = equipment + (_WORST_EQUIPMENT - equipment) * percent / (
        percent / max(burst_ratio, 1.0) + robustness
    )
    return min(max(_BASE - delay_impairment(delay_ms) - effective, 0.0), _BASE)


def delay_impairment(delay_ms: float) -> float:
    """Idd: what absolute delay costs a conversation; G.107 (7-27)."""
    if delay_ms <= _DELAY_NOTICED:
        return 0.0
    x = log2(delay_ms / _DELAY_NOTICED)
    return float(25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2))


def mos(rating: float) -> float:
    """The mean opinion, from 1 to 4.5, that goes with a rating; G.107 annex B."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
