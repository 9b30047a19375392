"""Which headers travel from one leg to the other; what is not named here stays (RFC 7092 §3, THREATS C8).

What both ends of a call say to each other travels: a subject, how to ring, why it ended. What tells who has
had the call before, or how to treat it, is believed only of a trunk that is ``trusted``. Everything that
speaks of one leg's transport or topology (Via, Route, Contact, Warning, Server...) never travels. Identities
are not copied but written anew: ``identity.py``. Rules of a trunk may copy more: ``header_rules.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

from switchroom.protocols import sip

Headers = Sequence[tuple[str, str]]

_MAX_SIZE = 1024  # octets of a value; of all of them together, what a request over UDP can spare
_MAX_LINES = 4

_SPELLED = {
    "subject": "Subject",
    "priority": "Priority",
    "alert-info": "Alert-Info",  # RFC 3261 §20.4, RFC 7462
    "answer-mode": "Answer-Mode",  # RFC 5373
    "user-to-user": "User-to-User",  # RFC 7433
    "accept-language": "Accept-Language",
    "accept-contact": "Accept-Contact",  # RFC 3841
    "reject-contact": "Reject-Contact",
    "reason": "Reason",  # RFC 3326
    "priv-answer-mode": "Priv-Answer-Mode",  # RFC 5373 §4: overrides what the callee wants
    "p-early-media": "P-Early-Media",  # RFC 5009
    "resource-priority": "Resource-Priority",  # RFC 4412
}
# In the INVITE, from the caller to each leg that we make
_ANY_INVITE = frozenset(_SPELLED)
_INVITE = _ANY_INVITE - {"priv-answer-mode", "p-early-media", "resource-priority"}
# In provisional responses, back to the caller
_PROGRESS = frozenset(("alert-info", "user-to-user", "reason", "p-early-media"))
_ANSWER = frozenset(("user-to-user", "answer-mode"))
_REFUSAL = frozenset(("reason", "user-to-user"))


def of_invite(request: sip.Request, is_trusted: bool) -> Headers:
    """What each leg that we make gets of the caller's INVITE."""
    return _pick(request, _ANY_INVITE if is_trusted else _INVITE)


def of_progress(response: sip.Response) -> Headers:
    """What the caller gets of a provisional response."""
    return _pick(response, _PROGRESS)


def of_answer(response: sip.Response) -> Headers:
    """What the caller gets of the 2xx."""
    return _pick(response, _ANSWER)


def of_refusal(message: sip.Message | None) -> Headers:
    """What travels of a refusal, a BYE or a CANCEL."""
    return () if message is None else _pick(message, _REFUSAL)


def _pick(message: sip.Message, wanted: frozenset[str]) -> Headers:
    if not message.has_any(wanted):
        return ()  # as nearly always
    return [
        (spelled, value)
        for name, spelled in _SPELLED.items()
        if name in wanted
        for value in message.get_all(name)[:_MAX_LINES]
        if len(value) <= _MAX_SIZE and value.isprintable()
    ]
