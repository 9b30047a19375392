"""What a leg's media may be: in the clear, secured, or only secured."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from switchroom.switch.config.sections import Keying, SrtpUse


class Policy(NamedTuple):
    """What its owner's configuration says; see ``UserConfig.srtp``."""

    srtp: SrtpUse = "accepted"
    keying: Keying = "sdes"  # what we offer
    is_browser: bool = False  # WebRTC: it is offered DTLS and ICE, and nothing else
    has_info: bool = False  # keys come to it by SIP INFO
    is_swapped: bool = False  # what it calls G726-32 is packed as AAL2-G726-32


DEFAULT = Policy()
