"""Fuzzes what a modem or an SMPP peer brings: python -m tests.fuzz.fuzz_gsm -max_total_time=60 [CORPUS]."""

from __future__ import annotations

import sys
from contextlib import suppress

import atheris

with atheris.instrument_imports():
    from switchroom.protocols import gsm
    from switchroom.protocols.errors import RemoteProtocolError
    from switchroom.protocols.gsm import tpdu


def check(data: bytes) -> None:
    """Any octets are some text; a TPDU or a header is read or refused, and nothing else happens."""
    for charset in gsm.Charset:
        gsm.decode(data, charset)
    if data:
        gsm.alphabet(data[0] & 15, data[0] >> 4).decode(data)
        gsm.unpack(data, data[0], data[-1] % 7)
    with suppress(RemoteProtocolError):
        header, _ = gsm.UserDataHeader.parse(data)
        _ = header.concatenation, header.ports, header.alphabet
    for parse in (tpdu.parse_from_centre, tpdu.parse_from_telephone):
        with suppress(RemoteProtocolError):
            parsed = parse(data)
            _ = getattr(parsed, "text", None)
    with suppress(RemoteProtocolError):
        tpdu.from_hex(data.decode("latin-1"))


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
