"""One switch in several networks: behind a 1:1 NAT, between networks and families, with an address that goes.

Each case has network namespaces of its own (child_networks.py): nothing outside of them is changed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALONE = ("unshare", "--map-root-user", "--net", "--mount", "--fork", "--kill-child")


def missing(case: str) -> str:
    """What this machine does not allow or have; empty when the case can be run."""
    for program in ("unshare", "ip", *(["nft"] if case == "nat" else [])):
        if shutil.which(program) is None and not Path("/usr/sbin", program).exists():
            return f"{program} is not installed"
    tries = [
        "mount -t tmpfs none /run",
        "ip netns add b",
        "ip link add name a type veth peer name c netns b",
        "ip netns exec b true",
    ]
    if case == "nat":
        tries += ["ip netns exec b sysctl -qw net.ipv4.ip_forward=1", "nft add table ip n"]
        tries += ["nft add chain ip n pre '{ type nat hook prerouting priority -100; }'"]
    if case == "networks":
        tries += ["ip addr add 2001:db8::1/64 dev a"]
    probe = " && ".join(tries)
    done = subprocess.run([*ALONE, "sh", "-c", probe], capture_output=True, text=True, timeout=20)
    return f"network namespaces are not permitted here: {done.stderr.strip()}" if done.returncode else ""


@pytest.mark.parametrize("case", ["nat", "networks", "address"])
def test_in_networks_of_our_own(tmp_path: Path, case: str) -> None:
    """nat: those outside are shown the public address, those inside the other, and both hear each other.

    networks: each leg has the address that faces its telephone, IPv4 and IPv6. address: it goes away in a
    call and comes back; the sound comes back with it, and the call is hung up as usual.
    """
    if reason := missing(case):
        pytest.skip(reason)
    command = [*ALONE, sys.executable, "-m", "tests.peers.child_networks", case, str(tmp_path / "switch")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    log = tmp_path / "switch" / "serve.log"
    assert done.returncode == 0, done.stderr + (log.read_text()[-4000:] if log.exists() else "")
