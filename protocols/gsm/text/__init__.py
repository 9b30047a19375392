"""Texts as 3GPP TS 23.038 and 23.040 write them: alphabets, encodings, parts."""

from __future__ import annotations

from .alphabet import DEFAULT, Alphabet, Language, alphabet
from .coding import Charset, DataCoding, MessageClass, Waiting, WaitingKind, decode, encode
from .explain import Alternative, Explanation, Forcing, explain
from .graphemes import clusters
from .header import Concatenation, Element, Ports, UserDataHeader
from .join import Fragment, Joined, Joiner, JoinerConfig
from .septets import pack, pack_ussd, unpack, unpack_ussd
from .split import GSM7, MAX_PARTS, UCS2, Encoding, Part, choose, encodings, split, split_binary
from .transliterate import Level, Transliteration, transliterate

__all__ = [
    "DEFAULT",
    "GSM7",
    "MAX_PARTS",
    "UCS2",
    "Alphabet",
    "Alternative",
    "Charset",
    "Concatenation",
    "DataCoding",
    "Element",
    "Encoding",
    "Explanation",
    "Forcing",
    "Fragment",
    "Joined",
    "Joiner",
    "JoinerConfig",
    "Language",
    "Level",
    "MessageClass",
    "Part",
    "Ports",
    "Transliteration",
    "UserDataHeader",
    "Waiting",
    "WaitingKind",
    "alphabet",
    "choose",
    "clusters",
    "decode",
    "encode",
    "encodings",
    "explain",
    "pack",
    "pack_ussd",
    "split",
    "split_binary",
    "transliterate",
    "unpack",
    "unpack_ussd",
]
