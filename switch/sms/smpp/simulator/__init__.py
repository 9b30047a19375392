"""A carrier's message centre that is none: for tests, and for who has no contract yet."""

from __future__ import annotations

from .conduct import ACTIONS, ID_FORMS, RECEIPT_FORMS, Conduct, Rule
from .office import Office
from .orders import Orders
from .smsc import Smsc

__all__ = ["ACTIONS", "ID_FORMS", "RECEIPT_FORMS", "Conduct", "Office", "Orders", "Rule", "Smsc"]
