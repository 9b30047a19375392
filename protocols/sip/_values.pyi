# The rest of it is for other compiled modules.
from .grammar import plain_find_param as find_param

__all__ = ["find_param"]
