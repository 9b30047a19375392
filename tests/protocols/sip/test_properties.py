"""What holds for every message and for any octets at all (hypothesis)."""

from __future__ import annotations

import string
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip import StreamFramer, grammar

from ... import twins
from .interrogate import attempt, describe
from .samples import INVITE, request

tokens = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~", min_size=1, max_size=12)
users = st.text(string.ascii_letters + string.digits + "-_.!~*'()&=+$,;?/", min_size=1, max_size=12)
hosts = st.one_of(
    st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=10).map(
        lambda name: f"{name}.example"
    ),
    st.just("192.0.2.1"),
    st.just("[2001:db8::1]"),
)
ports = st.none() | st.integers(0, 65535)
param_values = st.none() | st.text(
    string.ascii_letters + string.digits + "-_.!~*'()[]/:&+$", min_size=1, max_size=8
)
params = st.lists(
    st.tuples(tokens.filter(lambda name: set(name).isdisjoint("%`")), param_values), max_size=3
).map(tuple)
# what may stand in a quoted string and is written as it was read; no surrogates
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
bodies = st.binary(max_size=200)

sip_headers = st.lists(
    st.tuples(
        tokens.filter(lambda name: name.lower() not in ("content-length", "l")),
        texts.map(lambda text: text.strip(" ")),
    ),
    max_size=12,
)

# Octets that look like SIP more than chance would have them
WORDS = r"""\r \n \t : ; , < > " \\ = @ [ ] ? % * 0 1 \0 \x7f \xc3\xa9 \xff \r\n \r\n\x20 \x20 SIP/2.0 INVITE
sip: tel: UDP tag branch lr a example.com 9999999999999
Via v From To t Call-ID CSeq Contact m Route Content-Length l"""
pieces = st.sampled_from([word.encode().decode("unicode_escape").encode("latin-1") for word in WORDS.split()])
soups = st.lists(pieces | st.binary(max_size=3), max_size=40).map(b"".join)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A good message with some of its octets changed, lost or doubled."""
    data = bytearray(
        draw(
            st.sampled_from(
                [INVITE, request("l: 0"), request("Contact: *"), b"SIP/2.0 200 OK" + request()[34:]]
            )
        )
    )
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        data[start:end] = draw(soups.map(lambda soup: soup[:12]) | st.just(bytes(data[start:end]) * 2))
    return bytes(data)


def uris(sip: ModuleType) -> st.SearchStrategy[Any]:
    """SIP URIs."""
    passwords = st.none() | st.text(string.ascii_letters + "&=+$,", max_size=5)
    with_user = st.builds(
        sip.Uri, st.sampled_from(["sip", "sips"]), users, passwords, hosts, ports, params, st.just("")
    )
    return with_user | st.builds(
        sip.Uri, st.just("sip"), st.none(), st.none(), hosts, ports, params, st.just("")
    )


def addresses(sip: ModuleType) -> st.SearchStrategy[Any]:
    """Addresses with names of any text."""
    quoted = texts.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    values = st.lists(st.tuples(tokens, st.none() | tokens | quoted), max_size=3).map(tuple)
    return st.builds(sip.NameAddr, texts, uris(sip), values)


@pytest.mark.parametrize("variant", twins.VARIANTS)
@settings(deadline=None)
@given(st.data())
def test_values_are_read_as_they_were_written(variant: str, data: st.DataObject) -> None:
    sip = twins.load("switchroom.protocols.sip", "_message", variant)
    uri = data.draw(uris(sip))
    assert sip.Uri.parse(str(uri)) == uri
    address = data.draw(addresses(sip))
    assert sip.NameAddr.parse(str(address)) == address
    via = data.draw(st.builds(sip.Via, tokens.map(str.upper), hosts, ports, params))
    assert sip.Via.parse(str(via)) == via
    cseq = data.draw(st.builds(sip.CSeq, st.integers(0, 2**31 - 1), tokens))
    assert sip.CSeq.parse(str(cseq)) == cseq


@pytest.mark.parametrize("variant", twins.VARIANTS)
@settings(deadline=None)
@given(st.data())
def test_messages_are_read_as_they_were_written(variant: str, data: st.DataObject) -> None:
    sip = twins.load("switchroom.protocols.sip", "_message", variant)
    headers, body = data.draw(sip_headers), data.draw(bodies)
    asked = sip.Request(data.draw(tokens), data.draw(uris(sip)), headers, body)
    assert sip.parse(bytes(asked)) == asked
    answer = sip.Response(data.draw(st.integers(100, 699)), data.draw(texts), headers, body)
    assert sip.parse(bytes(answer)) == answer
    assert sip.parse(bytes(sip.parse(bytes(answer)))) == answer


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=300)
    | soups
    | soups.map(lambda soup: request(body=b"").replace(b"Via", soup + b"\r\nVia"))
)
def test_no_octets_raise_anything_else_and_both_twins_agree(octets: bytes) -> None:
    plain, compiled = (
        twins.load("switchroom.protocols.sip", "_message", variant) for variant in twins.VARIANTS
    )
    assert describe(plain, octets) == describe(compiled, octets)


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations())
def test_no_mutation_raises_anything_else_and_both_twins_agree(octets: bytes) -> None:
    plain, compiled = (
        twins.load("switchroom.protocols.sip", "_message", variant) for variant in twins.VARIANTS
    )
    assert describe(plain, octets) == describe(compiled, octets)


@settings(max_examples=600, deadline=None)
@given(st.text(max_size=40) | soups.map(lambda soup: soup.decode("utf-8", "surrogateescape")))
def test_both_twins_read_the_same_values(text: str) -> None:
    plain, compiled = (
        twins.load("switchroom.protocols.sip", "_message", variant) for variant in twins.VARIANTS
    )
    for spelled in (text, f"sip:{text}", f"<sip:a@b>{text}", f"SIP/2.0/UDP {text}", f"1 {text}"):
        for kind in ("Uri", "NameAddr", "Via", "CSeq"):
            one = attempt(partial(getattr(plain, kind).parse, spelled))
            assert one == attempt(partial(getattr(compiled, kind).parse, spelled))


@settings(deadline=None)
@given(st.integers(1, 60), soups)
def test_a_stream_is_cut_alike_however_it_comes(size: int, soup: bytes) -> None:
    stream = request("l: 3", body=b"abc") + b"\r\n\r\n" + request("Content-Length:0") + soup
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert feed([stream]) == feed(pieces)


def feed(pieces: list[bytes]) -> list[object]:
    """What comes out of these pieces, messages and at last perhaps an error's status."""
    framer = StreamFramer()
    found: list[object] = []
    try:
        for piece in pieces:
            framer.receive_data(piece)
            while (message := framer.next_message()) is not None:
                found.append(message)
    except RemoteProtocolError as error:
        found.append(error.status)
    return [*found, framer.pings]


@given(
    st.lists(st.tuples(st.sampled_from(["tag", "TAG", "lr", "x"]), st.none() | st.text('ab"\\', max_size=4))),
    st.sampled_from(["tag", "Tag", "lr", "y"]),
)
def test_parameters_are_found_alike_by_both_twins(params: list[tuple[str, str | None]], name: str) -> None:
    assert grammar.find_param(tuple(params), name) == grammar.plain_find_param(tuple(params), name)
