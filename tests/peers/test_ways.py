"""Ways to a callee, with real peers: a trunk with a password, GRUU, early media given or not, routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .answerer import Answerer
from .harness import PASSWORD, Switch, Table, user
from .phone import Dialog, Phone
from .raw import Message, audio, media_address
from .rtp import Sound
from .sipp import Sipp, caller, sdp

INSTANCES = [f"urn:uuid:00000000-0000-1000-8000-00000000000{i}" for i in range(2)]


class House:
    """One switch, two carriers that answer, one that is a telephone, and who calls in by a password."""

    def __init__(self, folder: Path, one: Answerer, two: Answerer, far: Phone) -> None:
        self.one, self.two, self.far = one, two, far
        places = {"one": one.address[1], "two": two.address[1], "far": far.address[1]}
        trunks: list[Table] = [
            {"name": name, "address": f"sip:127.0.0.1:{port}", "options_interval": 0.0}
            for name, port in places.items()
        ]
        trunks.append({"name": "pbx", "username_in": "pbx-in", "password_in": "secret", "trusted": True})
        self.switch = Switch(
            folder / "switch",
            users=[user("1001"), user("1002")],
            trunks=trunks,
            routes=[
                {"match": "500", "to": ["trunk:one", "trunk:two"], "order": "weight", "weights": [50, 50]},
                {"match": "501", "to": ["trunk:one", "trunk:two"], "order": "weight", "weights": [1, 0]},
                {"match": "+4930100-+4930199", "to": "trunk:one"},
                {"match": "/0(17[0-9])[0-9]{3}/", "to": "trunk:two", "replace": ["/0(.*)/", "+49\\1"]},
                {"match": "600", "to": "trunk:far"},
                {"match": "+442071838750", "to": "user:1002", "sources": ["trunk:pbx"]},
            ],
            calls={"user_rate": 1000.0},
        )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as stack:
        carriers = [stack.enter_context(Answerer()) for _ in range(2)]
        far = stack.enter_context(Phone(("127.0.0.1", 9), "far"))
        made = House(tmp_path_factory.mktemp("ways"), *carriers, far)
        stack.enter_context(made.switch)
        far.server = made.switch.address
        yield made


@pytest.fixture
def phone(house: House) -> Iterator[Phone]:
    with Phone(house.switch.address, "1001", PASSWORD) as made:
        yield made


def invite_of(dialog: Dialog) -> Message:
    assert isinstance(dialog.invite, Message)
    return dialog.invite


def hang_up(phone: Phone, dialog: Dialog, called: Dialog) -> None:
    phone.send(dialog.request("BYE"))
    called.answer_bye()
    assert phone.final(method="BYE", call_id=dialog.call_id).status == 200


def goes_to(house: House, phone: Phone, number: str) -> tuple[str, str]:
    """Which carrier answered a call to this number, and the number that it was asked for."""
    seen = {name: len(one.seen.get("INVITE", [])) for name, one in (("one", house.one), ("two", house.two))}
    dialog = phone.start_call(number, audio(phone.address[0], 40000))
    phone.answered(dialog)
    assert dialog.bye().status == 200
    (found,) = (
        (name, one.seen["INVITE"][-1].uri)
        for name, one in (("one", house.one), ("two", house.two))
        if len(one.seen.get("INVITE", [])) > seen[name]
    )
    return found[0], found[1].removeprefix("sip:").partition("@")[0]


# ---- who calls in


@pytest.mark.peer("sipp")
@pytest.mark.parametrize("password", ["secret", "wrong"])
def test_a_trunk_that_calls_in_with_a_password(
    house: House, phone: Phone, tmp_path: Path, password: str
) -> None:
    """It may call for anybody, from wherever it comes; with another password it is nobody."""
    with Phone(house.switch.address, "1002", PASSWORD) as callee:
        assert callee.register().status == 200
        ladder = caller("+442071838750", "+441632960001", password)
        ladder.account = "pbx-in"
        ladder.invite(sdp(), headers="P-Early-Media: supported\n")
        if password == "secret":
            ladder.answered().ack().pause(100).bye()
        else:
            ladder.receive(100, optional=True).receive(401).ack_failure()
        calling = Sipp(tmp_path, ladder, remote=house.switch.address)
        try:
            if password == "secret":
                dialog = callee.incoming()
                assert invite_of(dialog).get("from").startswith("<sip:+441632960001@")
                assert invite_of(dialog).get("p-early-media") == "supported"  # it is trusted
                callee.accept(dialog, audio(callee.address[0], 40002))
                dialog.answer_bye()
            calling.succeeds()
        finally:
            calling.stop()
        assert callee.receive(0) is None
        assert callee.register(expires=0).status == 200


# ---- one device of several


def test_a_gruu_rings_one_device_of_two(house: House, phone: Phone) -> None:
    with (
        Phone(house.switch.address, "1002", PASSWORD) as desk,
        Phone(house.switch.address, "1002", PASSWORD) as mobile,
    ):
        gruus = [register_instance(one, name) for one, name in zip((desk, mobile), INSTANCES, strict=True)]
        for one, other, texts in ((desk, mobile, gruus[0]), (mobile, desk, gruus[1])):
            for gruu in texts:
                number, _, phone.domain = gruu.removeprefix("sip:").partition("@")
                dialog = phone.start_call(number, audio(phone.address[0], 40000))
                called = one.incoming()
                one.accept(called, audio(one.address[0], 40002))
                phone.answered(dialog)
                assert other.receive(0) is None
                hang_up(phone, dialog, called)
        for one in (desk, mobile):
            assert one.register(expires=0).status == 200
        number, _, phone.domain = gruus[0][0].removeprefix("sip:").partition("@")
        dialog = phone.start_call(number, audio(phone.address[0], 40000))
        assert phone.final(method="INVITE", call_id=dialog.call_id).status in (404, 480)


def register_instance(phone: Phone, instance: str) -> list[str]:
    """Its public and its temporary GRUU."""
    phone.contact = f'<sip:{phone.user}@{phone.here}>;+sip.instance="<{instance}>"'
    identity = phone.identity
    answer, _ = phone.ask(
        "REGISTER",
        f"sip:{phone.domain}",
        to=identity,
        headers=[("Supported", "gruu"), ("Expires", "60")],
    )
    assert answer.status == 200
    (contact,) = (one for one in ",".join(answer.all("contact")).split("<sip:") if instance in one)
    phone.contact = f"<sip:{phone.user}@{phone.here}>"
    return [re.findall(f'{kind}-gruu="([^"]+)"', contact)[0] for kind in ("pub", "temp")]


# ---- before the answer (RFC 3960, RFC 5009)


def test_early_media_is_heard_when_its_sender_gives_it(house: House, phone: Phone) -> None:
    with Sound() as here, Sound() as there:
        dialog = phone.start_call("600", audio("127.0.0.1", here.port))
        called = house.far.incoming()
        there.remote = media_address(invite_of(called).body)
        for said, is_heard in (("inactive", False), ("sendrecv", True)):
            body = audio("127.0.0.1", there.port)
            called.respond(
                invite_of(called), 183, "Session Progress", body, headers=[("P-Early-Media", said)]
            )
            progress = phone.expect(183, method="INVITE", call_id=dialog.call_id)
            assert progress.get("p-early-media") == said
            there.send(10)
            assert bool(here.receive(1, 5.0 if is_heard else 0.3)) == is_heard
        assert here.heard_with(there.mark[:4])
        here.remote = media_address(progress.body)
        house.far.accept(called, audio("127.0.0.1", there.port))
        phone.answered(dialog)
        here.send(10)
        assert there.receive(1, 5.0)
        hang_up(phone, dialog, called)


# ---- which carrier


def test_by_weight(house: House, phone: Phone) -> None:
    """Halves: 24 calls miss one of the two once in eight million times. What weighs nothing is never first"""
    assert {goes_to(house, phone, "500")[0] for _ in range(24)} == {"one", "two"}
    assert {goes_to(house, phone, "501")[0] for _ in range(12)} == {"one"}


@pytest.mark.parametrize("number", ["+4930100", "+4930150", "+4930199"])
def test_by_range(house: House, phone: Phone, number: str) -> None:
    assert goes_to(house, phone, number) == ("one", number)


def test_by_a_regular_expression(house: House, phone: Phone) -> None:
    assert goes_to(house, phone, "0171234") == ("two", "+49171234")


@pytest.mark.parametrize("number", ["+4930200", "+4930099", "01712345", "0181234"])
def test_what_is_outside_of_both(house: House, phone: Phone, number: str) -> None:
    dialog = phone.start_call(number, audio(phone.address[0], 40000))
    assert phone.final(method="INVITE", call_id=dialog.call_id).status == 404
