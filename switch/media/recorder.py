"""Recordings: samples out of pipes into files, by one thread for all of them.

A file is whole at every moment: the header of a WAV is written anew with each second of sound, Opus in Ogg is
written page by page. So whatever kills the switch leaves what was recorded until then. When the disk is full
a recording ends, and the call goes on.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from switchroom.codecs import CodecError, Samples, find, level
from switchroom.codecs.files import OggWriter, write_header

from ._sound import Pipe

_INTERVAL = 0.2  # seconds between two looks at the pipes
_PIPE_SECONDS = 4.0
_SILENT = 45  # dB below full scale, as RFC 6464 counts
_MAX_WAV = 0xFFFF0000  # octets
_OPUS_FRAME = 960  # at 48 kHz

Sides = Literal["heard", "said", "mixed", "stereo"]


class Recorded(NamedTuple):
    """A recording that is over."""

    path: Path
    seconds: float
    reason: str  # stopped, max-length, silence, disk-full, ended, failed
    size: int  # octets


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _write(file: FileIO, data: bytes) -> None:
    """Write all of it: what a nearly full disk takes is not always all."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


class _Wav:
    """Writes 16-bit samples, and the header again and again."""

    def __init__(self, file: FileIO, rate: int, channels: int) -> None:
        self._file, self._rate, self._channels, self._octets = file, rate, channels, 0
        _write(file, write_header(rate, channels, 0))

    @property
    def is_full(self) -> bool:
        return self._octets > _MAX_WAV

    def write(self, samples: Samples) -> None:
        data = samples.astype("<i2").tobytes()
        _write(self._file, data)
        self._octets += len(data)

    def settle(self, *, is_last: bool = False) -> None:
        self._file.seek(0)
        _write(self._file, write_header(self._rate, self._channels, self._octets))
        self._file.seek(0, 2)


class _Opus:
    """Encodes frames of 20 ms, and writes a page a second."""

    is_full = False

    def __init__(self, file: FileIO, rate: int, channels: int) -> None:
        self._file, self._left = file, np.zeros(0, dtype=np.int16)
        self._encoder = find("opus").encoder(channels=channels, sample_rate=rate)
        self._frame, self._channels = rate // 50, channels
        self._pages = OggWriter(channels, random.getrandbits(32))
        _write(file, self._pages.begin)

    def write(self, samples: Samples) -> None:
        self._left = np.concatenate([self._left, samples]) if len(self._left) else samples
        size = self._frame * self._channels
        while len(self._left) >= size:
            frame, self._left = self._left[:size], self._left[size:]
            packet = self._encoder.encode(np.ascontiguousarray(frame))
            _write(self._file, self._pages.add(packet, _OPUS_FRAME))

    def settle(self, *, is_last: bool = False) -> None:
        _write(self._file, self._pages.flush(is_last=is_last))


