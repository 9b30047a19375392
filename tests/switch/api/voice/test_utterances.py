"""Sound cut into utterances: frame by frame, no clock."""

from __future__ import annotations

import numpy as np

from switchroom.codecs import Samples
from switchroom.switch.api.voice.speaking.utterances import Utterances

RATE, FRAME = 16000, 320


def speech(seconds: float) -> list[Samples]:
    time = np.arange(round(seconds * 50) * FRAME) / RATE
    tone = (6000 * np.sin(2 * np.pi * 300 * time)).astype(np.int16)
    return list(tone.reshape(-1, FRAME))


def silence(seconds: float) -> list[Samples]:
    return [np.zeros(FRAME, dtype=np.int16)] * round(seconds * 50)


def cut(*parts: list[Samples], **given: float) -> list[float]:
    """The lengths of what comes out."""
    one = Utterances(**given)
    found = [one.hear(frame) for part in parts for frame in part]
    whole = [utterance for utterance in (*found, one.finish()) if utterance is not None]
    return [round(len(utterance) / RATE, 1) for utterance in whole]


def test_each_breath_is_one_with_what_was_before_and_after_it() -> None:
    assert cut(silence(2), speech(1), silence(0.4), speech(1), silence(2), speech(0.5)) == [3.3, 0.7]


def test_a_click_is_none() -> None:
    assert cut(silence(1), speech(0.04), silence(1)) == []


def test_who_never_breathes_is_cut() -> None:
    assert cut(speech(5), longest=2.0) == [2.0, 2.0, 1.0]


def test_what_there_is_can_be_had_before_the_end() -> None:
    one = Utterances()
    assert one.so_far() is None
    for frame in speech(1):
        assert one.hear(frame) is None
    assert one.seconds == 1.0
    found = one.so_far()
    assert found is not None
    assert len(found) == RATE
