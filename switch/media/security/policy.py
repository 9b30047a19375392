"""What a leg's media may be: in the clear, secured, or only secured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchroom.switch.config.sections import Keying, SrtpUse


class Policy:
    """What its owner's configuration says; see ``UserConfig.srtp``."""

    __slots__ = ("has_info", "is_browser", "is_swapped", "keying", "srtp")

    def __init__(
        self,
        srtp: SrtpUse = "accepted",
        keying: Keying = "sdes",
        is_browser: bool = False,
        has_info: bool = False,
        is_swapped: bool = False,
    ) -> None:
        self.srtp = srtp
        self.keying = keying  # what we offer
        self.is_browser = is_browser  # WebRTC: it is offered DTLS and ICE, and nothing else
        self.has_info = has_info  # keys come to it by SIP INFO
        self.is_swapped = is_swapped  # what it calls G726-32 is packed as AAL2-G726-32


DEFAULT = Policy()
