"""What is done to samples: mixing, levels, gain, voice activity, comfort noise, concealment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from switchroom import codecs
from switchroom.codecs import Samples

from . import sounds
from .test_fuzz import FLAGS, ROOT, SANITIZERS, SECONDS

FRAME = 160


def noise(deviation: float, seconds: float = 2.0, seed: int = 5) -> Samples:
    random = np.random.default_rng(seed)
    return np.asarray(np.rint(random.normal(0, deviation, int(8000 * seconds))), np.int16)


def frames(samples: Samples, size: int = FRAME) -> list[Samples]:
    return [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(float) ** 2)))


# -- mixing


@pytest.mark.parametrize("members", [1, 2, 3, 10, 200])
@pytest.mark.parametrize("count", [0, 1, 160, 481, 960])
def test_each_hears_all_but_himself_saturated(members: int, count: int) -> None:
    random = np.random.default_rng(members * 1000 + count)
    given = random.integers(-32768, 32768, (members, count)).astype(np.int16)
    others = given.astype(int).sum(axis=0) - given
    assert np.array_equal(codecs.mix(given), np.clip(others, -32768, 32767))


def test_a_room_of_nobody_and_one_too_big() -> None:
    assert codecs.mix(np.empty((0, 160), np.int16)).shape == (0, 160)
    with pytest.raises(ValueError, match="70000 members"):
        codecs.mix(np.empty((70_000, 1), np.int16))


# -- levels and gain


def test_levels_are_those_of_rfc_6464() -> None:
    assert codecs.level(np.full(160, 32767, np.int16)) == 0
    assert codecs.level(np.zeros(160, np.int16)) == codecs.level(np.empty(0, np.int16)) == 127
    assert codecs.level(sounds.tone(1000, level=32767)) == 3  # a sine has 3 dB less than a square
    assert codecs.level(sounds.tone(1000, level=3276.7)) == 23
    assert codecs.level(np.array([0, 1] * 80, np.int16)) == 93


@pytest.mark.parametrize("decibels", [-20.0, -6.0, 0.0, 6.0])
def test_gain_is_in_decibels(decibels: float) -> None:
    tone = sounds.tone(440, level=4000)
    assert rms(codecs.amplify(tone, decibels)) == pytest.approx(rms(tone) * 10 ** (decibels / 20), rel=0.002)


def test_gain_saturates_and_leaves_its_argument_alone() -> None:
    tone = sounds.tone(440, level=30000)
    before = tone.copy()
    assert codecs.amplify(tone, 12).max() == 32767
    assert np.array_equal(tone, before)
    assert np.array_equal(codecs.amplify(tone, 0), tone)


@pytest.mark.parametrize("loudness", [0.15, 0.5, 3.0])
def test_speech_is_brought_to_the_target_and_never_cut_off(loudness: float) -> None:
    speech = np.asarray(np.clip(sounds.voice(seconds=10) * loudness, -32768, 32767), np.int16)
    control, detector = codecs.GainControl(target=22, most=24), codecs.VoiceDetector()
    heard = np.concatenate([control.process(one, detector.is_speech(one)) for one in frames(speech)])
    levels = [codecs.level(one) for one in frames(heard[-40_000:]) if codecs.level(one) < 35]
    assert np.mean(levels) == pytest.approx(22, abs=3)
    assert np.count_nonzero(np.abs(heard.astype(int)) >= 32767) < 5


def test_pauses_are_not_made_loud() -> None:
    control = codecs.GainControl(target=20, most=20)
    quiet = noise(20)
    heard = [control.process(one, is_speech=False) for one in frames(quiet)]
    assert rms(np.concatenate(heard)) == pytest.approx(rms(quiet), rel=0.05)


def test_what_gain_control_cannot_be_told() -> None:
    with pytest.raises(ValueError, match="target is 128"):
        codecs.GainControl(target=128)
    with pytest.raises(ValueError, match="most is 61"):
        codecs.GainControl(most=61)


# -- voice activity


@pytest.mark.parametrize("background", [3, 30, 100])
def test_words_are_told_from_what_is_behind_them(background: int) -> None:
    speech = sounds.voice(seconds=3, seed=4)
    whole = np.concatenate([noise(background), speech + noise(background, 3), noise(background, 3, seed=8)])
    detector = codecs.VoiceDetector()
    active = [detector.is_speech(one) for one in frames(whole)]
    before, during, after = active[20:100], active[100:250], active[275:]
    assert np.mean(before) < 0.05
    assert np.mean(during) > 0.8
    assert np.mean(after) < 0.05


def test_noise_that_becomes_louder_is_taken_for_what_it_is_after_some_seconds() -> None:
    detector = codecs.VoiceDetector()
    active = [detector.is_speech(one) for one in frames(np.concatenate([noise(20), noise(200, 10)]))]
    assert active[102]
    assert not any(active[-50:])
    assert detector.floor == pytest.approx(20 * np.log10(32767 / 200), abs=2)


# -- comfort noise


def test_comfort_noise_has_the_level_and_the_colour_of_what_it_stands_for() -> None:
    dull = np.asarray(np.convolve(noise(300, 4), np.ones(6) / 6, "same"), np.int16)
    payload = codecs.describe_noise(dull[:800])
    generator = codecs.NoiseGenerator()
    assert generator.receive(payload)
    heard = generator.next(16_000)[800:]
    assert len(payload) == 11
    assert 20 * np.log10(rms(heard) / rms(dull)) == pytest.approx(0, abs=2)
    assert _tilt(heard) == pytest.approx(_tilt(dull), abs=4)


def _tilt(samples: Samples) -> float:
    """How much louder the lower half of the band is, in dB."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    half = len(power) // 2
    return float(10 * np.log10(power[:half].sum() / power[half:].sum()))


