"""THREATS C5: passwords are guessed and extensions are scanned."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..peers.harness import PASSWORD, Switch, user, wait_until
from ..peers.phone import Phone
from ..peers.raw import SilenceError
from .conftest import ALICE, BOB, size

BAN = 6  # by default 600 s


@pytest.fixture
def guessed(tmp_path: Path) -> Iterator[Switch]:
    """The default limits, but a ban of 6 s; one password is in every list."""
    with Switch(
        tmp_path, users=[user(ALICE), user(BOB, "1234")], auth={"ban_time": BAN, "failure_window": BAN}
    ) as running:
        yield running


def guess(phone: Phone, password: str) -> int:
    """The status that a guess gets, 0 for silence."""
    phone.password = password
    try:
        return phone.register(timeout=0.1).status
    except SilenceError:
        return 0


def test_sixty_guesses(guessed: Switch) -> None:
    """At most 40 of 60 evaluated, then even the right one is refused; the owner is not; the ban ends."""
    with (
        Phone(guessed.address, ALICE, PASSWORD, local=("127.0.0.66", 0)) as attacker,
        Phone(guessed.address, ALICE, PASSWORD) as owner,
    ):
        assert owner.register().status == 200
        answers = [guess(attacker, f"guess-{n}") for n in range(60)]
        assert 200 not in answers
        evaluated = sum(status in (401, 403, 407) for status in answers)
        assert 1 <= evaluated <= 40
        assert guess(attacker, PASSWORD) != 200
        owner.password = PASSWORD
        assert owner.register().status == 200
        wait_until(lambda: guess(attacker, PASSWORD) == 200, BAN * 3, "the end of the ban", interval=0.5)


def test_guesses_for_many_names_count_together(guessed: Switch) -> None:
    """One source tries one password for many names: the source is what is banned."""
    answers = []
    for n in range(60):
        with Phone(guessed.address, str(2000 + n), "1234", local=("127.0.0.67", 0)) as attacker:
            answers.append(guess(attacker, "1234"))
    assert sum(status in (401, 403, 407) for status in answers) <= 40


def test_guesses_from_many_sources_do_not_lock_the_owner_out(guessed: Switch) -> None:
    """Per-account alert without lock-out: 15 sources guess for one name, the owner still registers."""
    for n in range(15):
        with Phone(guessed.address, ALICE, local=(f"127.0.3.{n + 1}", 0)) as attacker:
            for m in range(size(4, 15)):
                assert guess(attacker, f"guess-{m}") != 200
    with Phone(guessed.address, ALICE, PASSWORD) as owner:
        assert owner.register().status == 200


@pytest.mark.peer("svcrack")
def test_svcrack_finds_nothing(guessed: Switch, tmp_path: Path) -> None:
    """sipvicious guesses 1200..1299 for a user whose password is 1234: banned before it gets there."""
    with (tmp_path / "svcrack.out").open("wb") as out:
        process = subprocess.Popen(
            ["svcrack", "-u", BOB, "-r", "1200-1299", "-p", str(guessed.port), "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=tmp_path,
        )
        try:
            said = guessed.wait_said("auth.banned", 10)  # from now on it guesses against silence, for ever
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2)
        finally:
            process.kill()
            process.wait()
    assert "127.0.0.1" in said
    assert "1234" not in (tmp_path / "svcrack.out").read_text()
    with Phone(guessed.address, BOB, "1234", local=("127.0.0.5", 0)) as owner:
        assert owner.register().status == 200


@pytest.mark.peer("svwar")
@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
def test_svwar_finds_nothing(guessed: Switch, tmp_path: Path, method: str) -> None:
    """sipvicious looks for extensions 990..1010; two exist, it cannot tell."""
    done = subprocess.run(
        ["svwar", "-e", "990-1010", "-m", method, "-p", str(guessed.port), "127.0.0.1", "--force"],
        capture_output=True,
        text=True,
        timeout=90,
        cwd=tmp_path,
        input="",
    )
    rows = [line for line in done.stdout.splitlines() if ALICE in line or BOB in line]
    others = [line for line in done.stdout.splitlines() if "| 999 " in line or "| 1005 " in line]
    assert bool(rows) == bool(others), done.stdout  # all look alike: nothing found, or every number "found"
    assert guessed.is_alive
