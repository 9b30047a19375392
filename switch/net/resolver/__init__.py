"""Looking up names for SIP, without ever waiting in the way of a call."""

from .means import means_of
from .resolver import Done, Resolver

__all__ = ["Done", "Resolver", "means_of"]
