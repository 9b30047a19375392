"""Headless Chromium as a phone: a page with SIP.js, driven by the DevTools protocol."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .ports import TETHER

PATIENCE = 30.0  # seconds that a browser may take for anything on a machine that others use as well
SIP_JS = "sip.js@0.21.2"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "switchroom-tests"
_TYPES = {".js": "text/javascript", ".html": "text/html"}
_BLANK = b"<!doctype html><title>phone</title>"


def npm_package(wanted: str) -> Path:
    """The folder of a package of npm, such as sip.js@0.21.2; kept from one run to the next."""
    name = wanted.rpartition("@")[0]
    root = _CACHE / wanted.replace("/", "_")
    if not (root / "complete").exists():
        root.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            str(root),
            wanted,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        (root / "complete").touch()
    return root / "node_modules" / name


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves a blank page, and the files of the libraries below it."""

    extensions_map = {"": "application/octet-stream", **_TYPES}  # noqa: RUF012 - the class has it so

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(_BLANK)))
        self.end_headers()
        self.wfile.write(_BLANK)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Page:
    """One tab; ``run`` evaluates JavaScript in it, top-level await included."""

    def __init__(self, url: str) -> None:
        self._open = contextlib.ExitStack()
        self._connection: ClientConnection = self._open.enter_context(connect(url, max_size=None, proxy=None))
        self._serial = 0
        self._ask("Runtime.enable")

    def _ask(self, method: str, timeout: float = PATIENCE, **params: Any) -> Any:
        self._serial += 1
        self._connection.send(json.dumps({"id": self._serial, "method": method, "params": params}))
        until = time.monotonic() + timeout
        while True:
            message = json.loads(self._connection.recv(max(0.01, until - time.monotonic())))
            if message.get("id") == self._serial:
                assert "error" not in message, message
                return message["result"]

    def run(self, script: str, timeout: float = PATIENCE) -> Any:
        """The value of an asynchronous function's body."""
        expression = f"(async () => {{ {script} }})()"
        found = self._ask(
            "Runtime.evaluate", timeout, expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression: str, timeout: float = PATIENCE) -> Any:
        """The expression's value as soon as it is true."""
        script = f"""
            const until = performance.now() + {timeout * 1000};
            while (performance.now() < until) {{
                const value = {expression};
                if (value) return value;
                await new Promise(go => setTimeout(go, 20));
            }}
            return null;
        """
        value = self.run(script, timeout + 5.0)
        if not value:
            said = self.run("return (window.said || []).slice(-30).join('\\n');")
            raise AssertionError(f"not within {timeout} s in the browser: {expression}\n{said}")
        return value

    def close(self) -> None:
        """Let go of the tab, which stays."""
        self._open.close()

    def leave(self) -> None:
        """The tab goes, and with it whoever is registered there."""
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            self._ask("Page.close")
        self.close()


class Browser:
    """One Chromium and the server of its pages: of 127.0.0.1, so that they may use the microphone."""

    def __init__(self, folder: Path, library: Path, microphone: Path | None = None) -> None:
        """``microphone``: a WAV that is heard in place of one, again and again."""
        self._folder = folder
        self._microphone = microphone
        handler = functools.partial(_Files, directory=str(library))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._process: subprocess.Popen[bytes] | None = None
        self._pages: list[Page] = []
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Browser:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        profile = self._folder / "profile"
        profile.mkdir(parents=True)
        program = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
        heard = [f"--use-file-for-fake-audio-capture={self._microphone}"] if self._microphone else []
        with (self._folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(*TETHER, program, "--headless=new", "--no-sandbox", "--disable-gpu"),
                    *("--disable-dev-shm-usage", "--no-first-run", "--disable-extensions"),
                    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
                    "--ignore-certificate-errors",  # the switch's certificate is of the test
                    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
                    "--disable-features=WebRtcHideLocalIpsWithMdns",
                    "--autoplay-policy=no-user-gesture-required",
                    *heard,
                    *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self._folder)},
            )
        self._port = self._wait_port(profile / "DevToolsActivePort")
        return self

    def _wait_port(self, file: Path, timeout: float = PATIENCE) -> int:
        until = time.monotonic() + timeout
        while True:
            if file.exists() and (lines := file.read_text().splitlines()):
                return int(lines[0])
            assert self._process is not None
            said = (self._folder / "chromium.log").read_text(errors="replace")
            assert self._process.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.05)  # a file appears: there is no event to wait for

    def page(self) -> Page:
        """A new tab at the blank page."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/json/new?{self.origin}/", method="PUT"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            url = json.load(answer)["webSocketDebuggerUrl"]
        page = Page(url)
        self._pages.append(page)
        there = f"location.origin === '{self.origin}' && document.readyState === 'complete'"
        with contextlib.suppress(AssertionError):  # the tab was asked while it was on its way
            page.wait_for(there)
        page.wait_for(there)
        return page

    def __exit__(self, *_: object) -> None:
        for page in self._pages:
            page.close()
        self._server.shutdown()
        self._server.server_close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


_PHONE = """
    const {{ UserAgent, Registerer, Messager, Inviter }} = await import("/lib/index.js");
    window.Inviter = Inviter; window.calls = [];
    window.heard = []; window.said = [];
    window.Messager = Messager; window.UserAgent = UserAgent;
    window.ua = new UserAgent({{
        uri: UserAgent.makeURI("sip:{user}@127.0.0.1"),
        authorizationUsername: "{user}", authorizationPassword: "{password}",
        transportOptions: {{ server: "{server}", keepAliveInterval: 0 }},
        logLevel: "debug", logBuiltinEnabled: false,
        logConnector: (level, category, label, content) => said.push(content),
        sessionDescriptionHandlerFactoryOptions: {{
            peerConnectionConfiguration: {{ iceServers: [], bundlePolicy: "{bundle}" }},
        }},
        delegate: {{
            onMessage: m => {{ heard.push(m.request.body); m.accept(); }},
            onInvite: call => {{ calls.push(call); call.accept({options}); }},
        }},
    }});
    await ua.start();
    window.registerer = new Registerer(ua, {{ expires: 600 }});
    await registerer.register();
