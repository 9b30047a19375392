"""Programs of the system that speak and understand speech."""

from __future__ import annotations

import asyncio
import contextlib
import shlex

MAX_OUTPUT = 65536


class CommandError(Exception):
    """It did not do what it should: why."""


async def run(command: str, timeout: float, given: bytes = b"", **words: object) -> bytes:  # noqa: ASYNC109
    """Run a command with its words filled in; what it has written. CommandError: it failed."""
    line = [word.format(**words) for word in shlex.split(command)]
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *line, stdin=pipe if given else nothing, stdout=pipe, stderr=nothing
        )
    except OSError as error:
        raise CommandError(f"{line[0]}: {error.strerror or error}") from None
    try:
        async with asyncio.timeout(timeout):
            written, _ = await process.communicate(given or None)
    except TimeoutError:
        raise CommandError(f"{line[0]}: took longer than {timeout:g} s") from None
    except RuntimeError:  # of uvloop: it ended before it had read
        raise CommandError(f"{line[0]}: has not read what it was given") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise CommandError(f"{line[0]}: ended with {process.returncode}")
    return written[:MAX_OUTPUT]
