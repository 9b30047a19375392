"""The media plane: the engine, its ports, and the sessions that use them."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address

from switchroom.switch.config import MediaConfig

from ._engine import GATE_LAYOUT, KERNEL_LAYOUT, Engine
from .captures import Captures
from .clips import Clips
from .holding import Music
from .kernel import Gathering, KernelRelay, open_gathering, open_kernel
from .ports import IDLE_TIMEOUT, NoPortsLeft, Pair, Ports, affordable_pairs
from .quality.observer import Observer
from .rules import Rules
from .security import Guard
from .session import MediaSession
from .sounds import Sounds
from .stream import DROP_REASONS, Captured
from .targets import parse_host
from .transcoding import check_transcode

_LAST = 0xFFFFFFFE  # number of a session
_FAR = "198.51.100.1"  # of nobody (RFC 5737): the way to it is the way out


class MediaPlane:
    """Relays the media of all calls; ``local_for`` tells our address on the way to a host.

    ValueError: a codec that is to be converted is not in the catalogue.
    """

    def __init__(
        self,
        config: MediaConfig,
        local_for: Callable[[str], str],
        on_timeout: Callable[[MediaSession], object],
        *,
        tick: float = 0.001,
        quarantine: float = 1.0,
        max_pairs: int | None = None,
        public_for: Callable[[str, str], str] | None = None,
        captures: Captures | None = None,
    ) -> None:
        check_transcode(config.transcode)
        self.config = config
        self.rules = Rules(config)
        self.engine: Engine
        self.sounds: Sounds
        self.clips = Clips()
        self.music = Music(self.clips, lambda: self.sounds)
        self.session_count = 0
        self._local_for = local_for
        self.public_for = public_for  # what stands for our address towards a host on a NAT's other side
        self._on_timeout = on_timeout
        self._tick = tick
        self._quarantine = quarantine
        self._max_pairs = max_pairs
        self._ports: Ports
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tidying: asyncio.TimerHandle | None = None
        self._last_number = 0
        self._converting: set[int] = set()  # numbers of sessions
        self.now = time.monotonic
        self.observer = Observer(self)
        self.captures = captures  # copies of what passes, if they are kept
        self.kernel: KernelRelay | None = None
        self.gathering: Gathering | None = None
        self.gathering_reason = ""  # why there is none
        self.is_raw = False  # packets leave through raw sockets
        self.kernel_reason = "not started"  # why there is none
        self.guard = Guard(lambda: tuple(self.config.srtp_suites), is_lite=self._is_lite)

    def _is_lite(self) -> bool:
        """Whether the checks of ICE are left to browsers (RFC 8445 §2.5): they can reach us as we are."""
        if self.config.ice != "auto":
            return self.config.ice == "lite"
        try:
            return ip_address(self.config.address or self._route_to(_FAR)[1]).is_global
        except (OSError, ValueError):  # there is no way out
            return False

    def apply(self, config: MediaConfig) -> None:
        """It counts for new agreements; ports and their marks for new sockets."""
        self.config = config
        self.rules = Rules(config)

    def convertible(self, session: MediaSession) -> tuple[str, ...]:
        """The codecs that an offer may be converted to: none when enough others are converted already."""
        count = len(self._converting)
        if count >= self.rules.max_converted and session.number not in self._converting:
            return ()
        return self.rules.converted

    def note_conversion(self, session: MediaSession, is_converted: bool) -> None:
        """A session has agreed to something."""
        if is_converted:
            self._converting.add(session.number)
        elif self._converting:
            self._converting.discard(session.number)

    @property
    def ports_in_use(self) -> int:
        """UDP ports that calls hold."""
        return 2 * self._ports.in_use

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the engine's thread; what it has to say is heard in ``loop``."""
        config = self.config
        intervals = [1.0, *[at / 4 for at in (config.rtp_timeout, config.first_rtp_timeout) if at > 0]]
        affordable = affordable_pairs(len(config.port_range))
        capacity = affordable if self._max_pairs is None else min(affordable, self._max_pairs)
        self.engine = Engine(capacity, tick=self._tick, sweep_interval=max(0.02, min(intervals)))
        self.is_raw = config.raw_sockets and self.engine.send_raw()
        self.gathering, self.gathering_reason = open_gathering(
            config.one_socket, self.engine, config.port_range, GATE_LAYOUT
        )
        if config.realtime:
            self.engine.schedule_realtime()
        if self.captures is not None:
            self.captures.begin(self.engine)
            self.kernel_reason = "packets are kept (trace.media_seconds)"
        else:
            self.kernel, self.kernel_reason = open_kernel(config.kernel, capacity, KERNEL_LAYOUT)
        if self.kernel is not None:
            self.engine.share(self.kernel.memory)
        self._ports = Ports(
            self.engine,
            config.port_range,
            capacity,
            time.monotonic,
            dscp=config.dscp,
            quarantine=self._quarantine,
        )
        self.engine.start()
        self._loop = loop
        loop.add_reader(self.engine.expiry_fd, self._on_expiry)
        self.sounds = Sounds(self.engine)
        self.sounds.start(loop)
        self.guard.start(self.engine, loop)
        self.observer.start(loop)

    def stop(self) -> None:
        """End the thread and close all ports."""
        if self._loop is not None:
            self._loop.remove_reader(self.engine.expiry_fd)
            self.sounds.stop(self._loop)
            self.guard.stop()
            self.observer.stop()
            if self._tidying is not None:
                self._tidying.cancel()
            self._loop = self._tidying = None
            self.engine.stop()
            if self.kernel is not None:
                self.kernel.close()
            if self.gathering is not None:
                self.gathering.close()

    def session(self, key: str) -> MediaSession:
        """The media of a new call."""
        self._last_number = 1 if self._last_number == _LAST else self._last_number + 1
        self.session_count += 1
        return MediaSession(self, key, self._last_number)

    async def captured(self, keys: tuple[str, ...]) -> list[Captured]:
        """The packets of the last seconds of the sessions whose keys begin with one of these; LookupError."""
        if self.captures is None:
            raise LookupError("no packets are kept: trace.media_seconds is 0")
        sessions = {user for user in self._ports.users() if isinstance(user, MediaSession)}
        return await self.captures.packets(sessions, keys, self.now())

    def counters(self) -> dict[str, int]:
        """What was relayed and dropped since the start, and what is in use now."""
        totals = self.engine.read_totals()
        counters = {"packets": totals.packets, "bytes": totals.size, "wakes": totals.wakes}
        counters |= {f"dropped_{reason}": n for reason, n in zip(DROP_REASONS, totals.dropped, strict=True)}
        counters |= {"kernel_packets": totals.kernel_packets, "kernel_streams": totals.kernel_streams}
        counters["gathered_packets"] = totals.gathered
        counters |= {"sessions": self.session_count, "ports_in_use": self.ports_in_use}
        counters["converted_sessions"] = len(self._converting)
        return counters

    # -- for sessions

    def hosts_for(self, toward: str) -> tuple[str, str]:
        """Return the address to bind and the one to say; they differ where a one-to-one NAT is in between."""
        configured = self.rules.address
        try:
            if not configured or _version_of(configured) != _version_of(toward):
                return self._route_to(toward)
            if may_bind(configured):
                return configured, configured
            return self._local_for(toward), configured
        except OSError as error:
            raise NoPortsLeft(f"no way to {toward}: {error}") from error

    def _route_to(self, host: str) -> tuple[str, str]:
        local = self._local_for(host)
        return local, local if self.public_for is None else self.public_for(host, local)

    def take(self, session: MediaSession, host: str) -> Pair:
        """Give a session a pair of ports."""
        self._ports.dscp = self.rules.dscp
        return self._ports.take(host, session)

    def take_again(self, session: MediaSession, host: str, port: int) -> Pair:
        """Give a session a pair that one of an earlier process had; NoPortsLeft: it is not to be had."""
        self._ports.dscp = self.rules.dscp
        return self._ports.take_again(host, port, session)

    def give_back(self, pair: Pair) -> None:
        """Take a pair back."""
        if self.guard.lines:
            self.guard.forget(pair)
        self._ports.give_back(pair)
        if self._tidying is None and self._loop is not None:
            self._tidying = self._loop.call_later(IDLE_TIMEOUT, self._tidy)

    def forget(self, session: MediaSession) -> None:
        """A session is closed."""
        if self.captures is not None:
            self.captures.end(session)
        self.session_count -= 1
        self._converting.discard(session.number)

    def _tidy(self) -> None:
        assert self._loop is not None
        has_more = self._ports.close_idle()
        self._tidying = self._loop.call_later(1.0, self._tidy) if has_more else None

    # -- the kernel

    @property
    def _means(self) -> str:
        reading = "one socket" if self.gathering else f"port by port ({self.gathering_reason})"
        return f", {reading}" + ", raw sockets" * self.is_raw + ", real time" * self.engine.is_realtime

    @property
    def path(self) -> str:
        """Which way packets take, and why."""
        if self.kernel is None:
            return f"user space{self._means}: {self.kernel_reason}"
        others = "; ".join(reason for reason, _ in self.kernel.reasons.most_common(2))
        return f"kernel where it can, else user space{self._means}" + (f": {others}" if others else "")

    def on_network_change(self) -> None:
        """Addresses, routes or interfaces are not what they were."""
        if self.kernel is not None:
            self.kernel.reconsider(self.engine)

    # -- from the engine

    def _on_expiry(self) -> None:
        try:
            os.read(self.engine.expiry_fd, 8)
        except BlockingIOError:
            return
        while self.kernel is not None and (ready := self.engine.next_ready()) is not None:
            self.kernel.give(self.engine, ready)
        while (expiry := self.engine.next_expiry()) is not None:
            index, generation = expiry
            session = self._ports.user_of(index)
            if isinstance(session, MediaSession) and session.has_pair(index, generation):
                self._on_timeout(session)


def _version_of(host: str) -> int:
    address = parse_host(host)
    return 0 if address is None else address.version


def may_bind(host: str) -> bool:
    """Whether the address is this machine's at present; asked each time, for it may come and go."""
    family = socket.AF_INET6 if _version_of(host) == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True
