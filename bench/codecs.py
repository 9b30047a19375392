"""What does a codec cost? Microseconds of one core for 20 ms of sound, beside FFmpeg (PyAV) and spandsp.

python bench/codecs.py [--seconds 0.3]      # with PyAV and libspandsp2 installed, beside them
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable, Sequence
from ctypes.util import find_library
from functools import partial
from time import thread_time
from typing import Any

import numpy as np
import report

from switchroom.codecs import find  # Python has its own ``codecs`` loaded long before this file
from switchroom.switch.ops.codec_cost import measure, voice

ROUNDS = 5
TARGETS = {"PCMU/8000": 1.0, "PCMA/8000": 1.0, "G722/8000": 25.0}  # µs for both ways
# What is measured: our name, settings, and what FFmpeg calls it to write and to read
SUBJECTS: list[tuple[str, dict[str, int], str, str]] = [
    ("PCMU/8000", {}, "pcm_mulaw", "pcm_mulaw"),
    ("PCMA/8000", {}, "pcm_alaw", "pcm_alaw"),
    ("G722/8000", {}, "g722", "g722"),
    ("G726-32/8000", {}, "g726le", "g726le"),
    ("GSM/8000", {}, "libgsm", "gsm"),
    ("G729/8000", {}, "", "g729"),
    ("AMR/8000", {}, "libopencore_amrnb", "amrnb"),
    ("AMR-WB/16000", {}, "libvo_amrwbenc", "amrwb"),
    ("speex/8000", {}, "libspeex", "libspeex"),
    ("speex/16000", {}, "libspeex", "libspeex"),
    ("opus/48000/2", {"channels": 1, "complexity": 0}, "libopus", "libopus"),
    ("opus/48000/2", {"channels": 1, "complexity": 5}, "libopus", "libopus"),
    ("opus/48000/2", {"channels": 1, "complexity": 10}, "libopus", "libopus"),
    ("opus/48000/2", {"channels": 1, "sample_rate": 16000}, "libopus", "libopus"),
]


def ours(name: str, settings: dict[str, int], seconds: float) -> dict[str, Any] | None:
    """Through the objects of Python: about 0.2 µs of each figure are the call."""
    codec = find(name)
    if not codec.is_offered:
        return None
    cost = measure(codec, seconds, **settings)
    return {"encode": cost.encode, "decode": cost.decode}


def ffmpeg(
    name: str, settings: dict[str, int], writer: str, reader: str, seconds: float
) -> dict[str, Any] | None:
    """The codec of the FFmpeg that comes with PyAV, called frame by frame; what it lacks is None."""
    try:
        import av
    except ImportError:
        return None
    config = find(name).config(**settings)
    rate, size = config.sample_rate, config.sample_rate // 50
    payloads: Sequence[bytes] = [] if not find(name).is_offered else _payloads(name, settings)
    found: dict[str, Any] = {"encode": None, "decode": None}
    try:
        encoder = av.CodecContext.create(writer, "w")
        encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", "s16"
        encoder.options = _options(writer, settings)
        frames = []
        for i, samples in enumerate(_frames(rate)):
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, i * size
            frames.append(frame)
        encoder.open()
        found["encode"] = _best(encoder.encode, frames, seconds)
    except (av.FFmpegError, ValueError):
        pass  # not built in, or it does not take such frames
    try:
        decoder = av.CodecContext.create(reader, "r")
        decoder.sample_rate, decoder.layout = rate, "mono"
        if reader == "g726le":
            decoder.bits_per_coded_sample = 4
        packets = [av.Packet(payload) for payload in payloads]
        decoder.open()
        if packets:
            found["decode"] = _best(decoder.decode, packets, seconds)
    except (av.FFmpegError, ValueError, AttributeError):
        pass
    return found if any(found.values()) else None


def _options(writer: str, settings: dict[str, int]) -> dict[str, str]:
    if writer != "libopus":
        return {}
    return {"compression_level": str(settings.get("complexity", 5)), "application": "voip"}


def spandsp(name: str, seconds: float) -> dict[str, Any] | None:
    """G.722 and G.726 of spandsp, a second of sound in one call."""
    file, bits = find_library("spandsp"), {"G722/8000": 64000, "G726-32/8000": 32000}.get(name)
    if file is None or bits is None:
        return None
    library, kind, packing = ctypes.CDLL(file), name[:4].lower(), 0 if bits == 64000 else 2
    sound = np.concatenate(_frames(find(name).format.sample_rate))
    coded, heard = ctypes.create_string_buffer(len(sound)), ctypes.create_string_buffer(2 * len(sound) + 64)
    arguments = (None, bits, packing) if kind == "g722" else (None, bits, 0, packing)
    states = []
    for way in ("encode", "decode"):
        start = getattr(library, f"{kind}_{way}_init" if kind == "g722" else f"{kind}_init")
        start.restype = ctypes.c_void_p
        states.append(ctypes.c_void_p(start(*arguments)))
    write, read = getattr(library, f"{kind}_encode"), getattr(library, f"{kind}_decode")
    source = sound.tobytes()
    size = write(states[0], coded, source, len(sound))
    count = len(_frames(find(name).format.sample_rate))
    encode = _best(lambda _: write(states[0], coded, source, len(sound)), [None], seconds)
    decode = _best(lambda _: read(states[1], heard, coded, size), [None], seconds)
    return {"encode": encode / count, "decode": decode / count}


def _frames(rate: int) -> list[Any]:
    sound, size = voice(rate), rate // 50
    return [sound[i : i + size] for i in range(0, len(sound) - size + 1, size)]


def _payloads(name: str, settings: dict[str, int]) -> list[bytes]:
    """Ours; FFmpeg takes frames of AMR as files have them."""
    codec = find(name)
    if name.startswith("AMR"):
        encoder = codec.encoder(**settings, octet_align=1)
        return [encoder.encode(frame)[1:] for frame in _frames(codec.format.sample_rate)]
    encoder = codec.encoder(**settings)
    return [encoder.encode(frame) for frame in _frames(codec.config(**settings).sample_rate)]


def _best(call: Callable[[Any], object], items: Sequence[Any], seconds: float) -> float:
    """Microseconds of CPU a call, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begin, count = thread_time(), 0
        while (spent := thread_time() - begin) < seconds / 2 / ROUNDS or not count:
            for item in items:
                call(item)
            count += len(items)
        best = min(best, spent / count)
    return best * 1e6


