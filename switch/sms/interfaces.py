"""What the parts of the message room hand to each other: values and protocols, no policy.

An *inlet* is where messages come from and where receipts about them go; an *outlet* is where messages go and
where receipts come from. One name may be both: ``account:NAME`` (a customer bound over SMPP), ``trunk:NAME``
(a carrier that we bind to), ``modem:NAME``, ``user:NAME`` (a SIP phone), ``sip:NAME`` (a SIP trunk),
``api:SID``, ``app`` (a Python handler). An outlet may serve a whole kind: its name is ``user`` then.
The *centre* stands between them and owns whatever must last.

Everything goes in batches, and nothing here needs a task, a future or a closure per message. ``now`` is
monotonic; a time that is stored (``*_at`` of values) is in seconds since 1970, for it outlives the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

TEXT = -1  # Submission.coding: the body is UTF-8, and how it is encoded is decided on the way out
Tlvs = tuple[tuple[int, bytes], ...]  # optional parameters of SMPP: tag and value, as they came


class Address(NamedTuple):
    """A number, short code or name, as routes see it: an international number begins with ``+``.

    ``ton`` and ``npi`` are those of SMPP 3.4 §5.2.5 (5: alphanumeric); whoever writes to a wire decides by
    its own rules what becomes of the plus.
    """

    number: str
    ton: int = 0
    npi: int = 0


BROADCAST = Address("broadcast")  # everybody in the areas that optional parameters name (SMPP 5.0 §4.4)


class Concat(NamedTuple):
    """Which part of a long message this is, whatever said so on the wire (UDH 8 or 16 bit, SAR TLVs)."""

    reference: int = 0
    total: int = 0  # 0: it is no part of anything
    number: int = 0  # from 1


NO_CONCAT = Concat()


class Wish(IntEnum):
    """Bits of what the sender asks for: registered_delivery (SMPP 3.4 §5.2.17), and one of our own."""

    NONE = 0
    FINAL = 1  # delivered or failed
    FAILURE = 2  # failed only
    SUCCESS = 3  # delivered only (SMPP 5.0)
    SME_DELIVERY = 0x04  # acknowledgements by the receiver's device are passed on as wishes
    SME_USER = 0x08
    INTERMEDIATE = 0x10  # and while it is on its way
    EACH_STATE = 0x100  # every state that it enters: what callbacks over HTTP tell


class Submission(NamedTuple):
    """A message as an inlet hands it over. Its octets stay what they are as long as its ways allow."""

    inlet: str  # who hears receipts, and whose rules and limits apply
    source: Address
    destination: Address
    body: bytes  # without any user data header; of any length: what is too long for a way is split there
    coding: int = TEXT  # or data_coding: 0 is the GSM alphabet, one septet an octet, never packed
    udh: bytes = b""  # information elements but for the concatenation's, without the length octet
    concat: Concat = NO_CONCAT
    message_class: int = -1  # for TEXT: 0 flash … 3; with octets data_coding says it
    protocol_id: int = 0  # 0x40: silent (type 0)
    esm_class: int = 0  # mode, type and reply path; without the UDHI bit
    service_type: str = ""
    priority: int = 0  # 0 … 3, 3 goes first
    wish: int = 0
    schedule_at: float = 0.0  # not before this; 0: at once
    expires_at: float = 0.0  # not after this; 0: as the configuration says
    is_replacing: bool = False  # replace_if_present: what waits of the same source, destination, service
    tlvs: Tlvs = ()  # what is passed on unread; not message_payload, sar_*, nor what the fields above say
    key: str = ""  # the client's own: a second submission of this inlet with the same key is the first one
    context: Any = None  # the inlet's own, never stored: it comes back with the answer


class Refusal(NamedTuple):
    """Why something is not done, in the words of each wire."""

    word: str  # "no-route": metrics and records
    smpp: int  # command_status
    sip: int
    http: int
    text: str = ""  # for people: the field and its value

    def saying(self, text: str) -> Refusal:
        """The same with what there is to say about this one."""
        return self._replace(text=text)


NO_ROUTE = Refusal("no-route", 0x00B, 404, 422)  # RINVDSTADR
BAD_SOURCE = Refusal("bad-source", 0x00A, 403, 422)  # RINVSRCADR: not one that this inlet may use
BAD_DESTINATION = Refusal("bad-destination", 0x00B, 404, 422)
BAD_BODY = Refusal("bad-body", 0x001, 400, 422)  # RINVMSGLEN
BAD_SCHEDULE = Refusal("bad-schedule", 0x061, 400, 422)  # RINVSCHED
BAD_EXPIRY = Refusal("bad-expiry", 0x062, 400, 422)  # RINVEXPIRY
BLOCKED = Refusal("blocked", 0x045, 403, 422)  # RSUBMITFAIL: a block list
OPTED_OUT = Refusal("opted-out", 0x045, 403, 422)  # the receiver said STOP
NO_CREDIT = Refusal("no-credit", 0x045, 403, 402)
THROTTLED = Refusal("throttled", 0x058, 503, 429)  # RTHROTTLED: this inlet is too fast
QUEUE_FULL = Refusal("queue-full", 0x014, 503, 503)  # RMSGQFUL: try later; also while the disk is full
NO_SUCH_MESSAGE = Refusal("no-such-message", 0x00C, 404, 404)  # RINVMSGID
TOO_LATE = Refusal("too-late", 0x011, 409, 409)  # RCANCELFAIL: it is gone or done with
NOT_REPLACEABLE = Refusal("not-replaceable", 0x013, 409, 409)  # RREPLACEFAIL
INTERCEPTED = Refusal("intercepted", 0x045, 403, 422)  # a hook said no
BROKEN = Refusal("broken", 0x008, 500, 500)  # RSYSERR: our fault


class State(IntEnum):
    """Where a message is; ``smpp`` is its message_state (SMPP 5.0 §4.7.15), ``is_final``: it stays so."""

    smpp: int
    is_final: bool

    def __new__(cls, value: int, smpp: int = 1, is_final: bool = False) -> State:
        # Attributes, not properties: they are asked for several times a message
        state = int.__new__(cls, value)
        state._value_, state.smpp, state.is_final = value, smpp, is_final
        return state

    QUEUED = 1  # durable, waits for a way with room
    SENDING = 2  # handed to an outlet, or about to be: after a crash it may arrive twice
    SENT = 3  # the next hop has it, and a receipt may come
    DELIVERED = 4, 2, True
    EXPIRED = 5, 3, True
    DELETED = 6, 4, True  # cancelled
    UNDELIVERABLE = 7, 5, True
    REJECTED = 8, 8, True
    UNKNOWN = 9, 7, True  # the next hop will say no more
    SCHEDULED = 10, 0  # waits for its time
    DEFERRED = 11  # failed for now, waits for another attempt
    GATHERING = 12  # a part that waits for its others
    SKIPPED = 13, 9, True  # the next hop left it out on purpose (SMPP 5.0)


STATES = (State.UNKNOWN, *State)  # by value


# -- the way out


class Form(NamedTuple):
    """How an outlet wants its messages; the centre joins or splits them accordingly."""

    is_whole: bool = False  # joined, of any length: message_payload, a phone, a handler
    is_text: bool = False  # as TEXT, whatever they were; those that are no text are refused
    is_16_bit: bool = False  # room for the longer concatenation header (3GPP TS 23.040 §9.2.3.24.8)
    is_transliterated: bool = False  # GSM's nearest letters rather than UCS-2
    max_parts: int = 10  # longer ones are refused
    is_gsm: bool = False  # only the alphabets of GSM: of others a text is made
    languages: tuple[int, ...] = ()  # national tables that receivers have (3GPP TS 23.038 §6.2.1.2.4)


class Message(Protocol):
    """A stored message as outlets see it: after the rules, numbers as this way writes them."""

    @property
    def id(self) -> int: ...
    @property
    def submission(self) -> Submission: ...
    @property
    def source(self) -> Address: ...
    @property
    def destination(self) -> Address: ...
    @property
    def accepted_at(self) -> float: ...
    @property
    def expires_at(self) -> float: ...
    @property
    def attempts(self) -> int: ...
    @property
    def wish(self) -> int:
        """Which receipts the next hop is asked for, by the sender and the route."""


class Part(NamedTuple):
    """What an outlet sends: a message, or one part of it; give it back with the outcome."""

    message: Message
    body: bytes
    coding: int
    udh: bytes = b""  # as in Submission
    concat: Concat = NO_CONCAT
    ordinal: int = 0  # which of the parts that the centre made, from 0
    context: Any = None  # the centre's own


class Fault(IntEnum):
    """What an error means for the next attempt."""

    TEMPORARY = 1  # later, or by another way
    THROTTLED = 2  # the same way, a little later; it costs no attempt
    PERMANENT = 3  # nobody will ever take it
    ROUTE = 4  # not by this way: another may
    UNKNOWN = 5  # the connection broke before the answer: it may have arrived


class Outcome(NamedTuple):
    """What became of a part that was handed over."""

    part: Part
    remote_id: str = ""  # the next hop's name for it, as it wrote it; empty: no receipt can ever match
    fault: Fault | None = None  # None: the next hop has it
    code: int = 0  # the wire's own: command_status, +CMS ERROR, SIP status
    text: str = ""
    is_delivered: bool = False  # a phone or a handler has it: more than sent


class Receipt(NamedTuple):
    """A receipt that an outlet received."""

    remote_id: str  # as it stands in the receipt, in whatever notation
    state: State
    error: str = ""  # err: of Appendix B, as written
    network_error: bytes = b""  # the TLV network_error_code, 3 octets
    done_at: float = 0.0  # when it says that it happened; 0: it does not
    source: str = ""  # of the receipt: who was to get the message
    destination: str = ""
    is_intermediate: bool = False
    text: str = ""  # the whole receipt, for who looks for one that matched nothing
    context: Any = None  # the outlet's own


class Outlet(Protocol):
    """A way out. Calls come from the loop's thread, outcomes go back in any order by ``Centre.report``."""

    @property
    def name(self) -> str:
        """``trunk:carrier``."""

    @property
    def form(self) -> Form:
        """How it wants its messages, at present."""

    @property
    def id_notation(self) -> str:
        """How ids in its receipts relate to those in its answers: auto, same, hex-decimal, decimal-hex."""

    def room(self, now: float) -> int:
        """How many parts it takes now: 0 while it is down, its window full or its rate used up."""

    def send(self, parts: Sequence[Part], now: float) -> None:
        """Send them, at most ``room`` of them; each will have one outcome."""


