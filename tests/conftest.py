"""Peers: programs that others wrote. Without one its tests are skipped, but never in CI."""

from __future__ import annotations

import os
import shutil
import signal
import sys

import pytest

from tests import twins

if os.environ.get("SWITCHROOM_PLAIN") == "1":  # the modules that are compiled as they are, as they are
    sys.meta_path.insert(0, twins.Sources())

# Where SIGINT is ignored (a job in the background), so would be the programs that tests start, and end by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

_PACKAGES = {
    "baresip": "baresip",
    "bearerbox": "kannel",
    "chromium": "chromium",
    "npm": "npm",
    "dnsmasq": "dnsmasq-base",
    "espeak-ng": "espeak-ng",
    "faketime": "faketime",
    "ffmpeg": "ffmpeg",
    "kamailio": "kamailio",
    "linphonec": "linphone-cli",
    "opusdec": "opus-tools",
    "opusenc": "opus-tools",
    "sipp": "sip-tester",
    "smsbox": "kannel",
    "smsd": "smstools",
    "sipsak": "sipsak",
    "sox": "sox",
    "speexdec": "speex",
    "speexenc": "speex",
    "svcrack": "sipvicious",
    "svwar": "sipvicious",
    "toast": "libgsm-tools",
    "tshark": "tshark",
    "untoast": "libgsm-tools",
}


def pytest_configure() -> None:
    """Refuse to test what is not what the sources say: a module that was changed since it was compiled."""
    stale = [] if os.environ.get("SWITCHROOM_PLAIN") == "1" else twins.stale()
    if stale:
        pytest.exit(f"changed since it was built: {', '.join(stale)} (setup.py build_ext --inplace)", 4)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Look for the peers that the test names: ``@pytest.mark.peer("sipp")``."""
    wanted = [name for marker in item.iter_markers("peer") for name in marker.args]
    missing = [
        name for name in wanted if shutil.which(name) is None and not os.path.exists(f"/usr/sbin/{name}")
    ]
    if not missing:
        return
    reason = ", ".join(
        f"{name} is not installed (apt install {_PACKAGES.get(name, name)})" for name in missing
    )
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{reason}; in CI a peer must not be missing", pytrace=False)
    pytest.skip(reason)
