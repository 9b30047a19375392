"""THREATS F5: words of SQL in what SIP carries and in what an operator asks for are only words."""

from __future__ import annotations

import sqlite3

from ..injections import INJECTIONS
from ..peers.answerer import Answerer
from ..peers.harness import Switch, wait_until
from ..peers.phone import Phone
from ..peers.raw import audio
from .conftest import fresh_phone

WORDS = [word for word in INJECTIONS if word.isprintable() and len(word) < 100]


def test_words_of_sql_in_sip_are_only_words(target: Switch, alice: Phone) -> None:
    """Each as the name in From, as User-Agent and as Subject: one record for each call."""
    assert len(WORDS) >= 40
    before = len(target.records())
    with fresh_phone(target) as phone:
        assert phone.register().status == 200
        with Answerer(status=603, wire=phone) as answerer:
            for word in WORDS:
                quoted = word.replace("\\", "\\\\").replace('"', '\\"')
                answer, _ = alice.ask(
                    "INVITE",
                    f"sip:{phone.user}@{alice.domain}",
                    from_=f'"{quoted}" {alice.identity};tag=x{len(answerer.seen)}',
                    headers=[("User-Agent", word), ("Subject", word)],
                    body=audio("127.0.0.1", 40000),
                )
                assert answer.status == 603, word
    wait_until(lambda: len(target.records()) == before + len(WORDS), 10, "a record for each call")
    rows = target.records()[-len(WORDS) :]
    assert {row["callee"] for row in rows} == {phone.user}
    with sqlite3.connect(f"file:{target.state / 'switchroom.db'}?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_words_of_sql_find_no_record(target: Switch, alice: Phone) -> None:
    """What the operator looks for is a beginning of an id, and nothing else."""
    count = len(target.records())
    for command, word in (("record", "' OR '1'='1"), ("record", "%"), ("trace", "_"), ("hangup", "*")):
        done = target.cli(command, "--", word)
        assert (done.returncode != 0, "Traceback" not in done.stderr) == (True, True), (command, word)
    assert len(target.records()) == count
