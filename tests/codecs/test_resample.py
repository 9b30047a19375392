"""Other sample rates and numbers of channels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.codecs import Samples, resample, to_mono


def tone(frequency: float, rate: int, seconds: float = 1.0, level: int = 10000) -> Samples:
    turns = frequency * np.arange(int(rate * seconds)) / rate
    samples: Samples = np.rint(level * np.sin(2 * np.pi * turns)).astype(np.int16)
    return samples


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize("to_rate", [8000, 16000, 48000])
def test_a_tone_stays_itself(rate: int, to_rate: int) -> None:
    result = resample(tone(1000, rate), rate, to_rate)
    assert len(result) == to_rate
    middle = slice(to_rate // 20, -to_rate // 20)  # the ends feel the silence around
    difference = result[middle].astype(int) - tone(1000, to_rate)[middle]
    assert np.abs(difference).max() <= 4


@pytest.mark.parametrize("frequency", [4300, 5000, 7600])
def test_what_does_not_fit_is_filtered_out(frequency: int) -> None:
    result = resample(tone(frequency, 16000), 16000, 8000)
    assert np.abs(result[400:-400]).max() <= 4


def test_nothing_appears_above_the_old_band() -> None:
    spectrum = np.abs(np.fft.rfft(resample(tone(3000, 8000), 8000, 16000)[800:-800]))
    frequencies = np.fft.rfftfreq(14400, 1 / 16000)
    assert spectrum[frequencies > 4500].max() < spectrum.max() / 2000


def test_full_scale_is_clipped_not_wrapped() -> None:
    square = np.where(np.arange(1600) % 40 < 20, 32767, -32768).astype(np.int16)
    result = resample(square, 16000, 8000)
    assert result.max() == 32767  # the filter overshoots
    assert np.count_nonzero(np.diff(np.sign(result.astype(int)))) <= len(result) // 10


def test_the_same_rate_and_nothing_pass_through() -> None:
    samples = tone(440, 8000)
    assert resample(samples, 8000, 8000) is samples
    assert len(resample(samples[:0], 48000, 8000)) == 0


@pytest.mark.parametrize("rates", [(0, 8000), (8000, 0), (-1, 8000)])
def test_rates_are_positive(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        resample(tone(440, 8000), *rates)


def test_channels_are_mixed() -> None:
    stereo = np.array([100, 300, -32768, -32768, 7], np.int16)
    assert to_mono(stereo, 2).tolist() == [200, -32768]
    assert to_mono(stereo, 1) is stereo


@given(st.integers(1, 6000), st.sampled_from([(48000, 8000), (44100, 8000), (8000, 48000), (11025, 8000)]))
def test_as_long_as_before(count: int, rates: tuple[int, int]) -> None:
    samples = np.full(count, 1000, np.int16)
    assert len(resample(samples, *rates)) == -(-count * rates[1] // rates[0])
