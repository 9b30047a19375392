"""A reload: what is slow to read holds no call up, and a fault changes nothing."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from switchroom.switch import Config, Switch
from switchroom.switch.calls.routing import Inquiry
from switchroom.switch.config import ConfigError

ASKED = Inquiry("1", "4930", "1")


def config(folder: Path, rates: Path | None = None) -> Config:
    return Config.model_validate(
        {
            "switch": {"state_dir": str(folder / "state")},
            "sip": {"listen": ["udp:127.0.0.1:0"]},
            "api": {"listen": ""},
            "trunks": [{"name": "out", "address": "sip:127.0.0.1:9"}],
            "routes": [{"match": "*", "to": "trunk:out", "order": "cost" if rates else "sequential"}],
            "routing": {"rates": str(rates)} if rates else {},
        }
    )


async def test_calls_go_on_while_a_rate_table_is_read(tmp_path: Path) -> None:
    """The table is a pipe: it can be read only when the loop, which is to write it, is free."""
    table = tmp_path / "rates.csv"
    os.mkfifo(table)
    async with Switch(config(tmp_path)) as switch:
        before = switch.router
        reload = asyncio.create_task(switch.reload(config(tmp_path, table)))
        async with asyncio.timeout(60):
            pipe = None
            while pipe is None:
                try:
                    pipe = os.open(table, os.O_WRONLY | os.O_NONBLOCK)
                except OSError:  # nobody reads yet
                    await asyncio.sleep(0.01)
            assert not reload.done()
            assert switch.router is before
            os.write(pipe, b"49,out,0.5\n")
            os.close(pipe)
            await reload
        assert switch.router is switch.exchange.router is not before
        [step] = switch.router.plan(ASKED).steps
        assert step.leaps[0].price == 0.5


async def test_a_table_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    table = tmp_path / "rates.csv"
    table.write_text("49,out,dear\n")
    first = config(tmp_path)
    async with Switch(first) as switch:
        before = switch.router
        with pytest.raises(ConfigError, match="dear"):
            await switch.reload(config(tmp_path, table))
        assert switch.config is first
        assert switch.router is switch.exchange.router is before
