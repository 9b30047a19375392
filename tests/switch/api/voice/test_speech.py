"""Text to speech by a command: what it is given, and that the same is said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchroom.switch.api.voice.speaking.speech import Speech, SpeechError

COMMAND = """sh -c 'cat > {file}; echo " {voice} {language} {name}" >> {file}'"""


async def test_what_a_command_is_given(tmp_path: Path) -> None:
    speech = Speech(lambda: COMMAND, tmp_path / "speech")
    path = await speech.speak("Guten Tag", "Polly.Hans", "de-DE")
    assert path.read_text() == "Guten Tag de+m3 de-DE Polly.Hans\n"
    assert await speech.speak("Guten Tag", "Polly.Hans", "de-DE") == path
    other = await speech.speak("Guten Tag", "Polly.Vicki", "de-DE")
    assert other.read_text() == "Guten Tag de+f3 de-DE Polly.Vicki\n"


@pytest.mark.parametrize("word", ["x; touch pwned", "$(touch pwned)", "`id`", "a'b", "../x", "-o", "a" * 65])
async def test_no_word_of_a_document_is_more_than_a_word(tmp_path: Path, word: str) -> None:
    path = await Speech(lambda: COMMAND, tmp_path / "speech").speak("Hi", word, word)
    assert path.read_text().endswith(" en-US none\n")
    assert [one.name for one in tmp_path.iterdir()] == ["speech"]


async def test_a_command_that_says_nothing(tmp_path: Path) -> None:
    for command in ("", "true", "false", "/nowhere/at/all"):
        with pytest.raises(SpeechError):
            await Speech(lambda command=command: command, tmp_path / "speech").speak("Hi", "", "")  # type: ignore[misc]
