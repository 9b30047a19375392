"""A look through the routes: what it found, and the words for it, which are made when somebody reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchroom.switch.calls.routing.plan import Inquiry, Step

if TYPE_CHECKING:
    from switchroom.switch.calls.routing.route import Route

TOLD = 24  # routes that do not match are named one by one up to here, counted beyond


class Book:
    """All routes in their order, and how what was found in them is told."""

    __slots__ = ("country", "most", "routes")

    def __init__(self, routes: list[Route], country: str, most: int = TOLD) -> None:
        self.routes = routes
        self.country = country
        self.most = most  # routes that do not match are named one by one up to here


class Search:
    """What the router finds: it enters the routes that take a number, in their order."""

    __slots__ = ("book", "end", "forced", "inquiry", "is_emergency", "number", "steps", "tried")

    def __init__(self, book: Book, inquiry: Inquiry, number: str, is_emergency: bool) -> None:
        self.book = book
        self.inquiry = inquiry
        self.number = number
        self.is_emergency = is_emergency
        self.steps: tuple[Step, ...] = ()
        self.tried: list[tuple[int, str, tuple[Step, ...]]] = []  # place, why not, steps
        self.end = len(self.book.routes)  # where the search ended
        self.forced = -1  # the place of one that an emergency call took although its conditions do not hold

    def take(self, place: int, steps: tuple[Step, ...], is_last: bool) -> None:
        """A route leads somewhere."""
        self.steps = self.steps + steps if self.steps else steps
        self.tried.append((place, "", steps))
        if is_last:
            self.end = place + 1

    def pass_over(self, place: int, why: str) -> None:
        """A route takes the number, and is not for this call."""
        self.tried.append((place, why, ()))

    def force(self, place: int, steps: tuple[Step, ...]) -> None:
        """No route is for this call, but it has to get through."""
        self.forced, self.steps = place, steps

    def tell(self) -> tuple[str, ...]:
        """One plain sentence for each rule tried and why it did or did not match."""
        number, lines = self.number, []
        if self.is_emergency:
            lines.append(f"{number} is an emergency number: no limit stops it")
        if number != self.inquiry.called:
            lines.append(f"{self.inquiry.called} is {number} in {self.book.country}")
        self._tell_routes(lines)
        if self.forced >= 0:
            route = self.book.routes[self.forced]
            lines.append(f"{route.label}: taken all the same: {route.describe(self.steps, number)}")
        if not self.steps:
            lines.append(f"no route takes {number}: refused with 404")
        return tuple(lines)

    def _tell_routes(self, lines: list[str]) -> None:
        number, routes = self.number, self.book.routes
        others = self.end - len(self.tried)
        is_each_told = others <= self.book.most
        at = 0
        for place, why, steps in self.tried:
            if is_each_told:
                self._tell_others(at, place, lines)
            route = routes[place]
            words = f"{why}: skipped" if why else route.describe(steps, number)
            lines.append(f"{route.label}: matches {number}; {words}")
            at = place + 1
        if is_each_told:
            self._tell_others(at, self.end, lines)
        else:
            lines.append(f"{others} other routes do not match {number}")

    def _tell_others(self, start: int, end: int, lines: list[str]) -> None:
        for place in range(start, end):
            route = self.book.routes[place]
            lines.append(f"{route.label}: does not match {self.number}")
