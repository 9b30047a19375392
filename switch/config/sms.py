"""[sms] and [[sms_routes]]: the message centre, and where messages go."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Strict, field_validator, model_validator

from .checks import Count, Dialled, Flag, Name, Number, Text
from .patterns import Patterns, Rewriting
from .schedule import DatesText, DayText, HoursText
from .sections import Section, key

_PLACE = re.compile(r"(?:account|trunk|modem|user|api):[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}|app|users")
_INLET = re.compile(r"(?:account|trunk|modem|user|sip|api):(?:[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}|\*)|app")


def _place(text: str) -> str:
    if not _PLACE.fullmatch(text):
        raise ValueError("must be account:NAME, trunk:NAME, modem:NAME, user:NAME, users or app")
    return text


def _inlet(text: str) -> str:
    if not _INLET.fullmatch(text):
        raise ValueError(
            "must be account:NAME, trunk:NAME, modem:NAME, user:NAME, sip:NAME, api:SID, KIND:* or app"
        )
    return text


Place = Annotated[str, Strict(), AfterValidator(_place)]
InletName = Annotated[str, Strict(), AfterValidator(_inlet)]


class SmsConfig(Section):
    """The message centre: how long messages are tried and kept."""

    enabled: Flag | None = key(
        "Whether there is a message centre. Not given: where something in the file needs one.",
        None,
        is_live=False,
    )
    validity: Count = key(
        "How long a message is tried whose sender does not say.", 172_800, unit="s", ge=60, le=31_536_000
    )
    max_validity: Count = key("A longer one is shortened to this.", 604_800, unit="s", ge=60, le=31_536_000)
    max_schedule: Count = key(
        "How far ahead a message may be scheduled.", 31_536_000, unit="s", ge=0, le=157_680_000
    )
    max_size: Count = key(
        "The largest text of one message; a larger one is refused.", 6000, unit="octets", ge=160, le=65_535
    )
    max_waiting: Count = key(
        "Messages that may wait; the next is refused: queue full.", 10_000_000, ge=1, le=1_000_000_000
    )
    max_unwritten: Count = key(
        "Messages that may wait for the disk; the next is refused: queue full.", 50_000, ge=100, le=1_000_000
    )
    retry_first: Number = key(
        "How long after a failure the next attempt is made; each further one waits twice as long.",
        30.0,
        unit="s",
        gt=0,
        le=86_400,
    )
    retry_longest: Number = key("The longest wait between attempts.", 3600.0, unit="s", gt=0, le=86_400)
    max_attempts: Count = key("After so many attempts a message is given up.", 15, ge=1, le=15)
    after_break: Literal["retry", "fail"] = key(
        "A message whose connection broke before the answer may have arrived: retry it, or give it up.",
        "retry",
    )
    receipt_timeout: Count = key(
        "How long a receipt is waited for after a message was sent; then its state is unknown.",
        259_200,
        unit="s",
        ge=60,
        le=31_536_000,
    )
    gather_timeout: Count = key(
        "How long the parts of a long message wait for their others, where it is to go whole; then it goes "
        "as it is.",
        600,
        unit="s",
        ge=1,
        le=604_800,
    )
    max_gathering: Count = key(
        "Long messages that may be incomplete at once; then the oldest goes as it is.",
        10_000,
        ge=1,
        le=1_000_000,
    )
    max_gathering_per_sender: Count = key("The same for one sender and receiver.", 32, ge=1, le=100_000)
    keep_receipts: Count = key(
        "How long receipts that matched nothing are kept, to be matched or looked at.",
        86_400,
        unit="s",
        ge=60,
        le=31_536_000,
    )
    keep_records: Count = key(
        "How long the record of a message is kept after it is done with. 0: for ever.",
        0,
        unit="s",
        ge=0,
        le=315_360_000,
    )
    record_lines: Flag = key(
        "Whether each message that is done with is also a line of JSON, without its text, in messages.jsonl "
        "of the state directory.",
        False,
    )
    keep_bodies: Count = key(
        "How long its text is kept; the record stays. 0: as long as the record.",
        0,
        unit="s",
        ge=0,
        le=315_360_000,
    )
    keep_keys: Count = key(
        "How long a client's own key of a message is remembered: the same key is the same message.",
        86_400,
        unit="s",
        ge=60,
        le=31_536_000,
    )
    reserve: Count = key(
        "Room on the disk that is kept for what must still be written when it is full.",
        64,
        unit="MiB",
        ge=0,
        le=65_536,
        is_live=False,
    )
    blocked_sources: Patterns | None = key("Senders whose messages nobody gets: patterns as in match.", None)
    blocked_destinations: Patterns | None = key("Receivers who get nothing: patterns as in match.", None)
    duplicate_window: Count = key(
        "A message with sender, receiver and text of one that came so shortly before is that one. 0: off.",
        0,
        unit="s",
        ge=0,
        le=86_400,
    )
    opt_out: Flag = key(
        "Whether receivers who answer STOP to a sender get no more of it until they answer START. Words from "
        "trunks, modems and SIP count.",
        False,
    )
    stop_words: list[Text] = key(
        "What says stop, in any case of letters, as the whole text.",
        lambda: ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"],
        max_length=100,
    )
    start_words: list[Text] = key(
        "What says start again.", lambda: ["START", "YES", "UNSTOP"], max_length=100
    )
    help_words: list[Text] = key("What asks for help.", lambda: ["HELP", "INFO"], max_length=100)
    stop_reply: Text = key(
        "What is answered to stop. Empty: nothing.",
        "You have been unsubscribed and will receive no more messages from this number. Reply START to "
        "receive them again.",
        max_length=480,
    )
    start_reply: Text = key(
        "What is answered to start. Empty: nothing.",
        "You will receive messages from this number again. Reply STOP to end them.",
        max_length=480,
    )
    help_reply: Text = key(
        "What is answered to a call for help. Empty: nothing.",
        "Reply STOP to end messages from this number.",
        max_length=480,
    )
    country: Text = key(
        "The country whose national numbers are normalised, as DE. Empty: numbers.country.",
        "",
        pattern=r"^(?:[A-Z]{2})?$",
    )

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        if self.validity > self.max_validity:
            raise ValueError(
                f"validity: {self.validity}: must not be more than max_validity, {self.max_validity}"
            )
        if self.retry_first > self.retry_longest:
            raise ValueError(
                f"retry_first: {self.retry_first:g}: must not be more than retry_longest, "
                f"{self.retry_longest:g}"
            )
        return self


class SmsRouteConfig(Section):
    """Where messages go, beside those for the numbers of users; the first route that matches is taken."""

    name: Name = key("What the route is called in records and explanations.")
    match: Patterns = key("The receiver's number: patterns as in [[routes]]; * takes all.", "*")
    sources: Patterns | None = key("Only from these numbers or names: patterns as in match.", None)
    inlets: list[InletName] = key(
        "Only from these: account:NAME, trunk:NAME, modem:NAME, user:NAME, sip:NAME (a SIP trunk), app, "
        "KIND:* for all of a kind. Empty: all.",
        list,
        max_length=1024,
    )
    kinds: list[Literal["text", "flash", "silent", "binary", "broadcast"]] = key(
        "Only messages of these kinds: text, flash (class 0), silent (type 0), binary (what is no text), "
        "broadcast (for everybody in an area). Empty: all but broadcasts.",
        list,
        max_length=5,
    )
    content: Text = key(
        "Only texts in which this regular expression is found, in any case of letters. Empty: all.",
        "",
        max_length=128,
    )
    days: list[DayText] = key("Only on these days: mon-fri, sat.", list, max_length=7)
    hours: list[HoursText] = key("Only at these times: 08:00-18:00, 22:00-06:00.", list, max_length=24)
    dates: list[DatesText] = key("Only on these dates, as in [[routes]].", list, max_length=400)
    except_dates: list[DatesText] = key("Not on these dates, as holidays.", list, max_length=400)
    to: list[Place] = key(
        "One way or several: trunk:NAME, modem:NAME, account:NAME, user:NAME, app (a Python handler), "
        "users (the user who has the number).",
        min_length=1,
        max_length=32,
    )
    order: Literal["sequential", "weight", "cost"] = key(
        "sequential: the first that is up; weight: the first by chance, the others after it; cost: the "
        "cheapest of the rate table first. After an error of one way the next is tried.",
        "sequential",
    )
    weights: list[Count] = key("For order = weight: how often each way comes first.", list, max_length=32)
    strip: Count = key("How many characters to take off the front of the receiver's number.", 0, ge=0, le=32)
    prefix: Dialled = key("What to put before it then.", "")
    replace: Rewriting = key(
        "How to write it then: a pattern and a text with \\1 for what its * or group found.", tuple
    )
    source: Text = key(
        "The sender that is shown instead of the message's own. Empty: its own.", "", max_length=20
    )
    source_replace: Rewriting = key("How to write the sender: as replace.", tuple)
    ordered: Flag = key(
        "Whether messages for one receiver go one after the other: the next waits until the way has taken "
        "the one before.",
        False,
    )
    receipts: Literal["asked", "always", "never"] = key(
        "Whether the next hop is asked for a receipt: as the sender asks, always, or never.", "asked"
    )
    max_attempts: Count | None = key("Not given: sms.max_attempts.", None, ge=1, le=15)
    retry_first: Number | None = key("Not given: sms.retry_first.", None, unit="s", gt=0, le=86_400)
    retry_longest: Number | None = key("Not given: sms.retry_longest.", None, unit="s", gt=0, le=86_400)
    throttled_pause: Number = key(
        "How long a message waits that a next hop was too busy for; it is no attempt.",
        1.0,
        unit="s",
        gt=0,
        le=3600,
    )
    after_permanent: Literal["fail", "next"] = key(
        "What an error means that says that nobody will ever take the message: fail: the end; next: another "
        "way of the route may think otherwise.",
        "fail",
    )
    max_age: Count | None = key(
        "A message older than this is given up. Not given: when its validity ends.",
        None,
        unit="s",
        ge=1,
        le=31_536_000,
    )

    @field_validator("to", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("content")
    @classmethod
    def _expression(cls, text: str) -> str:
        if text:
            try:
                re.compile(text)
            except re.error as error:
                raise ValueError(f"is no regular expression: {error}") from None
        return text

    @model_validator(mode="after")
    def _lists_fit(self) -> Self:
        if self.order == "weight" and (len(self.weights) != len(self.to) or sum(self.weights) < 1):
            raise ValueError(
                f"weights: {self.weights}: must be one for each of {len(self.to)} ways, not all 0"
            )
        if self.order != "weight" and self.weights:
            raise ValueError(f"weights: {self.weights}: only with order = weight")
        if any(weight < 0 for weight in self.weights):
            raise ValueError(f"weights: {self.weights}: must not be less than 0")
        if len(set(self.to)) < len(self.to):
            raise ValueError(f"to: {self.to}: must not name one way twice")
        return self


class SmsRuleConfig(Section):
    """What those who hand over messages may do; the first rule that fits a message holds for it."""

    inlets: list[InletName] = key(
        "For messages from these, as in [[sms_routes]]. Empty: all.", list, max_length=1024
    )
    match: Patterns = key("For these receivers, as +44* for a country.", "*")
    refuse: Text = key("Why they are refused. Empty: they are not.", "", max_length=160)
    sources: Patterns | None = key(
        "The senders that may be shown, numbers and names: patterns as in match. Not given: all.", None
    )
    replacement: Text = key(
        "The sender that takes the place of one that may not be shown. Empty: the message is refused.",
        "",
        max_length=20,
    )
    rate: Number = key(
        "Messages a second from one inlet. 0: any number.", 0.0, unit="1/s", ge=0, le=1_000_000
    )
    burst: Count = key(
        "Messages that may come at once beyond that. 0: those of a second.", 0, ge=0, le=10_000_000
    )
    per_day: Count = key(
        "Messages a day (UTC) from one inlet; the next is refused: throttled. 0: any number.",
        0,
        ge=0,
        le=1_000_000_000,
    )
    credit: Number | None = key(
        "What one inlet may spend by the rate table, and what `switchroom sms credit` adds to it. Not given: "
        "any amount.",
        None,
        ge=0,
        le=1_000_000_000,
    )


def check_routes(
    routes: Sequence[SmsRouteConfig],
    ways: Collection[str],
    *,
    kinds: Collection[str],
    broadcasters: Collection[str],
    has_rates: bool,
) -> None:
    """ValueError: a route names a way that is not there; of ``kinds`` all that there are is in ``ways``."""
    names: set[str] = set()
    for i, route in enumerate(routes):
        if route.name in names:
            raise ValueError(f"sms_routes.{i}.name: {route.name}: another route has it already")
        names.add(route.name)
        if route.order == "cost" and not has_rates:
            raise ValueError(f"sms_routes.{i}.order: cost: needs routing.rates")
        for way in route.to:
            kind, colon, _ = way.partition(":")
            if colon and kind in kinds and way not in ways:
                raise ValueError(f"sms_routes.{i}.to: {way}: there is no such {kind}")
            if "broadcast" in route.kinds and way not in broadcasters:
                raise ValueError(
                    f"sms_routes.{i}.to: {way}: is no trunk with broadcasts, a kind of this route"
                )
