"""Run by test_exhaustion.py: a face that answers all, and takes or frees all descriptors if told to."""

from __future__ import annotations

import asyncio
import os
import sys

import structlog
import uvloop

from switchroom.protocols import sip
from switchroom.switch.net import Addresses, NetLimits, SipFace


async def main() -> None:
    taken: list[int] = []
    endpoint = sip.Endpoint()

    def on_event(event: sip.Event, now: float) -> None:
        if not isinstance(event, sip.RequestReceived):
            return
        if event.request.method == "PUBLISH":
            try:
                while True:
                    taken.append(os.dup(0))
            except OSError:
                pass
        elif event.request.method == "NOTIFY":
            while taken:
                os.close(taken.pop())
        counters = face.counters
        told = f"{counters.refused['descriptors']} {counters.connections} {counters.faults}"
        endpoint.reply(event, 200, now=now, headers=[("Subject", told)])

    face = SipFace(
        endpoint,
        on_event,
        listen=["udp:127.0.0.1:0", "tcp:127.0.0.1:0"],
        limits=NetLimits(source_burst=100_000),
        addresses=Addresses(),
        log=structlog.get_logger(),
    )
    await face.start()
    sys.stdout.write(" ".join(str(port) for _, _, port in face.bound) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
