"""Trunks in the file: other switches, carriers and proxies; who may call in, and how calls go out."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, SecretStr, Strict, field_validator, model_validator

from .checks import Codec, Count, Dialled, Domain, Flag, Name, Network, Number, Pattern, Text, is_host_name
from .sections import G726, Dtmf, Keying, Section, SrtpUse, key

_ADDRESS = re.compile(
    r"(sips?):(\[[0-9A-Fa-f:.]+\]|[^\s:;\[\]@<>?]+)(?::([0-9]{1,5}))?(?:;transport=(udp|tcp|tls|ws|wss))?",
    re.IGNORECASE,
)
_AOR = re.compile(r"sips?:[^\s<>\"@:;?]{1,128}@[^\s<>\"@;?]{1,255}")
_USER_PART = re.compile(r"[A-Za-z0-9_.!~*'()+-]{1,64}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!%*_+`'~.-]{1,64}")
_COUNTRY = re.compile(r"(?:[A-Z]{2})?")
_SECURE = ("TLS", "WSS")
# What makes a message the message that it is; nobody writes these by rule (RFC 3261 §7.3, §20).
STRUCTURAL_HEADERS = frozenset(
    (
        "via", "from", "to", "call-id", "cseq", "contact", "route", "record-route", "path", "service-route",
        "max-forwards", "max-breadth", "content-type", "content-length", "content-encoding",
        "content-disposition", "content-language", "mime-version", "authorization", "proxy-authorization",
        "www-authenticate", "proxy-authenticate", "authentication-info", "require", "proxy-require",
        "supported", "unsupported", "allow", "rseq", "rack", "event", "subscription-state", "replaces",
        "refer-to", "session-expires", "min-se", "expires", "min-expires", "identity", "identity-info",
        "i", "m", "f", "t", "v", "l", "c", "e", "k", "o", "r", "x", "y",
    )
)  # fmt: skip


class TrunkAddress(NamedTuple):
    """Where a trunk is: without port and transport, DNS may say (RFC 3263 §4)."""

    host: str
    port: int | None = None
    transport: str | None = None  # as Via spells it
    is_secure: bool = False
    is_sips: bool = False  # secured to the very end (RFC 3261 §26.2.2)


@lru_cache(maxsize=1024)
def split_trunk_address(text: str) -> TrunkAddress:
    """Read ``sip:192.0.2.1:5060;transport=udp``, ``sips:carrier.example`` or ``sip:carrier.example``."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError("must be sip:HOST[:PORT][;transport=udp|tcp|tls|ws|wss]")
    scheme, host, port, transport = match.groups()
    if host.startswith("["):
        host = str(ip_address(host[1:-1]))
    elif not is_host_name(host):
        raise ValueError("must name a host: an IP address or a domain name")
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError("must have a port from 1 to 65535")
    transport = None if transport is None else transport.upper()
    is_secure = scheme.lower() == "sips" or transport in _SECURE
    if is_secure and transport not in (None, "TCP", *_SECURE):
        raise ValueError("sips: goes over TLS")
    if scheme.lower() == "sips" and transport in (None, "TCP"):
        transport = "TLS"
    return TrunkAddress(
        host.lower(), None if port is None else int(port), transport, is_secure, scheme.lower() == "sips"
    )


def _address(text: str) -> str:
    split_trunk_address(text)
    return text


def _aor(text: str) -> str:
    if not _AOR.fullmatch(text):
        raise ValueError("must be sip:USER@DOMAIN")
    return text


def _user_part(text: str) -> str:
    if text and not _USER_PART.fullmatch(text):
        raise ValueError("must be 1 to 64 letters, digits or any of _ . ! ~ * ' ( ) + -")
    return text


def _header_pattern(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text) or not text.strip("*"):
        raise ValueError("must be the name of a header; * stands for any letters: X-*, P-Charge-Info")
    if "*" not in text and text.lower() in STRUCTURAL_HEADERS:
        raise ValueError("is a header that the switch itself writes")
    return text


def _country(text: str) -> str:
    if not _COUNTRY.fullmatch(text):
        raise ValueError("must be two capital letters, such as DE, GB or US")
    return text


def _certificate_name(text: str) -> str:
    if not text or not text.isprintable() or " " in text or len(text) > 255:
        raise ValueError("must be a name that stands in a certificate, such as sip.carrier.example")
    return text.lower().rstrip(".")


Address = Annotated[str, Strict(), AfterValidator(_address)]
Aor = Annotated[str, Strict(), AfterValidator(_aor)]
UserPart = Annotated[str, Strict(), AfterValidator(_user_part)]
HeaderPattern = Annotated[str, Strict(), AfterValidator(_header_pattern)]
Country = Annotated[str, Strict(), AfterValidator(_country)]
CertificateName = Annotated[str, Strict(), AfterValidator(_certificate_name)]

NumberForm = Literal["as-is", "e164", "e164-plain", "international", "national"]


