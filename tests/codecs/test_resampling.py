"""Other sample rates and numbers of channels: pass band, stop band, lag, and that a stream is one piece."""

from __future__ import annotations

import shutil
import subprocess
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.codecs import Samples, resample, to_mono
from switchroom.codecs.resampling import Resampler

from .test_fuzz import FLAGS, SANITIZERS

PAIRS = list(permutations((8000, 16000, 24000, 32000, 48000), 2))


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


def level(samples: Samples, frequency: float, rate: int) -> float:
    """Amplitude of one frequency, in samples' units."""
    window = np.hanning(len(samples))
    turns = np.exp(-2j * np.pi * frequency * np.arange(len(samples)) / rate)
    return float(2 * np.abs(np.sum(samples * window * turns)) / window.sum())


@pytest.mark.parametrize(("rate", "to_rate"), PAIRS)
def test_the_pass_band_is_flat(rate: int, to_rate: int) -> None:
    nyquist = min(rate, to_rate) / 2
    for share in (0.05, 0.3, 0.6, 0.8, 0.9):
        result = Resampler(rate, to_rate).process(tone(share * nyquist, rate, 0.3, 20000))
        gain = level(result[to_rate // 20 :], share * nyquist, to_rate) / 20000
        assert abs(20 * np.log10(gain)) < 0.1


@pytest.mark.parametrize("sharp", [False, True])
@pytest.mark.parametrize(("rate", "to_rate"), PAIRS)
def test_the_stop_band_is_90_db_down(rate: int, to_rate: int, sharp: bool) -> None:
    nyquist = min(rate, to_rate) / 2
    result = np.array([], np.int16)
    if rate > to_rate:  # what cannot be carried
        for share in (1.0 if sharp else 1.1, 1.25, 0.97 * rate / to_rate):
            heard = Resampler(rate, to_rate, sharp=sharp).process(tone(share * nyquist, rate, 0.3, 32000))
            folded = abs((share * nyquist + nyquist) % to_rate - nyquist)
            result = heard[to_rate // 20 :]
            assert 20 * np.log10(level(result, folded, to_rate) / 32000 + 1e-9) < -90
    else:  # images of what is carried
        share = 1.0 if sharp else 0.9
        heard = Resampler(rate, to_rate, sharp=sharp).process(tone(0.89 * nyquist, rate, 0.3, 32000))
        result = heard[to_rate // 20 :]
        spectrum = np.abs(np.fft.rfft(result * np.blackman(len(result))))
        frequencies = np.fft.rfftfreq(len(result), 1 / to_rate)
        above = spectrum[frequencies > (2 - share) * nyquist]
        assert 20 * np.log10(above.max() / spectrum.max()) < -90


@pytest.mark.parametrize(("rate", "to_rate"), PAIRS)
def test_a_frame_becomes_a_frame(rate: int, to_rate: int) -> None:
    resampler = Resampler(rate, to_rate)
    frame = tone(440, rate, 0.02)
    assert {len(resampler.process(frame)) for _ in range(50)} == {to_rate // 50}


@pytest.mark.parametrize("sharp", [False, True])
@pytest.mark.parametrize(("rate", "to_rate"), PAIRS)
def test_the_lag_is_what_it_says(rate: int, to_rate: int, sharp: bool) -> None:
    resampler = Resampler(rate, to_rate, sharp=sharp)
    pulse = np.zeros(rate // 10, np.int16)
    pulse[240 : 240 + rate // 1000] = 20000  # 1 ms
    result = resampler.process(pulse).astype(float)
    centre = np.sum(np.arange(len(result)) * result) / result.sum() / to_rate
    assert centre - (239.5 + rate / 2000) / rate == pytest.approx(
        resampler.delay, abs=0.6 / min(rate, to_rate)
    )
    assert resampler.delay < (0.0085 if sharp else 0.0045)


@given(
    st.lists(st.integers(0, 2000), max_size=8),
    st.sampled_from([(48000, 8000), (8000, 48000), (32000, 24000), (24000, 32000), (11025, 8000)]),
)
def test_a_stream_does_not_depend_on_its_pieces(sizes: list[int], rates: tuple[int, int]) -> None:
    samples = np.random.default_rng(1).integers(-20000, 20000, sum(sizes)).astype(np.int16)
    resampler, at, parts = Resampler(*rates), 0, []
    for size in sizes:
        parts.append(resampler.process(samples[at : at + size]))
        at += size
    whole = Resampler(*rates).process(samples)
    assert np.array_equal(np.concatenate([*parts, whole[:0]]), whole)


def test_reset_forgets() -> None:
    resampler = Resampler(8000, 16000)
    first = resampler.process(tone(700, 8000, 0.1))
    resampler.reset()
    assert np.array_equal(resampler.process(tone(700, 8000, 0.1)), first)


@pytest.mark.parametrize("rates", [(44101, 192000), (1, 192000)])
def test_rates_without_a_ratio_are_refused(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=str(rates[0])):
        Resampler(*rates)


def test_samples_are_16_bit() -> None:
    with pytest.raises(ValueError, match="int16"):
        Resampler(8000, 16000).process(np.zeros(160))  # type: ignore[arg-type]


def test_every_processor_makes_the_same(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    program, source = tmp_path / "twins", Path(__file__).with_name("resampling_twins_core.c")
    command = ["gcc", *FLAGS, *SANITIZERS, str(source), "-lm", "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("gcc's sanitizer libraries are not installed")
    assert built.returncode == 0, built.stderr
    told = subprocess.run(
        [str(program)], capture_output=True, text=True, timeout=30, check=True
    ).stdout.split()
    if told == ["one"]:
        pytest.skip("this processor knows one way")
    assert len(told) == len(PAIRS)
    assert {int(difference) for difference in told} <= {0, 1}
