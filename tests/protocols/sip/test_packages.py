"""The bodies of event packages: what is written is read again, and what is hostile is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchroom.protocols.errors import RemoteProtocolError
from switchroom.protocols.sip.packages import dialog_info, markup, message_summary, pidf, reginfo, sipfrag

ANY = st.text(max_size=40)
PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Cn"]), max_size=30)


def kept(text: str) -> str:
    """What of a text survives in XML."""
    return markup.clean(text)


@given(name=ANY, uri=ANY, entity=ANY)
def test_nothing_that_a_phone_chooses_breaks_the_document(name: str, uri: str, entity: str) -> None:
    made = dialog_info.DialogInfo(
        entity, 3, (dialog_info.Dialog("1", "early", "recipient", remote=dialog_info.Party(uri, name)),)
    )
    read = dialog_info.DialogInfo.parse(bytes(made))
    assert read.entity == kept(entity)
    assert read.dialogs[0].remote == dialog_info.Party(kept(uri).strip(), kept(name))


def test_a_dialog_document_reads_as_rfc_4235_shows_it() -> None:
    body = b"""<?xml version="1.0"?>
     <dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full"
                  entity="sip:alice@example.com">
       <dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774" remote-tag="456887766"
               direction="initiator">
         <state>confirmed</state>
         <duration>274</duration>
         <local><identity display="Alice">sip:alice@example.com</identity></local>
         <remote><identity>sip:bob@example.org</identity></remote>
       </dialog>
     </dialog-info>"""
    info = dialog_info.DialogInfo.parse(body)
    assert info == dialog_info.DialogInfo(
        "sip:alice@example.com",
        1,
        (
            dialog_info.Dialog(
                *("as7d900as8", "confirmed", "initiator", "a84b4c76e66710", "1928301774", "456887766"),
                dialog_info.Party("sip:alice@example.com", "Alice"),
                dialog_info.Party("sip:bob@example.org"),
            ),
        ),
    )
    assert dialog_info.DialogInfo.parse(bytes(info)) == info


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        b"<dialog-info/>",
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="x" state="full" entity="a"/>',
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1"><dialog id="1"/></dialog-info>',
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1">'
        b'<dialog id="1" direction="up"><state>early</state></dialog></dialog-info>',
    ],
)
def test_what_is_no_dialog_document(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        dialog_info.DialogInfo.parse(body)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:a@b"><note>&b;</note></presence>"""
FETCH = b"""<!DOCTYPE p SYSTEM "http://127.0.0.1:9/x.dtd"><presence xmlns="urn:ietf:params:xml:ns:pidf"/>"""
INSIDE = b"""<!DOCTYPE p [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<presence xmlns="urn:ietf:params:xml:ns:pidf"><note>&f;</note></presence>"""


@pytest.mark.parametrize("body", [BOMB, FETCH, INSIDE])
def test_a_document_type_is_refused_before_anything_of_it_works(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="document type"):
        markup.parse(body)


def test_bounds_of_depth_count_attributes_and_size() -> None:
    fits = markup.parse(b"<a>" * markup.MAX_DEPTH + b"</a>" * markup.MAX_DEPTH)
    assert fits.name == "a"
    for body in (
        b"<a>" * (markup.MAX_DEPTH + 1) + b"</a>" * (markup.MAX_DEPTH + 1),
        b"<a>" + b"<b/>" * markup.MAX_ELEMENTS + b"</a>",
        b"<a " + b" ".join(b'x%d=""' % i for i in range(markup.MAX_ATTRIBUTES + 1)) + b"/>",
    ):
        with pytest.raises(RemoteProtocolError, match="too large"):
            markup.parse(body)
    with pytest.raises(RemoteProtocolError) as refused:
        markup.parse(b"<a>" + b" " * markup.MAX_SIZE + b"</a>")
    assert refused.value.status == 413


@pytest.mark.parametrize("body", [b"<a>\xff</a>", b'<?xml version="1.0" encoding="UTF-7"?><a>+ADw-</a>'])
def test_the_encoding_is_utf_8_whatever_is_claimed(body: bytes) -> None:
    try:
        assert markup.parse(body).text == "+ADw-"
    except RemoteProtocolError:
        assert b"\xff" in body


@given(st.binary(max_size=300))
def test_octets_are_a_document_or_an_error_of_theirs(body: bytes) -> None:
    for read in (pidf.Presence.parse, dialog_info.DialogInfo.parse, reginfo.RegInfo.parse):
        with pytest.raises(RemoteProtocolError):
            read(body)


@given(note=PLAIN, contact=PLAIN, entity=ANY)
def test_presence_comes_back(note: str, contact: str, entity: str) -> None:
    made = pidf.Presence(
        entity,
        (pidf.Tuple("t1", "open", contact, "0.8", note), pidf.Tuple("t2", "closed")),
        note,
        ("on-the-phone", "away"),
    )
    read = pidf.Presence.parse(bytes(made))
    assert read.entity == kept(entity)
    assert read.is_open
    assert read.tuples[0].contact == contact.strip()
    assert (read.tuples[1:], read.activities, read.note) == (made.tuples[1:], made.activities, note.strip())


