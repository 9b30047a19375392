"""Who has answered: made-up speech, and where it is installed a voice that reads greetings."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from switchroom.codecs import AnswerDetector, AnswerRules, Samples, resample
from switchroom.codecs.files import read_wav
from switchroom.codecs.tones import find

from .sounds import tone, voice

BEEP = find("beep", "us").samples(0.4, 8000)
FAX = tone(2100, 8000, 2.0)
CALLING_FAX = np.concatenate([tone(1100, 8000, 0.5), np.zeros(8000, np.int16)])
BUSY = find("busy", "us").samples(8.0, 8000)


def quiet(seconds: float) -> Samples:
    return np.random.default_rng(1).normal(0, 8, int(8000 * seconds)).astype(np.int16)


def listen(
    *parts: Samples, rules: AnswerRules | None = None, size: int = 777
) -> tuple[str, str, AnswerDetector]:
    detector, sound = AnswerDetector(rules), np.concatenate(parts)
    for at in range(0, len(sound), size):
        detector.process(sound[at : at + size])
    first, end = detector.answered, detector.ended
    return first.kind if first else "", end.kind if end else "", detector


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((quiet(0.5), voice(seconds=0.8), quiet(2)), ("human", "")),
        ((quiet(0.5), voice(seconds=0.5), quiet(0.6), voice(seconds=0.5), quiet(2)), ("human", "")),
        ((quiet(0.5), voice(seconds=4), quiet(0.4), BEEP, quiet(1)), ("machine", "beep")),
        ((quiet(0.5), voice(seconds=4), quiet(3)), ("machine", "silence")),
        ((quiet(0.5), voice(seconds=4)), ("machine", "")),
        ((quiet(0.5), voice(seconds=1), quiet(0.3), BEEP, quiet(1)), ("machine", "beep")),
        ((quiet(6),), ("unknown", "")),
        ((quiet(1), FAX, quiet(1)), ("fax", "")),
        ((quiet(1), CALLING_FAX), ("fax", "")),
        ((BUSY,), ("unknown", "")),
        ((quiet(0.2), voice(seconds=0.9)), ("", "")),
    ],
)
def test_who_has_answered(parts: tuple[Samples, ...], expected: tuple[str, str]) -> None:
    kind, end, detector = listen(*parts)
    assert (kind, end) == expected
    assert detector.is_over == (kind not in ("", "machine") or end != "")


def test_when_it_was_known() -> None:
    _, _, detector = listen(quiet(0.5), voice(seconds=4), quiet(0.4), BEEP, quiet(1))
    assert detector.answered is not None
    assert detector.ended is not None
    assert 2.8 < detector.answered.at < 3.3  # 2.4 s of speech, which begins at 0.5
    assert 5.2 < detector.ended.at < 5.6  # behind the beep
    _, _, detector = listen(quiet(0.5), voice(seconds=0.8), quiet(2))
    assert detector.answered is not None
    assert 2.3 < detector.answered.at < 2.7


def test_the_rules_count() -> None:
    parts = quiet(0.5), voice(seconds=1.5), quiet(0.8), voice(seconds=1.0), quiet(2)
    assert listen(*parts)[0] == "machine"
    assert listen(*parts, rules=AnswerRules(pause=0.5))[0] == "human"
    assert listen(*parts, rules=AnswerRules(speech=4.0))[0] == "human"
    assert listen(*parts, rules=AnswerRules(timeout=1.5))[0] == "unknown"
    greeting = quiet(0.5), voice(seconds=8)
    assert listen(*greeting, rules=AnswerRules(timeout=5.0))[:2] == ("machine", "unknown")


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
@pytest.mark.parametrize(
    ("language", "words", "expected"),
    [
        ("en", "Hello?", "human"),
        ("en", "Miller and sons, good morning.", "human"),
        ("de", "Ja, guten Tag, hier Schmidt.", "human"),
        ("fr", "Allo? Oui?", "human"),
        ("en", "You have reached John and Mary. Please leave a message after the tone.", "machine"),
        ("de", "Der gewünschte Teilnehmer ist zurzeit leider nicht erreichbar.", "machine"),
    ],
)
def test_a_voice_that_reads(language: str, words: str, expected: str) -> None:
    command = ["espeak-ng", "-v", language, "--stdout", words]
    samples, rate = read_wav(subprocess.run(command, capture_output=True, check=True).stdout)
    said = resample(samples, rate, 8000)
    assert listen(quiet(0.6), said, quiet(0.4), BEEP, quiet(2))[0] == "machine"  # whoever ends with a beep
    assert listen(quiet(0.6), said, quiet(3))[0] == expected
