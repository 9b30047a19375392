"""A telephone made of raw messages: registers, calls, answers, and can misbehave on request."""

from __future__ import annotations

import re
import secrets
import ssl
from dataclasses import dataclass, field
from typing import Any, Self

from .digest import challenges, credentials
from .raw import PATIENCE, Headers, Message, SilenceError, Wire, audio, branch, response_to


@dataclass(slots=True)
class Dialog:
    """One side of a call, as a telephone keeps it."""

    phone: Phone
    call_id: str
    local: str  # whole From value of what we send
    remote: str  # whole To value of what we send
    target: str
    routes: list[str] = field(default_factory=list)
    cseq: int = 1
    invite: Message | bytes = b""
    answer: Message | None = None
    rtp_port: int = 0

    def request(
        self, method: str, *, headers: Headers = (), body: bytes = b"", cseq: int = 0, via: str = ""
    ) -> bytes:
        """A request inside the dialog, not sent yet."""
        if not cseq:
            self.cseq += 1
        extra = [("Route", r) for r in self.routes] + list(headers)
        return self.phone.request(
            method,
            self.target,
            to=self.remote,
            from_=self.local,
            call_id=self.call_id,
            cseq=cseq or self.cseq,
            headers=extra,
            body=body,
            via=via,
        )

    def ack(self, cseq: int = 0, body: bytes = b"") -> None:
        self.phone.send(self.request("ACK", cseq=cseq or self.cseq, body=body))

    def bye(self, timeout: float = PATIENCE) -> Message:
        self.phone.send(self.request("BYE"))
        return self.phone.final(timeout, method="BYE", call_id=self.call_id)

    def reinvite(self, body: bytes, timeout: float = PATIENCE) -> Message:
        """A re-INVITE and its final response, which is acknowledged."""
        via = branch()
        self.phone.send(self.request("INVITE", body=body, via=via))
        sent = self.cseq
        answer = self.phone.final(timeout, method="INVITE", call_id=self.call_id)
        if answer.status < 300:
            self.ack(sent)
        else:
            self.phone.send(self.request("ACK", cseq=sent, via=via))
        return answer

    def wait_for(self, method: str, timeout: float = PATIENCE) -> Message:
        return self.phone.expect(method, timeout, call_id=self.call_id)

    def answer_bye(self, timeout: float = PATIENCE) -> Message:
        request = self.wait_for("BYE", timeout)
        self.phone.send(response_to(request, 200, "OK"))
        return request

    def respond(
        self, request: Message, status: int, reason: str = "OK", body: bytes = b"", headers: Headers = ()
    ) -> None:
        """Answer a request of this dialog (the INVITE that made it included)."""
        tag = self.local.rpartition(";tag=")[2]
        contact = [
            (
                "Contact",
                f"<sip:{self.phone.user}@{self.phone.here}{self.phone.suffix}>",
            )
        ]
        kind = [("Content-Type", "application/sdp")] if body else []
        self.phone.send(
            response_to(request, status, reason, tag=tag, headers=[*contact, *kind, *headers], body=body)
        )


