"""Keys heard in the sound, at the limits of ITU-T Q.24; noise and speech in which there are none."""

from __future__ import annotations

import numpy as np
import pytest

from switchroom import codecs
from switchroom.codecs import Samples

from . import sounds

KEYS = "123A456B789C*0#D"
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
FULL_SCALE = 3.14  # dBm0 of a sine of 32767


def key(
    name: str,
    ms: float = 60,
    *,
    rate: int = 8000,
    row_level: float = -10,
    column_level: float = -10,
    off: tuple[float, float] = (0, 0),
) -> Samples:
    """A key; levels in dBm0, frequencies off by so many per cent."""
    at = np.arange(int(rate * ms / 1000)) / rate
    place = KEYS.index(name)
    sound = np.zeros(len(at))
    for frequency, level, wrong in (
        (ROWS[place // 4], row_level, off[0]),
        (COLUMNS[place % 4], column_level, off[1]),
    ):
        amplitude = 32767 * 10 ** ((level - FULL_SCALE) / 20)
        sound += amplitude * np.sin(2 * np.pi * frequency * (1 + wrong / 100) * at + 0.7)
    return np.asarray(np.rint(sound), np.int16)


def silence(ms: float, rate: int = 8000) -> Samples:
    return np.zeros(int(rate * ms / 1000), np.int16)


def heard(*parts: Samples, rate: int = 8000, shift: int = 0) -> str:
    """What is heard when the looks begin anywhere and frames are of 20 ms."""
    sound = np.concatenate([np.zeros(shift, np.int16), *parts, silence(100, rate)])
    detector = codecs.DtmfDetector(rate)
    size = rate // 50
    return "".join(detector.process(sound[at : at + size]) for at in range(0, len(sound), size))


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_every_key_is_heard_once(rate: int) -> None:
    parts = [part for name in KEYS for part in (key(name, 50, rate=rate), silence(50, rate))]
    assert heard(*parts, rate=rate) == KEYS


@pytest.mark.parametrize("shift", range(0, 51, 5))
@pytest.mark.parametrize("name", "159D")
class TestLimits:
    """Whatever the place of the key among the looks."""

    def test_40_ms_are_a_key_and_23_are_none(self, name: str, shift: int) -> None:
        assert heard(key(name, 40), shift=shift) == name
        assert heard(key(name, 23), shift=shift) == ""

    def test_a_pause_of_40_ms_parts_two_and_a_break_of_10_does_not(self, name: str, shift: int) -> None:
        assert heard(key(name, 60), silence(40), key(name, 60), shift=shift) == 2 * name
        assert heard(key(name, 60), silence(10), key(name, 60), shift=shift) == name

    @pytest.mark.parametrize("off", [(1.5, 1.5), (-1.5, -1.5), (1.5, -1.5)])
    def test_frequencies_may_be_off_by_1_5_per_cent(
        self, name: str, shift: int, off: tuple[float, float]
    ) -> None:
        assert heard(key(name, 50, off=off), shift=shift) == name

    @pytest.mark.parametrize("off", [(3.5, 0), (-3.5, 0), (0, 3.5), (0, -3.5)])
    def test_frequencies_off_by_3_5_per_cent_are_none(
        self, name: str, shift: int, off: tuple[float, float]
    ) -> None:
        assert heard(key(name, 200, off=off), shift=shift) == ""

    @pytest.mark.parametrize(("row", "column"), [(-3, -3), (-29, -29), (-10, -18), (-14, -10)])
    def test_levels_and_their_difference(self, name: str, shift: int, row: float, column: float) -> None:
        assert heard(key(name, 50, row_level=row, column_level=column), shift=shift) == name

    @pytest.mark.parametrize(("row", "column"), [(-45, -45), (-10, -24), (-24, -10)])
    def test_too_quiet_or_too_different(self, name: str, shift: int, row: float, column: float) -> None:
        assert heard(key(name, 200, row_level=row, column_level=column), shift=shift) == ""


def test_keys_are_heard_through_noise_15_db_below() -> None:
    random = np.random.default_rng(6)
    amplitude = 32767 * 10 ** ((-10 - FULL_SCALE) / 20)
    clean = np.concatenate([part for name in KEYS * 5 for part in (key(name, 60), silence(60))])
    noise = random.normal(0, amplitude / np.sqrt(2) * 10 ** (-15 / 20), len(clean))
    assert heard(np.asarray(clean + noise, np.int16)) == KEYS * 5


def test_speech_noise_and_single_tones_are_no_keys() -> None:
    for seed in range(4):
        assert heard(sounds.voice(seconds=20, seed=seed)) == ""
    assert heard(sounds.loud_noise(seconds=60)) == ""
    for frequency in (*ROWS, *COLUMNS, 350, 425, 440, 1100, 2100):
        assert heard(sounds.tone(frequency)) == ""


def test_the_key_that_is_down() -> None:
    detector = codecs.DtmfDetector()
    assert detector.current == ""
    assert detector.process(key("7", 100)) == "7"
    assert detector.current == "7"
    assert detector.process(silence(100)) == ""
    assert detector.current == ""
    assert detector.process(np.empty(0, np.int16)) == ""


def test_an_odd_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="sample rate of 11025"):
        codecs.DtmfDetector(11025)
