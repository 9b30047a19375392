"""The tables of the file: each key with its meaning, unit, default and limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.config import JsonDict

from .checks import (
    Address,
    Codec,
    Count,
    Domain,
    Flag,
    Listen,
    Network,
    Number,
    Ports,
    Text,
    split_listen,
    split_ports,
)


def key(text: str, default: Any = ..., *, unit: str = "", is_live: bool = True, **limits: Any) -> Any:
    """A key: what it means, and whether a reload applies it (is_live) or only a restart."""
    extra: JsonDict = {"unit": unit, "is_live": is_live}
    if callable(default):
        return Field(default_factory=default, description=text, json_schema_extra=extra, **limits)
    return Field(default, description=text, json_schema_extra=extra, **limits)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class SwitchConfig(Section):
    """The switch as a whole."""

    domain: Domain = key(
        "The domain that phones register at. Empty: any address of this machine.", "", max_length=253
    )
    name: Text = key(
        "How the switch names itself in Server and User-Agent.",
        "Switchroom",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9.!%*_+`'~/-]+(?: [A-Za-z0-9.!%*_+`'~/-]+)*$",
    )
    state_dir: Path = key(
        "The folder for what must last and for the control socket. Relative: to this file.",
        Path("state"),
        is_live=False,
    )
    workers: Count = key(
        "Processes that share the work; each takes a core when there is much. 0: as many as there are cores.",
        1,
        ge=0,
        le=64,
        is_live=False,
    )


class SipConfig(Section):
    """Listeners, timers and limits of the signalling."""

    listen: list[Listen] = key(
        "Where phones reach the switch: udp:, tcp:, tls:, ws: or wss:ADDRESS:PORT; IPv6 in brackets.",
        lambda: ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"],
        is_live=False,
        min_length=1,
        max_length=64,
    )
    public_address: Address = key(
        "The address that hosts outside know the switch by, behind a one-to-one NAT or a port forwarding.", ""
    )
    inside: list[Network] = key(
        "Networks that reach the switch without that NAT: they get its own address. Empty: the private ones.",
        list,
        max_length=256,
    )
    t1: Number = key(
        "Timer T1, the round trip that is expected (RFC 3261 §17.1.1.1).", 0.5, unit="s", gt=0, le=10
    )
    t2: Number = key("Timer T2, the longest gap between retransmissions.", 4.0, unit="s", gt=0, le=60)
    t4: Number = key("Timer T4, how long a message may stay in the network.", 5.0, unit="s", gt=0, le=60)
    max_transactions: Count = key(
        "Transactions at once; a request beyond that gets 503.", 100_000, ge=100, le=10_000_000, is_live=False
    )
    udp_request_limit: Count = key(
        "A request larger than this goes by TCP (RFC 3261 §18.1.1).",
        1300,
        unit="octets",
        ge=500,
        le=65535,
        is_live=False,
    )
    max_message_size: Count = key(
        "The largest message that is read; a larger one gets 413.",
        65536,
        unit="octets",
        ge=2048,
        le=65536,
        is_live=False,
    )
    max_headers: Count = key(
        "Header lines of one message; more of them get 400.", 128, ge=32, le=1024, is_live=False
    )
    max_header_size: Count = key(
        "The longest header line that is read; a longer one gets 400.",
        8192,
        unit="octets",
        ge=1024,
        le=65536,
        is_live=False,
    )
    max_head_size: Count = key(
        "The header section of one message on a connection; a larger one ends the connection.",
        32768,
        unit="octets",
        ge=4096,
        le=65536,
        is_live=False,
    )
    source_rate: Number = key(
        "Messages a second from one source address; what is beyond is dropped. Not for trunks.",
        200.0,
        unit="1/s",
        gt=0,
        le=1_000_000,
    )
    source_burst: Count = key(
        "Messages from one source address that may come at once.", 400, ge=1, le=1_000_000
    )
    total_rate: Number = key(
        "Requests a second that open something new, from everybody; the next gets 503, Retry-After.",
        5000.0,
        unit="1/s",
        gt=0,
        le=1_000_000,
    )
    total_burst: Count = key("Such requests that may come at once.", 5000, ge=1, le=1_000_000)
    register_rate: Number = key(
        "REGISTERs a second from everybody, which total_rate does not count; the next gets 503, Retry-After.",
        5000.0,
        unit="1/s",
        gt=0,
        le=1_000_000,
    )
    call_rate: Number = key(
        "INVITEs a second that begin calls, from everybody; the next gets 503. 0: as total_rate.",
        0.0,
        unit="1/s",
        ge=0,
        le=1_000_000,
    )
    source_call_rate: Number = key(
        "INVITEs a second from one source address; the next gets 503. Not for trunks and registered phones. "
        "0: as source_rate.",
        0.0,
        unit="1/s",
        ge=0,
        le=1_000_000,
    )
    source_register_rate: Number = key(
        "REGISTERs a second from one source address; the next gets 503. 0: as source_rate.",
        0.0,
        unit="1/s",
        ge=0,
        le=1_000_000,
    )
    silent_to_strangers: Flag = key(
        "Whether those who are no trunk and not registered get no answer to OPTIONS, to what cannot be read, "
        "to requests for other domains than switch.domain, and to anything sent by one of the scanners.",
        False,
    )
    max_amplification: Number = key(
        "An answer over UDP to a request whose sender has proved nothing is at most so many times as large: "
        "what would be larger loses its last headers (challenges after the first, Supported) or is not sent. "
        "Not for trunks and where a phone is registered. 0: no limit.",
        1.5,
        ge=0,
        le=100,
    )
    scanners: list[Text] = key(
        "What the User-Agent of scanners has in it, in any case of letters; for silent_to_strangers.",
        lambda: [
            "friendly-scanner",
            "sipvicious",
            "sipcli",
            "sip-scan",
            "sipsak",
            "sundayddr",
            "vaxsipuseragent",
            "pplsip",
            "iwar",
            "sivus",
            "smap",
            "gulp",
            "eyebeam_scan",
            "nmap",
        ],
        max_length=100,
    )
    max_connections: Count = key("TCP connections at once.", 2000, ge=1, le=100_000)
    max_connections_per_source: Count = key(
        "TCP connections at once from one source address.", 50, ge=1, le=100_000
    )
    message_timeout: Number = key(
        "A message over TCP must be whole this long after its first octet, or the connection is closed.",
        32.0,
        unit="s",
        gt=0,
        le=600,
    )
    idle_timeout: Number = key(
        "A TCP connection that carried no request is closed after message_timeout, an idle one after this.",
        7200.0,
        unit="s",
        ge=30,
        le=86400,
    )

    @field_validator("listen")
    @classmethod
    def _listen_once(cls, listen: list[str]) -> list[str]:
        for entry in listen:
            if listen.count(entry) > 1 and split_listen(entry)[2]:
                raise ValueError(f"{entry} is there twice")
        return listen

    @model_validator(mode="after")
    def _timers_in_order(self) -> Self:
        if self.t2 < self.t1:
            raise ValueError(f"t2: {self.t2:g}: must not be less than t1, {self.t1:g}")
        return self


class RegistrarConfig(Section):
    """How long and how often phones may register."""

    min_expires: Count = key("A shorter registration gets 423.", 60, unit="s", ge=1, le=3600)
    max_expires: Count = key("A longer registration is shortened to this.", 3600, unit="s", ge=1, le=604800)
    default_expires: Count = key("For a phone that asks for no time.", 3600, unit="s", ge=1, le=604800)
    max_contacts: Count = key("Phones registered at once for one user.", 10, ge=1, le=100)

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        if not self.min_expires <= self.default_expires <= self.max_expires:
            raise ValueError(
                f"default_expires: {self.default_expires}: must be from min_expires, {self.min_expires}, "
                f"to max_expires, {self.max_expires}"
            )
        return self


class AuthConfig(Section):
    """Digest authentication, and what happens to those who guess."""

    realm: Text = key(
        "The realm of the challenge. Empty: the domain, or switchroom.",
        "",
        max_length=128,
        pattern=r"^[ !#-\[\]-~]*$",
        is_live=False,
    )
    algorithms: list[Literal["SHA-256", "MD5"]] = key(
        "The digest algorithms that are offered, in this order (RFC 8760). Many phones read only the first.",
        lambda: ["MD5", "SHA-256"],
        min_length=1,
        max_length=2,
    )
    nonce_lifetime: Number = key(
        "A nonce older than this gets a new challenge.", 300.0, unit="s", ge=10, le=86400
    )
    max_failures: Count = key("Wrong answers from one source before it is banned.", 20, ge=1, le=1000)
    failure_window: Number = key("The time within which failures count.", 600.0, unit="s", ge=1, le=86400)
    max_unanswered: Count = key(
        "Challenges to one source that may stay unanswered in a minute; what is beyond is dropped.",
        1000,
        ge=1,
        le=100_000,
    )
    max_malformed: Count = key(
        "Messages of one source in a minute that cannot be read, before it is banned; not trunks and "
        "registered phones. 0: any number.",
        200,
        ge=0,
        le=1_000_000,
    )
    ban_time: Number = key(
        "How long nobody listens to a banned source; each ban soon after lasts twice as long, up to 8 times.",
        600.0,
        unit="s",
        ge=1,
        le=604800,
    )

    @field_validator("algorithms")
    @classmethod
    def _algorithms_once(cls, algorithms: list[str]) -> list[str]:
        if len(set(algorithms)) < len(algorithms):
            raise ValueError("must name each algorithm once")
        return algorithms


SrtpUse = Literal["off", "accepted", "offered", "required"]
Keying = Literal["sdes", "dtls"]
Dtmf = Literal["media", "info"]
G726 = Literal["rfc3551", "aal2"]
SrtpSuite = Literal[
    "AES_CM_128_HMAC_SHA1_80",
    "AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM",
    "AES_256_CM_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
    "AES_256_CM_HMAC_SHA1_32",
]
_SRTP_SUITES: tuple[SrtpSuite, ...] = (
    "AEAD_AES_128_GCM",
    "AES_CM_128_HMAC_SHA1_80",
    "AEAD_AES_256_GCM",
    "AES_256_CM_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
    "AES_256_CM_HMAC_SHA1_32",
)


class MediaConfig(Section):
    """The relay of sound and picture."""

    ports: Ports = key(
        "The UDP ports of the relay, from the first to the last; a leg with sound takes two.",
        "30000-39999",
        is_live=False,
    )
    address: Address = key(
        "The address that all phones send media to. Empty: sip.public_address, or by route.",
        "",
    )
    rtp_timeout: Number = key(
        "A call is ended when no packet came from either side for this long (not while on hold). 0: never.",
        60.0,
        unit="s",
        ge=0,
        le=86400,
    )
    first_rtp_timeout: Number = key(
        "The same for a call that was answered and has not had a packet yet. 0: never.",
        30.0,
        unit="s",
        ge=0,
        le=86400,
    )
    dscp: Count = key("The mark of media packets (RFC 2474); 46 is EF.", 46, ge=0, le=63)
    kernel: Literal["auto", "off", "required"] = key(
        "Whether the kernel relays what nothing has to be done to (see docs/media.md): auto, where it can; "
        "required, the switch does not start without.",
        "auto",
        is_live=False,
    )
    one_socket: Flag = key(
        "Whether the sound of all ports is read from one socket, where the switch may have it (CAP_BPF and "
        "CAP_NET_ADMIN; see docs/media.md).",
        True,
        is_live=False,
    )
    raw_sockets: Flag = key(
        "Whether packets leave through one raw socket for all ports, where the switch may have it "
        "(CAP_NET_RAW; see docs/media.md).",
        True,
        is_live=False,
    )
    realtime: Flag = key(
        "Whether the thread that relays and converts is scheduled in real time, where the switch may "
        "(CAP_SYS_NICE) and as long as it takes less than most of a core.",
        True,
        is_live=False,
    )
    transcode: list[Codec] = key(
        "The codecs that sound is converted between where two legs have none in common (see "
        "`switchroom codecs`); those whose library is missing do not count. Empty: never.",
        lambda: ["PCMA", "PCMU", "G722", "opus"],
        max_length=32,
    )
    max_transcoded: Count = key(
        "While so many calls are converted, no other call is offered what it would have to be converted for "
        "(see `bench/transcode.py` for what a core carries).",
        400,
        ge=0,
        le=100_000,
    )
    srtp_suites: list[SrtpSuite] = key(
        "How media may be encrypted (RFC 3711, 6188, 7714), the preferred one first; the first four are "
        "offered. AES_256_CM cannot be agreed on with DTLS.",
        lambda: list(_SRTP_SUITES),
        min_length=1,
        max_length=6,
    )
    ice: Literal["auto", "full", "lite"] = key(
        "How browsers are reached (RFC 8445): full checks that media arrives where it is sent; lite leaves "
        "that to them, and is for a switch with a public address of its own. auto: lite where our address on "
        "the way out is a public one, full elsewhere.",
        "auto",
    )

    @property
    def port_range(self) -> range:
        """The ports as a range."""
        return split_ports(self.ports)


class CallsConfig(Section):
    """Limits of calls."""

    answer_timeout: Number = key(
        "A call that nobody answers ends after this with 480.", 60.0, unit="s", gt=0, le=600
    )
    max_duration: Number = key("An answered call ends after this.", 14400.0, unit="s", ge=1, le=604800)
    contact_timeout: Number = key(
        "A phone that says nothing at all to a call for this long counts as unreachable.",
        8.0,
        unit="s",
        ge=0.5,
        le=32,
    )
    follow_redirects: Flag = key(
        "Whether a phone's redirection (3xx) to a number of this switch is followed, as if the user had "
        "forwarded the call; other addresses are never called for it.",
        True,
    )
    session_timer: Literal["offer", "require", "off"] = key(
        "Session timers (RFC 4028) in calls with phones; for trunks: trunks.session_timer.", "offer"
    )
    session_interval: Count = key("The interval that is asked for.", 1800, unit="s", ge=90, le=86_400)
    session_min: Count = key(
        "The shortest interval that is accepted; a shorter one gets 422.", 90, unit="s", ge=90, le=86_400
    )
    probe_interval: Number = key(
        "How often an end of a call without session timer is asked (OPTIONS) whether it still knows of it. "
        "0: never.",
        300.0,
        unit="s",
        ge=0,
        le=86400,
    )
    survive_restart: Flag = key(
        "Whether answered calls go on after a crash of the switch or of a worker: what dialogs and media "
        "need is kept with the record, and taken up by the next start if that comes within a minute. "
        "Otherwise they are ended in the books.",
        True,
    )
    max_forks: Count = key("Phones that ring at once for one call.", 10, ge=1, le=100)
    max_calls: Count = key("Calls at once; the next gets 503.", 5000, ge=1, le=1_000_000)
    max_calls_per_user: Count = key("Calls at once that one user may have made.", 10, ge=1, le=100_000)
    user_rate: Number = key(
        "Calls a second that one user may make; beyond that: 503.", 5.0, unit="1/s", gt=0, le=10_000
    )


class OverloadConfig(Section):
    """When new calls are sent away so that those in progress go on."""

    lag: Number = key(
        "While the loop is later than this, a growing share of new calls gets 503 with Retry-After.",
        0.2,
        unit="s",
        gt=0,
        le=10,
    )
    drop_lag: Number = key("Later than this, they get no answer at all.", 0.5, unit="s", gt=0, le=60)
    max_wait: Number = key(
        "New requests over UDP may wait so long for their turn. Once waits were longer for as long again, "
        "those that are get 503 with Retry-After: a pause of the machine is no overload.",
        0.5,
        unit="s",
        gt=0,
        le=10,
    )
    refuse_rate: Number = key(
        "Refusals (503) a second for want of time or room; beyond that new requests get no answer at all.",
        2000.0,
        unit="1/s",
        ge=0,
        le=1_000_000,
    )
    max_setups: Count = key(
        "Calls that are being set up at once; the next gets 503. Not for emergency calls.",
        2000,
        ge=1,
        le=1_000_000,
    )
    retry_after: Count = key("After how long the caller may try again.", 10, unit="s", ge=1, le=3600)


class LogConfig(Section):
    """What is written about events, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = key(
        "The least that is written; debug shows SIP messages, credentials masked.", "info"
    )
    format: Literal["text", "json"] = key("text: key=value for people. json: one object a line.", "text")
    max_rate: Count = key(
        "Lines a second of one kind of event; what is beyond is counted and told afterwards.",
        20,
        unit="1/s",
        ge=1,
        le=100_000,
    )
