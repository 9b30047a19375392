"""HTTP for operators and programs: metrics, REST, webhooks."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Strict, model_validator

from .checks import ApiListen, Count, Domain, Flag, Network, Number, Text, join_address, split_address
from .sections import Section, key

_NUMBERS = re.compile(r"\+[1-9][0-9]{2,14}(-\+[1-9][0-9]{2,14})?|[0-9]{3,8}")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")
_SID = re.compile(r"AC[0-9a-f]{32}")
_MAX_RANGE = 1_000_000
VERIFY_RULE = re.compile(
    r"([a-z][a-z0-9 -]{0,30}): ([0-9]{1,4}) codes an hour to numbers alike in ([0-9]{1,2}) signs, "
    r"fewer than ([0-9]{1,3})% used"
)
VERIFY_RULES = (
    "pumping: 20 codes an hour to numbers alike in 8 signs, fewer than 10% used",
    "country: 200 codes an hour to numbers alike in 4 signs, fewer than 10% used",
)


def _rest_listen(text: str) -> str:
    scheme, _, address = text.partition(":")
    if scheme not in ("http", "https", "proxy"):
        raise ValueError("must be http:, https: or proxy:ADDRESS:PORT")
    host, port = split_address(address)
    if scheme == "proxy" and not ip_address(host).is_loopback:
        raise ValueError("proxy: is for programs of this machine: it must be 127.0.0.1 or [::1]")
    return f"{scheme}:{join_address(host, port)}"


def _numbers(text: str) -> str:
    if not _NUMBERS.fullmatch(text):
        raise ValueError("must be a number such as +15551230000, a short code, or FIRST-LAST")
    first, _, last = text.partition("-")
    if last and (len(first) != len(last) or not 0 <= int(last) - int(first) < _MAX_RANGE):
        raise ValueError(f"must be two numbers of one length in order, at most {_MAX_RANGE} of them")
    return text


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError("must begin with + and a country's code")
    return text


def _account(text: str) -> str:
    if text and not _SID.fullmatch(text):
        raise ValueError("must be AC and 32 hexadecimal digits in small letters")
    return text


def _verify_rule(text: str) -> str:
    found = VERIFY_RULE.fullmatch(text)
    if (
        found is None
        or not 1 <= int(found[2]) <= 2000
        or not 1 <= int(found[3]) <= 16
        or not 1 <= int(found[4]) <= 100
    ):
        raise ValueError(f"must be written as {VERIFY_RULES[0]!r}; 1 to 2000 codes, 1 to 16 signs")
    return text


VerifyRule = Annotated[str, Strict(), AfterValidator(_verify_rule)]
RestListen = Annotated[str, Strict(), AfterValidator(_rest_listen)]
Numbers = Annotated[str, Strict(), AfterValidator(_numbers)]
Prefix = Annotated[str, Strict(), AfterValidator(_prefix)]
AccountSid = Annotated[str, Strict(), AfterValidator(_account)]


class ApiConfig(Section):
    """HTTP for operators and programs: metrics and health; REST and webhooks, see api.md."""

    listen: ApiListen = key(
        "Where /metrics and /healthz are served. Empty: nowhere. It asks no password: keep it local.",
        "127.0.0.1:8080",
        is_live=False,
    )
    rest: list[RestListen] = key(
        "Where REST is served: http: or https:ADDRESS:PORT; proxy: for clients that cannot be changed.",
        list,
        is_live=False,
        max_length=16,
    )
    docs: Flag = key("Whether /docs shows REST to browsers, with a form for each operation.", False)
    public_url: Text = key(
        "How customers reach REST, such as https://api.example.com: in addresses that webhooks are told.",
        "",
        max_length=1024,
        pattern=r"^(https?://[^\s/]+)?$",
    )
    account_sid: AccountSid = key(
        "The main account. Empty: made at the first start; `switchroom api account` shows it.",
        "",
        is_live=False,
    )
    auth_token: Text = key("Its token. Empty: made at the first start.", "", is_live=False, max_length=128)
    numbers: list[Numbers] = key(
        "Numbers that accounts can have: +15551230000, a short code, or +15551230000-+15551239999.",
        list,
        max_length=1000,
    )
    max_body: Count = key(
        "The largest body of a request; a larger one gets 413.",
        262_144,
        unit="octets",
        ge=4096,
        le=16_777_216,
    )
    body_timeout: Number = key("How long a body may take to come.", 10.0, unit="s", gt=0, le=600)
    head_timeout: Number = key(
        "How long the head of a request may take to come.", 10.0, unit="s", gt=0, le=600, is_live=False
    )
    max_connections: Count = key(
        "Connections at once, half of them from one address.", 1000, ge=1, le=100_000, is_live=False
    )
    rate: Number = key(
        "Requests a second of one account; the next gets 429.",
        100.0,
        unit="1/s",
        gt=0,
        le=1_000_000,
    )
    burst: Count = key("Requests of one account that may come at once.", 500, ge=1, le=1_000_000)
    max_daily_messages: Count = key(
        "Messages a day that one account may send; beyond that there is an alert. 0: any.", 0, ge=0
    )
    max_daily_calls: Count = key(
        "Calls a day that one account may make; beyond that there is an alert. 0: any.", 0, ge=0
    )
    premium: list[Prefix] = key(
        "Numbers that nobody may call or text: satellites, premium rates, whatever is abused.",
        lambda: ["+870", "+878", "+879", "+881", "+882", "+883", "+888", "+979", "+1900", "+1976"],
        max_length=1000,
    )
    countries: list[Prefix] = key(
        "The beginnings of the only numbers that may be called or texted. Empty: all but premium.",
        list,
        max_length=1000,
    )
    sip_domains: list[Domain] = key(
        "Where domains made over REST may lie: sip.example allows acme.sip.example. Empty: the main account "
        "may have any, its subaccounts none.",
        list,
        max_length=64,
    )
    max_credentials: Count = key(
        "Names and passwords of phones and trunks that REST may make.", 10_000, ge=0, le=1_000_000
    )
    foreign_senders: Flag = key(
        "Whether messages may come from numbers that the account does not have.", False
    )
    verify_fraud_guard: Flag = key("Whether codes are held back that nobody may want: see api.md.", True)
    verify_rules: list[VerifyRule] = key(
        "When: a code to such a number is held back, and whoever asked for it is told the rule.",
        lambda: list(VERIFY_RULES),
        max_length=16,
    )
    webhook_private: list[Network] = key(
        "Private networks that webhooks may reach, such as 127.0.0.0/8. Empty: public addresses only.",
        list,
        max_length=64,
    )
    webhook_timeout: Number = key("How long a webhook may take altogether.", 10.0, unit="s", gt=0, le=120)
    webhook_connect_timeout: Number = key(
        "How long a webhook's connection may take.", 5.0, unit="s", gt=0, le=60
    )
    webhook_attempts: Count = key(
        "How often a status callback is tried before it is a dead letter.", 8, ge=1, le=50
    )
    webhook_pause: Number = key(
        "How long after a failed attempt the next one comes; twice that after each.",
        2.0,
        unit="s",
        gt=0,
        le=3600,
    )
    max_webhooks: Count = key("Webhooks at once; half of them of one account.", 64, ge=1, le=4096)
    held_webhooks: Count = key(
        "Webhooks that wait in memory; the others wait on the disk.", 50_000, ge=100, le=10_000_000
    )
    say_command: Text = key(
        "What speaks <Say>: it reads the text, writes WAV into {file}, and is given {voice} as espeak-ng has "
        "it, {language} and {name} as <Say> has them. Empty: nothing.",
        "espeak-ng -v {voice} -w {file} --stdin",
        max_length=1024,
    )
    transcribe_command: Text = key(
        "What understands speech: it is given {file} (WAV), {language} and {hints}, and writes text, or JSON "
        "with text and confidence. Empty: nothing.",
        "",
        max_length=1024,
    )
    keep_calls: Count = key("How long calls of the API are shown.", 400, unit="d", ge=1, le=36500)
    keep_messages: Count = key("How long messages of the API are shown.", 400, unit="d", ge=40, le=36500)
    keep_texts: Count = key(
        "How long their texts are kept, here and in webhooks that were delivered. 0: until they are over.",
        400,
        unit="d",
        ge=0,
        le=36500,
    )
    keep_webhooks: Count = key(
        "How long webhooks are shown and can be sent again.", 7, unit="d", ge=1, le=3650
    )
    keep_events: Count = key("How long the stream of events goes back.", 7, unit="d", ge=1, le=3650)
    max_events: Count = key(
        "How many events it goes back at most: about 300 octets each.", 5_000_000, ge=1000, le=1_000_000_000
    )
    events: list[Literal["calls", "messages", "registrations"]] = key(
        "What of the switch itself is in the stream of the main account, besides what programs do.",
        lambda: ["calls", "messages", "registrations"],
        max_length=3,
    )
    keep_audit: Count = key("How long the audit log goes back.", 400, unit="d", ge=1, le=36500)

    @property
    def rest_listeners(self) -> list[tuple[str, str, int]]:
        """Scheme, address and port of each."""
        found = []
        for entry in self.rest:
            scheme, _, address = entry.partition(":")
            found.append((scheme, *split_address(address)))
        return found

    @model_validator(mode="after")
    def _credentials_together(self) -> Self:
        if self.auth_token and not self.account_sid:
            raise ValueError("auth_token: needs account_sid")
        return self
