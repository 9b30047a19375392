"""Numbers, whatever is sent to them: how they are written, which patterns take them, what they cost."""

from .index import PatternIndex
from .numbers import clean_number, is_emergency, national, normalise
from .rates import Rate, RatesError, RateTable, read_rates

__all__ = [
    "PatternIndex",
    "Rate",
    "RateTable",
    "RatesError",
    "clean_number",
    "is_emergency",
    "national",
    "normalise",
    "read_rates",
]