class Notice(NamedTuple):
    """A receipt for an inlet, or another state that it wants to hear of."""

    id: int  # of this notice: it goes back with the acknowledgement
    message: int
    state: State
    wish: int
    source: Address  # of the message, as the inlet submitted it
    destination: Address
    service_type: str
    accepted_at: float
    at: float  # when the state was entered
    error: str = ""  # err: of Appendix B
    network_error: bytes = b""
    parts: int = 1
    parts_delivered: int = 0
    beginning: bytes = b""  # of the text, for Appendix B
    coding: int = TEXT  # of the beginning
    is_intermediate: bool = False
    reason: str = ""  # in plain words
    key: str = ""


class Inlet(Protocol):
    """Who hears receipts. While it is not attached they wait on the disk."""

    @property
    def name(self) -> str:
        """``account:acme``; notices of all messages with this ``Submission.inlet`` come here."""

    def notice_room(self, now: float) -> int:
        """How many notices it takes now."""

    def notify(self, notices: Sequence[Notice], now: float) -> None:
        """Pass them on; each is answered by ``Centre.noticed``."""


# -- the centre

# A batch, one result for each of its submissions (an id or why not), and when. It is called once, when the
# commit that holds the batch is on the disk, or at once when nothing of it is taken.
Done = Callable[[Sequence[Submission], Sequence[int | Refusal], float], None]
# The context that was given, the answer, and when.
Answered = Callable[[Any, Any, float], None]


