"""Codecs that baresip has not, or packs its own way, and telephones that have them: tone in is tone out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest

from switchroom.codecs import find

from . import pjsua
from .baresip import Baresip
from .harness import PASSWORD, Switch, user, wait_until
from .linphone import Linphone
from .test_transcoding import AMR_WB, G722, GSM, HIGH, L16, LOW, OPUS, PCMA, PCMU, has_whole_second

IS_LONG = os.environ.get("SWITCHROOM_LONG") == "1"

pytestmark = pytest.mark.peer("baresip")

ALICE, BOB = "1001", "1002"
KNOWN = [PCMU, PCMA, G722, OPUS, GSM, L16, AMR_WB]
OF_LINPHONE = [
    "G729/8000",
    "G726-32/8000",
    "AAL2-G726-32/8000",
    "speex/16000",
]
OF_PJSIP = ["iLBC/8000", "speex/8000"]
OF_BARESIP = [f"G726-{kbit}/8000" for kbit in (16, 24, 40)]  # by spandsp
TALKING = 4  # seconds, so that one of them is whole on a busy machine too


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    others = OF_LINPHONE + OF_PJSIP + [f"AAL2-{name}" for name in OF_BARESIP]
    spoken = [*others, "PCMU", "PCMA", "G722", "opus", "GSM", "AMR-WB"]
    known = [
        user(ALICE),
        user(BOB) | {"g726": "aal2"},
    ]  # mediastreamer2 has the two names the wrong way round
    with Switch(
        tmp_path_factory.mktemp("other"), users=known, media={"transcode": [*spoken, "L16/16000"]}
    ) as made:
        yield made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def pairs(others: list[str], few: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(product(KNOWN, others)) if IS_LONG else few


def alice(stack: ExitStack, folder: Path, switch: Switch, codec: str) -> Baresip:
    phone = Baresip(folder / ALICE, ALICE, PASSWORD, switch.address, tone=LOW, codec=codec)
    stack.callback(phone.stop)
    phone.start()
    phone.wait_registered()
    return phone


def skip_without(codec: str) -> None:
    if not find(codec).is_offered:
        pytest.skip(f"no library of {codec}")


@pytest.mark.peer("linphonec")
@pytest.mark.parametrize(
    ("codec", "other"),
    pairs(OF_LINPHONE, [(PCMU, "G729/8000"), (OPUS, "G726-32/8000"), (G722, "speex/16000")]),
)
def test_each_hears_the_tone_of_the_other(
    switch: Switch, stack: ExitStack, tmp_path: Path, codec: str, other: str
) -> None:
    """Its frequency, its level within 1 dB, without gaps; linphone closes its file when the call ends."""
    skip_without(other)
    bob = Linphone(tmp_path / BOB, BOB, PASSWORD, switch.address, tone=HIGH, codec=other)
    stack.callback(bob.stop)
    bob.start()
    phone = alice(stack, tmp_path, switch, codec)
    bob.wait_registered()
    phone.dial(BOB)
    phone.wait_for("CALL_ESTABLISHED")
    wait_until(lambda: has_whole_second(*phone.heard(), HIGH, LOW), 15, "the tone of linphone")
    wait_until(lambda: len(phone.heard()[0]) > TALKING * phone.heard()[1], 15, "more of it")
    phone.hang_up()
    wait_until(lambda: has_whole_second(*bob.heard(), LOW, HIGH), 10, "the tone at linphone")
    switch.wait_record(lambda row: other.lower() in row["codecs"].lower())


@pytest.mark.skipif(not pjsua.is_installed(), reason="pjsua2-python is not installed")
@pytest.mark.parametrize(("codec", "other"), pairs(OF_PJSIP, [(PCMA, "iLBC/8000")]))
def test_an_echo_is_as_loud_and_as_high(
    switch: Switch, stack: ExitStack, tmp_path: Path, codec: str, other: str
) -> None:
    """PJSIP gives back what it decoded: through the converter and its codec and back again."""
    skip_without(other)
    if codec == GSM:
        pytest.skip("four times coded, twice by GSM and twice by another; the next test has two who talk")
    bob = stack.enter_context(pjsua.Pjsua(tmp_path, BOB, PASSWORD, switch.address, codec=other))
    bob.register()
    phone = alice(stack, tmp_path, switch, codec)
    phone.dial(BOB)
    bob.answer(bob.incoming())
    phone.wait_for("CALL_ESTABLISHED")
    wait_until(lambda: has_whole_second(*phone.heard(), LOW, HIGH), 15, "its own tone")
    phone.hang_up()
    bob.unregister()
    switch.wait_record(lambda row: other.lower() in row["codecs"].lower())


@pytest.mark.skipif(not pjsua.is_installed(), reason="pjsua2-python is not installed")
@pytest.mark.parametrize(("codec", "other"), pairs(OF_PJSIP, [(GSM, "iLBC/8000")]))
def test_each_hears_the_tone_of_pjsip_or_baresip(
    switch: Switch, stack: ExitStack, tmp_path: Path, codec: str, other: str
) -> None:
    skip_without(other)
    bob = stack.enter_context(pjsua.Pjsua(tmp_path, BOB, PASSWORD, switch.address, codec=other, tone=HIGH))
    bob.register()
    phone = alice(stack, tmp_path, switch, codec)
    phone.dial(BOB)
    bob.answer(bob.incoming())
    phone.wait_for("CALL_ESTABLISHED")
    wait_until(lambda: has_whole_second(*phone.heard(), HIGH, LOW), 15, "the tone of PJSIP")
    wait_until(lambda: has_whole_second(*bob.heard(), LOW, HIGH), 15, "the tone at PJSIP")
    phone.hang_up()
    bob.unregister()
    switch.wait_record(lambda row: other.lower() in row["codecs"].lower())


@pytest.mark.parametrize(("codec", "other"), pairs(OF_BARESIP, [(PCMU, other) for other in OF_BARESIP]))
def test_each_hears_the_tone_through_g726(
    switch: Switch, stack: ExitStack, tmp_path: Path, codec: str, other: str
) -> None:
    """Of 16, 24 and 40 kbit/s, by baresip's spandsp, which packs it as AAL2 has it."""
    bob = Baresip(tmp_path / BOB, BOB, PASSWORD, switch.address, tone=HIGH, codec=f"{other}/1")
    stack.callback(bob.stop)
    bob.start()
    phone = alice(stack, tmp_path, switch, codec)
    bob.wait_registered()
    phone.dial(BOB)
    phone.wait_for("CALL_ESTABLISHED")
    wait_until(lambda: has_whole_second(*phone.heard(), HIGH, LOW), 15, "the tone of G.726")
    wait_until(lambda: has_whole_second(*bob.heard(), LOW, HIGH), 15, "the tone at G.726")
    phone.hang_up()
    switch.wait_record(lambda row: other.lower() in row["codecs"].lower())
