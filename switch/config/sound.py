"""Sound in the file: prompts, recordings, conferences."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from .checks import Count, Number
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
    max_recording: Number = key("A recording ends after this.", 14_400.0, unit="s", ge=1, le=86_400)
    max_recordings: Count = key("Recordings that go on at once, at most.", 500, ge=0, le=10_000)
    max_members: Count = key("Members of one conference, at most.", 500, ge=2, le=10_000)

    def within(self, folder: Path) -> Self:
        """The same with whole paths."""
        names = ("prompts", "recordings")
        given = {name: path for name in names if (path := getattr(self, name)) is not None}
        return self.model_copy(
            update={name: (folder / path.expanduser()).absolute() for name, path in given.items()}
        )
