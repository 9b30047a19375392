"""JsSIP in a browser's page: a second library, whose offers and answers are others than those of SIP.js."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .browser import Page, npm_package

JSSIP, ESBUILD = "jssip@3.10.1", "@esbuild/linux-x64@0.24.2"
_PHONE = """
    await import("/jssip.js");
    window.said = []; window.calls = [];
    const socket = new JsSIP.WebSocketInterface("{server}");
    window.ua = new JsSIP.UA({{
        sockets: [socket], uri: "sip:{user}@127.0.0.1", password: "{password}", session_timers: false,
    }});
    window.options = {{
        mediaConstraints: {{ audio: true, video: false }},
        pcConfig: {{ iceServers: [], bundlePolicy: "max-bundle" }},
    }};
    ua.on("newRTCSession", event => {{
        calls.push(event.session);
        if (event.originator === "remote") event.session.answer(options);
    }});
    for (const name of ["connected", "disconnected", "registered", "registrationFailed"])
        ua.on(name, event => said.push(name + " " + (event.cause || event.reason || "")));
    ua.start();
"""


def library(folder: Path) -> Path:
    """A folder with the library in one file, as pages load it."""
    entry, esbuild = npm_package(JSSIP) / "lib-es5" / "JsSIP.js", npm_package(ESBUILD) / "bin" / "esbuild"
    folder.mkdir()
    command = [str(esbuild), str(entry), "--bundle", "--global-name=JsSIP", "--footer:js=window.JsSIP=JsSIP;"]
    done = subprocess.run([*command, f"--outfile={folder / 'jssip.js'}"], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return folder


def jssip_phone(page: Page, user: str, password: str, server: str) -> None:
    """Make the page a registered phone that answers calls."""
    page.run(_PHONE.format(user=user, password=password, server=server))
    page.wait_for("ua.isRegistered()")


def dial(page: Page, number: str) -> None:
    """Call somebody by voice, and wait for the answer."""
    page.run(f"""ua.call("sip:{number}@127.0.0.1", options);""")
    page.wait_for("calls.length && calls[0].isEstablished()")
