"""Route look-ups: right, quick, cached, and forgotten when the kernel says so."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from switchroom.switch.net import Addresses, Clock
from switchroom.switch.net.addresses import (
    NetlinkRoutes,
    Route,
    Routes,
    SocketRoutes,
    best_routes,
    plain_host,
)

CHILD = Path(__file__).with_name("child_namespace.py")


class Counted:
    """Routes that count how often they are asked."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self.asked: list[str] = []

    def find(self, host: str) -> Route:
        self.asked.append(host)
        return self.routes.find(host)


@pytest.fixture(params=[NetlinkRoutes, SocketRoutes])
def routes(request: pytest.FixtureRequest) -> Routes:
    made: Routes = request.param()
    return made


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.77", "127.0.0.1"),
        ("::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_what_is_local_is_reached_from_loopback(routes: Routes, host: str, source: str) -> None:
    addresses = Addresses(routes=routes)
    assert addresses.local_for(host) == source
    assert addresses.is_local(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_unspecified_address_leads_to_ourselves(routes: Routes, host: str) -> None:
    assert Addresses(routes=routes).is_local(host)


@pytest.mark.parametrize(
    "host",
    [
        "192.0.2.254",
        "2001:db8::99",
        "224.0.0.1",
        "255.255.255.255",
        "example.org",
        "",
        "1.2.3",
        "fe80::1%none0",
    ],
)
def test_what_is_not_local(routes: Routes, host: str) -> None:
    assert not Addresses(routes=routes).is_local(host)


@pytest.mark.parametrize("host", ["example.org", "", "127.0.0.1:5060", "[::1]"])
def test_a_name_has_no_route(routes: Routes, host: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Addresses(routes=routes).local_for(host)


def test_both_ways_of_asking_agree() -> None:
    netlink, sockets = NetlinkRoutes(), SocketRoutes()
    for host in ("127.0.0.1", "::1", "192.0.2.254", "198.51.100.1", "2001:db8::99"):
        try:
            source = netlink.find(host).source
        except OSError as error:
            with pytest.raises(OSError, match=str(error.strerror)):
                sockets.find(host)
        else:
            assert sockets.find(host).source == source


def test_a_host_is_asked_for_once_until_it_is_too_old() -> None:
    now = 0.0
    counted = Counted(best_routes())
    addresses = Addresses(clock=Clock(lambda: now), routes=counted, max_age=60.0)
    for _ in range(5):
        addresses.local_for("127.0.0.1")
        addresses.local_for("127.0.0.2")
    assert counted.asked == ["127.0.0.1", "127.0.0.2"]
    assert addresses.misses == 2
    now = 60.0
    addresses.local_for("127.0.0.1")
    assert len(counted.asked) == 3


def test_hosts_that_are_not_ours_are_not_remembered() -> None:
    counted = Counted(best_routes())
    addresses = Addresses(routes=counted)
    assert not any(addresses.is_local(f"198.51.100.{i}") for i in range(100))
    assert counted.asked == []


def test_a_miss_takes_well_under_a_millisecond() -> None:
    addresses = Addresses()
    addresses.local_for("127.0.0.1")
    took = []
    for i in range(50):
        started = time.perf_counter()
        addresses.local_for(f"127.0.1.{i}")
        took.append(time.perf_counter() - started)
    assert sorted(took)[25] < 0.001


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("a.b", "a.b"),
    ],
)
def test_mapped_addresses_are_written_as_ipv4(host: str, plain: str) -> None:
    assert plain_host(host) == plain


def in_namespace(case: str) -> subprocess.CompletedProcess[str]:
    """Run a case where the network is ours alone."""
    command = ["unshare", "--map-root-user", "--net", sys.executable, str(CHILD), case]
    probe = ["unshare", "--map-root-user", "--net", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("network namespaces are not permitted here (unshare --map-root-user --net)")
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("case", ["routes", "queue", "listener"])
def test_in_a_network_of_our_own(case: str) -> None:
    """routes: addresses follow a change. queue: on a slow link datagrams wait, in order and bounded.

    listener: an address that comes, goes and comes again is used without a restart, and logged.
    """
    done = in_namespace(case)
    assert done.returncode == 0, done.stderr