def _label(name: str, settings: dict[str, int]) -> str:
    shown = [f"{key} {value}" for key, value in settings.items() if key != "channels"]
    return f"{name} ({', '.join(shown)})" if shown else name


def main() -> None:
    """Measure each codec by everybody who has it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each figure (default 0.3)")
    seconds: float = parser.parse_args().seconds
    rows: list[dict[str, Any]] = []
    for name, settings, writer, reader in SUBJECTS:
        ways: dict[str, Callable[[], dict[str, Any] | None]] = {
            "switchroom": partial(ours, name, settings, seconds),
            "ffmpeg": partial(ffmpeg, name, settings, writer, reader, seconds),
            "spandsp": partial(spandsp, name, seconds),
        }
        for by, way in ways.items():
            found = way()
            if found is not None:
                target = TARGETS.get(name) if by == "switchroom" else None
                rows.append({"codec": _label(name, settings), "by": by, **found, "target": target})
    for row in rows:
        parts = (row["encode"], row["decode"])
        row["both"] = None if None in parts else sum(parts)
    report.show("µs of a core for 20 ms of sound", rows)
    report.save("codecs", rows, {"seconds": seconds})
    report.plot(
        "codecs", rows, group="codec", bar="by", value="both", unit="µs for 20 ms, both ways", log=True
    )


if __name__ == "__main__":
    main()