class RegisterConfig(Section):
    """A registration of ours at the trunk, so that it knows where calls for us go."""

    aor: Aor = key("The address that is registered: sip:USER@DOMAIN.")
    contact_user: UserPart = key("The user in our Contact. Empty: the one of aor.", "")
    registrar: list[Address] = key(
        "Where REGISTER goes, if not to the trunk's proxy or address; written as address is.",
        list,
        max_length=8,
    )
    username: Text = key("The name for digest. Empty: the trunk's.", "", max_length=128)
    password: SecretStr = key("The password for digest. Empty: the trunk's.", SecretStr(""), max_length=128)
    expires: Count = key("How long a registration is asked for.", 600, unit="s", ge=30, le=86_400)
    refresh: Number = key(
        "When it is refreshed, as a share of the time that was granted.", 0.75, ge=0.1, le=0.95
    )
    retry: Number = key(
        "The first wait after a failure; it doubles with each further one, up to half an hour.",
        30.0,
        unit="s",
        gt=0,
        le=1800,
    )

    @property
    def registrars(self) -> tuple[TrunkAddress, ...]:
        """Where REGISTER goes, when that is somewhere else than calls."""
        return tuple(split_trunk_address(text) for text in self.registrar)


class HeaderRuleConfig(Section):
    """One rule about headers of new calls; the rules of a trunk apply in their order."""

    direction: Literal["in", "out"] = key(
        "in: to calls that come from the trunk. out: to those that go there."
    )
    action: Literal["add", "remove", "copy"] = key(
        "add: write it with value. remove: take it away. copy: from the other leg's request, as it is."
    )
    header: HeaderPattern = key("The header's name; for remove and copy with * for any letters: X-*.")
    value: Text = key("What add writes.", "", max_length=512)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.action == "add":
            if "*" in self.header:
                raise ValueError("header: add needs a whole name")
            if not self.value.isprintable() or not self.value.strip():
                raise ValueError("value: must be printable text")
        elif self.value:
            raise ValueError(f"value: {self.action} takes none")
        return self


