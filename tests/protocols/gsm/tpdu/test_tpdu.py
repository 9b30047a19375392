"""TPDUs: known ones, every field there and back, and octets of any kind."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols import gsm
from switchroom.protocols.errors import LocalProtocolError, RemoteProtocolError
from switchroom.protocols.gsm import tpdu
from switchroom.protocols.gsm.tpdu import Address, Timestamp, TypeOfNumber, UserData

octets = st.integers(0, 255)
times = st.builds(
    Timestamp,
    st.integers(1990, 2089),
    st.integers(1, 12),
    st.integers(1, 28),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 59),
    st.integers(-48, 56),
)
numbers = st.builds(
    Address,
    st.text("0123456789*#abc", max_size=20),
    st.sampled_from([kind for kind in TypeOfNumber if kind is not TypeOfNumber.ALPHANUMERIC]),
    st.integers(0, 15),
)
names = st.text("ABCxyz 019äöü@", max_size=11).map(lambda name: Address(name, TypeOfNumber.ALPHANUMERIC, 0))
addresses = numbers | names
headers = st.none() | st.lists(st.tuples(octets, st.binary(max_size=8)), min_size=1, max_size=4).map(
    lambda elements: gsm.UserDataHeader(tuple(elements))
)


@st.composite
def messages(draw: st.DrawFn) -> tuple[int, UserData]:
    """A data coding scheme, and user data that has room beside its header."""
    header = draw(headers)
    size = 0 if header is None else len(bytes(header))
    if draw(st.booleans()):
        return 0, UserData(bytes(draw(st.lists(st.integers(0, 127), max_size=(140 - size) * 8 // 7))), header)
    return 4, UserData(draw(st.binary(max_size=140 - size)), header)


validities = (
    st.none()
    | st.builds(tpdu.Relative, octets)
    | times
    | st.builds(tpdu.Enhanced, st.none() | st.integers(1, 359_999), st.booleans())
)


def test_a_known_delivery() -> None:
    centre, data = tpdu.from_hex(
        "07911326040000F0040B911346610089F60000208062917314080CC8F71D14969741F977FD07"
    )
    assert centre == Address("31624000000", TypeOfNumber.INTERNATIONAL)
    deliver = tpdu.parse_from_centre(data)
    assert isinstance(deliver, tpdu.Deliver)
    assert (deliver.source.number, deliver.text) == ("+31641600986", "How are you?")
    assert deliver.timestamp == Timestamp(2002, 8, 26, 19, 37, 41)
    assert not deliver.has_more_to_come


def test_a_known_submission() -> None:
    submit = tpdu.Submit(
        Address.of("+46708251358"), UserData(b"hellohello"), validity=tpdu.Relative.of(4 * 86400)
    )
    assert tpdu.to_hex(submit) == ("0011000B916407281553F80000AA0AE8329BFD4697D9EC37", 23)
    assert tpdu.parse_from_telephone(bytes(submit)) == submit
    assert submit.text == "hellohello"


def test_a_name_as_the_sender() -> None:
    raw = bytes(Address.of("Switchroom"))
    assert raw[:2].hex() == "12d0"  # 18 semi-octets
    for name in ("A", "Designer@", "MobileHome", "Switchroom1"):
        deliver = tpdu.Deliver(Address.of(name), Timestamp.at(1e9))
        parsed = tpdu.parse_from_centre(bytes(deliver))
        assert isinstance(parsed, tpdu.Deliver)
        assert parsed.source.number == name
    assert [Address.of(n).type_of_number for n in ("+1", "72000", "*100#", "a+b")] == [1, 0, 0, 5]
    for wrong in (Address.of("twelve chars"), Address("1" * 21), Address("12x"), Address("1", plan=16)):
        with pytest.raises(LocalProtocolError):
            bytes(wrong)


@given(addresses, messages(), validities, octets, octets, st.lists(st.booleans(), min_size=3, max_size=3))
def test_submissions_come_back(
    destination: Address,
    message: tuple[int, UserData],
    validity: tpdu.Validity | None,
    protocol_id: int,
    reference: int,
    flags: list[bool],
) -> None:
    coding, data = message
    submit = tpdu.Submit(destination, data, coding, protocol_id, validity, reference, *flags)
    assert tpdu.parse_from_telephone(bytes(submit)) == submit
    assert tpdu.from_hex(tpdu.to_hex(submit, destination if destination.digits else None)[0])[1] == bytes(
        submit
    )


@given(addresses, times, messages(), octets, st.lists(st.booleans(), min_size=4, max_size=4))
def test_deliveries_come_back(
    source: Address, at: Timestamp, message: tuple[int, UserData], protocol_id: int, flags: list[bool]
) -> None:
    coding, data = message
    deliver = tpdu.Deliver(source, at, data, coding, protocol_id, *flags)
    assert tpdu.parse_from_centre(bytes(deliver)) == deliver


@given(octets, addresses, times, times, octets, st.lists(st.booleans(), min_size=3, max_size=3), messages())
def test_reports_and_commands_come_back(
    number: int,
    address: Address,
    at: Timestamp,
    later: Timestamp,
    status: int,
    flags: list[bool],
    message: tuple[int, UserData],
) -> None:
    coding, data = message
    report = tpdu.StatusReport(number, address, at, later, status, *flags)
    assert tpdu.parse_from_centre(bytes(report)) == report
    full = tpdu.StatusReport(number, address, at, later, status, *flags, 0x40, coding, data)
    assert tpdu.parse_from_centre(bytes(full)) == full
    for cause in (None, 0xC3):
        is_error = cause is not None
        for options in ((), (number, coding, data)):
            submitted = tpdu.SubmitReport(at, cause, *options)
            assert tpdu.parse_from_centre(bytes(submitted), is_error=is_error) == submitted
            delivered = tpdu.DeliverReport(cause, *options)
            assert tpdu.parse_from_telephone(bytes(delivered), is_error=is_error) == delivered
    command = tpdu.Command(2, number, address, data.data[:100], 0, status, *flags[:2])
    assert tpdu.parse_from_telephone(bytes(command)) == command


@given(st.binary(max_size=200), st.booleans())
def test_any_octets_are_a_tpdu_or_are_refused(data: bytes, is_error: bool) -> None:
    for parse in (tpdu.parse_from_centre, tpdu.parse_from_telephone):
        with suppress(RemoteProtocolError):
            parsed = parse(data, is_error=is_error)
            _ = getattr(parsed, "text", None), str(parsed)
    with suppress(RemoteProtocolError):
        tpdu.from_hex(data.hex())


@given(st.binary(min_size=7, max_size=7))
def test_any_octets_are_a_time(data: bytes) -> None:
    at = Timestamp.parse(data)
    assert (at.posix is None) != at.is_valid
    _ = str(at), tpdu.Enhanced.parse(data)


@given(st.integers(631_200_000, 3_786_000_000), st.integers(-48, 56))
def test_times_and_seconds(posix: int, zone: int) -> None:
    at = Timestamp.at(posix, zone)
    assert at.posix == posix
    assert Timestamp.parse(bytes(at)) == at


def test_times() -> None:
    assert str(Timestamp.at(1_709_208_000, 4)) == "2024-02-29T13:00:00+01:00"
    assert str(Timestamp.at(0, -14)) == "1969-12-31T20:30:00-03:30"
    for wrong in (Timestamp(2100, 1, 1, 0, 0, 0), Timestamp(2024, 13, 1, 0, 0, 0)):
        with pytest.raises(LocalProtocolError):
            bytes(wrong)


@pytest.mark.parametrize(
    ("seconds", "value"),
    [(1, 0), (300, 0), (301, 1), (43_200, 143), (45_000, 144), (86_400, 167), (172_800, 168), (1e9, 255)],
)
def test_relative_validity(seconds: float, value: int) -> None:
    assert tpdu.Relative.of(seconds) == tpdu.Relative(value)
    assert tpdu.Relative(value).seconds >= min(seconds, tpdu.Relative(255).seconds)


def test_enhanced_validity() -> None:
    assert bytes(tpdu.Enhanced(90)) == bytes((2, 90, 0, 0, 0, 0, 0))
    assert bytes(tpdu.Enhanced(3723, True)) == bytes((0x43, 0x10, 0x20, 0x30, 0, 0, 0))
    assert tpdu.Enhanced.parse(bytes((1, 167, 0, 0, 0, 0, 0))) == tpdu.Enhanced(86_400)
    assert tpdu.Enhanced.parse(bytes((0x82, 0, 5, 0, 0, 0, 0))) == tpdu.Enhanced(5)
    week = tpdu.Enhanced(604_800)
    assert tpdu.Enhanced.parse(bytes(week)) == week
    with pytest.raises(LocalProtocolError):
        bytes(tpdu.Enhanced(604_801))
    with pytest.raises(LocalProtocolError):
        bytes(tpdu.Relative(256))


def test_what_is_damaged_but_readable() -> None:
    deliver = tpdu.Deliver(Address.of("+491700000"), Timestamp.at(1e9), UserData(b"hello there"))
    cut = bytes(deliver)[:-3]  # the length says more than there is
    assert tpdu.parse_from_centre(cut).text == "hello th"  # type: ignore[union-attr]
    raw = bytearray(bytes(deliver))
    raw[0] |= 0x40  # a header that is none: its length runs out of the message
    assert len(tpdu.parse_from_centre(bytes(raw)).text) == 11  # type: ignore[union-attr]
    assert isinstance(tpdu.parse_from_centre(b"\x07" + bytes(raw)[1:]), tpdu.Deliver)  # reserved


def test_what_is_refused() -> None:
    for data in (b"", b"\x04\x0b\x91", b"\x04\xff\x91" + bytes(20), bytes(256)):
        with pytest.raises(RemoteProtocolError):
            tpdu.parse_from_centre(data)
    with pytest.raises(RemoteProtocolError):
        tpdu.parse_from_telephone(b"\x03")
    for line in ("0G", "12", "FF00", "0"):
        with pytest.raises(RemoteProtocolError):
            tpdu.from_hex(line)
    for pdu in (
        tpdu.Submit(Address.of("1"), UserData(bytes(161))),
        tpdu.Submit(Address.of("1"), UserData(bytes(141)), 4),
        tpdu.Submit(Address.of("1"), message_reference=256),
        tpdu.Command(0, 0, Address.of("1"), bytes(157)),
    ):
        with pytest.raises(LocalProtocolError):
            bytes(pdu)


def test_a_text_in_parts() -> None:
    text = "Ein Text, der länger ist, als eine einzige Nachricht sein kann. {Ja} " * 5
    parts = []
    for part in gsm.split(text, reference=7):
        submit = tpdu.parse_from_telephone(bytes(tpdu.Submit(Address.of("+491"), UserData.of(part))))
        assert isinstance(submit, tpdu.Submit)
        assert submit.user_data.header == part.header
        parts.append(submit.text)
    assert "".join(parts) == text
    turkish = gsm.split("ışık " * 30, languages=[gsm.Language.TURKISH])[0]
    assert tpdu.Submit(Address.of("1"), UserData.of(turkish)).text == "ışık " * 30


def test_what_statuses_mean() -> None:
    fates = {
        status: tpdu.fate(status).value for status in (0, 1, 2, 0x20, 0x41, 0x46, 0x47, 0x48, 0x62, 0x80)
    }
    assert list(fates.values()) == [
        *(
            "delivered",
            "forwarded",
            "replaced",
            "trying",
            "failed",
            "expired",
            "deleted",
            "deleted",
            "failed",
        ),
        "failed",
    ]
    assert tpdu.status_meaning(0x46) == "validity period expired"
    assert tpdu.status_meaning(0x3F) == "still trying (0x3F)"
    assert tpdu.failure_meaning(0xD3) == "memory capacity exceeded"
    assert tpdu.failure_meaning(0xE1) == "error of an application (0xE1)"
    assert tpdu.failure_meaning(0x01) == "reserved (0x01)"
    for octet in range(256):
        assert tpdu.status_meaning(octet)
        assert tpdu.failure_meaning(octet)
