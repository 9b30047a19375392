"""THREATS C12: nobody moves, joins or takes a call that is not his: REFER and Replaces, seen from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ..peers.harness import PASSWORD, Switch, users
from ..peers.phone import Dialog, Phone, bridge
from ..peers.raw import Headers, Message, audio

ALICE, BOB, CAROL, MALLORY = "1001", "1002", "1003", "1004"
ELSEWHERE = "127.0.0.66"


class Office:
    """Alice talks to Bob, Carol's phone is there, and Mallory is a user like them, at another address."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        made = Switch(folder, users=users([ALICE, BOB, CAROL, MALLORY]), media={"first_rtp_timeout": 0})
        self.switch = stack.enter_context(made)  # nobody speaks in this call, however long it takes

        def phone(name: str, password: str = PASSWORD, host: str = "127.0.0.1") -> Phone:
            return stack.enter_context(Phone(self.switch.address, name, password, local=(host, 0)))

        self.alice, self.bob, self.carol = phone(ALICE), phone(BOB), phone(CAROL)
        self.mallory, self.stranger = phone(MALLORY, host=ELSEWHERE), phone("nobody", "", ELSEWHERE)
        for one in (self.alice, self.bob, self.carol, self.mallory):
            assert one.register().status == 200
        self.calling, self.called = bridge(self.alice, self.bob)

    def assert_unharmed(self) -> None:
        """The call is up between the same two, and nobody was called."""
        assert self.carol.take(lambda m: not m.status, 0.3) is None
        (row,) = self.switch.calls()
        assert (row["caller"], row["callee"]) == (ALICE, BOB)
        for phone in (self.alice, self.bob):
            assert phone.take(lambda m: not m.status, 0.1) is None


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with ExitStack() as stack:
        made = Office(tmp_path_factory.mktemp("office"), stack)
        yield made
        assert made.calling.bye().status == 200
        made.called.answer_bye()
        made.switch.wait_idle()


def refer(dialog: Dialog, by: Phone, refer_to: str) -> Message | None:
    """A REFER within the dialog, as its party would say it, sent by somebody; its final answer, if any."""
    data = dialog.request("REFER", headers=[("Refer-To", refer_to)])
    by.send(data)
    return by.take(lambda m: m.status >= 200 and m.cseq == dialog.cseq, 1)


@pytest.mark.parametrize("to", ["own", "other"])
def test_a_stranger_cannot_transfer_a_call_whose_tags_he_knows(office: Office, to: str) -> None:
    dialog = office.calling if to == "own" else office.called
    for thief in (office.stranger, office.mallory):
        answer = refer(dialog, thief, f"<sip:{CAROL}@{thief.domain}>")
        assert answer is None or answer.status in (401, 403, 407, 481)
    office.assert_unharmed()


@pytest.mark.parametrize(
    "refer_to",
    [
        "<sip:1003@{domain}?P-Asserted-Identity=%3Csip%3A110%40x%3E>",
        "<sip:1003@{domain}?Route=%3Csip%3A127.0.0.1%3A9%3Blr%3E&X-Evil=1>",
        "<sip:1003@{domain};method=BYE>",
        "<http://127.0.0.1/>",
        "<sip:1003@192.0.2.1>",
    ],
)
def test_what_a_party_may_not_ask_for_with_its_transfer(office: Office, refer_to: str) -> None:
    """Headers for the new call, other methods, other places: refused, and no call is made."""
    answer = refer(office.calling, office.alice, refer_to.format(domain=office.alice.domain))
    assert answer is not None
    assert answer.status in (400, 403, 404), answer.start
    office.assert_unharmed()


def test_what_a_harmless_header_hides_goes_no_further(office: Office) -> None:
    """Subject in a Refer-To is no reason to refuse; neither it nor what it smuggles reaches the target."""
    answer = refer(
        office.calling, office.alice, f"<sip:{CAROL}@{office.alice.domain}?Subject=a%0D%0AX-Evil%3A%201>"
    )
    assert answer is not None
    assert answer.status == 202
    asked = office.carol.incoming()
    assert isinstance(asked.invite, Message)
    assert not {"subject", "x-evil"} & {name.lower() for name, _ in asked.invite.headers}
    asked.respond(asked.invite, 486, "Busy Here")
    asked.wait_for("ACK")
    told = ""
    while " 486 " not in told:
        notify = office.calling.wait_for("NOTIFY")
        office.calling.respond(notify, 200)
        told = notify.body.decode()
    office.assert_unharmed()


def replaces_of(dialog: Dialog) -> str:
    """As the far end of a dialog would name it (RFC 3891 §6.1)."""
    ours, theirs = (text.rpartition(";tag=")[2] for text in (dialog.local, dialog.remote))
    return f"{dialog.call_id};to-tag={theirs};from-tag={ours}"


def take_over(thief: Phone, value: str) -> int:
    """The final status of an INVITE that would replace a call."""
    headers: Headers = [("Replaces", value), ("Require", "replaces"), ("Content-Type", "application/sdp")]
    answer, _ = thief.ask(
        "INVITE", f"sip:{BOB}@{thief.domain}", headers=headers, body=audio(ELSEWHERE, 41000)
    )
    return answer.status


def test_a_call_is_not_taken_by_who_has_no_part_in_it(office: Office) -> None:
    for dialog in (office.calling, office.called):
        value = replaces_of(dialog)
        assert take_over(office.mallory, value) in (403, 481)
        assert take_over(office.stranger, value) in (401, 403, 407)
        turned = value.replace("to-tag", "x").replace("from-tag", "to-tag").replace("x=", "from-tag=")
        assert take_over(office.mallory, turned) in (403, 481)
    assert take_over(office.mallory, "nobody;to-tag=1;from-tag=2") == 481
    office.assert_unharmed()
