"""``python -m switchroom.switch.workers FD``: what the supervisor executes, with the channel's descriptor."""

import os
import signal
import sys

from ..ops.process import prepare


def main() -> None:
    """Be a worker."""
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # a signal to the group is for the supervisor
    prepare()
    from .child import run  # only now: each call walks through what the imports make, too

    run(int(sys.argv[1]))


main()
