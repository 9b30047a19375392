"""How many members of a conference does a core carry?

    python bench/conference.py [--members 100 300 500] [--seconds 3]

Every member sends a packet of 20 ms of a voice 50 times a second and hears the others: through a socket of
its own, a jitter buffer, decoder, mixer and encoder. "CPU" is that of the media thread, which does all of it,
system calls included, in seconds for each second. "members a core" is what 100 % of it would carry. "heard"
says whether a few of the members got 50 packets a second with somebody's voice in them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from typing import Any

import numpy as np
import report
from transcode import HOST, Phone, media_thread, packets

from switchroom.codecs import find
from switchroom.switch.config import MediaConfig
from switchroom.switch.media import MediaPlane, sounding

LISTENERS = 5
MIXED: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("PCMU and PCMA", ("PCMU", "PCMA"), 200),
    ("PCMU and G722", ("PCMU", "G722"), 200),
    ("PCMU and opus", ("PCMU", "opus"), 40),
)


class Member:
    """A phone in the room, and what it sends."""

    def __init__(self, plane: MediaPlane, room: Any, name: str, index: int) -> None:
        codec = find(name)
        number = 96 if codec.payload_type is None else codec.payload_type
        self.codec, self.phone = codec, Phone(number, codec)
        self.session = plane.session(str(index))
        leg = self.session.leg(toward=HOST, is_nat=False)
        self.phone.obey(sounding.serve(self.session, leg, self.phone.description))
        sounding.station_of(self.session, leg).join(room)
        self.sent = [bytearray(packet) for packet in packets(codec, codec.config(), number)]
        self.sequence, self.step = index, codec.format.clock_rate // 50
        self.heard, self._decoder = 0, codec.decoder()

    def send(self, tick: int) -> None:
        packet = self.sent[(tick + self.sequence) % len(self.sent)]
        packet[2:4] = (tick & 0xFFFF).to_bytes(2, "big")
        packet[4:8] = (tick * self.step).to_bytes(4, "big")
        self.phone.socket.sendto(packet, self.phone.target)

    def listen(self) -> None:
        """Count the packets with sound in them."""
        while True:
            try:
                packet = self.phone.socket.recv(2048)
            except BlockingIOError:
                return
            self.heard += bool(np.abs(self._decoder.decode(packet[12:]).astype(int)).max() > 200)


async def measure(label: str, names: tuple[str, ...], count: int, seconds: float) -> dict[str, Any]:
    plane = MediaPlane(MediaConfig(transcode=list(names)), lambda toward: HOST, lambda session: None)
    plane.start(asyncio.get_running_loop())
    room = plane.sounds.room()
    members = [Member(plane, room, names[i % len(names)], i) for i in range(count)]
    schedstat = media_thread() / "schedstat"
    began, before, late, ticks = time.monotonic(), 0, 0.0, round((seconds + 1) * 50)
    try:
        for tick in range(ticks):
            if tick == 50:  # the first second is for the jitter buffers to begin
                before, since = int(schedstat.read_text().split()[0]), time.monotonic()
                for member in members[:LISTENERS]:
                    member.listen()
                    member.heard = 0
            for member in members:
                member.send(tick)
            for member in members[:LISTENERS]:
                member.listen()
            due = began + (tick + 1) * 0.02
            late = max(late, time.monotonic() - due)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        spent = (int(schedstat.read_text().split()[0]) - before) / 1e9
        passed = time.monotonic() - since
    finally:
        for member in members:
            member.phone.socket.close()
        plane.stop()
    heard = min(member.heard for member in members[:LISTENERS]) / passed
    return {
        "codecs": label,
        "members": count,
        "CPU_s_per_s": round(spent / passed, 3),
        "µs_per_member_tick": round(spent / passed / count / 50 * 1e6, 2),
        "members_a_core": round(count * passed / spent),
        "heard_per_s": round(heard, 1),
        "sender_late_ms": round(late * 1000, 1),
    }


def main() -> None:
    """Fill rooms of several sizes and codecs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, nargs="+", default=[100, 300, 500])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each room (default 3)")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    rooms = [("PCMU", ("PCMU",), count) for count in options.members]
    rooms += [room for room in MIXED if all(find(name).is_offered for name in room[1])]
    rows = [asyncio.run(measure(*room, options.seconds)) for room in rooms]
    report.show("Conferences: each member speaks and hears all others", rows)
    report.save("conference", rows, {"seconds": options.seconds, "load": round(load, 2), "target": 500})
    bars = [
        {"room": f"{row['codecs']}, {row['members']}", "of": "members", "members": row["members_a_core"]}
        for row in rows
    ]
    report.plot("conference", bars, group="room", bar="of", value="members", unit="on a core")


if __name__ == "__main__":
    main()
