"""Messages that begin as sound ones and are then bent."""

from __future__ import annotations

from ..peers.raw import branch


def message(
    method: str = "OPTIONS", changes: dict[str, str | None] | None = None, extra: str = "", start: str = ""
) -> str:
    """A sound request in which some headers are replaced, or removed (None), and some are added."""
    headers: dict[str, str | None] = {
        "Via": f"SIP/2.0/UDP 127.0.0.1:9;rport;branch={branch()}",
        "Max-Forwards": "70",
        "From": "<sip:x@127.0.0.1>;tag=f1",
        "To": "<sip:1002@127.0.0.1>",
        "Call-ID": branch()[8:],
        "CSeq": f"1 {method}",
        "Contact": "<sip:x@127.0.0.1:9>",
        "Content-Length": "0",
    }
    headers.update(changes or {})
    lines = "".join(f"{n}: {v}\r\n" for n, v in headers.items() if v is not None)
    return f"{start or f'{method} sip:127.0.0.1 SIP/2.0'}\r\n{lines}{extra}\r\n"
