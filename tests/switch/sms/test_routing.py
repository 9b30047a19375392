"""Where messages go: patterns, senders, inlets, content, hours, weight, cost; and how it is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from switchroom.switch.config import Config, SmsConfig, SmsRouteConfig
from switchroom.switch.numbering import Rate, RateTable
from switchroom.switch.ops.cli import main
from switchroom.switch.sms.interfaces import Address, Refusal, Submission, Wish
from switchroom.switch.sms.routing import Plan, Retry, Routes, named

MONDAY_NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z


def routes(*tables: dict[str, Any], **more: Any) -> Routes:
    configs = [SmsRouteConfig(name=f"r{n}", **table) for n, table in enumerate(tables)]
    return Routes(configs, SmsConfig(), **more)


def message(to: str = "+491701", **fields: Any) -> Submission:
    values: dict[str, Any] = {"inlet": "account:acme", "source": Address("+49301", 1, 1), "body": b"hello"}
    return Submission(**{**values, "destination": Address(to, 1, 1), **fields})


def ways(found: Plan | Refusal) -> tuple[str, ...]:
    return found.ways if isinstance(found, Plan) else ()


def test_the_first_route_that_matches_is_taken() -> None:
    table = routes({"match": "+491*", "to": "trunk:mobile"}, {"match": "+49*", "to": ["trunk:a", "trunk:b"]})
    assert ways(table.plan(message(), 0)) == ("trunk:mobile",)
    assert ways(table.plan(message("+4930"), 0)) == ("trunk:a", "trunk:b")
    assert isinstance(table.plan(message("+33"), 0), Refusal)


@pytest.mark.parametrize(
    ("route", "fields", "is_taken"),
    [
        ({"inlets": ["account:acme"]}, {}, True),
        ({"inlets": ["account:*"]}, {}, True),
        ({"inlets": ["trunk:*", "app"]}, {}, False),
        ({"sources": "ACME +4930*"}, {}, True),
        ({"sources": "ACME"}, {}, False),
        ({"content": "h[ae]llo"}, {}, True),
        ({"content": "HELLO"}, {}, True),
        ({"content": "hullo"}, {}, False),
        ({"content": "hello"}, {"body": "hello".encode("utf-16-be"), "coding": 8}, True),
        ({"content": "hello"}, {"coding": 4}, False),  # it is no text
        ({"kinds": ["text"]}, {}, True),
        ({"kinds": ["text"]}, {"coding": 4}, False),
        ({"kinds": ["binary"]}, {"coding": 4}, True),
        ({"kinds": ["flash"]}, {"message_class": 0}, True),
        ({"kinds": ["flash"]}, {"coding": 0x18}, True),
        ({"kinds": ["flash"]}, {"coding": 0x15}, False),
        ({"kinds": ["silent", "flash"]}, {"protocol_id": 0x40}, True),
        ({"hours": ["11:00-13:00"]}, {}, True),
        ({"hours": ["13:00-15:00"]}, {}, False),
        ({"days": ["mon"]}, {}, True),
        ({"days": ["sat-sun"]}, {}, False),
    ],
)
def test_conditions(route: dict[str, Any], fields: dict[str, Any], is_taken: bool) -> None:
    table = routes({"match": "+49*", "to": "trunk:a", **route}, {"to": "trunk:rest"})
    expected = ("trunk:a",) if is_taken else ("trunk:rest",)
    assert ways(table.plan(message(**fields), MONDAY_NOON)) == expected


def test_weights_decide_who_comes_first() -> None:
    chances = iter([0.0, 0.7, 0.8, 0.99])
    table = routes(
        {"to": ["trunk:a", "trunk:b", "trunk:c"], "order": "weight", "weights": [7, 2, 1]},
        draw=lambda: next(chances),
    )
    firsts = [ways(table.plan(message(), 0)) for _ in range(4)]
    assert [found[0] for found in firsts] == ["trunk:a", "trunk:b", "trunk:b", "trunk:c"]
    assert all(len(found) == 3 for found in firsts)


def test_the_cheapest_comes_first() -> None:
    rates = RateTable([Rate("49", "a", 0.03), Rate("491", "b", 0.02), Rate("49", "c", 0.05)])
    table = routes({"to": ["trunk:a", "modem:b", "trunk:c", "trunk:none"], "order": "cost"}, rates=rates)
    found = table.plan(message(), 0)
    assert ways(found) == ("modem:b", "trunk:a", "trunk:c")
    assert isinstance(found, Plan)
    assert found.price == 0.02


def test_numbers_are_written_as_the_way_wants_them() -> None:
    table = routes({"to": "trunk:a", "strip": 3, "prefix": "0", "source": "ACME"})
    found = table.plan(message(), 0)
    assert isinstance(found, Plan)
    assert (found.destination.number, found.source) == ("01701", Address("ACME", 5, 0))
    table = routes({"to": "trunk:a", "replace": ["+49*", "0049\\1"], "source_replace": ["+*", "\\1"]})
    found = table.plan(message(), 0)
    assert isinstance(found, Plan)
    assert (found.destination.number, found.source.number) == ("00491701", "49301")


def test_national_numbers_are_normalised_where_a_country_is_known() -> None:
    table = routes({"match": "+49*", "to": "trunk:a"}, country="DE")
    assert ways(table.plan(message("017012345678"), 0)) == ("trunk:a",)
    assert isinstance(table.plan(message("12345"), 0), Refusal)


def test_users_come_before_routes_and_never_get_their_own_text_back() -> None:
    table = routes({"to": "users"}, users={"200": "alice", "alice": "alice"})
    assert ways(table.plan(message("200"), 0)) == ("user:alice",)
    assert isinstance(table.plan(message("300"), 0), Refusal)


def test_which_receipts_the_next_hop_is_asked_for() -> None:
    for how, asked, wish in (
        ("asked", 0, 0),
        ("asked", Wish.FAILURE, Wish.FAILURE),
        ("asked", Wish.EACH_STATE, Wish.EACH_STATE | Wish.FINAL),
        ("always", 0, Wish.FINAL),
        ("never", Wish.FINAL, 0),
    ):
        found = routes({"to": "trunk:a", "receipts": how}).plan(message(wish=asked), 0)
        assert isinstance(found, Plan)
        assert found.wish == wish


def test_the_pause_between_attempts_doubles_spread_by_a_quarter() -> None:
    retry = Retry(10.0, 1000.0, 15)
    assert [retry.pause(n, 0.5) for n in (1, 2, 3, 9, 15)] == [10.0, 20.0, 40.0, 1000.0, 1000.0]
    assert (retry.pause(1, 0.0), retry.pause(1, 1.0)) == (8.75, 11.25)


def test_senders_by_their_looks() -> None:
    assert [named(text).ton for text in ("+4930", "12345", "4930123456", "ACME")] == [1, 3, 0, 5]


@pytest.mark.parametrize(
    ("route", "fault"),
    [
        ({"to": "user:nobody"}, "sms_routes.0.to: user:nobody: there is no such user"),
        ({"to": "trunk:a", "order": "cost"}, "sms_routes.0.order: cost: needs routing.rates"),
        ({"to": ["trunk:a", "trunk:a"]}, "must not name one way twice"),
        ({"to": "carrier"}, "must be account:NAME"),
        ({"to": "trunk:a", "content": "("}, "is no regular expression"),
        ({"to": ["trunk:a", "trunk:b"], "order": "weight", "weights": [1]}, "must be one for each of 2 ways"),
    ],
)
def test_a_broken_route_is_one_clear_line(route: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(fault)):
        Config.model_validate({"sms_routes": [{"name": "r", **route}]})


# -- told


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "switchroom.toml"
    path.write_text(
        """
        [[users]]
        name = "alice"
        password = "xxxxxxxxxxxx"
        number = "200"

        [[sms_routes]]
        name = "night"
        match = "+49*"
        hours = ["22:00-06:00"]
        to = "trunk:cheap"

        [[sms_routes]]
        name = "de"
        match = "+49*"
        to = ["trunk:a", "trunk:b"]
        source = "ACME"

        [[sms_rules]]
        inlets = ["account:bad"]
        sources = "GOOD"
        """
        + "".join(
            f'[[smpp_trunks]]\nname = "{name}"\nsystem_id = "x"\naddress = "smpp:[::1]"\n'
            for name in ("cheap", "a", "b")
        )
    )
    return path


def told(capsys: pytest.CaptureFixture[str], file: Path, *arguments: str) -> str:
    with pytest.raises(SystemExit):
        main(["route", "explain", "--sms", "-c", str(file), "--at", "2026-11-23T12:00", *arguments])
    return capsys.readouterr().out


def test_route_explain_sms(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    said = told(capsys, file, "--from", "+49301", "--to", "+491701")
    assert "route night: matches +491701; 12:00 is not within its hours: skipped" in said
    assert "route de: matches +491701; goes to trunk:a, then trunk:b from ACME" in said
    assert told(capsys, file, "--from", "1", "--to", "200").strip() == "200 is user alice"
    assert "no route takes +33" in told(capsys, file, "--from", "1", "--to", "+33")
    refused = told(capsys, file, "--from", "BANK", "--to", "+49", "--source", "account:bad", "--json")
    assert json.loads(refused) == ["refused before any route: BANK: not a sender of account:bad"]
