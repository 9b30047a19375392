"""How long does it take to find where a call goes: in the rate table, in the routes, to a user?

python bench/route_lookup.py [--seconds 0.5] [--rates 100000] [--routes 10000]
"""

from __future__ import annotations

import argparse
import random
import timeit
from collections.abc import Callable
from itertools import cycle
from typing import Any

import report

from switchroom.switch.calls.routing import Inquiry, Rate, RateTable, Router
from switchroom.switch.config import RouteConfig, RoutingConfig, UserConfig

TRUNKS = ("alpha", "beta", "gamma")
TARGET = 10.0  # µs for a rate among 100,000 prefixes
ASKED = 2000  # numbers that take turns


def rates(count: int, chance: random.Random) -> list[Rate]:
    """As carriers write them: many long prefixes below a few short ones."""
    prefixes: set[str] = set()
    while len(prefixes) < count:
        size = chance.choice((2, 3, 4, 5, 6, 6, 7, 7, 7, 8, 9))
        prefixes.add(str(chance.randrange(10 ** (size - 1), 10**size)))
    return [
        Rate(prefix, trunk, chance.random())
        for prefix in sorted(prefixes)
        for trunk in chance.sample(TRUNKS, 2)
    ]


def numbers(known: list[str], chance: random.Random) -> list[str]:
    """Numbers below known prefixes."""
    return [f"+{chance.choice(known)}{chance.randrange(10**4):04}" for _ in range(ASKED)]


def turns(call: Callable[[Any], object], asked: list[Any]) -> Callable[[], object]:
    """A call of no arguments that takes the next question each time."""
    following = cycle(asked).__next__
    return lambda: call(following())


def time(call: Callable[[], object], seconds: float) -> float:
    """Microseconds that one call takes: the best of five rounds."""
    timer = timeit.Timer(call)
    count, spent = timer.autorange()
    count = max(1, int(count * seconds / 5 / spent))
    return min(timer.repeat(repeat=5, number=count)) / count * 1e6


def lookups(seconds: float, largest: int, chance: random.Random) -> list[dict[str, Any]]:
    """The rate table alone, as it grows."""
    rows = []
    for count in sorted({100, 10_000, largest}):
        table = rates(count, chance)
        asked = numbers([rate.prefix for rate in table], chance)
        spent = time(turns(RateTable(table).find, asked), seconds)
        target = TARGET if count == largest else None
        rows.append({"what": "rates of a number", "entries": count, "microseconds": spent, "target": target})
    return rows


def plans(seconds: float, largest: int, chance: random.Random) -> list[dict[str, Any]]:
    """Whole plans: to a user, by a route among many, by price; and the explanation of one."""
    rows = []
    users = [
        UserConfig(name=f"u{n}", password="secret-of-the-bench", number=str(1000 + n)) for n in range(1000)
    ]
    table = rates(100_000, chance)
    dear = RouteConfig(match="+*", to=[f"trunk:{name}" for name in TRUNKS], order="cost")
    for count in sorted({10, 1000, largest}):
        routes = [RouteConfig(match=f"+9{n:05}*", to="trunk:alpha") for n in range(count)]
        router = Router(users, [*routes, dear], routing=RoutingConfig(), rates=RateTable(table))
        extensions = [Inquiry("1001", user.number, "u1") for user in users]
        routed = [Inquiry("1001", f"+9{chance.randrange(count):05}123", "u1") for _ in range(ASKED)]
        priced = [
            Inquiry("1001", n, "u1") for n in numbers([r.prefix for r in table if r.prefix[0] != "9"], chance)
        ]
        for what, asked in (
            ("plan to a user", extensions),
            ("plan by a route", routed),
            ("plan by price", priced),
        ):
            rows.append(
                {"what": what, "entries": count, "microseconds": time(turns(router.plan, asked), seconds)}
            )
        told = turns(lambda inquiry, router=router: router.plan(inquiry).lines, routed)  # type: ignore[misc]
        spent = time(told, seconds)
        rows.append(
            {"what": "plan by a route, told", "entries": count, "microseconds": spent, "target": None}
        )
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="how long to measure each row (default 0.5)"
    )
    parser.add_argument(
        "--rates", type=int, default=100_000, help="prefixes in the rate table (default 100,000)"
    )
    parser.add_argument("--routes", type=int, default=10_000, help="routes (default 10,000)")
    options = parser.parse_args()
    chance = random.Random(3261)
    rows = lookups(options.seconds, options.rates, chance) + plans(options.seconds, options.routes, chance)
    report.show("Finding where a call goes", rows)
    report.save("route_lookup", rows, {"seconds": options.seconds})
    report.plot_lines(
        "route_lookup",
        rows,
        x="entries",
        y="microseconds",
        line="what",
        title="Where a call goes",
        unit="µs",
        log=True,
    )


if __name__ == "__main__":
    main()
