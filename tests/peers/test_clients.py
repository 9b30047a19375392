"""Other clients: that of npm with a little of everything, and the lines of the README."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import twilio.rest

from .browser import npm_package
from .test_api import OURS, SID, THEIRS, TOKEN
from .test_voice import voice_place

PROGRAM = Path(__file__).with_name("node_client.js")


@pytest.mark.peer("npm")
def test_the_client_of_npm(tmp_path: Path) -> None:
    package = npm_package("twilio@6")
    with voice_place(tmp_path, is_bought=False) as (_, client, phone, _):
        words = [str(package), client.api.base_url, SID, TOKEN, OURS, THEIRS, "http://127.0.0.1:9/voice"]
        done = subprocess.run(["node", str(PROGRAM), *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert phone.expect("MESSAGE", 10).body.decode() == "Grüße aus Node"
    found = json.loads(done.stdout)
    assert found == {
        "message": ["queued", "outbound-api", "Grüße aus Node"],
        "messages": 1,
        "call": ["queued", "outbound-api"],
        "queue": [9, 1],
        "conferences": 0,
        "service": "s",
        "verify": ["pending", False],
        "lookup": "US",
        "applications": 3,
        "error": [400, 21211, "https://www.twilio.com/docs/errors/21211"],
    }


def test_the_lines_of_the_readme(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [lines] = re.findall(r"^```py\n(.*?)^```", readme, re.M | re.S)
    assert f"from_='{OURS}', body='Hi there', to='{THEIRS}'" in lines
    with voice_place(tmp_path) as (_, client, phone, _):
        lines = lines.replace("http://127.0.0.1:8081", client.api.base_url)
        exec(lines, {"twilio": twilio, "account_sid": SID, "auth_token": TOKEN})
        assert phone.expect("MESSAGE", 10).body == b"Hi there"