class Recording:
    """One file that is being written; ``ended`` has what became of it."""

    def __init__(
        self,
        path: Path,
        rate: int,
        sides: Sides,
        loop: asyncio.AbstractEventLoop,
        *,
        max_seconds: float,
        silence: float,
        owner: str,
    ) -> None:
        self.path, self.rate, self.sides, self.owner = path, rate, sides, owner
        self.heard = Pipe(rate, _PIPE_SECONDS)  # the only side there is, whichever that is
        self.said = None if sides in ("heard", "said") else Pipe(rate, _PIPE_SECONDS)
        self.ended: asyncio.Future[Recorded] = loop.create_future()
        self.is_paused = False
        self.lost = 0  # samples that the thread was too slow for
        self._loop = loop
        self._written, self._most = 0, round(max_seconds * rate)  # samples: whole numbers reach their end
        self._silence = silence
        self._quiet = 0.0
        self._end = ""  # why it is to end
        self._writer: _Wav | _Opus | None = None
        self._file: FileIO | None = None
        self._settled = 0.0

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self._written / self.rate

    # -- the loop's thread

    def pause(self) -> None:
        """Leave out what comes from now on."""
        self.is_paused = True

    def resume(self) -> None:
        """Go on."""
        self.is_paused = False

    def stop(self, reason: str = "stopped") -> None:
        """End it; ``ended`` tells when the file is whole."""
        self._end = self._end or reason

    # -- the recorder's thread

    def run(self) -> bool:
        """Write what has come; whether there will be more."""
        try:
            self._open()
            self._take()
        except OSError:
            self._end = "disk-full"
        except CodecError:
            self._end = "failed"
        if self._end:
            self._finish()
        return not self._end

    def _open(self) -> None:
        if self._writer is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = FileIO(self.path, "w+", opener=_private)
        channels = 2 if self.sides == "stereo" else 1
        make = _Opus if self.path.suffix in (".ogg", ".opus") else _Wav
        self._writer = make(self._file, self.rate, channels)
        self._writer.settle()

    def _take(self) -> None:
        heard = self.heard.read(self.rate * 10)
        said = None if self.said is None else self.said.read(len(heard))
        if self.said is not None and said is not None and len(said) < len(heard):
            said = np.pad(said, (0, len(heard) - len(said)))
        self.lost = self.heard.lost
        if self.is_paused or not len(heard) or self._writer is None:
            return
        heard = heard[: max(self._most - self._written, 0)]
        self._writer.write(self._mixed(heard, None if said is None else said[: len(heard)]))
        self._written += len(heard)
        self._note_silence(heard)
        if self._written >= self._most or self._writer.is_full:
            self._end = self._end or "max-length"
        if self.seconds - self._settled >= 1.0:
            self._settled = self.seconds
            self._writer.settle()

    def _mixed(self, heard: Samples, said: Samples | None) -> Samples:
        if said is None:
            return heard
        if self.sides == "stereo":
            return np.stack([heard, said], axis=1).reshape(-1)
        both = heard.astype(np.int32) + said
        return np.asarray(np.clip(both, -32768, 32767), np.int16)

    def _note_silence(self, heard: Samples) -> None:
        if not self._silence or not len(heard):
            return
        self._quiet = self._quiet + len(heard) / self.rate if level(heard) > _SILENT else 0.0
        if self._quiet >= self._silence:
            self._end = self._end or "silence"

    def _finish(self) -> None:
        try:
            if self._writer is not None:
                self._writer.settle(is_last=True)
            if self._file is not None:
                self._file.close()
        except OSError:
            self._end = "disk-full"
        try:
            size = self.path.stat().st_size
        except OSError:
            size = 0
        done = Recorded(self.path, round(self.seconds, 3), self._end, size)
        try:
            self._loop.call_soon_threadsafe(self._tell, done)
        except RuntimeError:  # the loop is closed: the file is what matters
            return

    def _tell(self, done: Recorded) -> None:
        if not self.ended.done():
            self.ended.set_result(done)


def remove_old(folder: Path, before: float) -> list[Path]:
    """Remove the recordings that were written last before that time (as the system's clock has it)."""
    gone = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix in (".wav", ".ogg") and path.is_file() and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
            gone.append(path)
    return gone


class Recorder:
    """All recordings of a switch, and the thread that writes them."""

    def __init__(self, *, max_recordings: int = 500) -> None:
        self.max_recordings = max_recordings
        self._recordings: list[Recording] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopping = threading.Event()

    @property
    def count(self) -> int:
        """Recordings that go on."""
        return len(self._recordings)

    @property
    def running(self) -> list[Recording]:
        """The same, each."""
        return list(self._recordings)

    def begin(
        self,
        path: Path,
        rate: int,
        sides: Sides,
        *,
        max_seconds: float = 14_400.0,
        silence: float = 0.0,
        owner: str = "",
        attach: Callable[[Recording], object],
    ) -> Recording:
        """Begin a file; ``attach`` brings its pipes to where the sound is. OSError: there are too many.

        ``owner``: the call or the conference.
        """
        if self.count >= self.max_recordings:
            raise OSError(f"{self.count} recordings go on already")
        loop = asyncio.get_running_loop()
        recording = Recording(path, rate, sides, loop, max_seconds=max_seconds, silence=silence, owner=owner)
        attach(recording)
        with self._lock:
            self._recordings.append(recording)
            if self._thread is None:
                self._is_stopping.clear()
                self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
                self._thread.start()
        return recording

    def stop(self) -> None:
        """End all recordings, and wait until their files are whole."""
        for recording in list(self._recordings):
            recording.stop("ended")
        self._is_stopping.set()
        thread = self._thread
        if thread is not None:
            thread.join(10.0)

    def _run(self) -> None:
        next_at = time.monotonic()
        while True:
            next_at = max(next_at + _INTERVAL, time.monotonic())
            self._is_stopping.wait(max(0.0, next_at - time.monotonic()))
            over = [recording for recording in list(self._recordings) if not recording.run()]
            with self._lock:
                for recording in over:
                    self._recordings.remove(recording)
                if not self._recordings and (over or self._is_stopping.is_set()):
                    self._thread = None
                    return
