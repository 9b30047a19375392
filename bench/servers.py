"""The servers that the SIP benchmarks measure, ours and its peers, and what the kernel knows of them.

A server is started fresh for each run. Its CPU time and memory are those of its whole process tree, from
/proc: the generators of load compete for the same cores but are not counted.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SERVER, CALLER, CALLEE = 15060, 15070, 15080
TLS_SERVER = 15061
PASSWORD = "bench-password"
FIRST_USER = 200_000  # users are numbers from here on
DESCRIPTORS = 400_000  # that a server may have, where we may say so
SETTLE = 0.3  # seconds after the last message: late retransmissions still belong to the run
PEERS = ("kamailio", "sippy")

KAMAILIO = f"""\
fork=yes
children=1
log_stderror=yes
debug=-1
disable_tcp=yes
dns=no
auto_aliases=no
listen=udp:127.0.0.1:{SERVER}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("auth", "nonce_expire", 300)
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "hash_size", 12)
request_route {{
    if (!mf_process_maxfwd_header("70")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); }} else if (is_method("ACK") && t_check_trans()) {{ t_relay(); }}
        exit;
    }}
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("127.0.0.1", "{PASSWORD}", "0")) {{ www_challenge("127.0.0.1", "1"); exit; }}
        save("location");
        exit;
    }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    record_route();
    $du = "sip:127.0.0.1:{CALLEE}";
    if (!t_relay()) sl_reply_error();
}}
"""

SIP_LIMITS = """
source_rate = 1000000
source_burst = 1000000
total_rate = 1000000
total_burst = 1000000
register_rate = 1000000
max_transactions = 10000000
max_connections = 50000
max_connections_per_source = 50000
"""
CALL_LIMITS = """
[calls]
max_calls = 1000000
max_calls_per_user = 100000
user_rate = 10000
"""


@dataclass(frozen=True)
class Setup:
    """How our switch is set up for a run."""

    users: int = 100
    has_auth: bool = False  # else all of 127.0.0.0/8 may call without a password
    workers: int = 1
    transport: str = "udp"  # of both legs: udp, tcp or tls
    callee_host: str = "127.0.0.1"  # [::1] has ports of its own
    media_ports: str = "20000-59999"
    is_guarded: bool = False  # the limits that a new switch has, instead of none
    more: str = ""  # TOML behind the rest


def switch_toml(folder: Path, setup: Setup) -> str:
    """A switch whose trunk "out" leads to sipp; limits that the load would meet are far away."""
    listen = [f"udp:127.0.0.1:{SERVER}", f"tcp:127.0.0.1:{SERVER}", f"udp:[::1]:{SERVER}"]
    tls = ""
    if setup.transport == "tls":
        listen.append(f"tls:127.0.0.1:{TLS_SERVER}")
        tls = '[tls]\ncertificate = "bench.pem"\nprivate_key = "bench.key"\nca_file = "bench.pem"\n'
    users = "".join(
        f'[[users]]\nname = "{FIRST_USER + n}"\npassword = "{PASSWORD}"\n' for n in range(setup.users)
    )
    trunk_in = "" if setup.has_auth else '[[trunks]]\nname = "in"\nsources = ["127.0.0.0/8"]\n'
    address = f"sip:{setup.callee_host}:{CALLEE};transport={setup.transport}"
    sip_limits, call_limits = ("", "") if setup.is_guarded else (SIP_LIMITS, CALL_LIMITS)
    return f"""
[switch]
state_dir = {json.dumps(str(folder / "state"))}
[sip]
listen = {json.dumps(listen)}
{sip_limits}
{tls}
[auth]
realm = "127.0.0.1"
[media]
ports = "{setup.media_ports}"
first_rtp_timeout = 0
rtp_timeout = 0
{call_limits}
[api]
listen = ""
[[trunks]]
name = "out"
address = "{address}"
[[routes]]
match = "7*"
to = "trunk:out"
{trunk_in}{setup.more}
{users}"""


def command_of(server: str, folder: Path, setup: Setup) -> list[str]:
    """Write the server's configuration and say how it is started."""
    if server == "kamailio":
        (folder / "kamailio.cfg").write_text(KAMAILIO)
        # its fast allocator: with the default one a call costs five times as much
        memory = ["-x", "fm", "-X", "fm", "-m", "1024", "-M", "16"]
        return ["kamailio", "-DD", "-E", *memory, "-f", str(folder / "kamailio.cfg"), "-Y", str(folder)]
    if server == "sippy":
        program = shutil.which("b2bua_simple", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        if program is None:
            raise SystemExit("--peer sippy: pip install sippy")
        address = f"127.0.0.1:{CALLEE}"
        return [program, "-f", "-l", "127.0.0.1", "-p", str(SERVER), "-n", address]
    if setup.transport == "tls":
        make_certificate(folder)
    (folder / "switchroom.toml").write_text(switch_toml(folder, setup))
    workers = ["--workers", str(setup.workers)] if setup.workers > 1 else []
    return [
        sys.executable,
        "-m",
        "switchroom.switch",
        "serve",
        "-c",
        str(folder / "switchroom.toml"),
        *workers,
    ]


def make_certificate(folder: Path) -> None:
    """A certificate for 127.0.0.1 that signs itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", "bench.key", "-out", "bench.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


# ---- what the kernel knows


def tree_of(pid: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            children.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(
                int(path.parent.name)
            )
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def cpu_of(pids: Sequence[int]) -> tuple[float, float]:
    """User and system seconds of the processes."""
    user = system = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            user, system = user + int(fields[11]), system + int(fields[12])
    return user / TICKS, system / TICKS


def memory_of(pids: Sequence[int]) -> float:
    """Proportional resident memory in MiB: shared pages count once."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                total += int(line.split()[1]) if line.startswith("Pss:") else 0
    return total / 1024


def descriptors_of(pids: Sequence[int]) -> int:
    """Open files and sockets of the processes."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            total += len(os.listdir(f"/proc/{pid}/fd"))
    return total


# ---- starting and stopping


def wait_ready(server: subprocess.Popen[bytes], timeout: float = 30.0) -> None:
    """Until an OPTIONS is answered."""
    until = time.monotonic() + timeout
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        probe.settimeout(0.2)
        port = probe.getsockname()[1]
        for number in range(10**6):
            if server.poll() is not None or time.monotonic() > until:
                raise SystemExit("the server did not start")
            text = (
                f"OPTIONS sip:127.0.0.1:{SERVER} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKr{port}x{number};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:probe@127.0.0.1>;tag=p\r\nTo: <sip:127.0.0.1:{SERVER}>\r\n"
                f"Call-ID: ready-{port}-{number}\r\nCSeq: 1 OPTIONS\r\n"
                f"Contact: <sip:probe@127.0.0.1:{port}>\r\nContent-Length: 0\r\n\r\n"
            )
            with suppress(TimeoutError, ConnectionError):
                probe.sendto(text.encode(), ("127.0.0.1", SERVER))
                probe.recv(4096)
                return
            time.sleep(0.05)


def allow_descriptors() -> None:
    """Raise the limit for us and what we start."""
    with suppress(ValueError, OSError):  # root may raise the limit, others use what they have
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


@contextmanager
def running(command: list[str], out: Path, *, is_server: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block."""
    with out.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=out.parent,
            preexec_fn=allow_descriptors if is_server else None,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def server_running(server: str, folder: Path, setup: Setup) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers, and ends with the block."""
    with running(command_of(server, folder, setup), folder / "server.log", is_server=True) as process:
        wait_ready(process)
        yield process
