"""Where a text may be cut: between what a reader takes for characters (Unicode UAX #29).

The rules are stricter than the standard's, never laxer: no cut before any mark, after any joiner, within
Korean syllables, in a conjunct of Indian scripts.
"""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import category

__all__ = ["clusters"]

_FIRST_MARK = "\u0300"  # below it nothing belongs to its neighbour, but for CR LF
_ZWJ = "\u200d"
_VIRAMAS = frozenset(  # Indic_Conjunct_Break=Linker
    "\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d\u1039\u17d2\u1a60\u1b44\u1bab\ua9c0\uaaf6"
    "\U00010a3f\U00011133\U000113d0\U0001193e\U00011a47\U00011a99\U00011f42"
)
_PREPENDED = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e"
    "\U000110bd\U000110cd\U000111c2\U000111c3\U000113d1\U0001193f\U00011941\U00011a3a"
    "\U00011a84\U00011a85\U00011a86\U00011a87\U00011a88\U00011a89\U00011d46\U00011f02"
)
_MARKS = frozenset({"Mn", "Me", "Mc"})


def clusters(text: str) -> Iterator[str]:
    """The text in pieces that are not to be cut."""
    if text.isascii() and "\r\n" not in text:
        yield from text
        return
    start = 0
    for at in range(1, len(text)):
        if _may_cut(text, start, at):
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def _may_cut(text: str, start: int, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if before < _FIRST_MARK and after < _FIRST_MARK:
        return before + after != "\r\n"
    if before in "\r\n" or after in "\r\n":
        return True
    if after == _ZWJ or before == _ZWJ or before in _PREPENDED:
        return False
    if _belongs_before(after) or (category(after) == "Lo" and _ends_in_virama(text, start, at)):
        return False
    if _is_flag_half(before) and _is_flag_half(after):  # two make a flag
        halves = next((n for n in range(1, at - start) if not _is_flag_half(text[at - 1 - n])), at - start)
        return halves % 2 == 0
    return not _is_syllable(before, after)


def _belongs_before(character: str) -> bool:
    return category(character) in _MARKS or _extends(ord(character))


def _ends_in_virama(text: str, start: int, at: int) -> bool:
    """Whether the next letter joins a conjunct: a virama stands among the marks before it (rule GB9c)."""
    while at > start and (text[at - 1] == _ZWJ or _belongs_before(text[at - 1])):
        at -= 1
        if text[at] in _VIRAMAS:
            return True
    return False


def _extends(code: int) -> bool:
    """Modifiers of emoji, tags, and what else changes the character before it without being a mark."""
    return (
        0x1F3FB <= code <= 0x1F3FF
        or 0xE0020 <= code <= 0xE007F
        or code in (0x200C, 0x0E33, 0x0EB3, 0xFF9E, 0xFF9F)
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_syllable(before: str, after: str) -> bool:
    """Whether two Korean characters stand in one syllable (rules GB6 to GB8)."""
    if "\u1160" <= after <= "\u11ff" or "\ud7b0" <= after <= "\ud7fb":
        return _is_initial(before) or "\u1160" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7fb"
    return _is_initial(before) and (_is_initial(after) or "\uac00" <= after <= "\ud7a3")


def _is_initial(character: str) -> bool:
    return "\u1100" <= character <= "\u115f" or "\ua960" <= character <= "\ua97c"
