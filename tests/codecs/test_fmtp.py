"""What lines of a=fmtp mean, and that nothing in one can do harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom import codecs

OPUS = codecs.find("opus").parameters
G729 = codecs.find("G729").parameters
AMR = codecs.find("AMR").parameters
WIDE = codecs.find("AMR-WB").parameters
SPEEX = codecs.find("speex").parameters


def test_opus_sends_what_the_other_end_would_like() -> None:
    settings = OPUS.encoder(
        "", "stereo=1; maxaveragebitrate=20000; useinbandfec=1; usedtx=1;maxplaybackrate=16000"
    )
    assert settings == {
        "channels": 2,
        "bitrate": 20000,
        "fec": 1,
        "loss": 5,
        "dtx": 1,
        "cbr": 0,
        "playback_rate": 16000,
    }
    plain = OPUS.encoder("", "")
    assert (plain["channels"], plain["bitrate"], plain["fec"], plain["dtx"]) == (1, 0, 0, 0)
    assert OPUS.decoder("", "sprop-stereo=1") == {"channels": 2}
    assert OPUS.encoder("", "maxaveragebitrate=9999999999999")["bitrate"] == 0
    assert OPUS.encoder("", "maxaveragebitrate=1")["bitrate"] == 6000


def test_annex_b_needs_two() -> None:
    assert G729.encoder("annexb=yes", "") == {"annexb": 1}
    assert G729.encoder(G729.offer, "") == {"annexb": 0}
    assert G729.encoder("", "annexb=no") == {"annexb": 0}
    assert [G729.answer(line) for line in ("", "annexb=no", "annexb=yes")] == [
        *("annexb=yes", "annexb=no", "annexb=yes")
    ]
    assert G729.passes("annexb=no", "")
    assert not G729.passes("", "annexb=no")


def test_amr_ends_pack_alike() -> None:
    offered = "octet-align=1; mode-set=0,2,4,7; mode-change-period=2;mode-change-neighbor=1"
    answer = AMR.answer(offered)
    assert answer is not None
    assert answer.startswith("octet-align=1;mode-set=0,2,4,7;mode-change-period=2;mode-change-neighbor=1;")
    assert AMR.encoder(answer, offered) == {
        "octet_align": 1,
        "mode": 7,
        "mode_set": 0b10010101,
        "change_period": 2,
        "change_neighbor": 1,
    }
    assert AMR.decoder(answer, offered) == {"octet_align": 1}
    assert AMR.passes(offered, answer)
    assert not AMR.passes("octet-align=1", "")
    assert not AMR.passes("", "mode-set=0,2")
    assert AMR.passes("mode-set=2", "mode-set=0,2")


@pytest.mark.parametrize("line", ["crc=1", "robust-sorting=1", "interleaving=4", "mode-set=9", "mode-set="])
def test_amr_that_we_cannot_speak_is_not_answered(line: str) -> None:
    assert AMR.answer(f"octet-align=1;{line}") is None


def test_a_mode_set_ends_with_what_both_can() -> None:
    assert AMR.encoder("mode-set=0,2", "mode-set=2,4")["mode_set"] == 1 << 2
    assert WIDE.encoder("", "")["mode_set"] == 0b111111111
    assert WIDE.encoder("", "mode-set=8,8,8")["mode_set"] == 1 << 8


def test_speex() -> None:
    assert SPEEX.encoder("", 'vbr=on;cng=on;mode="3,any"') == {"vbr": 1, "cng": 1, "mode": 3}
    assert SPEEX.encoder("", "mode=any") == {"vbr": 0, "cng": 0, "mode": 0}


_NAMES = ["octet-align", "mode-set", "mode", "vbr", "annexb", "stereo", "maxaveragebitrate"]
_VALUES = [
    "30",
    "20",
    "1",
    "0",
    "-1",
    "99999999999",
    "on",
    "no",
    "\N{SUPERSCRIPT TWO}",
    "\N{ARABIC-INDIC DIGIT THREE}",
]
_WORDS = st.sampled_from([*_NAMES, *_VALUES, "=", ";", ","])
_LINES = st.one_of(st.text(max_size=60), st.lists(_WORDS, max_size=20).map("".join))


@given(st.sampled_from(list(codecs.CODECS)), _LINES, _LINES)
def test_whatever_stands_there_makes_settings_that_hold(name: str, local: str, remote: str) -> None:
    codec = codecs.find(name)
    parameters = codec.parameters
    codec.config(**parameters.encoder(local, remote))
    codec.config(**parameters.decoder(local, remote))
    assert parameters.passes(remote, remote)
    answer = parameters.answer(remote)
    if answer is not None:
        codec.config(**parameters.encoder(answer, remote))
