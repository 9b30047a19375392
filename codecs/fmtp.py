"""What the a=fmtp lines of codecs mean: what to offer, what to answer, and which settings come of both.

Whatever stands in such a line was written by the other end: what is not understood counts as not said.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = [
    "AmrParameters",
    "G729Parameters",
    "IlbcParameters",
    "OpusParameters",
    "Parameters",
    "SpeexParameters",
]

Settings = Mapping[str, int]

_OPUS_FREE = 64000  # bit/s; with such a limit or a higher one the encoder chooses for itself
_OPUS_LOSS = 5  # per cent to begin with where the other end wants in-band FEC: without loss there is none


class Parameters:
    """A codec without parameters: every line means the same."""

    offer: str = ""  # what we offer, without the payload type
    also: str = ""  # and behind it, under another number, for who cannot read the first
    pausing: Settings = MappingProxyType({})  # of an encoder whose sound may have pauses

    @property
    def offers(self) -> tuple[str, ...]:
        """All that we offer."""
        return (self.offer, self.also) if self.also else (self.offer,)

    def answer(self, offered: str) -> str | None:
        """Our line in the answer to theirs; None: what they offer cannot be spoken."""
        return self.offer

    def encoder(self, local: str, remote: str) -> Settings:
        """The settings of our encoder, from our own line and the other end's."""
        return {}

    def decoder(self, local: str, remote: str) -> Settings:
        """The settings of our decoder."""
        return {}

    def passes(self, sent: str, wanted: str) -> bool:
        """Whether payloads written for one line may go, untouched, to who wrote the other."""
        return True


class OpusParameters(Parameters):
    """RFC 7587 §6.1: each end says what it would like to get."""

    offer = "minptime=10;useinbandfec=1"

    def encoder(self, local: str, remote: str) -> Settings:
        wanted = _read(remote)
        limit = _number(wanted, "maxaveragebitrate", 0, 6000, 510000)
        has_fec = _number(wanted, "useinbandfec", 0, 0, 1)
        return {
            "channels": 1 + _number(wanted, "stereo", 0, 0, 1),
            "bitrate": 0 if limit >= _OPUS_FREE else limit,
            "fec": has_fec,
            "loss": _OPUS_LOSS * has_fec,
            "dtx": _number(wanted, "usedtx", 0, 0, 1),
            "cbr": _number(wanted, "cbr", 0, 0, 1),
            "playback_rate": _number(wanted, "maxplaybackrate", 48000, 8000, 48000),
        }

    def decoder(self, local: str, remote: str) -> Settings:
        return {"channels": 1 + _number(_read(remote), "sprop-stereo", 0, 0, 1)}


class G729Parameters(Parameters):
    """RFC 4856 §2.1.9: Annex B (pauses are not sent) unless one end says annexb=no."""

    offer = "annexb=no"

    def answer(self, offered: str) -> str | None:
        return f"annexb={'yes' if _has_annex_b(offered) else 'no'}"

    def encoder(self, local: str, remote: str) -> Settings:
        return {"annexb": int(_has_annex_b(local) and _has_annex_b(remote))}

    def passes(self, sent: str, wanted: str) -> bool:
        return _has_annex_b(wanted) or not _has_annex_b(sent)


class IlbcParameters(Parameters):
    """RFC 3952 §4.2: frames of 20 or 30 ms, 30 where one end does not say 20."""

    offer = "mode=20"

    def answer(self, offered: str) -> str | None:
        return f"mode={_ilbc_mode(offered)}"

    def encoder(self, local: str, remote: str) -> Settings:
        return {"mode": max(_ilbc_mode(local), _ilbc_mode(remote))}

    def decoder(self, local: str, remote: str) -> Settings:
        return self.encoder(local, remote)

    def passes(self, sent: str, wanted: str) -> bool:
        return _ilbc_mode(sent) == _ilbc_mode(wanted)


class SpeexParameters(Parameters):
    """RFC 5574 §3: what the other end would like to get."""

    def encoder(self, local: str, remote: str) -> Settings:
        wanted = _read(remote)
        first = wanted.get("mode", "").strip('"').split(",")[0]
        return {
            "vbr": int(wanted.get("vbr") in ("on", "vad")),
            "cng": int(wanted.get("cng") == "on"),
            "mode": int(first) if first in set("12345678") else 0,
        }


class AmrParameters(Parameters):
    """RFC 4867 §8: both ends pack alike; modes and their changes as the other end can take them."""

    offer = "mode-change-capability=2;max-red=0"
    also = f"octet-align=1;{offer}"  # some read only packets that are padded to octets
    pausing: Settings = MappingProxyType({"dtx": 1})  # §4.2: silence descriptors are not negotiated

    def __init__(self, best_mode: int) -> None:
        self._best = best_mode

    def answer(self, offered: str) -> str | None:
        theirs = _read(offered)
        if _is_beyond_us(theirs) or self._modes(theirs) == 0:
            return None
        kept = ("octet-align", "mode-set", "mode-change-period", "mode-change-neighbor")
        same = [f"{name}={theirs[name]}" for name in kept if name in theirs]
        return ";".join([*same, self.offer])

    def encoder(self, local: str, remote: str) -> Settings:
        theirs = _read(remote)
        both = (self._modes(theirs) or 0) & (self._modes(_read(local)) or 0)
        return {
            "octet_align": _is_aligned(remote),
            "mode": self._best,
            "mode_set": both or self._modes(theirs) or 0,
            "change_period": _number(theirs, "mode-change-period", 1, 1, 2),
            "change_neighbor": _number(theirs, "mode-change-neighbor", 0, 0, 1),
        }

    def decoder(self, local: str, remote: str) -> Settings:
        return {"octet_align": _is_aligned(remote)}

    def passes(self, sent: str, wanted: str) -> bool:
        modes, taken = self._modes(_read(sent)), self._modes(_read(wanted))
        return _is_aligned(sent) == _is_aligned(wanted) and modes | taken == taken

    def _modes(self, line: Mapping[str, str]) -> int:
        """A bit for each mode of mode-set; all when it is not said, 0 when none of it exists."""
        every = (2 << self._best) - 1
        if "mode-set" not in line:
            return every
        named = (word.strip() for word in line["mode-set"].split(","))
        return sum({1 << int(word) for word in named if word.isdecimal() and len(word) < 3}) & every


def _read(line: str) -> dict[str, str]:
    """Names (in lower case) to values; the first of several counts."""
    found: dict[str, str] = {}
    for part in line.split(";"):
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip())
    return found


def _number(line: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = line.get(name, "")
    if not text.isdecimal() or len(text) > 9:
        return default
    return min(max(int(text), least), most)


def _has_annex_b(line: str) -> bool:
    return _read(line).get("annexb", "yes").lower() != "no"


def _ilbc_mode(line: str) -> int:
    return 20 if _read(line).get("mode") == "20" else 30


def _is_aligned(line: str) -> int:
    return _number(_read(line), "octet-align", 0, 0, 1)


def _is_beyond_us(line: Mapping[str, str]) -> bool:
    """Whether frames are interleaved, sorted by their bits, or have checksums."""
    return "interleaving" in line or any(_number(line, name, 0, 0, 1) for name in ("crc", "robust-sorting"))
