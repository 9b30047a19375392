"""Two SIP engines have a call: no socket, no clock, no thread. Octets go from one to the other by hand."""

from switchroom.protocols import sip

A, B = ("192.0.2.1", 5060), ("192.0.2.2", 5060)


def carry(caller: sip.Endpoint, callee: sip.Endpoint, now: float) -> list[sip.Event]:
    """Deliver what both want to send until nobody does; give what they have to tell."""
    events: list[sip.Event] = []
    ends = ((caller, callee, sip.Flow("UDP", B, A)), (callee, caller, sip.Flow("UDP", A, B)))
    is_moving = True
    while is_moving:
        is_moving = False
        for sender, receiver, seen_as in ends:
            for data, _ in sender.datagrams_to_send():
                print("a -> b " if sender is caller else "a <- b ", data.split(b"\r\n")[0].decode())
                receiver.receive_datagram(data, seen_as, now)
                is_moving = True
        for end in (caller, callee):
            while (event := end.next_event()) is not None:
                events.append(event)
                if isinstance(event, sip.RequestReceived):
                    session = end.accept(event, now, contact=f"<sip:b@{B[0]}>")
                    session.ring(180, now)
                    session.answer(now, body=b"v=0\r\n")
                elif isinstance(event, sip.SessionAnswered):
                    event.session.acknowledge(now)
                is_moving = True
    return events


def main() -> None:
    """Set up a call and end it a minute later; the minute takes no time."""
    caller, callee = sip.Endpoint(), sip.Endpoint()
    invite = sip.Request(
        "INVITE",
        f"sip:b@{B[0]}",
        [
            ("Max-Forwards", "70"),
            ("From", f"<sip:a@{A[0]}>;tag=1"),
            ("To", f"<sip:b@{B[0]}>"),
            ("Call-ID", "example@192.0.2.1"),
            ("CSeq", "1 INVITE"),
            ("Contact", f"<sip:a@{A[0]}>"),
        ],
    )
    session = caller.invite(invite, sip.Flow("UDP", A, B), now=0.0)
    carry(caller, callee, now=0.0)
    session.bye(now=60.0)
    for event in carry(caller, callee, now=60.0):
        print("b hears:", type(event).__name__)


main()
