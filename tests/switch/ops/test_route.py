"""``switchroom route explain`` with the example of a company that has two carriers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from switchroom.switch.ops.cli import main

EXAMPLE = Path(__file__).parents[3] / "examples" / "routing.toml"


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    with pytest.raises(SystemExit) as stopped:
        main(["route", "explain", "-c", str(EXAMPLE), *arguments])
    assert stopped.value.code == 0
    return capsys.readouterr().out.splitlines()


def test_the_example_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["check", "-c", str(EXAMPLE)])
    assert stopped.value.code == 0
    assert "routes: 8, trunks: 2" in capsys.readouterr().out


def test_by_price_with_the_numbers_as_each_carrier_sees_them(capsys: pytest.CaptureFixture[str]) -> None:
    lines = explain(capsys, "--from", "201", "--to", "00442071838750", "--at", "2026-12-23T10:00")
    assert lines == [
        "00442071838750 is +442071838750 in DE",
        "route 1 emergency: does not match +442071838750",
        "route 2 premium: does not match +442071838750",
        "route 3 reception: does not match +442071838750",
        "route 4 closed: does not match +442071838750",
        "route 5 direct: does not match +442071838750",
        "route 6 mobile: does not match +442071838750",
        "route 7 out: matches +442071838750; by price: trunk:city at 0.015; trunk:world at 0.018",
        "route 8 last: matches +442071838750; +442071838750 becomes 00442071838750; trunk:world",
        "step 1:",
        "  trunk:city: called +442071838750, caller +4930123450, price 0.015",
        "step 2:",
        "  trunk:world: called +442071838750, caller +4930123450, price 0.018",
        "step 3:",
        "  trunk:world: called 00442071838750, caller +4930123450",
    ]


@pytest.mark.parametrize(
    ("at", "steps"),
    [
        ("2026-12-23T17:59", [["user:anna"], ["user:anna", "user:ben"]]),
        ("2026-12-23T18:00", [["sip:closed@192.0.2.200"]]),
        ("2026-12-24T10:00", [["sip:closed@192.0.2.200"]]),
        ("2026-12-23T16:59+00:00", [["user:anna"], ["user:anna", "user:ben"]]),  # 17:59 in Berlin
    ],
)
def test_at_another_time_in_json(capsys: pytest.CaptureFixture[str], at: str, steps: list[list[str]]) -> None:
    asked = ("--from", "+4989", "--to", "+4930123450", "--source", "trunk:city", "--at", at, "--json")
    answer: dict[str, Any] = json.loads("\n".join(explain(capsys, *asked)))
    assert [[leap["destination"] for leap in step["leaps"]] for step in answer["steps"]] == steps
    assert answer["source"] == "trunk:city"


def test_forwarding_is_shown_where_the_user_rings(capsys: pytest.CaptureFixture[str]) -> None:
    lines = explain(capsys, "--from", "209", "--to", "201")
    assert "    no-answer after 15 s:" in lines
    assert "      anna forwards calls that nobody answers to 202" in lines


def test_a_user_who_may_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(capsys, "--from", "209", "--to", "089123456")[-1] == "refused: 403 Forbidden"
    assert explain(capsys, "--from", "209", "--to", "112")[0].startswith("112 is an emergency number")


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--source", "trunk:none"], "--source trunk:none: there is no such trunk"),
        (["--source", "anna"], "--source anna: must be user:NAME or trunk:NAME"),
        (["--at", "noon"], "--at noon: must be a time, such as 2026-12-24T18:00"),
        (["--set", "routing.rates=none.csv"], "none.csv: no such file or directory"),
    ],
)
def test_a_fault_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], fault: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["route", "explain", "-c", str(EXAMPLE), "--from", "201", "--to", "202", *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert fault in error
    assert error.count("\n") == 1
