"""SMPP in the file: listeners, the accounts of customers that bind to us, and carriers that we bind to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, SecretStr, Strict, field_validator, model_validator

from .checks import Count, Flag, Name, Network, Number, Text, is_host_name, join_address, split_address
from .sections import Section, key

_ADDRESS = re.compile(r"(smpps?):(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]@<>?/]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_STATUS = re.compile(r"0[xX][0-9A-Fa-f]{1,8}")
_PORTS = {"smpp": 2775, "smpps": 3550}


class SmppAddress(NamedTuple):
    """Where a message centre is."""

    host: str
    port: int
    is_secure: bool

    def __str__(self) -> str:
        return f"{'smpps' if self.is_secure else 'smpp'}:{join_address(self.host, self.port)}"


def split_smpp_listen(text: str) -> tuple[str, str, int]:
    """Read ``smpp:0.0.0.0:2775`` or ``smpps:[::]:3550``."""
    scheme, _, address = text.partition(":")
    if scheme.lower() not in _PORTS:
        raise ValueError("must be smpp:ADDRESS:PORT or smpps:ADDRESS:PORT, such as smpp:0.0.0.0:2775")
    return scheme.lower(), *split_address(address)


def split_smpp_address(text: str) -> SmppAddress:
    """Read ``smpp:smsc.example:2775``."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError("must be smpp:HOST[:PORT] or smpps:HOST[:PORT]")
    scheme, host, port = match[1].lower(), match[2], int(match[3] or _PORTS[match[1].lower()])
    if host.startswith("["):
        host, _ = split_address(f"{host}:0")
    elif not is_host_name(host):
        raise ValueError("must name a host: an IP address or a domain name")
    if not 0 < port < 65536:
        raise ValueError("must have a port from 1 to 65535")
    return SmppAddress(host, port, scheme == "smpps")


def _listen(text: str) -> str:
    scheme, host, port = split_smpp_listen(text)
    return f"{scheme}:{join_address(host, port)}"


def _address(text: str) -> str:
    return str(split_smpp_address(text))


def _status(text: str) -> str:
    if not _STATUS.fullmatch(text):
        raise ValueError("must be a command_status such as 0x58")
    return f"0x{int(text, 16):08X}"


Listen = Annotated[str, Strict(), AfterValidator(_listen)]
Address = Annotated[str, Strict(), AfterValidator(_address)]
Status = Annotated[str, Strict(), AfterValidator(_status)]
Octet = Annotated[int, Strict()]
Alphabet = Literal["gsm", "latin-1"]
LongMessages = Literal["udh", "sar", "payload"]

_ALPHABET = "What data_coding 0 means to the other end: the GSM alphabet (one septet an octet), or Latin-1."
_LONG = (
    "How the parts of a long message are marked: a user data header, the SAR parameters, or not at all: "
    "the whole in message_payload."
)
_WINDOW = "Messages sent over one bind that wait for their answers."


class SmppConfig(Section):
    """SMPP: what is listened on, and the times and limits of all binds."""

    listen: list[Listen] = key(
        "Where customers bind: smpp:ADDRESS:PORT, or smpps: for TLS. Empty: nowhere.",
        list,
        is_live=False,
        max_length=64,
    )
    outbind_listen: list[Listen] = key(
        "Where carriers connect that ask for our bind (outbind). Empty: nowhere.",
        list,
        is_live=False,
        max_length=16,
    )
    system_id: Text = key(
        "How the switch names itself when somebody binds.",
        "Switchroom",
        min_length=1,
        max_length=15,
        pattern=r"^[ -~]*$",
    )
    max_connections: Count = key("Connections of customers at once.", 2000, ge=1, le=100_000)
    max_connections_per_source: Count = key(
        "Such connections at once from one source address.", 100, ge=1, le=100_000
    )
    max_unbound: Count = key("Such connections at once that have not bound yet.", 200, ge=1, le=100_000)
    bind_timeout: Number = key(
        "Who has connected must bind within this; our binds are answered within it.",
        10.0,
        unit="s",
        gt=0,
        le=600,
    )
    bind_delay: Number = key("A bind that fails is answered after this.", 1.0, unit="s", ge=0, le=60)
    pdu_timeout: Number = key(
        "A PDU must be whole this long after its first octet, or the connection is closed.",
        10.0,
        unit="s",
        gt=0,
        le=600,
    )
    response_timeout: Number = key(
        "A request that is not answered within this has failed.", 30.0, unit="s", gt=0, le=600
    )
    enquire_interval: Number = key(
        "After so long a silence the other end is asked (enquire_link) whether it is there. 0: never.",
        30.0,
        unit="s",
        ge=0,
        le=86_400,
    )
    inactivity_timeout: Number = key(
        "A bind of a customer without messages is ended after this. 0: never.", 0.0, unit="s", ge=0, le=86_400
    )
    drain_timeout: Number = key(
        "At the end of the switch, what was sent may be answered for so long before the binds are ended.",
        5.0,
        unit="s",
        ge=0,
        le=600,
    )
    max_pdu_size: Count = key(
        "The largest PDU that is read; a longer command_length ends the connection.",
        70_000,
        unit="octets",
        ge=512,
        le=1_000_000,
    )
    max_errors: Count = key(
        "PDUs of one bind that cannot be read or come in the wrong state, before it is ended.",
        100,
        ge=1,
        le=1_000_000,
    )
    max_unanswered: Count = key(
        "While so many requests of one bind are not answered, no more of it is read.",
        1000,
        ge=1,
        le=100_000,
    )
    max_alerts: Count = key(
        "Numbers a customer may wait for with set_dpf; a further one takes the place of the oldest. 0: none.",
        1000,
        le=100_000,
    )
    keep_alerts: Number = key(
        "How long after the message alert_notification is sent.", 604_800.0, unit="s", ge=1, le=31_536_000
    )
    write_buffer_size: Count = key(
        "While so much waits to be written to one bind, nothing of it is read. Ten times that ends it.",
        262_144,
        unit="octets",
        ge=4096,
        le=67_108_864,
    )

    @field_validator("listen", "outbind_listen")
    @classmethod
    def _listen_once(cls, listen: list[str]) -> list[str]:
        for entry in listen:
            if listen.count(entry) > 1 and split_smpp_listen(entry)[2]:
                raise ValueError(f"{entry} is there twice")
        return listen


