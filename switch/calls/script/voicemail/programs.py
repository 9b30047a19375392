"""The programs of voicemail: one takes a message, one plays them to whose they are.

Prompts are files in ``[sound] prompts`` by their names; a tone stands in for what is not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from switchroom.switch.media.clips import BEEP, Progress, Silence, Sound, Tone

from .box import Box, Message

if TYPE_CHECKING:
    from switchroom.switch.calls.script.call import Call

_SUFFIXES = (".wav", ".ogg", ".opus")
_AGAIN, _BACK, _DELETE, _GREETING, _ON = "1", "2", "3", "0", "#"
_PATIENCE = 4.0  # seconds for a key after each message
_LONGEST_GREETING = 60.0
_FALLBACKS: Mapping[str, tuple[Sound, ...]] = {
    "vm-greeting": (Silence(0.5),),
    "vm-full": (Progress("busy", "us", 2.0),),
    "vm-new": (Tone((660.0,), 0.2), Silence(0.2)),  # as often as there are new messages, up to five times
    "vm-end": (Tone((440.0,), 0.4),),
    "vm-deleted": (Tone((330.0,), 0.2),),
}


async def leave(call: Call) -> None:
    """Greet, and take a message for the box that the call was led to."""
    mail = call.voicemail
    box = mail.box(call.app)
    if box is None:
        await call.reject(404)
        return
    await call.answer()
    if sum(await asyncio.to_thread(box.counts)) >= mail.config.max_messages:
        await call.play(*await prompt(call, "vm-full"))
        return
    greeting = await asyncio.to_thread(lambda: box.greeting)
    sounds = (str(greeting),) if greeting is not None else await prompt(call, "vm-greeting")
    await call.play(*sounds, stop_on="#")
    draft = await asyncio.to_thread(box.draft, call.caller, mail.time_ms)
    done = await call.record(draft, max_length=mail.config.max_length, silence=mail.config.silence)
    if done.seconds - (mail.config.silence if done.reason == "silence" else 0.0) < mail.config.min_length:
        await asyncio.to_thread(draft.unlink, missing_ok=True)
        return
    await asyncio.to_thread(box.keep, draft)
    await mail.changed(call.app)


async def listen(call: Call) -> None:
    """Play the caller's own messages: 1 again, 2 back, 3 delete, # the next, 0 a new greeting."""
    mail = call.voicemail
    box = mail.box(call.account)
    if box is None:
        await call.reject(403)
        return
    await call.answer()
    messages = await asyncio.to_thread(box.messages)
    new = len([one for one in messages if one.is_new])
    key = await call.play(*await prompt(call, "vm-new", min(new, 5)), stop_on=_GREETING + _ON) if new else ""
    try:
        at = 0
        while at < len(messages) and key != _GREETING:
            key = await _hear(call, messages[at])
            if key == _DELETE:
                await asyncio.to_thread(messages.pop(at).path.unlink, missing_ok=True)
                await call.play(*await prompt(call, "vm-deleted"))
                continue
            messages[at] = await asyncio.to_thread(box.mark, messages[at])
            at = max(at + {_AGAIN: 0, _BACK: -1, _GREETING: 0}.get(key, 1), 0)
        if key != _GREETING:
            key = await call.gather(1, timeout=_PATIENCE, prompt=await prompt(call, "vm-end"))
        if key == _GREETING:
            await _record_greeting(call, box)
    finally:
        await mail.changed(call.account)


async def _hear(call: Call, message: Message) -> str:
    """Play one; the key that was pressed meanwhile or after it."""
    keys = _AGAIN + _BACK + _DELETE + _GREETING + _ON
    return await call.play(message.path, BEEP, stop_on=keys) or await call.gather(
        1, timeout=_PATIENCE, finish_on=""
    )


async def _record_greeting(call: Call, box: Box) -> None:
    draft = await asyncio.to_thread(box.greeting_draft)
    done = await call.record(draft, max_length=_LONGEST_GREETING, silence=0.0)
    if done.seconds < 1.0 or done.reason not in ("key", "hangup", "max-length"):
        await asyncio.to_thread(draft.unlink, missing_ok=True)
        return
    await asyncio.to_thread(box.greet, draft)
    await call.play(*await prompt(call, "vm-end"))


async def prompt(call: Call, name: str, times: int = 1) -> tuple[Sound, ...]:
    """The file of that name, or the tone in its place."""
    found = await asyncio.to_thread(_file, call.prompts, name)
    return (found,) if found is not None else _FALLBACKS[name] * times


def _file(folder: Path | None, name: str) -> Path | None:
    paths = [] if folder is None else [(folder / name).with_suffix(suffix) for suffix in _SUFFIXES]
    return next((path for path in paths if path.is_file()), None)


VOICEMAIL: Mapping[str, Callable[[Call], Awaitable[object]]] = {"voicemail:": leave, "voicemail": listen}
