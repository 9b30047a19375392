"""Kannel as a message centre for customers: opensmppbox, bearerbox, and a carrier behind it.

opensmppbox is no part of Debian's package; it is built from Kannel's own sources (addons/opensmppbox). As it
comes it sleeps for a second whenever nothing is there to read. It lets each system_id bind once: one bind.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import servers
from smpp_load import CARRIER, CUSTOMERS, FIRST, wait_for_port

ADMIN, BOXES = 12780, 12781


@contextmanager
def running(folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Both are up, and somebody may bind; its spool is in the folder."""
    for program in ("bearerbox", "opensmppbox"):
        if shutil.which(program) is None:
            raise SystemExit(f"--peer kannel: there is no {program}")
    (folder / "spool").mkdir()
    (folder / "users").write_text("acme secret12 VMA *.*.*.*\n")
    (folder / "bearerbox.conf").write_text(_BEARERBOX.format(folder=folder))
    (folder / "opensmppbox.conf").write_text(_OPENSMPPBOX.format(folder=folder))
    with ExitStack() as stack:
        programs = []
        for program, port in (("bearerbox", BOXES), ("opensmppbox", CUSTOMERS)):
            command = [*FIRST, program, "-v", "4", str(folder / f"{program}.conf")]
            log = folder / f"{program}.log"
            programs.append(stack.enter_context(servers.running(command, log)))
            wait_for_port(port, programs[-1], log)
        yield programs


_BEARERBOX = f"""\
group = core
admin-port = {ADMIN}
admin-password = bench
smsbox-port = {BOXES}
box-allow-ip = 127.0.0.1
store-type = spool
store-location = {{folder}}/spool
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = carrier
host = 127.0.0.1
port = {CARRIER}
transceiver-mode = true
smsc-username = us
smsc-password = bench
system-type = VMA
max-pending-submits = 1000

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {BOXES + 1}
"""

_OPENSMPPBOX = f"""\
group = core
dlr-storage = internal

group = opensmppbox
bearerbox-host = 127.0.0.1
bearerbox-port = {BOXES}
opensmppbox-id = customers
opensmppbox-port = {CUSTOMERS}
our-system-id = kannel
route-to-smsc = carrier
smpp-logins = {{folder}}/users
"""
