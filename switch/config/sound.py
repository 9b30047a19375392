"""Sound in the file: prompts, recordings, conferences, voicemail."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from .checks import Count, Flag, Number, Sound
from .sections import Section, key


class SoundConfig(Section):
    """Sound that the switch makes and hears itself."""

    prompts: Path | None = key(
        "The folder in which files to be played are looked for when they are named without a path. "
        "Relative: to this file.",
        None,
    )
    recordings: Path | None = key(
        "The folder of recordings. Not given: recordings in switch.state_dir. Relative: to this file.", None
    )
    recording_format: Literal["wav", "ogg"] = key("How calls are recorded: WAV, or Opus in Ogg.", "wav")
    hold_music: list[Sound] = key(
        "What those hear who are on hold or parked, one after the other, again and again: files, "
        "tone:440+480:0.5 (Hz, seconds), silence:2. Empty: what the phone sends that holds.",
        list,
        max_length=100,
    )
    recording_sides: Literal["stereo", "mixed"] = key(
        "Each side of a call in a channel of its own, or both in one.", "stereo"
    )
    max_recording: Number = key("A recording ends after this.", 14_400.0, unit="s", ge=1, le=86_400)
    keep_recordings: Count = key(
        "Recordings that are older are removed from their folder. 0: never.", 0, unit="d", ge=0, le=36500
    )
    max_recordings: Count = key("Recordings that go on at once, at most.", 500, ge=0, le=10_000)
    conference_tones: Flag = key("Whether members of a conference hear who comes and goes.", True)
    conference_music: Flag = key("Whether who is alone in a conference hears hold_music.", False)
    max_members: Count = key("Members of one conference, at most.", 500, ge=2, le=10_000)

    def within(self, folder: Path) -> Self:
        """The same with whole paths."""
        names = ("prompts", "recordings")
        given = {name: path for name in names if (path := getattr(self, name)) is not None}
        return self.model_copy(
            update={name: (folder / path.expanduser()).absolute() for name, path in given.items()}
        )


class VoicemailConfig(Section):
    """Mailboxes of users with voicemail = true."""

    folder: Path | None = key(
        "Where messages are kept, a folder for each user. Not given: voicemail in switch.state_dir. "
        "Relative: to this file.",
        None,
    )
    max_messages: Count = key(
        "Messages in one box, at most; who calls then hears busy.", 100, ge=1, le=10_000
    )
    max_length: Number = key("A message ends after this.", 180.0, unit="s", ge=1, le=3600)
    min_length: Number = key("What is shorter is no message.", 1.0, unit="s", ge=0, le=60)
    silence: Number = key("A message ends when nothing was said for so long.", 5.0, unit="s", ge=1, le=60)

    def within(self, folder: Path) -> Self:
        """The same with a whole path."""
        path = self.folder
        return self if path is None else self.model_copy(update={"folder": (folder / path).absolute()})