class TrunkConfig(Section):
    """Another switch or a carrier: who may call in without a user's password, and where calls go out."""

    name: Name = key("The name, for routes and records.")
    sources: list[Network] = key(
        "Addresses and networks that may call in without digest. Empty: nobody.", list, max_length=256
    )
    tls_names: list[CertificateName] = key(
        "Names in a verified client certificate that may call in over TLS.", list, max_length=64
    )
    username_in: Text = key(
        "The name with which the trunk proves itself by digest when it calls in. Empty: not by digest.",
        "",
        max_length=128,
    )
    password_in: SecretStr = key("The password to it.", SecretStr(""), max_length=128)
    address: list[Address] = key(
        "Where calls go out: sip:HOST[:PORT][;transport=udp|tcp|tls|ws|wss], or several, in this order. "
        "A domain without port and transport is looked up with NAPTR and SRV. Empty: nowhere.",
        list,
        max_length=16,
    )
    proxy: list[Address] = key(
        "The outbound proxy: requests go there, with the trunk's address as their destination.",
        list,
        max_length=8,
    )
    domain: Domain = key("The host in the addresses that we write. Empty: the first address's.", "")
    username: Text = key(
        "Our name when the trunk asks for digest. Empty: no challenge is answered.", "", max_length=128
    )
    password: SecretStr = key("The password to it.", SecretStr(""), max_length=128)
    realm: Text = key(
        "The only realm whose challenges are answered. Empty: any that the trunk names.", "", max_length=128
    )
    registrations: list[RegisterConfig] = key("Our registrations at the trunk.", list, max_length=64)
    max_calls: Count | None = key(
        "Calls at once over this trunk. Not given: no limit.", None, ge=0, le=1_000_000
    )
    calls_per_second: Number = key(
        "New calls a second, in and out together. 0: no limit.", 0.0, unit="1/s", ge=0, le=10_000
    )
    allow: list[Pattern] = key(
        "Destinations that may be called: patterns as in routes, compared with the number in E.164 (if it "
        "has such a form) and with the number as dialled. Empty: all.",
        list,
        max_length=1024,
    )
    block: list[Pattern] = key(
        "Destinations that may not be called; this wins over allow.", list, max_length=1024
    )
    country: Country = key(
        "The country of numbers without country code, such as DE. Empty: numbers.country.", ""
    )
    national_prefix: Annotated[str, Strict()] | None = key(
        "What stands before a number within the country. Not given: what is customary there.",
        None,
        pattern=r"^[0-9]{0,4}$",
    )
    international_prefix: Annotated[str, Strict()] = key(
        "What stands before a country code in the form international.", "00", pattern=r"^[0-9]{1,5}$"
    )
    number_in: NumberForm = key(
        "How the trunk writes numbers; other than as-is, they are read as E.164 with +. e164-plain: no +.",
        "as-is",
    )
    number_out: NumberForm = key(
        "How numbers are written to the trunk: e164 (+4930…), e164-plain (4930…), international (004930…), "
        "national (030…; others as international).",
        "as-is",
    )
    called_in: Literal["request", "to", "p-called-party-id"] = key(
        "Where a call that comes in says whom it is for: in its Request-URI, in To, or in P-Called-Party-ID.",
        "request",
    )
    caller_id: Literal["from", "p-asserted-identity", "p-preferred-identity", "remote-party-id"] = key(
        "How the caller's number is told to the trunk: in From alone, or also in this header.", "from"
    )
    caller_number: Dialled = key(
        "The number that is shown for callers whose own is not a full one (an extension, a name). "
        "Empty: theirs.",
        "",
    )
    from_user: UserPart = key("The user in From, whoever calls. Empty: the caller's number.", "")
    trusted: Flag = key(
        "Whether what the trunk says about callers in P-Asserted-Identity, Remote-Party-ID, Diversion and "
        "History-Info is believed.",
        False,
    )
    privacy: Literal["pass", "always", "off"] = key(
        "pass: callers are hidden who want it. always: all are. off: nobody is; the trunk must see to it.",
        "pass",
    )
    diversion: Literal["none", "diversion", "history-info", "both"] = key(
        "How the trunk is told who forwarded a call.", "none"
    )
    attestation: Literal["", "A", "B", "C"] = key(
        "What is attested (STIR) about callers that come from this trunk. Empty: nothing.", ""
    )
    sign: Flag = key(
        "Whether calls that go out are signed (STIR, RFC 8224) with the certificate of [stir].", False
    )
    pass_identity: Flag = key(
        "Whether calls that came in with a good signature keep it towards this trunk, with a statement of "
        "ours where they were diverted here (RFC 8946); the others are signed if sign says so.",
        False,
    )
    verify: Literal["off", "log", "require"] = key(
        "Whether signatures of calls that come in are checked. log: the verdict is kept and passed on. "
        "require: a call without a good one is refused.",
        "off",
    )
    codecs: list[Codec] = key(
        "The codecs that may be used with the trunk, the preferred one first; telephone-event stays. "
        "Empty: all.",
        list,
        max_length=32,
    )
    headers: list[HeaderRuleConfig] = key("Rules about headers.", list, max_length=64)
    options_interval: Number = key(
        "How often each address of the trunk is asked (OPTIONS) whether it is there. 0: never; then an "
        "address that failed is tried again after half a minute, later after one, two, four, five.",
        30.0,
        unit="s",
        ge=0,
        le=3600,
    )
    timeout: Number = key(
        "How long an address may say nothing at all to a call before the next is tried.",
        3.0,
        unit="s",
        ge=0.2,
        le=32,
    )
    early_media: Literal["pass", "none"] = key(
        "pass: what the trunk plays before the answer is heard. none: the caller's phone only rings.", "pass"
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
        "How the trunk packs what it calls G726-32 (and -16, -24, -40): as RFC 3551 has it, or as aal2, "
        "which many do all the same.",
        "rfc3551",
    )
    dtmf: Dtmf = key(
        "How keys come to the trunk: media, as telephone-event or in the sound; info, by SIP INFO "
        "(application/dtmf-relay), for what knows nothing else.",
        "media",
    )
    ring_back: Flag = key(
        "Whether the caller's phone is told to ring (180) as soon as the call goes out to the trunk.", False
    )
    nat: Flag = key("Whether the trunk is behind NAT, so that its media address is learnt.", False)
    refer: Literal["pass", "local"] = key(
        "pass: a transfer goes to the trunk as REFER. local: the switch does it, by re-INVITE.", "local"
    )
    session_timer: Literal["offer", "require", "off"] = key(
        "Session timers (RFC 4028) in calls with the trunk.", "offer"
    )

    @field_validator("address", "proxy", "sources", "allow", "block", "tls_names", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if isinstance(value, str):
            return [value] if value else []
        return value

    @field_validator("sources")
    @classmethod
    def _not_everybody(cls, sources: list[str]) -> list[str]:
        for source in sources:
            if ip_network(source).prefixlen == 0:
                raise ValueError(f"{source} would let the whole world call in without a password")
        return sources

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.username_in and not self.password_in.get_secret_value():
            raise ValueError("password_in: is missing, and username_in needs it")
        if self.username and not self.password.get_secret_value():
            raise ValueError("password: is missing, and username needs it")
        if not self.address and not self.proxy:
            for i, one in enumerate(self.registrations):
                if not one.registrar:
                    raise ValueError(f"registrations.{i}.registrar: is missing, and the trunk has no address")
        return self

    @property
    def targets(self) -> tuple[TrunkAddress, ...]:
        """Where calls go out, in order."""
        return tuple(split_trunk_address(text) for text in self.address)

    @property
    def target(self) -> tuple[str, int, str] | None:
        """Host, port and transport of the first of them."""
        found = next(iter(self.targets), None)
        return None if found is None else (found.host, found.port or 5060, found.transport or "UDP")

    @property
    def proxies(self) -> tuple[TrunkAddress, ...]:
        """Where requests go first."""
        return tuple(split_trunk_address(text) for text in self.proxy)

    @property
    def shown_domain(self) -> str:
        """The host in the addresses that we write for this trunk; empty when it has none of its own."""
        return self.domain or (self.targets[0].host if self.address else "")
