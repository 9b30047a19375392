"""Programs that are always there: ``app:echo``, ``app:milliwatt``, ``app:tones``, ``app:voicemail``,
``conference:NAME``, ``voicemail:USER``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from switchroom.switch.media.clips import MILLIWATT, Progress, Silence, Tone

from .call import Call
from .voicemail import VOICEMAIL


async def echo(call: Call) -> None:
    """What the caller says comes back."""
    await call.answer()
    await call.play(Tone((440.0,), 0.2))
    call.station.echo()
    await call.wait()


async def milliwatt(call: Call) -> None:
    """1004 Hz at 0 dBm0, without an end."""
    await call.answer()
    await call.play(MILLIWATT, loops=0)


async def tones(call: Call) -> None:
    """The tones of the country, one after the other: dial, ringback, busy, congestion."""
    await call.answer()
    names = ("dial", "ringback", "busy", "congestion")
    sounds = [(Progress(name, call.country, 6.0), Silence(0.5)) for name in names]
    await call.play(*[sound for pair in sounds for sound in pair])


async def conference(call: Call) -> None:
    """The room of that name."""
    await call.answer()
    await call.conference(call.app)


BUILT_IN: Mapping[str, Callable[[Call], Awaitable[object]]] = {
    "echo": echo,
    "milliwatt": milliwatt,
    "tones": tones,
    "conference:": conference,
    **VOICEMAIL,
}