class Standing(NamedTuple):
    """What there is to tell about one message."""

    id: int
    state: State
    submission: Submission  # its body may be redacted: empty
    accepted_at: float
    changed_at: float
    outlet: str = ""
    error: str = ""
    reason: str = ""
    parts: int = 1
    attempts: int = 0
    is_redacted: bool = False


class Change(NamedTuple):
    """A message entered a state; for followers, after it is durable, and lost in a crash."""

    id: int
    inlet: str
    outlet: str
    state: State
    at: float
    source: str
    destination: str
    error: str = ""
    reason: str = ""


class Centre(Protocol):
    """The message centre, as inlets, outlets and the API use it. All calls are made in the loop's thread."""

    def submit(self, batch: Sequence[Submission], now: float, done: Done) -> None:
        """Take messages; ``done`` hears of them when they are on the disk."""

    def attach(self, *, inlet: Inlet | None = None, outlet: Outlet | None = None, now: float) -> None:
        """An inlet or outlet is there, or is there with something new: room, after it had none."""

    def detach(self, *, inlet: str = "", outlet: str = "", now: float) -> None:
        """It went away; for what it had in hand outcomes come first."""

    def report(self, outlet: str, outcomes: Sequence[Outcome], now: float) -> None:
        """What became of parts that were sent."""

    def receive_receipts(
        self,
        outlet: Outlet,
        receipts: Sequence[Receipt],
        now: float,
        done: Callable[[Any, float], None],
        context: Any = None,
    ) -> None:
        """Receipts came; ``done(context, now)`` when they are on the disk and may be acknowledged."""

    def noticed(self, inlet: str, ids: Sequence[int], now: float, *, is_heard: bool = True) -> None:
        """These notices were acknowledged, or (not heard) go back into their queue until the next attach."""

    def query(self, id: int, inlet: str, now: float, answered: Answered, context: Any = None) -> None:
        """``answered`` hears the Standing, or a Refusal; an empty inlet may ask about any."""

    def handed(self, id: int, inlet: str, now: float, answered: Answered, context: Any = None) -> None:
        """The same with the next hop's id and the sender that it was told, or a Refusal."""

    def conclude(self, id: int, inlet: str, state: State, now: float) -> None:
        """The next hop says what became of a message that it has."""

    def cancel(self, id: int, inlet: str, now: float, answered: Answered, context: Any = None) -> None:
        """Take a message back that was not handed over yet: the Standing it has then, or a Refusal."""

    def cancel_all(
        self,
        source: str,
        destination: str,
        service_type: str,
        inlet: str,
        now: float,
        answered: Answered,
        context: Any = None,
    ) -> None:
        """The same for all that wait of a source and a destination (cancel_sm without an id): their count."""

    def members(self, name: str, inlet: str, now: float, answered: Answered, context: Any = None) -> None:
        """``answered`` hears the Standings of all messages whose keys are the name, a slash and more."""

    def replace(self, id: int, new: Submission, now: float, answered: Answered, context: Any = None) -> None:
        """Another body, time, validity or wish for one that waits: the Standing, or a Refusal."""

    def redact(self, id: int, inlet: str, now: float, answered: Answered, context: Any = None) -> None:
        """The body goes from the disk, the record stays: the Standing, or a Refusal."""

    def follow(self, changes: Callable[[Sequence[Change], float], None]) -> None:
        """Hear of every change of state from now on, in batches."""
