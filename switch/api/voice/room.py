"""Where the calls of the API are: builds what carries them out, and who answers for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .calling import Calling
from .conferences.conferences import Conferences
from .conferences.participants import ParticipantResources
from .conferences.resource import ConferenceResources
from .means import Means
from .queues.queues import Queues
from .queues.resource import QueueResources
from .recordings.resource import RecordingResources
from .recordings.tapes import Tapes
from .recordings.transcript_resource import TranscriptResources
from .recordings.transcripts import Transcripts
from .resource import CallResources
from .speaking.caption_resource import CaptionResources
from .speaking.captions import Captions
from .speaking.hearing import Hearing
from .speaking.sounds import Sounds
from .speaking.speech import Speech
from .streams.resource import StreamResources
from .streams.streams import Streams
from .switchboard import Switchboard

if TYPE_CHECKING:
    from switchroom.switch.calls.script import Apps
    from switchroom.switch.config import Config

    from ..messages.resource import MessageResources
    from ..office import Office
    from ..resources.numbers import NumberResources


class VoiceRoom:
    """The voice of the API's house."""

    def __init__(
        self,
        config: Config,
        office: Office,
        numbers: NumberResources,
        messages: MessageResources,
        apps: Apps,
    ) -> None:
        state = Path(config.switch.state_dir)

        async def send_text(account: str, given: dict[str, Any], direction: str) -> object:
            return await messages.send(account, given, direction)

        tapes = Tapes(office, config.sound.recordings or state / "recordings")
        hearing = Hearing(lambda: office.config.transcribe_command, state / "heard")
        tapes.transcripts = Transcripts(office, hearing, tapes)
        means = self.means = Means(
            office,
            apps,
            Speech(lambda: office.config.say_command, state / "speech"),
            hearing,
            Sounds(office, state / "sounds"),
            send_text,
            tapes,
            tapes.transcripts,
            Streams(office),
            Captions(office, hearing),
        )
        means.conferences = Conferences(means)
        means.queues = Queues(means)
        self.board = Switchboard(means, numbers)
        calling = Calling(office, means, self.board)
        recordings = RecordingResources(means.tapes, self.board)
        self.resources = (
            CallResources(office, calling, self.board),
            recordings,
            ConferenceResources(means, recordings),
            ParticipantResources(means, calling),
            QueueResources(means),
            TranscriptResources(means),
            StreamResources(means, self.board),
            CaptionResources(means, self.board),
        )

    def start(self) -> None:
        """Take calls."""
        for room in (self.means.tapes, self.means.transcripts, self.means.streams, self.means.captions):
            room.start_again()
        self.means.conferences.start()
        self.board.start()

    def stop(self) -> None:
        """Take no more."""
        self.board.stop()
        self.means.conferences.stop()
