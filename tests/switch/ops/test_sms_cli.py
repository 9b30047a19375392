"""Commands about texts and modems that need no running switch."""

from __future__ import annotations

import json

import pytest

from switchroom.switch.ops.cli import main


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_what_a_text_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sms", "explain", "Price: 5 € {today}") == 0
    assert capsys.readouterr().out.splitlines() == [
        "encoding  GSM 7-bit",
        "length    21 septets, room for 139 more in the last part",
        "parts     1",
        "two septets each: € { }",
        "or: UCS-2, 18 in 1 part",
    ]
    assert run("sms", "explain", "It\u2019s \u201cthe\u201d text " * 6) == 0
    shown = capsys.readouterr().out
    assert "encoding  UCS-2\n" in shown
    assert "parts     2\n  1   67  It\u2019s " in shown
    assert "not in the GSM alphabet: \u2019 RIGHT SINGLE QUOTATION MARK, at 3, 19, 35, 51, 67, 83\n" in shown
    assert "or: GSM 7-bit, transliterated (punctuation), 96 in 1 part\n    \u2019 as '" in shown


def test_what_a_text_costs_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sms", "explain", "--json", "--language", "turkish", "\u0131\u015f\u0131k " * 20) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["encoding"] == "GSM 7-bit with Turkish locking shift"
    assert found["forcing"][0]["positions"][:2] == [1, 3]
    assert len(found["parts"]) == 1


def test_what_cannot_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sms", "explain", "x" * 60_000) == 2
    assert capsys.readouterr().err == "switchroom: TEXT: a message of more than 255 parts\n"
    assert run("sms", "explain", "x", "--language", "klingon") == 2
    assert "--language: klingon: must be one of turkish, spanish" in capsys.readouterr().err


def test_wrong_words_for_a_modem_simulator(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (("--sim", "+49x"), "--sim: +49x: must be a number"),
        (("--sim", "1", "--sim", "1"), "--sim: 1: must be a number, and each another one"),
        (("--rule", "49*=dance"), "'49*=dance' is not NUMBERS=ACTION"),
        (("--link", "/nowhere/at/all"), "No such file or directory"),
    ):
        assert run("modem-simulator", *arguments) == 2
        assert said in capsys.readouterr().err
