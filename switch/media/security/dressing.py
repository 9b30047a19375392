"""How a description is written for a leg, with the protection of its lines; RFC 4568, 5763, 8839, 8843."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from switchroom.protocols import sdp
from switchroom.protocols.stun import HOST, SERVER_REFLEXIVE, Candidate, priority_of

from .bundle import BUNDLE_ONLY, MID, extensions_of
from .channel import Mode
from .wanted import Wanted

if TYPE_CHECKING:
    from ..leg import MediaLeg
    from .security import Security


def dress(
    security: Security,
    leg: MediaLeg,
    description: sdp.Description,
    *,
    pending: Sequence[Wanted],
    is_answer: bool,
) -> sdp.Description:
    """Return a description with what its lines are about to be."""
    if len(pending) != len(description.media):
        return description
    open_lines = [i for i, line in enumerate(description.media) if not line.is_rejected]
    carrier_of = security.carriers(open_lines)
    dressed = [
        _dress_line(security, leg, i, description, wanted, carrier_of.get(i, i), is_answer=is_answer)
        for i, wanted in enumerate(pending)
    ]
    mids: list[str | None] = []
    first = next((i for i in open_lines if pending[i].is_browser), None)
    if first is not None:  # a line with ports of its own leaves the bundle (§7.3.3)
        mids = [security.mid_of(i, pending[i]) for i in open_lines if carrier_of[i] == carrier_of[first]]
    group = " ".join([mid for mid in mids if mid])
    session = [sdp.Attribute("group", f"BUNDLE {group}")] if group else []
    if any(wanted.is_browser and security.channel(i).is_lite for i, wanted in enumerate(pending)):
        session.append(sdp.Attribute("ice-lite"))
    return replace(description, media=tuple(dressed), attributes=(*session, *description.attributes))


def _dress_line(
    security: Security,
    leg: MediaLeg,
    i: int,
    description: sdp.Description,
    wanted: Wanted,
    carrier: int,
    *,
    is_answer: bool,
) -> sdp.Media:
    line = description.media[i]
    proto = wanted.proto if wanted.heard is not None or not line.is_rejected else line.proto
    if proto == "RTP/AVP" and line.proto == "RTP/AVPF":
        proto = line.proto  # feedback is wanted with keys beside it as well
    if line.is_rejected:
        return replace(line, proto=proto)
    if carrier == i:
        added = _lines(security, leg, i, line, wanted, is_answer=is_answer)
        return replace(line, proto=proto, attributes=(*line.attributes, *added))
    is_new = not is_answer and not security.channel(i).proto
    added = _carried(security, i, line, wanted)
    added += [sdp.Attribute(BUNDLE_ONLY)] if is_new else []
    port = 0 if is_new else description.media[carrier].port
    return replace(line, proto=proto, port=port, attributes=(*line.attributes, *added))


def _carried(security: Security, i: int, line: sdp.Media, wanted: Wanted) -> list[sdp.Attribute]:
    """What a line says of its own in a bundle; the transport is described where it leads."""
    mid = security.mid_of(i, wanted)
    lines = [sdp.Attribute("mid", mid)] if mid is not None else []
    if not line.has_rtcp_mux:
        lines.append(sdp.Attribute("rtcp-mux"))
    mid_id = security.mid_id_of(i, wanted)
    if mid_id and mid_id not in dict(extensions_of(line)):
        lines.append(sdp.Attribute("extmap", f"{mid_id} {MID}"))
    return [*lines, sdp.Attribute("msid", f"switchroom {line.kind}{i or ''}")]


def _lines(
    security: Security, leg: MediaLeg, i: int, line: sdp.Media, wanted: Wanted, *, is_answer: bool
) -> list[sdp.Attribute]:
    if wanted.mode is Mode.CLEAR:
        return []
    channel = security.channel(i)
    if wanted.mode is Mode.SDES:
        keys = [wanted.local] if is_answer and wanted.local is not None else channel.offered
        return [sdp.Attribute("crypto", str(crypto)) for crypto in keys]
    assert wanted.setup is not None
    lines = [
        sdp.Attribute("fingerprint", str(channel.fingerprint)),
        sdp.Attribute("setup", wanted.setup.value),
    ]
    if wanted.credentials is None:
        return lines
    lines += _carried(security, i, line, wanted)
    lines += [
        sdp.Attribute("ice-ufrag", wanted.credentials.ufrag),
        sdp.Attribute("ice-pwd", wanted.credentials.password),
        *[sdp.Attribute("candidate", str(one)) for one in _candidates(leg, line.port)],
        sdp.Attribute("end-of-candidates"),
    ]
    return lines


def _candidates(leg: MediaLeg, port: int) -> list[Candidate]:
    """Where we are: the address that we say, and the one behind it if there is a NAT in between."""
    if leg.host == leg.bound:
        return [Candidate(leg.host, port, priority_of(HOST))]
    base = (leg.bound, port)
    return [
        Candidate(leg.bound, port, priority_of(HOST)),
        Candidate(leg.host, port, priority_of(SERVER_REFLEXIVE), "srflx", foundation="2", base=base),
    ]
