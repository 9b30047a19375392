from .headers import plain_parse_name_addr as parse_name_addr
from .matching import Matched as Head
from .uri import plain_parse_uri as parse_uri

__all__ = ["Head", "parse_name_addr", "parse_uri"]
