"""What an endpoint asks of a well-formed request before it obeys (RFC 3261 §8.2)."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from .message import METHODS, Request

__all__ = ["METHODS", "Refusal", "inspect_request"]

_WITH_SDP = frozenset({"INVITE", "PRACK", "UPDATE"})
_NEVER_REFUSED = frozenset({"ACK", "CANCEL"})  # §8.2.2.3: nobody could answer the one or redo the other


class Refusal(NamedTuple):
    """The status and headers to refuse a request with."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


def inspect_request(
    request: Request,
    methods: Collection[str],
    extensions: Collection[str] = (),
    schemes: Collection[str] = ("sip", "sips", "tel"),
    content_types: Collection[str] = ("application/sdp", "multipart/mixed"),
) -> Refusal | None:
    """Why an endpoint that can do this much refuses a validated request, None when it does not."""
    if request.method in _NEVER_REFUSED:
        return None
    return (
        _inspect_method(request, methods)
        or _inspect_addresses(request, schemes)
        or _inspect_require(request, extensions)
        or _inspect_content(request, content_types)
    )


def _inspect_method(request: Request, methods: Collection[str]) -> Refusal | None:
    if request.method in methods:
        return None
    status = 405 if request.method in METHODS else 501
    return Refusal(status, (("Allow", ", ".join(sorted(methods))),))


def _inspect_addresses(request: Request, schemes: Collection[str]) -> Refusal | None:
    text = request._uri_text
    if text[: max(text.find(":"), 0)] not in schemes and request.uri.scheme not in schemes:
        return Refusal(416)  # §8.2.2.1
    if request.method == "REGISTER" and request.whose("To")[0] not in ("sip", "sips"):
        return Refusal(400)  # §10.2: the address-of-record is a SIP or SIPS URI
    return None


def _inspect_require(request: Request, extensions: Collection[str]) -> Refusal | None:
    if "require" not in request:
        return None
    unknown = [name for name in request.require if name not in extensions]
    return Refusal(420, (("Unsupported", ", ".join(unknown)),)) if unknown else None


def _inspect_content(request: Request, content_types: Collection[str]) -> Refusal | None:
    """Whether its body can be read and the answer's body would be (§8.2.3, §20.1)."""
    if request.method not in _WITH_SDP:
        return None
    if request.body:
        is_known = request._content_type() in content_types
        if not is_known and not _is_optional(request):
            return Refusal(415, (("Accept", ", ".join(content_types)),))
        if "content-encoding" in request and _is_encoded(request) and not _is_optional(request):
            return Refusal(415, (("Accept-Encoding", "identity"),))
    if "accept" not in request:
        return None
    accepted = [part.partition(";")[0].strip().lower() for part in request.get_list("accept")]
    if accepted and not {"application/sdp", "application/*", "*/*"}.intersection(accepted):
        return Refusal(406)
    return None


def _is_optional(request: Request) -> bool:
    return "handling=optional" in (request.get("content-disposition") or "").lower().replace(" ", "")


def _is_encoded(request: Request) -> bool:
    return any(coding.lower() != "identity" for coding in request.get_list("content-encoding"))