class SmppAccountConfig(Section):
    """A customer that binds to us over SMPP; account:NAME in routes."""

    name: Name = key("The name of the account in routes, records and metrics.")
    system_id: Text = key(
        "What the customer binds with. Empty: the name.", "", max_length=15, pattern=r"^[ -~]*$"
    )
    password: SecretStr = key("The password. It is never shown or logged.", min_length=1, max_length=64)
    sources: list[Network] = key(
        "Addresses and networks that may bind with it. Empty: any.", list, max_length=256
    )
    tls_only: Flag = key("Whether binds over plain TCP are refused.", False)
    binds: list[Literal["transmitter", "receiver", "transceiver"]] = key(
        "The kinds of binds that are let in.",
        lambda: ["transmitter", "receiver", "transceiver"],
        min_length=1,
        max_length=3,
    )
    max_binds: Count = key("Binds at once.", 10, ge=1, le=10_000)
    rate: Number = key(
        "Messages a second, over all binds; what is beyond gets ESME_RTHROTTLED. 0: no limit.",
        0.0,
        unit="1/s",
        ge=0,
        le=1_000_000,
    )
    burst: Count = key(
        "Messages that may come at once beyond that. 0: one second's worth.", 0, ge=0, le=1_000_000
    )
    window: Count = key(_WINDOW, 50, ge=1, le=10_000)
    default_alphabet: Alphabet = key(_ALPHABET, "gsm")
    long_messages: LongMessages = key(_LONG, "udh")
    receipts: Literal["both", "text", "parameters"] = key(
        "How receipts are written: as text, as optional parameters, or both.", "both"
    )
    max_version: Literal["3.3", "3.4", "5.0"] = key("The newest SMPP that is spoken with it.", "5.0")