@pytest.mark.parametrize("level", [20, 40, 60])
def test_a_payload_of_one_octet_is_white_noise_of_that_level(level: int) -> None:
    generator = codecs.NoiseGenerator(seed=7)
    assert generator.receive(bytes([level]))
    heard = generator.next(8000)[1000:]
    assert codecs.level(heard) == pytest.approx(level, abs=1)
    assert abs(_tilt(heard)) < 1


def test_silence_empty_payloads_and_the_reserved_bit() -> None:
    generator = codecs.NoiseGenerator()
    assert not generator.receive(b"")
    assert not generator.next(100).any()
    assert (
        codecs.describe_noise(np.zeros(160, np.int16))
        == codecs.describe_noise(np.empty(0, np.int16))
        == b"\x7f"
    )
    generator.receive(bytes([0x80 | 40]))
    assert codecs.level(generator.next(4000)[500:]) == pytest.approx(40, abs=1)


def test_extreme_coefficients_do_not_ring_for_ever() -> None:
    generator = codecs.NoiseGenerator()
    generator.receive(bytes([10, *[255, 0] * 30]))
    generator.next(8000)
    generator.receive(b"\x7f")
    generator.next(16_000)
    assert codecs.level(generator.next(800)) > 80


# -- concealment


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("frequency", [110, 200, 440])
def test_a_tone_goes_on_where_a_packet_is_missing(rate: int, frequency: int) -> None:
    size = rate // 50
    tone = sounds.tone(frequency, rate, 0.4)
    concealer = codecs.Concealer(rate)
    parts = frames(tone, size)
    heard = [concealer.conceal(size) if i == 10 else concealer.receive(one) for i, one in enumerate(parts)]
    first = slice(10 * size, 10 * size + size // 2)  # full strength until 10 ms
    assert sounds.snr(tone[first], np.concatenate(heard)[first]) > 12
    steps = np.abs(np.diff(np.concatenate(heard).astype(int)))
    assert steps.max() < 1.6 * np.abs(np.diff(tone.astype(int))).max()  # nothing clicks


def test_guessed_speech_is_nearer_to_what_was_lost_than_silence_or_the_last_packet() -> None:
    random = np.random.default_rng(3)
    concealer = codecs.Concealer()
    whole, guessed, repeated = [], [], []
    last = np.zeros(FRAME, np.int16)
    for one in frames(sounds.voice(seconds=6)):
        if random.random() < 0.1:
            whole.append(one[:80])
            guessed.append(concealer.conceal(FRAME)[:80])
            repeated.append(last[:80])
        else:
            last = concealer.receive(one)
    quality = sounds.snr(np.concatenate(whole), np.concatenate(guessed))  # silence has 0 dB
    assert quality > 1.0
    assert quality > 3 + sounds.snr(np.concatenate(whole), np.concatenate(repeated))


def test_what_is_missing_for_long_fades_to_silence() -> None:
    concealer = codecs.Concealer()
    for one in frames(sounds.tone(200, seconds=0.2)):
        concealer.receive(one)
    parts = [concealer.conceal(80) for _ in range(8)]
    levels = [rms(part) for part in parts]
    assert levels[0] == pytest.approx(8000 / np.sqrt(2), rel=0.1)
    assert levels[1:6] == sorted(levels[1:6], reverse=True)
    assert not parts[6].any()
    assert not parts[7].any()
    back = concealer.receive(sounds.tone(200, seconds=0.02))
    assert abs(int(back[0])) < 500  # it fades in
    assert rms(back[80:]) == pytest.approx(8000 / np.sqrt(2), rel=0.05)


def test_without_loss_nothing_is_changed() -> None:
    concealer = codecs.Concealer()
    for one in frames(sounds.voice()):
        assert np.array_equal(concealer.receive(one), one)


def test_before_anything_came_there_is_silence() -> None:
    assert not codecs.Concealer().conceal(480).any()


def test_rates_and_counts_are_limited() -> None:
    for rate in (0, 7999, 44100, 96000):
        with pytest.raises(ValueError, match=f"sample rate of {rate}"):
            codecs.Concealer(rate)
    with pytest.raises(ValueError, match="-1 samples"):
        codecs.Concealer().conceal(-1)
    with pytest.raises(ValueError, match="-1 samples"):
        codecs.NoiseGenerator().next(-1)


# -- memory


def test_no_samples_do_harm(tmp_path: Path) -> None:
    program = tmp_path / "sound_fuzz"
    sources = [
        Path(__file__).with_name("sound_fuzz_core.c"),
        *sorted((ROOT / "codecs" / "sound").glob("*.c")),
    ]
    command = ["gcc", *FLAGS, *SANITIZERS, *map(str, sources), "-lm", "-o", str(program)]
    try:
        built = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("gcc is not installed")
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("gcc's sanitizer libraries are not installed")
    assert built.returncode == 0, built.stderr
    seed = str(int.from_bytes(os.urandom(4), "big"))
    ran = subprocess.run([str(program), str(SECONDS), seed], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"seed {seed}: {ran.stderr}"
    assert int(ran.stdout.split()[1]) >= 50
