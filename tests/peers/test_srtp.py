"""Telephones whose sound is encrypted and plain ones hear each other: baresip, and PJSIP (libsrtp both)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .baresip import Baresip
from .harness import PASSWORD, Switch, Table, user, users, wait_until
from .pjsua import Pjsua, is_installed

pytestmark = pytest.mark.peer("baresip")

LOW, HIGH = 440.0, 1000.0
PLAIN, SDES, DTLS, SOFT = "1001", "1002", "1003", "1004"


TONES = {PLAIN: LOW, SDES: HIGH, DTLS: 1500.0}
SOFT_WAYS = ["SDES AES_CM_128_HMAC_SHA1_80", "SDES AES_256_CM_HMAC_SHA1_80"]  # it has no GCM, no DTLS
ENCRYPTION = {SDES: "srtp-mand", DTLS: "dtls_srtp"}


class House:
    """A switch of a plain telephone and of others that insist on encryption."""

    def __init__(self, folder: Path, switch: Switch) -> None:
        self.folder, self.switch = folder, switch
        self.phones: dict[str, Baresip] = {}

    def phone(self, name: str) -> Baresip:
        """The telephone of a user, which stays for other tests."""
        if name not in self.phones:
            self.phones[name] = phone = Baresip(
                self.folder / name,
                name,
                PASSWORD,
                self.switch.address,
                tone=TONES[name],
                encryption=ENCRYPTION.get(name, ""),
            )
            phone.start()
            phone.wait_registered()
        return self.phones[name]

    def call(self) -> Table:
        return wait_until(
            lambda: next((c for c in self.switch.calls() if c["state"] == "up"), None), 5.0, "a call"
        )

    def talk(self, caller: Baresip, callee: Baresip) -> list[str]:
        """A call in which both hear the other one's tone; how its legs were secured."""
        since = [(phone, len(phone.events), len(phone.heard()[0])) for phone in (caller, callee)]
        caller.dial(callee.user)
        for phone, events, _ in since:
            phone.wait_for("CALL_ESTABLISHED", since=events)
        for (phone, _, samples), other in zip(since, (callee, caller), strict=True):
            phone.wait_to_hear(TONES[other.user], after=samples)
        secured: list[str] = self.call()["secured"]
        caller.hang_up()
        for phone, events, _ in since:
            phone.wait_for("CALL_CLOSED", since=events)
        wait_until(lambda: not self.switch.calls(), 5.0, "the end of the call")
        return secured


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    secured = [user(name, srtp="required", srtp_keys=keys) for name, keys in ((SDES, "sdes"), (DTLS, "dtls"))]
    people = [*users([PLAIN]), *secured, user(SOFT, srtp="required")]
    with Switch(folder / "switch", users=people) as switch:
        made = House(folder, switch)
        yield made
        for phone in made.phones.values():
            phone.stop()


@pytest.mark.parametrize(("name", "keys"), [(SDES, "SDES"), (DTLS, "DTLS")])
@pytest.mark.parametrize("is_caller", [True, False], ids=["calls", "is called"])
def test_an_encrypted_telephone_and_a_plain_one(house: House, name: str, keys: str, is_caller: bool) -> None:
    """Each offers what it likes best: it AES-CM, the switch AES-GCM."""
    plain, secured = house.phone(PLAIN), house.phone(name)
    shown = house.talk(secured, plain) if is_caller else house.talk(plain, secured)[::-1]
    assert shown == [f"{keys} {'AES_CM_128_HMAC_SHA1_80' if is_caller else 'AEAD_AES_128_GCM'}", "no"]


def test_keys_of_two_kinds_meet(house: House) -> None:
    shown = house.talk(house.phone(SDES), house.phone(DTLS))
    assert [way.partition(" ")[0] for way in shown] == ["SDES", "DTLS"]


@pytest.mark.skipif(not is_installed(), reason="pjsua2-python is not installed")
@pytest.mark.parametrize("way", SOFT_WAYS)
def test_a_softphone_with_one_suite(house: House, way: str) -> None:
    """It sends back what it hears: the plain telephone hears its own tone after two times two keys."""
    plain = house.phone(PLAIN)
    with Pjsua(house.folder, SOFT, PASSWORD, house.switch.address, srtp=way) as soft:
        soft.register()
        for is_caller in (True, False):
            events, samples = len(plain.events), len(plain.heard()[0])
            if is_caller:
                call = soft.call(PLAIN)
            else:
                plain.dial(SOFT)
                call = soft.incoming()
                soft.answer(call)
            soft.wait_state(call, "CONFIRMED")
            plain.wait_to_hear(LOW, after=samples)
            secured = house.call()["secured"]
            soft.hangup(call)
            plain.wait_for("CALL_CLOSED", since=events)
            assert secured == ([way, "no"] if is_caller else ["no", way])


def _is_kept(switch: Switch) -> bool:
    """Whether what is kept of the one call has its media, too."""
    [row] = switch.live_records()
    return bool(row["state"]) and json.loads(row["state"])[1] is not None


@pytest.mark.parametrize(("name", "way"), [(SDES, "SDES"), (DTLS, "DTLS")])
def test_a_call_with_keys_goes_on_after_kill_9(tmp_path: Path, name: str, way: str) -> None:
    """The next process has the keys, and knows where the sources were; on the disk they are sealed."""
    people = [*users([PLAIN]), user(name, srtp="required", srtp_keys=way.lower())]
    switch = Switch(tmp_path / "switch", users=people)
    phones = [
        Baresip(tmp_path / n, n, PASSWORD, switch.address, tone=TONES[n], encryption=ENCRYPTION.get(n, ""))
        for n in (name, PLAIN)
    ]
    try:
        switch.start()
        for phone in phones:
            phone.start()
            phone.wait_registered()
        secured, plain = phones
        secured.dial(PLAIN)
        secured.wait_for("CALL_ESTABLISHED")
        plain.wait_to_hear(TONES[name])
        rows = wait_until(lambda: [one for one in switch._rows("live") if one["state"]], 5, "its state")
        wait_until(lambda: _is_kept(switch), 10, "its keys")  # those of a handshake are asked for again
        assert "inline" not in rows[0]["state"]
        switch.kill()
        switch.start()
        samples = [len(phone.heard()[0]) for phone in phones]
        secured.wait_to_hear(TONES[PLAIN], after=samples[0])
        plain.wait_to_hear(TONES[name], after=samples[1])
        [shown] = switch.calls()
        assert [one.partition(" ")[0] for one in shown["secured"]] == [way, "no"]
        secured.hang_up()
        plain.wait_for("CALL_CLOSED")
        [record] = wait_until(lambda: switch.records(), 5, "the record")
        assert "survived a restart" in record["verdict"]
    finally:
        for phone in phones:
            phone.stop()
        switch.stop()