class SmppTrunkConfig(Section):
    """A carrier's message centre that we bind to; trunk:NAME in routes of messages."""

    name: Name = key("The name of the trunk in routes, records and metrics.")
    address: list[Address] = key(
        "Where it is: smpp:HOST[:PORT], or smpps: for TLS, or several in the order of preference. Empty: it "
        "connects to smpp.outbind_listen.",
        list,
        max_length=16,
    )
    system_id: Text = key("What we bind with.", max_length=15, pattern=r"^[ -~]+$")
    password: SecretStr = key("The password.", SecretStr(""), max_length=64)
    system_type: Text = key("The system_type of our binds.", "", max_length=12, pattern=r"^[ -~]*$")
    tls_name: Text = key(
        "The name that its certificate has to prove. Empty: the host of the address.", "", max_length=253
    )
    bind: Literal["transceiver", "transmitter", "receiver", "pair"] = key(
        "How we bind. pair: a transmitter and a receiver, for those that know no transceiver.", "transceiver"
    )
    binds: Count = key("Binds at once, of each kind.", 1, ge=1, le=100)
    version: Literal["3.3", "3.4", "5.0"] = key("The interface_version of our binds.", "3.4")
    addr_ton: Octet = key("The addr_ton of our binds.", 0, ge=0, le=255)
    addr_npi: Octet = key("The addr_npi of our binds.", 0, ge=0, le=255)
    address_range: Text = key("The address_range of our binds.", "", max_length=40, pattern=r"^[ -~]*$")
    outbind_password: SecretStr = key(
        "The password that its outbind has to have. Empty: outbind is not accepted.",
        SecretStr(""),
        max_length=64,
    )
    window: Count = key(_WINDOW, 10, ge=1, le=10_000)
    rate: Number = key(
        "Messages a second, over all binds: the others wait. 0: no limit.",
        0.0,
        unit="1/s",
        ge=0,
        le=1_000_000,
    )
    throttle_pause: Number = key(
        "After ESME_RTHROTTLED or ESME_RMSGQFUL nothing is sent for so long.", 1.0, unit="s", ge=0, le=600
    )
    response_timeout: Number | None = key(
        "As smpp.response_timeout, for this trunk.", None, unit="s", gt=0, le=600
    )
    enquire_interval: Number | None = key(
        "As smpp.enquire_interval, for this trunk.", None, unit="s", ge=0, le=86_400
    )
    reconnect_min: Number = key(
        "A bind that was lost is tried again after about this; each time after about twice as long.",
        1.0,
        unit="s",
        gt=0,
        le=3600,
    )
    reconnect_max: Number = key("But not after more than this.", 60.0, unit="s", gt=0, le=3600)
    service_type: Text = key(
        "The service_type of messages that have none.", "", max_length=5, pattern=r"^[ -~]*$"
    )
    number_ton: Octet = key("The type of number of those that begin with no +.", 0, ge=0, le=6)
    number_npi: Octet = key("The numbering plan of all numbers.", 1, ge=0, le=18)
    plus: Flag = key("Whether the + of an international number is written.", False)
    default_alphabet: Alphabet = key(_ALPHABET, "gsm")
    long_messages: LongMessages = key(_LONG, "udh")
    long_reference: Literal[8, 16] = key("Bits of the reference in a user data header.", 8)
    max_parts: Count = key("Parts that a message may have; longer ones are refused.", 10, ge=1, le=255)
    transliterate: Flag = key(
        "Whether letters that the GSM alphabet lacks become its nearest, so that a text needs no UCS-2.",
        False,
    )
    operation: Literal["submit_sm", "data_sm"] = key("The PDU that messages are sent with.", "submit_sm")
    validity: Literal["relative", "absolute", "none"] = key(
        "How validity_period is written; none: the carrier's own holds.", "relative"
    )
    broadcasts: Flag = key(
        "Whether it takes broadcast_sm, for routes with the kind broadcast; needs version 5.0.", False
    )
    receipts: Flag = key("Whether receipts are asked for, where sender and route want them.", True)
    receipt_ids: Literal["auto", "same", "hex-decimal", "decimal-hex"] = key(
        "How message ids are written in answers and in receipts. auto: found out.", "auto"
    )
    temporary_errors: list[Status] = key(
        "command_status values, such as 0x45, after which a message is tried again.", list, max_length=256
    )
    permanent_errors: list[Status] = key(
        "Those after which a message has failed for good.", list, max_length=256
    )

    @field_validator("address", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if isinstance(value, str):
            return [value] if value else []
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.address and not self.outbind_password.get_secret_value():
            raise ValueError("address: is missing, and there is no outbind_password either")
        if self.broadcasts and self.version != "5.0":
            raise ValueError(f"broadcasts: true: needs version 5.0, not {self.version}")
        if self.reconnect_max < self.reconnect_min:
            raise ValueError(f"reconnect_max: {self.reconnect_max:g}: must not be less than reconnect_min")
        return self

    @property
    def addresses(self) -> tuple[SmppAddress, ...]:
        """Where it is."""
        return tuple(split_smpp_address(text) for text in self.address)


def check_smpp(
    smpp: SmppConfig,
    accounts: list[SmppAccountConfig],
    trunks: list[SmppTrunkConfig],
    *,
    has_tls: bool,
) -> None:
    """Names that stand for one thing only, and TLS only with a certificate; ValueError says what is wrong."""
    for name in ("listen", "outbind_listen"):
        for i, entry in enumerate(getattr(smpp, name)):
            if entry.startswith("smpps:") and not has_tls:
                raise ValueError(f"smpp.{name}.{i}: {entry}: needs tls.certificate")
    named: list[tuple[str, Sequence[SmppAccountConfig | SmppTrunkConfig]]]
    named = [("smpp_accounts", accounts), ("smpp_trunks", trunks)]
    for kind, entries in named:
        names: dict[str, int] = {}
        for i, entry in enumerate(entries):
            if names.setdefault(entry.name, i) != i:
                raise ValueError(f"{kind}.{i}.name: {entry.name}: {kind}.{names[entry.name]} has it already")
    ids: dict[str, int] = {}
    for i, account in enumerate(accounts):
        system_id = account.system_id or account.name
        if len(system_id) > 15:
            raise ValueError(f"smpp_accounts.{i}.system_id: {system_id}: must not have more than 15 octets")
        if ids.setdefault(system_id, i) != i:
            raise ValueError(
                f"smpp_accounts.{i}.system_id: {system_id}: smpp_accounts.{ids[system_id]} has it already"
            )
