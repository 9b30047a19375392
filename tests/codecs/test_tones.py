"""Tones made and heard: cadences of all countries, fax, beeps; sounds in which there are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchroom import codecs
from switchroom.codecs import Heard, Samples, ToneDetector, tones

from . import sounds

FULL_SCALE = 3.14


def over_a_line(sound: Samples, noise: float = 30.0, seed: int = 1) -> Samples:
    """What a telephone line makes of it: noise (amplitude) and G.711."""
    noisy = sound + np.random.default_rng(seed).normal(0, noise, len(sound))
    clipped = np.asarray(np.clip(noisy, -32768, 32767), np.int16)
    law = codecs.find("PCMA/8000")
    return law.decoder().decode(law.encoder().encode(clipped))


def heard(sound: Samples, country: str = "", size: int = 160) -> list[str]:
    detector = ToneDetector(country)
    found: list[Heard] = []
    for at in range(0, len(sound), size):
        found += detector.process(sound[at : at + size])
    return [one.kind for one in found]


# ---- made


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_tone_has_its_frequency_and_level(rate: int) -> None:
    sound = tones.Tone((tones.Segment((440.0,)),), -10.0).samples(1.0, rate)
    assert len(sound) == rate
    frequency, amplitude = sounds.pitch(sound, rate)
    assert frequency == pytest.approx(440, abs=1)
    assert 20 * np.log10(amplitude / 32767) + FULL_SCALE == pytest.approx(-10, abs=0.2)


def test_a_milliwatt_is_one() -> None:
    sound = tones.MILLIWATT.samples(2.0)[4000:8000].astype(float)
    rms = 10 * np.log10(np.mean(sound**2) / (32767**2 / 2)) + FULL_SCALE
    assert rms == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("name", ["ringback", "busy", "congestion"])
@pytest.mark.parametrize("country", tones.COUNTRIES)
def test_silence_is_where_the_cadence_has_it(country: str, name: str) -> None:
    tone = tones.find(name, country)
    sound = tone.samples(2 * tone.period)
    at = 0.0
    for segment in tone.segments * 2:
        part = sound[round(at * 8000) : round((at + segment.seconds) * 8000)]
        assert bool(np.any(part)) is bool(segment.frequencies)
        at += segment.seconds
    assert len(sound) == round(2 * tone.period * 8000)


def test_nothing_clicks() -> None:
    """A step is no larger than the tone itself makes."""
    sound = tones.find("busy", "us").samples(3.0).astype(int)
    steady = tones.Tone((tones.Segment((480.0, 620.0)),)).samples(3.0).astype(int)
    assert np.abs(np.diff(sound)).max() <= np.abs(np.diff(steady)).max() * 1.02


def test_keys_are_those_that_the_detector_hears() -> None:
    sound = tones.sequence("1w23*0#ABCD")
    detector = codecs.DtmfDetector()
    assert "".join(detector.process(sound[at : at + 160]) for at in range(0, len(sound), 160)) == "123*0#ABCD"
    assert len(tones.sequence("")) == 0
    for wrong in ("", "x", "12"):
        with pytest.raises(ValueError, match="key"):
            tones.dtmf(wrong)


def test_names_that_are_none_say_what_there_is() -> None:
    assert tones.find("busy", "DE") is tones.COUNTRIES["de"]["busy"]
    assert tones.find("cng", "nowhere") is tones.CNG
    with pytest.raises(LookupError, match="there are at, au"):
        tones.find("busy", "xx")
    with pytest.raises(LookupError, match="ringback"):
        tones.find("brrr", "us")


# ---- heard

SAME = {"au", "jp", "mx", "pl"}  # busy and congestion are one


@pytest.mark.parametrize("name", ["dial", "ringback", "busy", "congestion", "sit"])
@pytest.mark.parametrize("country", tones.COUNTRIES)
def test_call_progress_of_a_country(country: str, name: str) -> None:
    found = heard(over_a_line(tones.find(name, country).samples(9.0)), country)
    if name == "congestion" and country in SAME:
        assert found == ["busy"]
    elif name == "congestion" and country == "es":
        assert found == ["busy", "congestion"]  # it begins as the other does
    else:
        assert found == [name]


@pytest.mark.parametrize(
    ("country", "name"),
    [("de", "busy"), ("us", "busy"), ("gb", "busy"), ("fr", "ringback"), ("us", "ringback")],
)
def test_what_most_countries_have(country: str, name: str) -> None:
    assert heard(over_a_line(tones.find(name, country).samples(7.0))) == [name]


@pytest.mark.parametrize("level", [-5.0, -13.0, -30.0])
def test_levels(level: float) -> None:
    tone = tones.find("busy", "de")._replace(level=level)
    assert heard(over_a_line(tone.samples(4.0), noise=8.0), "de") == ["busy"]


@pytest.mark.parametrize(("tone", "kind"), [(tones.CNG, "cng"), (tones.CED, "ced"), (tones.BEEP, "beep")])
def test_fax_and_beeps(tone: tones.Tone, kind: str) -> None:
    sound = np.concatenate([sounds.voice(8000, 2.0), np.zeros(1600, np.int16), tone.samples(3.5)])
    assert heard(over_a_line(sound)) == [kind]


def test_an_answering_fax_that_turns_its_phase() -> None:
    """ANSam of V.8: 2100 Hz, turned around every 450 ms, its level swinging at 15 Hz."""
    at = np.arange(3 * 8000) / 8000
    turned = np.where((at // 0.45) % 2 == 0, 1.0, -1.0) * (1 + 0.2 * np.sin(2 * np.pi * 15 * at))
    sound = np.asarray(6000 * turned * np.sin(2 * np.pi * 2100 * at), np.int16)
    assert heard(over_a_line(sound)) == ["ced"]


def test_it_is_told_once_as_long_as_it_goes_on_and_again_later() -> None:
    busy, quiet = tones.find("busy", "de").samples(12.0), np.zeros(8 * 8000, np.int16)
    assert heard(busy, "de") == ["busy"]
    assert heard(np.concatenate([busy, quiet, busy]), "de") == ["busy", "busy"]


@pytest.mark.parametrize("seed", range(6))
def test_speech_and_noise_are_no_tones(seed: int) -> None:
    assert heard(over_a_line(sounds.voice(8000, 20.0, seed), seed=seed)) == []
    assert heard(sounds.loud_noise(8000, 5.0)) == []


@pytest.mark.parametrize("frequency", [200.0, 700.0, 1000.0, 1040.0, 2050.0, 2150.0, 2800.0])
def test_other_tones_without_end_are_nothing(frequency: float) -> None:
    assert heard(sounds.tone(frequency, 8000, 5.0)) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=60))
def test_parts_of_any_size_are_heard_alike(sizes: list[int]) -> None:
    sound = tones.find("busy", "us").samples(4.0)
    detector, found, at = ToneDetector("us"), [], 0
    for size in sizes:
        found += detector.process(sound[at : at + size])
        at += size
    found += detector.process(sound[at:])
    assert found == ToneDetector("us").process(sound)


def test_a_look_wants_the_whole_window() -> None:
    from switchroom.codecs._tonal import Lens

    with pytest.raises(ValueError, match="319 samples are not 320"):
        Lens().look(np.zeros(319, np.int16))
