"""The file of the first start: two phones can talk with it, and it shows what else there is."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_FIRST = """\
# Switchroom's configuration. Every key, its default and its limits: docs/configuration.md
# Check a change with "switchroom check"; apply it with "switchroom reload": calls go on.

[switch]
domain = ""            # empty: phones may use any address of this machine
state_dir = "state"    # registrations, call records and the control socket

[sip]
listen = ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]

[media]
ports = "30000-39999"  # open these for UDP in a firewall
address = ""           # empty: by route; behind a port forwarding: the public address
rtp_timeout = 60       # a call without any sound for so many seconds ends

[api]
listen = "127.0.0.1:8080"  # http://127.0.0.1:8080/metrics and /healthz
# REST for programs (account: switchroom api account); proxy: leads unchanged ones here by environment alone
rest = ["http:127.0.0.1:8081", "proxy:127.0.0.1:8082"]
docs = true            # http://127.0.0.1:8081/docs describes it, and lets you try it
foreign_senders = true  # texts may come from numbers that nobody has: for a first try
numbers = ["+15017122661"]  # that accounts can have: calls to it go to their programs
webhook_private = ["127.0.0.0/8"]  # programs on this machine may be asked: not when strangers have accounts

[log]
level = "info"         # debug shows SIP messages, passwords masked

# Whoever knows such a name and password can make calls: keep this file private.
[[users]]
name = "1001"
password = "{first}"
number = "1001"

[[users]]
name = "1002"
password = "{second}"
number = "1002"

# A number that rings both phones.
[[routes]]
match = "1000"
to = ["user:1001", "user:1002"]

# Texts to this number reach the first phone.
[[sms_routes]]
name = "first-try"
match = "+15558675310"
to = ["user:1001"]

# Another switch: it may call in from its addresses, and +49… goes out to it.
# [[trunks]]
# name = "carrier"
# sources = ["192.0.2.0/24"]
# address = "sip:192.0.2.1:5060;transport=udp"
#
# [[routes]]
# match = "+49*"
# to = "trunk:carrier"
"""


def write_default(path: str | Path) -> None:
    """Write a first configuration with fresh passwords, mode 0600; FileExistsError if there is one."""
    text = _FIRST.format(first=secrets.token_urlsafe(12), second=secrets.token_urlsafe(12))
    path = Path(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # whole or not at all, and never over another
    finally:
        draft.unlink(missing_ok=True)
