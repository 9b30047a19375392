"""What two session descriptions mean for one audio stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from switchroom import codecs
from switchroom.protocols import sdp
from switchroom.protocols.errors import RemoteProtocolError

__all__ = ["Agreement", "agree"]

TELEPHONE_EVENT = "telephone-event"
_TELEPHONY = (8000, 1, 8000)  # clock, channels, samples: what this phone plays and records


@dataclass(frozen=True, slots=True)
class Agreement:
    """Where to send and what, and what may come."""

    remote: tuple[str, int]
    remote_rtcp: tuple[str, int]
    codec: codecs.Codec
    payload_type: int
    event_type: int | None  # the payload type of digits to send
    can_send: bool
    can_receive: bool
    codecs: Mapping[int, codecs.Codec]  # by payload type, to receive
    event_types: frozenset[int]


def agree(local: sdp.Description, remote: sdp.Description) -> Agreement:
    """Read both descriptions; 488 when they have no audio in common that we can speak."""
    ours, theirs = _audio(local, remote)
    connection = remote.connection_of(theirs)
    if connection is None:
        raise RemoteProtocolError("no address for audio", status=488)
    speakable = _known(ours)
    mutual = [(rtpmap, codec) for rtpmap, codec in _known(theirs).values() if codec in _codecs(speakable)]
    if not mutual:
        raise RemoteProtocolError("no codec in common", status=488)
    rtpmap, codec = mutual[0]
    events = {found.payload_type for found in ours.codecs if _is_event(found)}
    their_events = [found.payload_type for found in theirs.codecs if _is_event(found)]
    rtcp = theirs.rtcp or sdp.Rtcp(theirs.port + 1)
    may_send = local.direction_of(ours).can_send and remote.direction_of(theirs).can_receive
    may_receive = local.direction_of(ours).can_receive and remote.direction_of(theirs).can_send
    return Agreement(
        remote=(connection.host, theirs.port),
        remote_rtcp=(rtcp.host or connection.host, rtcp.port),
        codec=codec,
        payload_type=rtpmap.payload_type,
        event_type=their_events[0] if their_events and events else None,
        can_send=may_send and _is_reachable(connection.host),
        can_receive=may_receive,
        codecs={number: found for number, (_, found) in (_known(theirs) | speakable).items()},
        event_types=frozenset(events.union(their_events) if events else ()),
    )


def _audio(local: sdp.Description, remote: sdp.Description) -> tuple[sdp.Media, sdp.Media]:
    for ours, theirs in zip(local.media, remote.media, strict=False):
        if ours.kind == theirs.kind == "audio" and not ours.is_rejected and not theirs.is_rejected:
            return ours, theirs
    raise RemoteProtocolError("no audio in common", status=488)


def _known(media: sdp.Media) -> dict[int, tuple[sdp.RtpMap, codecs.Codec]]:
    found: dict[int, tuple[sdp.RtpMap, codecs.Codec]] = {}
    for rtpmap in media.codecs:
        codec = codecs.CODECS.get(rtpmap.name.lower())
        if codec is not None and codec.format[1:] == _TELEPHONY and codec.is_offered:
            found[rtpmap.payload_type] = (rtpmap, codec)
    return found


def _codecs(known: dict[int, tuple[sdp.RtpMap, codecs.Codec]]) -> list[codecs.Codec]:
    return [codec for _, codec in known.values()]


def _is_event(rtpmap: sdp.RtpMap) -> bool:
    return rtpmap.encoding.lower() == TELEPHONE_EVENT


def _is_reachable(host: str) -> bool:
    """Whether media may go there: the address of one host, not a name that we would have to look up."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return not address.is_unspecified and not address.is_multicast
