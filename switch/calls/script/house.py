"""What programs need of the switch: its calls, its clock, its sound, and a way to send what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from switchroom.switch.config import SoundConfig, VoicemailConfig
from switchroom.switch.media.recorder import Recorder

from .conference import Conferences
from .holding import HoldMusic
from .voicemail.room import Voicemail

if TYPE_CHECKING:
    from switchroom.switch.calls.exchange import Exchange
    from switchroom.switch.media import MediaPlane

_UNSAFE = re.compile(r"[^A-Za-z0-9_+-]")  # in the name of a file


class House:
    """The doors; one for all calls."""

    def __init__(
        self,
        exchange: Exchange,
        flush: Callable[[], object],
        sound: SoundConfig | None = None,
        voicemail: VoicemailConfig | None = None,
        state_dir: Path = Path(),
    ) -> None:
        self.exchange = exchange
        self.flush = flush  # what was asked of the SIP engine goes out
        self.clips = exchange.media.clips
        self.music = HoldMusic(exchange)
        self.recorder = Recorder()
        self.conferences = Conferences(self)
        self.voicemail = Voicemail(exchange, state_dir, lambda: self.config.recording_format)
        self._state_dir = state_dir
        self._count = 0
        self.reconfigure(sound or SoundConfig(), voicemail or VoicemailConfig())

    def reconfigure(self, config: SoundConfig, voicemail: VoicemailConfig) -> None:
        """Apply new rules to what begins from now on."""
        self.config = config
        self.voicemail.config = voicemail
        self.clips.folder = config.prompts
        self.music.reconfigure(config.hold_music)
        self.recorder.max_recordings = config.max_recordings
        self.conferences.max_members = config.max_members
        self.conferences.has_tones, self.conferences.has_music = (
            config.conference_tones,
            config.conference_music,
        )

    @property
    def recordings(self) -> Path:
        """The folder of them."""
        return self.config.recordings or self._state_dir / "recordings"

    def recording_path(self, call_id: str) -> Path:
        """Where a new recording of a call goes."""
        self._count += 1
        name = _UNSAFE.sub("_", call_id)[:64]
        return self.recordings / f"{name}-{self._count}.{self.config.recording_format}"

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.exchange.clock.now()

    @property
    def country(self) -> str:
        """Whose tones are played."""
        return self.exchange.router.country.lower() or "us"

    @property
    def media(self) -> MediaPlane:
        """The media of all calls."""
        return self.exchange.media