"""


def sip_phone(page: Page, user: str, password: str, server: str, *, bundle: str = "balanced") -> None:
    """Make the page a registered phone: ``ua``, ``registerer``, and the texts that it ``heard``."""
    options = _options(has_video=bundle != "balanced")
    page.run(_PHONE.format(user=user, password=password, server=server, bundle=bundle, options=options))
    page.wait_for("registerer.state === 'Registered'")


_CONNECTION = "(calls[0].connection || calls[0].sessionDescriptionHandler.peerConnection)"  # either library
_LISTEN = (
    f"const connection = {_CONNECTION};"
    + """
    const stream = new MediaStream(connection.getReceivers().map(receiver => receiver.track));
    const player = new Audio();  // without one Chromium feeds nothing to Web Audio
    player.srcObject = stream; player.muted = true; await player.play();
    window.context = new AudioContext(); await context.resume();
    window.analyser = context.createAnalyser(); analyser.fftSize = 8192;
    context.createMediaStreamSource(stream).connect(analyser);
    window.peak = () => {
        const levels = new Float32Array(analyser.frequencyBinCount);
        analyser.getFloatFrequencyData(levels);
        let best = 0;
        levels.forEach((level, i) => { if (level > levels[best]) best = i; });
        return levels[best] > -60 ? best * context.sampleRate / analyser.fftSize : 0;
    };
"""
)


def _options(*, has_video: bool) -> str:
    video = "{ width: 160, height: 120, frameRate: 10 }" if has_video else "false"
    return f"{{ sessionDescriptionHandlerOptions: {{ constraints: {{ audio: true, video: {video} }} }} }}"


def dial(page: Page, number: str, timeout: float = PATIENCE, *, has_video: bool = False) -> None:
    """Call somebody, and wait for the answer."""
    options = _options(has_video=has_video)
    page.run(
        f"""
        calls.push(new Inviter(ua, UserAgent.makeURI("sip:{number}@127.0.0.1"), {options}));
        await calls[0].invite();
        """
    )
    page.wait_for("calls[0].state === 'Established'", timeout)


def wait_to_hear(page: Page, hertz: float, timeout: float = PATIENCE) -> None:
    """Wait until the loudest frequency that the page hears is that one."""
    page.run(_LISTEN)
    page.wait_for(f"Math.abs(peak() - {hertz}) < 20", timeout)


def media_of_call(page: Page) -> dict[str, str]:
    """What the browser says of its one call: states, the codec, the cipher."""
    found: dict[str, str] = page.run(
        """
        const connection = calls[0].sessionDescriptionHandler.peerConnection;
        const told = {state: connection.connectionState, ice: connection.iceConnectionState};
        for (const one of (await connection.getStats()).values()) {
            if (one.type === "transport") told.cipher = one.srtpCipher;
            if (one.type === "codec") told.codec = one.mimeType;
        }
        return told;
        """
    )
    return found


_WATCH = """
    const connection = calls[0].sessionDescriptionHandler.peerConnection;
    const until = performance.now() + 30000;
    for (;;) {
        const told = {transports: 0};
        for (const one of (await connection.getStats()).values()) {
            if (one.type === "transport") told.transports++;
            if (one.type === "inbound-rtp" && one.kind === "video")
                Object.assign(told, {decoded: one.framesDecoded, width: one.frameWidth, asked: one.pliCount});
            if (one.type === "outbound-rtp" && one.kind === "video")
                Object.assign(told, {sent: one.framesEncoded, told: one.pliCount, lacking: one.nackCount});
        }
        if (told.decoded >= %d || performance.now() > until) return told;
        await new Promise(go => setTimeout(go, 50));
    }
"""


def video_of_call(page: Page, frames: int) -> dict[str, int]:
    """What the browser says of pictures, as soon as it has seen so many."""
    found: dict[str, int] = page.run(_WATCH % frames, 35.0)
    assert found.get("decoded", 0) >= frames, found
    return found
