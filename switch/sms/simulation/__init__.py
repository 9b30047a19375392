"""What both simulators have, that of modems and that of a carrier: orders, and where they come from."""

from __future__ import annotations

from .control import Control
from .orders import Order, Orders

__all__ = ["Control", "Order", "Orders"]
