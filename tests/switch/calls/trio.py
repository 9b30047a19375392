"""Three phones of users, who call each other, hold and transfer."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from switchroom.protocols import sip
from tests.switch.calls.world import Phone, World, sdp

HOSTS = {"alice": "127.0.0.4", "bob": "127.0.0.3", "carol": "127.0.0.5"}
TYPED = (("Content-Type", "application/sdp"),)


class User:
    """A phone with the account of a user; answers what a phone answers by itself."""

    def __init__(self, world: World, name: str, *, host: str = "") -> None:
        self.world, self.name = world, name
        self.phone: Phone = world.phone(host or HOSTS[name], user=name)
        self.told: list[str] = []  # the NOTIFYs
        self.notifies: list[sip.Request] = []
        self.offers: list[bytes] = []  # of re-INVITEs that came
        self.ended: list[Any] = []
        self.is_obedient = True

    @property
    def host(self) -> str:
        return self.phone.address[0]

    def description(self, attributes: bytes = b"", port: int = 4000) -> bytes:
        return sdp(self.host, port, attributes)

    def call(self, number: str, *, body: bytes | None = None, headers: Any = ()) -> Any:
        """INVITE a number with credentials."""
        phone, world = self.phone, self.world
        offer = self.description() if body is None else body
        request = sip.Request(
            "INVITE",
            f"sip:{number}@127.0.0.1",
            [
                ("Max-Forwards", "70"),
                ("From", f"<sip:{self.name}@127.0.0.1>;tag={phone.mint.tag()}"),
                ("To", f"<sip:{number}@127.0.0.1>"),
                ("Call-ID", phone.mint.call_id()),
                ("CSeq", "1 INVITE"),
                ("Contact", phone.contact),
                ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REFER, NOTIFY, MESSAGE"),
                *headers,
                *(TYPED if offer else ()),
            ],
            offer,
        )
        session = phone.endpoint.invite(request, phone.flow, world.now)
        session.authorizer = sip.DigestAuthorizer(sip.DigestClient(self.name, "secret-" + self.name))
        world.settle()
        return session

    def ring(self) -> Any:
        """Take the call that came and let it ring."""
        session = self.phone.accept()
        session.ring(180, self.world.now)
        self.world.settle()
        return session

    def answer(self, session: Any = None, attributes: bytes = b"") -> Any:
        """Take the call that came, or one that rings, and answer it."""
        session = session or self.phone.accept()
        allow = ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REFER, NOTIFY, MESSAGE")
        session.answer(self.world.now, body=self.description(attributes), headers=(*TYPED, allow))
        self.world.settle()
        return session

    def up(self, session: Any) -> None:
        """The call was answered: ACK."""
        answered = self.phone.take(sip.SessionAnswered)
        assert answered.session is session
        session.acknowledge(self.world.now)
        self.world.settle()

    def refer(
        self, session: Any, number: str, *, replaces: Any = None, tag: str = "", headers: Any = ()
    ) -> Any:
        """REFER; the final answer to it comes later. ``tag``: the other end's, before the answer."""
        uri = f"sip:{number}@127.0.0.1"
        if replaces is not None:
            value = f"{replaces.call_id};to-tag={tag or replaces.remote_tag};from-tag={replaces.local_tag}"
            uri += f"?Replaces={quote(value, safe='')}"
        sent = session.send_request(
            "REFER",
            self.world.now,
            headers=(("Refer-To", f"<{uri}>"), ("Contact", self.phone.contact), *headers),
        )
        settle(self.world)
        return sent

    def refused(self) -> int:
        """The final answer to what was sent inside the dialog."""
        found = [
            e.response
            for e in self.phone.events
            if isinstance(e, sip.SessionResponseReceived) and e.response.status >= 200
        ]
        status: int = found[-1].status
        return status

    def obey(self) -> bool:
        """Answer what waits: NOTIFY, re-INVITE; whether there was anything."""
        now, events, did = self.world.now, self.phone.events, False
        for event in list(events):
            if isinstance(event, sip.SessionRequestReceived) and event.request.method == "NOTIFY":
                self.notifies.append(event.request)
                self.told.append(event.request.body.decode().strip().removeprefix("SIP/2.0 "))
                event.transaction.respond(200, now)
            elif isinstance(event, sip.ReinviteReceived):
                self.offers.append(event.request.body)
                body = self.description(_mirror(event.request.body), 4100)
                event.session.answer_reinvite(event.transaction, 200, now, body=body, headers=TYPED)
            elif isinstance(event, sip.ReinviteAnswered):
                event.session.acknowledge(now)
            elif isinstance(event, sip.SessionEnded):
                self.ended.append(event.session)
            elif not isinstance(event, sip.SessionAcknowledged):
                continue
            events.remove(event)
            did = True
        return did


def _mirror(offer: bytes) -> bytes:
    if b"a=sendonly" in offer:
        return b"a=recvonly\r\n"
    return b"a=inactive\r\n" if b"a=inactive" in offer else b""


def settle(world: World, *users: User) -> None:
    """Let everybody say what there is to say."""
    world.settle()
    while sum(user.obey() for user in users):  # each of them
        world.settle()


def connect(one: User, two: User, number: str) -> tuple[Any, Any]:
    """A call from one to two, up."""
    ours = one.call(number)
    theirs = two.answer()
    one.up(ours)
    settle(one.world, one, two)
    return ours, theirs
