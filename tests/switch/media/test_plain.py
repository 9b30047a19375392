"""What a plain call asks of the media is compiled as it is; here it answers the same as plain Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchroom.switch.media import leg, plane, ports, report, said, session
from switchroom.switch.media.quality import observer
from switchroom.switch.media.security import security
from tests import twins

HERE = Path(__file__).parent
FILES = ("test_session.py", "test_bundle.py", "test_ports.py", "quality/test_observer.py")
MODULES = (leg, observer, plane, ports, report, said, security, session)


@twins.only_plain
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_plain_is_the_source(module: object) -> None:
    """SWITCHROOM_PLAIN=1 has its effect."""
    assert str(vars(module)["__file__"]).endswith(".py")


@twins.only_compiled
def test_sessions_run_plain() -> None:
    """What is tested compiled beside this file, tested from source."""
    twins.run_plain(__file__, *(HERE / name for name in FILES))
