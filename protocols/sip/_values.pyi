# The rest of it is for other compiled modules.
from .grammar import plain_find_param as find_param
from .uri import plain_uri_text as uri_text

__all__ = ["find_param", "uri_text"]