def test_presence_as_phones_write_it() -> None:
    body = b"""<?xml version="1.0" encoding="UTF-8"?>
    <presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
              xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:bob@example.com">
      <tuple id="pj0"><status><basic>open</basic></status>
        <contact priority="2">sip:bob@host</contact><timestamp>2005-03-05T21:00:00Z</timestamp></tuple>
      <dm:person id="pj1"><rpid:activities><rpid:away/><rpid:note>no</rpid:note></rpid:activities>
        <dm:note>Out</dm:note></dm:person>
    </presence>"""
    assert pidf.Presence.parse(body) == pidf.Presence(
        "sip:bob@example.com", (pidf.Tuple("pj0", "open", "sip:bob@host"),), "Out", ("away",)
    )
    with pytest.raises(RemoteProtocolError):
        pidf.Presence.parse(body.replace(b"open", b"ajar"))
    tuples = b"".join(b'<tuple id="t%d"/>' % i for i in range(pidf.MAX_TUPLES + 1))
    with pytest.raises(RemoteProtocolError, match="too many"):
        pidf.Presence.parse(b'<presence xmlns="urn:ietf:params:xml:ns:pidf">' + tuples + b"</presence>")


def test_a_summary_of_rfc_3842() -> None:
    body = (
        b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\n"
        b"Voice-Message: 2/8 (0/2)\r\n\r\nTo: x\r\n"
    )
    summary = message_summary.Summary.parse(body)
    assert summary == message_summary.Summary(
        True, "sip:alice@vmail.example.com", (("voice-message", message_summary.Counts(2, 8, 0, 2)),)
    )
    assert bytes(summary) == body.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert message_summary.Summary.parse(b"Messages-Waiting: no\n") == message_summary.Summary(False)
    assert message_summary.Summary.parse(b"messages-waiting:no\r\nvoice-message: 1/1\r\nX: 1/1").counts == (
        ("voice-message", message_summary.Counts(1, 1)),
    )


@pytest.mark.parametrize("body", [b"", b"Voice-Message: 1/0", b"Messages-Waiting: maybe", b"x" * 5000])
def test_what_is_no_summary(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        message_summary.Summary.parse(body)


@given(uri=PLAIN, instance=ANY)
def test_registrations_come_back(uri: str, instance: str) -> None:
    contact = reginfo.Contact(
        "7", uri, "created", expires=60, q="0.5", unknown=(("+sip.instance", kept(instance)),)
    )
    gone = reginfo.Contact("8", "sip:x@y", "expired", is_active=False)
    made = reginfo.RegInfo(4, (reginfo.Registration("sip:a@b", "r1", "active", (contact, gone)),))
    read = reginfo.RegInfo.parse(bytes(made))
    assert read.registrations[0].contacts[1] == gone
    assert read == made or uri != uri.strip()


@pytest.mark.parametrize(
    "inner",
    [
        b'<registration aor="a" id="1"/>',
        b'<registration aor="a" id="1" state="active"><contact id="1" state="up" event="created"/>'
        b"</registration>",
        b'<registration aor="a" id="1" state="active"><contact id="1" state="active" event="x"/>'
        b"</registration>",
    ],
)
def test_what_is_no_registration(inner: bytes) -> None:
    frame = (
        b'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="%s" state="full">' + inner + b"</reginfo>"
    )
    with pytest.raises(RemoteProtocolError):
        reginfo.RegInfo.parse(frame % b"0")
    with pytest.raises(RemoteProtocolError, match="version"):
        reginfo.RegInfo.parse(frame % b"")
    with pytest.raises(RemoteProtocolError, match="not a reginfo"):
        reginfo.RegInfo.parse(b"<reginfo/>")


def test_a_fragment_tells_how_a_transfer_goes() -> None:
    assert bytes(sipfrag.Fragment(180)) == b"SIP/2.0 180 Ringing\r\n"
    assert sipfrag.Fragment.parse(b"SIP/2.0 603 Declined\r\nTo: x\r\n") == sipfrag.Fragment(603, "Declined")
    assert sipfrag.Fragment.parse(b"sip/2.0 200") == sipfrag.Fragment(200)
    assert bytes(sipfrag.Fragment(486, "Busy\r\nX: y")) == b"SIP/2.0 486 Busy  X: y\r\n"
    for body in (b"", b"INVITE sip:a SIP/2.0\r\n", b"SIP/2.0 999 No", b"SIP/2.0 \xff"):
        with pytest.raises(RemoteProtocolError):
            sipfrag.Fragment.parse(body)


def test_what_is_no_presence() -> None:
    with pytest.raises(RemoteProtocolError, match="not a PIDF"):
        pidf.Presence.parse(b"<presence/>")
    body = (
        b'<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model">'
        b'<dm:person id="p"/></presence>'
    )
    assert pidf.Presence.parse(body).activities == ()
