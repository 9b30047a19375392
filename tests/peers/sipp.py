"""sipp with ladders written in Python: each test shows what both telephones say, in order."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .ports import TETHER, free_port

_HEAD = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="%s">
%s
</scenario>
"""

_TARGET = (
    '<ereg regexp="sip:[^&gt; ]*" search_in="hdr" header="Contact:" check_it="true" assign_to="target"/>'
)


def sdp(direction: str = "sendrecv", port: int = 39000, version: int = 1) -> str:
    return (
        f"v=0\no=sipp 53655765 {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n"
        f"m=audio {port} RTP/AVP 0\na=rtpmap:0 PCMU/8000\na={direction}\n"
    )


@dataclass(slots=True)
class Ladder:
    """A scenario, step by step; knows the step of the last INVITE, whose branch ACK and CANCEL repeat."""

    name: str
    steps: list[str]
    number: str = ""
    user: str = "sipp"
    password: str = ""
    account: str = ""  # whose password it is, when it is not the user's
    invite_at: int = -1
    cseq: int = 0
    is_in_dialog: bool = False
    has_target: bool = False

    # ---- what both sides do

    def receive(
        self, what: str | int, *, optional: bool = False, action: str = "", timeout: int = 5000, **more: str
    ) -> Ladder:
        """A response (a number) or a request (a name)."""
        kind = f'response="{what}"' if isinstance(what, int) else f'request="{what}"'
        attributes = "".join(f' {k}="{v}"' for k, v in more.items())
        if optional:
            attributes += ' optional="true"'
        else:
            attributes += f' timeout="{timeout}"'
        body = f"<action>{action}</action>" if action else ""
        self.steps.append(f"<recv {kind}{attributes}>{body}</recv>")
        return self

    def receive_either(self, one: int, other: int, *, timeout: int = 5000) -> Ladder:
        """One of two responses."""
        label = str(len(self.steps) + 1)
        self.steps.append(f'<recv response="{one}" optional="true" next="{label}"/>')
        self.steps.append(f'<recv response="{other}" timeout="{timeout}"/><label id="{label}"/>')
        return self

    def pause(self, milliseconds: int) -> Ladder:
        self.steps.append(f'<pause milliseconds="{milliseconds}"/>')
        return self

    def send(self, text: str, *, retrans: bool = False, **more: str) -> Ladder:
        head, _, body = text.partition("\n\n")
        attributes = ' retrans="500"' if retrans else ""
        attributes += "".join(f' {k}="{v}"' for k, v in more.items())
        content = "Content-Type: application/sdp\n" if body else ""
        self.steps.append(
            f"<send{attributes}><![CDATA[\n{head}\n{content}Content-Length: [len]\n\n{body}\n]]></send>"
        )
        return self

    # ---- the caller

    def _request(
        self,
        method: str,
        *,
        cseq: int,
        branch: str = "[branch]",
        to_tag: bool | None = None,
        extra: str = "",
        body: str = "",
    ) -> str:
        uri = "[$target]" if self.has_target else f"sip:{self.number}@[remote_ip]:[remote_port]"
        tag = "[peer_tag_param]" if (self.is_in_dialog if to_tag is None else to_tag) else ""
        return (
            f"{method} {uri} SIP/2.0\n"
            f"Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch={branch}\n"
            f"Max-Forwards: 70\n"
            f"From: <sip:{self.user}@[remote_ip]:[remote_port]>;tag=[pid]a[call_number]\n"
            f"To: <sip:{self.number}@[remote_ip]:[remote_port]>{tag}\n"
            f"Call-ID: [call_id]\nCSeq: {cseq} {method}\n"
            f"Contact: <sip:{self.user}@[local_ip]:[local_port]>\n{extra}".rstrip("\n")
            + (f"\n\n{body}" if body else "\n\n")
        )

    def invite(
        self, body: str = "", *, retrans: bool = True, authenticate: bool = True, headers: str = ""
    ) -> Ladder:
        """INVITE, the challenge, and INVITE with credentials when this caller has a password."""
        body = body if body is not None else ""
        for attempt in range(2 if self.password and authenticate and not self.is_in_dialog else 1):
            self.cseq += 1
            proof = (
                f"[authentication username={self.account or self.user} password={self.password}]\n"
                if attempt
                else ""
            )
            self.invite_at = len(self.steps)
            self.send(
                self._request("INVITE", cseq=self.cseq, extra=proof + headers, body=body), retrans=retrans
            )
            if not attempt and self.password and authenticate and not self.is_in_dialog:
                self.receive(100, optional=True).receive(401, auth="true")
                self.ack_failure()
        return self

    def ack_failure(self) -> Ladder:
        """ACK of the same transaction (RFC 3261 §17.1.1.3)."""
        back = len(self.steps) - self.invite_at
        return self.send(self._request("ACK", cseq=self.cseq, branch=f"[branch-{back}]", to_tag=True))

    def cancel(self) -> Ladder:
        back = len(self.steps) - self.invite_at
        return self.send(
            self._request("CANCEL", cseq=self.cseq, branch=f"[branch-{back}]", to_tag=False), retrans=True
        )

    def answered(self, *, timeout: int = 5000, action: str = "") -> Ladder:
        """Provisionals, then 200 whose Contact is where requests go from now on."""
        self.receive(100, optional=True).receive(180, optional=True).receive(183, optional=True)
        return self.receive_200(timeout=timeout, action=action)

    def receive_200(self, *, timeout: int = 5000, action: str = "") -> Ladder:
        self.receive(200, rrs="true", action=_TARGET + action, timeout=timeout)
        self.is_in_dialog = self.has_target = True
        return self

    def ack(self, body: str = "") -> Ladder:
        return self.send(self._request("ACK", cseq=self.cseq, body=body))

    def reinvite(self, body: str) -> Ladder:
        """A re-INVITE that is answered with 200."""
        return self.invite(body).receive(100, optional=True).receive(200).ack()

    def request(self, method: str, body: str = "", *, headers: str = "") -> Ladder:
        """A request inside the dialog, perhaps an early one."""
        self.cseq += 1
        text = self._request(method, cseq=self.cseq, to_tag=True, extra=headers, body=body)
        return self.send(text, retrans=True)

    def bye(self, *, answered: bool = True) -> Ladder:
        self.cseq += 1
        self.send(self._request("BYE", cseq=self.cseq), retrans=True)
        return self.receive(200) if answered else self

    # ---- the callee

    def answer(
        self,
        status: str,
        body: str = "",
        *,
        retrans: bool = False,
        via: str = "[last_Via:]",
        cseq: str = "[last_CSeq:]",
        from_to: str = "",
        tag: bool = True,
        headers: str = "",
    ) -> Ladder:
        """A response to the last request."""
        to = "[last_To:];tag=[pid]b[call_number]" if tag and not self.is_in_dialog else "[last_To:]"
        text = (
            f"SIP/2.0 {status}\n{via}\n" + (from_to or f"[last_From:]\n{to}") + f"\n[last_Call-ID:]\n{cseq}\n"
            f"Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>\n{headers}"
        )
        return self.send(text.rstrip("\n") + "\n\n" + body, retrans=retrans)

    def answer_invite(
        self, status: str, body: str = "", *, retrans: bool = False, headers: str = "", to_tag: str = ""
    ) -> Ladder:
        """A response to the INVITE when other messages came since, or from another fork: with another tag."""
        return self.answer(
            status,
            body,
            retrans=retrans,
            via="Via:[$via]",
            cseq="CSeq:[$cseq]",
            from_to=f"From:[$remote]\nTo:[$local];tag={to_tag or '[pid]b[call_number]'}",
            tag=False,
            headers=headers,
        )

    def redirect(self, status: str, contact: str) -> Ladder:
        """A final response that says where else to look."""
        to = "[last_To:];tag=[pid]b[call_number]"
        text = f"SIP/2.0 {status}\n[last_Via:]\n[last_From:]\n{to}\n[last_Call-ID:]\n[last_CSeq:]\n{contact}"
        return self.send(text + "\n")

    def keep(self, name: str, header: str = "Via:") -> str:
        """The action that keeps a header of the message received, for `[$name]`."""
        return f'<ereg regexp=".*" search_in="hdr" header="{header}" check_it="true" assign_to="{name}"/>'

    def called(self, *, timeout: int = 10000) -> Ladder:
        """Receive the INVITE; what later requests of ours need is kept."""
        kept = (("remote", "From:"), ("local", "To:"), ("via", "Via:"), ("cseq", "CSeq:"))
        action = _TARGET + "".join(self.keep(name, header) for name, header in kept)
        return self.receive("INVITE", action=action, timeout=timeout)

    def callee_request(
        self,
        method: str,
        body: str = "",
        *,
        cseq: int,
        branch: str = "[branch]",
        retrans: bool = True,
        headers: str = "",
    ) -> Ladder:
        """A request inside the dialog from the side that was called."""
        if method == "INVITE":
            self.invite_at = len(self.steps)
        text = (
            f"{method} [$target] SIP/2.0\n"
            f"Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch={branch}\nMax-Forwards: 70\n"
            "From:[$local];tag=[pid]b[call_number]\nTo:[$remote]\nCall-ID: [call_id]\n"
            f"CSeq: {cseq} {method}\n"
            f"Contact: <sip:callee@[local_ip]:[local_port]>\n{headers}\n{body}"
        )
        return self.send(text, retrans=retrans and method != "ACK")

    def callee_ack_failure(self, *, cseq: int) -> Ladder:
        return self.callee_request("ACK", cseq=cseq, branch=f"[branch-{len(self.steps) - self.invite_at}]")

    def end_of_call(self, *, timeout: int = 10000) -> Ladder:
        """BYE from the other side, answered."""
        return self.receive("BYE", timeout=timeout).answer("200 OK", tag=False)

    def xml(self) -> str:
        # sipp refuses a variable that is set and never used
        used = sorted(set(re.findall(r'assign_to="(\w+)"', "".join(self.steps))))
        tail = f'<Reference variables="{",".join(used)}"/>' if used else ""
        return _HEAD % (self.name, "\n".join([*self.steps, tail]))


