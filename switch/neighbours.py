"""The other workers of this switch: who is there, whose messages are whose, what they are told of trunks."""

from __future__ import annotations

from switchroom.protocols import sip
from switchroom.switch.calls.trunks.trunks import Trunks
from switchroom.switch.net import SipFace
from switchroom.switch.net.bus import Bus
from switchroom.switch.net.owners import Owners
from switchroom.switch.net.place import Place


class Neighbours:
    """What one worker knows of the others; alone there are none."""

    def __init__(
        self, place: Place | None, bus: Bus, mint: sip.Mint, trunks: Trunks, *, has_heirs: bool
    ) -> None:
        """``has_heirs``: whether calls of a dead worker go on in its next life."""
        self.owners: Owners | None = None
        self._place, self._bus, self._trunks = place, bus, trunks
        self._face: SipFace | None = None  # from start() on
        self._peers: dict[int, int] = {}  # slot -> generation
        if place is not None:
            # Whatever sends for many callers: its calls are dealt out among the workers
            self.owners = Owners(mint, place.slot, place.count, is_spread=trunks.is_source)
            self.owners.has_heirs = has_heirs
            bus.subscribe("begun", self.owners.learn)
        bus.on_found.append(self._tell_trunks)

    def start(self, face: SipFace) -> None:
        """From now on the face reads for others where it has to."""
        self._face = face

    def meet(self, peers: dict[int, int], readers: dict[int, int]) -> None:
        """The supervisor tells who is there, and who reads for whom that is not."""
        place, owners, face = self._place, self.owners, self._face
        assert place is not None
        assert owners is not None
        assert face is not None
        others = {other: generation for other, generation in peers.items() if other != place.slot}
        before, self._peers = self._peers, others
        owners.update(others)
        for other, generation in before.items():
            if others.get(other) != generation:
                face.release(other)
                self._bus.lost(other)
        for other, generation in others.items():
            if before.get(other) != generation:
                face.release(other)
                self._bus.found(other)
                self._bus.publish("begun", owners.begun)
        for dead, reader in readers.items():
            if reader == place.slot:
                face.adopt(dead, place.sockets[dead])
        face.flush()

    def tell_trunk(self, name: str) -> None:
        """A trunk's address died or came back, or a registration did: the other workers hear of it."""
        news = self._trunks.export(name)
        if news is not None:
            self._bus.publish("trunks", news)

    def _tell_trunks(self, slot: int) -> None:
        """A worker began: it does not know yet what the one that registers and probes found out."""
        if self._bus.is_leader:
            for trunk in self._trunks:
                self.tell_trunk(trunk.name)
