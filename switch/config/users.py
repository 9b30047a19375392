"""Users in the file: who registers, what rings, where calls go that nobody takes."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, SecretStr, Strict

from .checks import Codec, Count, Dialled, Flag, Name, Number, Sound, is_target
from .patterns import Patterns
from .sections import G726, Dtmf, Keying, Section, SrtpUse, key

_FORWARD_NUMBER = re.compile(r"[0-9+*#]{1,32}")


def check_forward(text: str) -> str:
    """A number as this user would dial it, or user:NAME, or sip:USER@HOST; empty: nowhere."""
    if text and not _FORWARD_NUMBER.fullmatch(text) and (text.startswith("trunk:") or not is_target(text)):
        raise ValueError("must be a number as the user would dial it, user:NAME, sip:USER@HOST, or empty")
    return text


Forward = Annotated[str, Strict(), AfterValidator(check_forward)]


class UserConfig(Section):
    """Somebody who registers with a phone."""

    name: Name = key("The name that the phone registers and authenticates with.")
    password: SecretStr = key("The password. It is never shown or logged.", min_length=1, max_length=128)
    number: Dialled = key(
        "The number that reaches this user and is shown to those called. Empty: the name.", ""
    )
    max_calls: Count | None = key(
        "Calls at once that this user may have made. Not given: calls.max_calls_per_user.",
        None,
        ge=0,
        le=100_000,
    )
    max_contacts: Count | None = key(
        "Phones registered at once. Not given: registrar.max_contacts.", None, ge=1, le=100
    )
    devices: Literal["all", "in-turn"] = key(
        "How several phones of this user ring: all at once, or in turn by their q values.", "all"
    )
    device_ring_time: Number = key(
        "How long each phone rings before the next, with devices = in-turn.", 15.0, unit="s", gt=0, le=600
    )
    do_not_disturb: Flag = key(
        "No call rings: it goes to forward_busy, or the caller hears 480 (Do Not Disturb).", False
    )
    forward_always: Forward = key(
        "Where all calls go at once: a number as this user would dial it, user:NAME or sip:USER@HOST.", ""
    )
    forward_busy: Forward = key("Where calls go when the user is busy.", "")
    forward_no_answer: Forward = key("Where calls go when nobody answers within no_answer_after.", "")
    forward_unreachable: Forward = key("Where calls go when no phone is registered or can be reached.", "")
    no_answer_after: Number = key(
        "How long the phones ring before forward_no_answer.", 20.0, unit="s", gt=0, le=600
    )
    caller_id: Dialled = key("The number shown to trunks and other domains. Empty: the number.", "")
    privacy: Flag = key("Whether the number is withheld from whoever is called (RFC 3323).", False)
    attestation: Literal["", "A", "B", "C"] = key(
        "What we vouch for when calls of this user are signed (RFC 8588). Empty: as the trunk says.", ""
    )
    codecs: list[Codec] = key(
        "The codecs that this user's phones may use, in this order. Empty: all.", list, max_length=32
    )
    srtp: SrtpUse = key(
        "Encrypted media (SRTP): off, accepted (when the other end asks for it), offered (RTP/AVP with keys, "
        "so that who cannot goes on in the clear), or required (nothing else passes: 488).",
        "accepted",
    )
    srtp_keys: Keying = key(
        "How keys are offered: sdes, in the description (use TLS for the signalling), or dtls, by a "
        "handshake of the media.",
        "sdes",
    )
    g726: G726 = key(
        "How this user's phones pack what they call G726-32 (and -16, -24, -40): as RFC 3551 has it, or as "
        "aal2, which many do all the same (Sipura, Grandstream, baresip, Linphone).",
        "rfc3551",
    )
    dtmf: Dtmf = key(
        "How keys come to this user's phones: media, as telephone-event or in the sound; info, by SIP INFO "
        "(application/dtmf-relay), for what knows nothing else.",
        "media",
    )
    webrtc: Literal["auto", "always", "never"] = key(
        "Whether calls to this user's phones are offered as browsers want them (ICE, DTLS-SRTP). auto: to "
        "those that registered over ws or wss.",
        "auto",
    )
    record: Flag = key(
        "Whether the calls that this user makes and gets are recorded, each side apart.", False
    )
    hold_music: list[Sound] = key(
        "What those hear whom this user puts on hold. Empty: sound.hold_music.", list, max_length=100
    )
    voicemail: Flag = key(
        "Whether this user has a mailbox: it takes calls when the user is busy, does not answer or cannot be "
        "reached, where no forward_ key says otherwise. app:voicemail plays what is in it.",
        False,
    )
    pickup_group: Name | None = key("Those of one group may pick up each other's calls.", None)
    supervises: Patterns | None = key(
        "The numbers of the users whose calls this user may listen to and speak into (features.supervise): "
        "patterns as in a route. Not given: none.",
        None,
    )
    allowed: Patterns | None = key(
        "The numbers that this user may call, beside other users and emergency numbers: patterns as in a "
        "route. Not given: all.",
        None,
    )
    blocked: Patterns | None = key(
        "The numbers that this user may not call; emergency numbers stay allowed.", None
    )

    @property
    def dialled(self) -> str:
        """What others dial to reach this user."""
        return self.number or self.name

    @property
    def own_number(self) -> str:
        """What others see when this user calls."""
        return self.number or self.name

    @property
    def forwards(self) -> list[tuple[str, str]]:
        """The keys that forward calls, and where to."""
        keys = ("forward_always", "forward_busy", "forward_no_answer", "forward_unreachable")
        return [(name, getattr(self, name)) for name in keys]
