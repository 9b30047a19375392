"""Media Streams, the protocol: sound, keys and marks as messages of JSON. No socket, no clock, no task."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

MAX_MESSAGE = 1 << 20
_MAX_NAME = 256


class StreamError(Exception):
    """The other side is not what it should be; the code is that of the documents about errors."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True, slots=True)
class Media:
    """Sound to be heard by the caller: µ-law."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """To be told when what came before it was heard."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """What waits to be heard is not wanted any more."""


News = Media | Mark | Clear


class StreamWriter:
    """Numbers and writes what one stream tells."""

    def __init__(self, sid: str, account: str, call: str, tracks: tuple[str, ...] = ("inbound",)) -> None:
        self.sid, self._account, self._call = sid, account, call
        self._sequence, self._chunks = 0, dict.fromkeys(tracks, 0)

    @property
    def tracks(self) -> tuple[str, ...]:
        """Whose sound it tells: of the inbound one, of the outbound one, or of both."""
        return tuple(self._chunks)

    def begin(self, parameters: dict[str, str]) -> list[str]:
        """What comes first."""
        start = {
            "streamSid": self.sid,
            "accountSid": self._account,
            "callSid": self._call,
            "tracks": list(self._chunks),
            "customParameters": parameters,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        }
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        return [json.dumps(connected), self._message("start", start)]

    def media(self, payload: bytes, track: str = "inbound") -> str:
        """Sound of 20 ms."""
        self._sequence += 1
        chunk = self._chunks[track] = self._chunks[track] + 1
        sound = base64.b64encode(payload).decode()
        return (
            f'{{"event":"media","sequenceNumber":"{self._sequence}","media":{{"track":"{track}",'
            f'"chunk":"{chunk}","timestamp":"{(chunk - 1) * 20}","payload":"{sound}"}},'
            f'"streamSid":"{self.sid}"}}'
        )

    def key(self, digit: str) -> str:
        """A key was pressed."""
        return self._message("dtmf", {"track": "inbound_track", "digit": digit})

    def mark(self, name: str) -> str:
        """What was sent before that mark has been heard, or was taken back."""
        return self._message("mark", {"name": name})

    def stop(self) -> str:
        """It is over."""
        return self._message("stop", {"accountSid": self._account, "callSid": self._call})

    def _message(self, event: str, body: dict[str, Any]) -> str:
        self._sequence += 1
        number = str(self._sequence)
        return json.dumps({"event": event, "sequenceNumber": number, event: body, "streamSid": self.sid})


def read_message(text: str | bytes) -> News | None:
    """What an application says; None: nothing that is known. StreamError: it cannot be read."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise StreamError(31951, "a message is no JSON") from None
    if not isinstance(message, dict):
        raise StreamError(31951, "a message is no object")
    event = message.get("event")
    if event == "clear":
        return Clear()
    if event == "media":
        payload = _part(message, "media", "payload")
        try:
            return Media(base64.b64decode(payload, validate=True))
        except binascii.Error:
            raise StreamError(31951, "media: payload: is no base64") from None
    if event == "mark":
        return Mark(_part(message, "mark", "name")[:_MAX_NAME])
    return None


def _part(message: dict[str, Any], part: str, name: str) -> str:
    inner = message.get(part)
    value = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(value, str):
        raise StreamError(31951, f"{part}: {name}: is not a text")
    return value
