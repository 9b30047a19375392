"""Kamailio as a carrier that registers and challenges us, and as a proxy in front of us."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from .ports import TETHER, free_port
from .raw import SilenceError, Wire

HOST = "127.0.0.9"  # not the phones': a trunk is known by its address
DOMAIN = "carrier.test"

_HEAD = """#!KAMAILIO
debug=2
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
dns=no
rev_dns=no
alias="{domain}"
listen=udp:{host}:{port}
listen=tcp:{host}:{port}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "path.so"
modparam("rr", "enable_double_rr", 0)
modparam("tm", "fr_timer", 5000)
modparam("auth", "nonce_expire", {nonce_lifetime})
modparam("auth", "nonce_auth_max_drift", 0)
modparam("usrloc", "timer_interval", 1)
modparam("path", "use_received", 1)
"""

# A carrier: digest for REGISTER (401), INVITE and BYE (407); calls of its other customer go to us.
_CARRIER = """
request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("OPTIONS") && $rU == $null) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (is_method("ACK") && t_check_trans()) {{ t_relay(); exit; }}
        if (is_method("BYE") && $sp != {pstn}) {{
            if (!pv_proxy_authenticate("{domain}", "{password}", "0")) {{
                proxy_challenge("{domain}", "0"); exit;
            }}
            consume_credentials();
        }}
        if (!loose_route()) {{ sl_send_reply("404", "Not here"); exit; }}
        t_relay();
        exit;
    }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{domain}", "{password}", "0")) {{
            www_challenge("{domain}", "0"); exit;
        }}
        if ($(hdr(Expires){{s.int}}) > 0 && $(hdr(Expires){{s.int}}) < {min_expires}) {{
            append_to_reply("Min-Expires: {min_expires}\r\n");
            sl_send_reply("423", "Interval Too Brief");
            exit;
        }}
        append_to_reply("Service-Route: <sip:{host}:{port};lr;orig>\\r\\n");
        save("location");
        exit;
    }}
    if (!is_method("INVITE")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
    record_route();
    if ($sp == {pstn}) {{
        $var(is_number) = {accounts_are_numbers};
        if ($var(is_number) == 1) $ru = "sip:" + $(rU{{s.substr,1,0}}) + "@{domain}";
        else $ru = "sip:acct@{domain}";
        if (!lookup("location")) {{ sl_send_reply("404", "Not Registered"); exit; }}
        append_hf("P-Asserted-Identity: <sip:+44207946001@{domain}>\\r\\n");
        t_relay();
        exit;
    }}
    if (!pv_proxy_authenticate("{domain}", "{password}", "0")) {{
        proxy_challenge("{domain}", "0"); exit;
    }}
    consume_credentials();
    append_hf("X-Route: $hdr(Route)\r\n");
    loose_route();
    $du = "sip:127.0.0.1:{pstn}";
    t_relay();
}}
"""

# A proxy at the edge: phones come to it; it adds Path and Record-Route, and asks nobody who he is.
_EDGE = """
request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK") && t_check_trans()) t_relay();
        exit;
    }}
    if (is_method("REGISTER")) {{
        add_path_received();
        $du = "sip:{inside}";
        t_relay();
        exit;
    }}
    loose_route();
    record_route();
    if ($si == "{inside_host}" && $sp == {inside_port}) {{ t_relay(); exit; }}
    $du = "sip:{inside}";
    t_relay();
}}
"""


class Kamailio:
    """One kamailio with a configuration of its own; ended by its process group."""

    def __init__(self, folder: Path, route: str, **values: object) -> None:
        self.port = free_port()
        self.address = (HOST, self.port)
        settings = {
            "host": HOST, "port": self.port, "domain": DOMAIN, "password": "secret", "nonce_lifetime": 300,
            "min_expires": 0, "accounts_are_numbers": 0,
        } | values  # fmt: skip
        self.file = folder / "kamailio.cfg"
        self.file.write_text((_HEAD + route).format(**settings))
        self.log = folder / "kamailio.log"
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def carrier(cls, folder: Path, pstn: int, **values: object) -> Kamailio:
        """A carrier whose other customer has this port of 127.0.0.1."""
        return cls(folder, _CARRIER, pstn=pstn, **values)

    @classmethod
    def edge(cls, folder: Path, inside: tuple[str, int]) -> Kamailio:
        """A proxy in front of this address."""
        host, port = inside
        return cls(folder, _EDGE, inside=f"{host}:{port}", inside_host=host, inside_port=port)

    def start(self, timeout: float = 10.0) -> Kamailio:
        """Start it and wait until it answers."""
        memory = ["-m", "32", "-M", "8"]
        command = ["kamailio", "-DD", "-E", *memory, "-f", str(self.file), "-Y", str(self._folder)]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [*TETHER, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        until = time.monotonic() + timeout
        while True:
            assert self.process.poll() is None, self.said()
            with Wire(self.address) as probe:
                try:
                    probe.options(0.3)
                    return self
                except SilenceError:
                    assert time.monotonic() < until, self.said()

    def signal(self, what: signal.Signals) -> None:
        """All its processes at once: they are a group of their own."""
        assert self.process is not None
        os.killpg(self.process.pid, what)

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]

    def stop(self) -> None:
        """Its children end with it."""
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
                self.process.wait(5)

    def __enter__(self) -> Kamailio:
        return self if self.process else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
