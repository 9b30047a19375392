"""`switchroom codecs`: what it says of each, to people and to programs."""

from __future__ import annotations

import json

import pytest

from switchroom import codecs
from switchroom.switch.ops import codec_cost
from switchroom.switch.ops.cli import main


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert not ended.value.code


def test_each_codec_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    run("codecs", "--json")
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == [codec.format.name for codec in codecs.CODECS.values()]
    for name, row in rows.items():
        codec = codecs.find(name)
        assert row["offered"] == codec.is_offered
        assert (row["encode_us"] is None) == (row["decode_us"] is None) == bool(row["why_not"])
        assert row["encode_us"] is None or row["encode_us"] > 0
        assert row["licence"] == codec.licence
        assert bool(row["version"]) == codec.is_offered, name
    assert rows["PCMU/8000"]["library"] is None
    assert rows["G729/8000"]["licence"] == "GPL-3.0-or-later"
    assert rows["G722/8000"]["packet_times"] == [10, 20, 30, 40, 50, 60]


def test_people_get_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_cost, "measure", lambda codec: codec_cost.Cost(1.25, 12.5))
    missing = codecs.Library("libopus.so.0", "", "libopus.so.0 is not there (Debian: libopus0)")
    monkeypatch.setattr(codecs.catalog, "library_of", lambda name: missing if name == "opus" else None)
    run("codecs")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("PCMU", "opus"))]
    assert "built in" in lines[0]
    assert lines[0].split()[-3:] == ["1.2", "12.5", "yes"]
    assert "libopus0" in lines[1]
    assert "12.5" not in lines[1]


def test_a_cost_is_of_20_ms() -> None:
    cost = codec_cost.measure(codecs.find("GSM"), 0.01)
    assert cost.encode > codec_cost.measure(codecs.find("PCMU"), 0.01).encode