def caller(number: str, user: str = "sipp", password: str = "") -> Ladder:
    return Ladder("caller", [], number, user, password)


def callee() -> Ladder:
    return Ladder("callee", [])


class Sipp:
    """One sipp process that runs one ladder once (or `calls` times)."""

    def __init__(
        self,
        folder: Path,
        ladder: Ladder,
        *,
        remote: tuple[str, int] | None = None,
        port: int = 0,
        calls: int = 1,
        timeout: int = 30,
        transport: str = "u1",
        extra: tuple[str, ...] = (),
    ) -> None:
        self.port = port or free_port()
        self.name = f"{ladder.name}-{self.port}"
        self.scenario = folder / f"{self.name}.xml"
        self.scenario.write_text(ladder.xml())
        self.messages, self.errors = folder / f"{self.name}.messages", folder / f"{self.name}.errors"
        if ladder.password and remote:  # sipp's own choice for the digest is not the Request-URI
            extra = ("-auth_uri", f"{ladder.number}@{remote[0]}:{remote[1]}", *extra)
        command = [
            *TETHER,
            "sipp",
            *([f"{remote[0]}:{remote[1]}"] if remote else []),
            "-sf",
            str(self.scenario),
            "-i",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-m",
            str(calls),
            "-t",
            transport,
            "-nostdin",
            "-timeout",
            f"{timeout}s",
            "-timeout_error",
            "-trace_msg",
            "-message_file",
            str(self.messages),
            "-trace_err",
            "-error_file",
            str(self.errors),
            "-max_socket",
            "64",
            *extra,
        ]
        self._out = (folder / f"{self.name}.out").open("wb")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._out, cwd=folder
        )

    def wait_bound(self, timeout: float = 5.0) -> Sipp:
        """Until its UDP socket is there: the kernel's table is the only sign that sipp gives."""
        wanted = f":{self.port:04X} "
        until = time.monotonic() + timeout
        while not any(wanted in line for line in Path("/proc/net/udp").read_text().splitlines()):
            assert self.process.poll() is None, self.story()
            assert time.monotonic() < until, self.story()
            time.sleep(0.01)
        return self

    def story(self) -> str:
        """Its errors and the messages it saw."""
        parts = [f"sipp {self.name}: exit status {self.process.poll()}"]
        for path in (self.errors, self.messages):
            if path.exists():
                parts.append(path.read_text(errors="replace")[-8000:])
        return "\n".join(parts)

    def received(self, start: str) -> list[str]:
        """All messages that came in whose first line begins so, retransmissions included."""
        text = self.messages.read_text(errors="replace") if self.messages.exists() else ""
        found = re.findall(r"message received \[\d+\] bytes ?:\n\n(.*?)(?=\n-{40,}|\Z)", text, re.DOTALL)
        return [message for message in found if message.startswith(start)]

    def succeeds(self, timeout: float = 20.0) -> None:
        """Its ladder went as written, to the last step."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not over within {timeout} s; " + self.story()) from None
        assert status == 0, self.story()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._out.close()