class Phone(Wire):
    """A telephone of one user of the switch."""

    def __init__(
        self,
        server: tuple[str, int],
        user: str = "raw",
        password: str = "",
        transport: str = "udp",
        local: tuple[str, int] = ("127.0.0.1", 0),
        domain: str = "",
        context: ssl.SSLContext | None = None,
    ):
        super().__init__(server, transport, local, context)
        self.user, self.password = user, password
        self.domain = domain or f"{server[0]}:{server[1]}"
        self.contact = f"<sip:{user}@{self.here}{self.suffix}>"
        self.identity = f"<sip:{user}@{self.domain}>"
        self.algorithm = "MD5"
        self._registration = secrets.token_hex(8)
        self._register_cseq = 0

    def __enter__(self) -> Self:
        return self

    def challenge_in(self, response: Message) -> dict[str, str]:
        offered = challenges(response)
        fitting = [c for c in offered if c.get("algorithm", "MD5") == self.algorithm]
        assert fitting, f"no {self.algorithm} among {offered}"
        return fitting[0]

    def ask(
        self,
        method: str,
        uri: str,
        *,
        to: str = "",
        from_: str = "",
        headers: Headers = (),
        body: bytes = b"",
        call_id: str = "",
        cseq: int = 1,
        timeout: float = PATIENCE,
    ) -> tuple[Message, bytes]:
        """Send a request, answer one challenge; the final response and the request that got it."""
        call_id = call_id or secrets.token_hex(8)
        from_ = from_ or f"{self.identity};tag={secrets.token_hex(4)}"
        extra = list(headers)
        for attempt in range(2):
            via = branch()
            data = self.request(
                method,
                uri,
                to=to,
                from_=from_,
                call_id=call_id,
                cseq=cseq + attempt,
                headers=extra,
                body=body,
                via=via,
            )
            self.send(data)
            response = self.final(timeout, method=method, call_id=call_id)
            if method == "INVITE" and response.status >= 300:
                self.send(
                    self.request(
                        "ACK",
                        uri,
                        to=response.get("to"),
                        from_=from_,
                        call_id=call_id,
                        cseq=cseq + attempt,
                        via=via,
                        contact=False,
                    )
                )
            if attempt or response.status not in (401, 407) or not self.password:
                return response, data
            name = "Authorization" if response.status == 401 else "Proxy-Authorization"
            proof = credentials(self.challenge_in(response), method, uri, self.user, self.password)
            extra = [*headers, (name, proof)]
        raise AssertionError("not reached")

    def register(self, expires: int = 600, contact: str = "", timeout: float = PATIENCE) -> Message:
        """The final response to a REGISTER of this telephone's contact."""
        identity = self.identity
        self._register_cseq += 2
        response, _ = self.ask(
            "REGISTER",
            f"sip:{self.domain}",
            to=identity,
            call_id=self._registration,
            cseq=self._register_cseq,
            headers=[("Expires", str(expires)), *([("Contact", contact)] if contact else [])],
            timeout=timeout,
        )
        return response

    def request(
        self, method: str, uri: str, *, headers: Headers = (), contact: bool = True, **rest: Any
    ) -> bytes:
        given = any(n.lower() == "contact" for n, _ in headers)
        extra = list(headers) if given or not contact else [("Contact", self.contact), *headers]
        return super().request(method, uri, headers=extra, contact=False, **rest)

    def start_call(
        self,
        number: str,
        body: bytes = b"",
        headers: Headers = (),
        timeout: float = PATIENCE,
        call_id: str = "",
    ) -> Dialog:
        """Send an INVITE, and again with credentials; what comes then is the caller's to expect."""
        uri = f"sip:{number}@{self.domain}"
        call_id = call_id or secrets.token_hex(8)
        from_ = f"{self.identity};tag={secrets.token_hex(4)}"
        via = branch()
        first = self.request("INVITE", uri, from_=from_, call_id=call_id, headers=headers, body=body, via=via)
        self.send(first)
        got = self.take(lambda m: m.get("call-id") == call_id and m.status > 100, timeout)
        if got is None:
            raise SilenceError("no answer to INVITE:\n" + "\n".join(self.trace))
        dialog = Dialog(self, call_id, from_, f"<{uri}>", uri, invite=first)
        if got.status not in (401, 407):
            self._waiting.insert(0, got)
            return dialog
        self.send(
            self.request("ACK", uri, to=got.get("to"), from_=from_, call_id=call_id, via=via, contact=False)
        )
        name = "Authorization" if got.status == 401 else "Proxy-Authorization"
        proof = credentials(self.challenge_in(got), "INVITE", uri, self.user, self.password)
        dialog.cseq = 2
        dialog.invite = self.request(
            "INVITE", uri, from_=from_, call_id=call_id, cseq=2, headers=[*headers, (name, proof)], body=body
        )
        self.send(dialog.invite)
        return dialog

    def answered(self, dialog: Dialog, timeout: float = PATIENCE, ack_body: bytes = b"") -> Message:
        """Wait for the 2xx of a call that was started, and acknowledge it."""
        answer = self.final(timeout, method="INVITE", call_id=dialog.call_id)
        assert answer.status == 200, answer.start + "\n" + "\n".join(self.trace)
        dialog.remote, dialog.target = answer.get("to"), answer.target
        dialog.routes = list(reversed(answer.all("record-route")))
        dialog.answer = answer
        dialog.ack(body=ack_body)
        return answer

    def cancel(self, dialog: Dialog) -> None:
        """CANCEL for the INVITE of a call that was started."""
        assert isinstance(dialog.invite, bytes)
        sent = Message.parse(dialog.invite)
        found = re.search(r"branch=([^;,\s]+)", sent.get("via"))
        assert found
        self.send(
            self.request(
                "CANCEL",
                sent.uri,
                to=sent.get("to"),
                from_=sent.get("from"),
                call_id=dialog.call_id,
                cseq=sent.cseq,
                via=found.group(1),
                contact=False,
            )
        )

    def incoming(self, timeout: float = PATIENCE) -> Dialog:
        """Wait for a call; nothing is answered yet."""
        invite = self.expect("INVITE", timeout)
        local = f"{invite.get('to')};tag={secrets.token_hex(4)}"
        routes = invite.all("record-route")
        return Dialog(
            self,
            invite.get("call-id"),
            local,
            invite.get("from"),
            invite.target,
            routes,
            cseq=100,
            invite=invite,
        )

    def accept(self, dialog: Dialog, body: bytes, timeout: float = PATIENCE) -> Message:
        """200 with that description; returns the ACK."""
        assert isinstance(dialog.invite, Message)
        dialog.respond(dialog.invite, 200, "OK", body)
        return dialog.wait_for("ACK", timeout)


def bridge(
    a: Phone, b: Phone, a_port: int = 40000, b_port: int = 40002, number: str = ""
) -> tuple[Dialog, Dialog]:
    """A call from a to b through the switch, answered and acknowledged."""
    caller = a.start_call(number or b.user, audio(a.address[0], a_port))
    callee = b.incoming()
    callee.respond(callee.invite, 180, "Ringing")  # type: ignore[arg-type]
    callee.respond(callee.invite, 200, "OK", audio(b.address[0], b_port))  # type: ignore[arg-type]
    a.answered(caller)
    callee.wait_for("ACK")
    return caller, callee
