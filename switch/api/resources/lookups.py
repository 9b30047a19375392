"""Lookup v2: what is known of a number from how it is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberType, ValidationResult

from ..front.operation import Answer, Ask, Operation
from ..wire import params
from ..wire.errors import ApiError

_TYPES = {
    PhoneNumberType.FIXED_LINE: "landline",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "mobile",
    PhoneNumberType.TOLL_FREE: "tollFree",
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.SHARED_COST: "sharedCost",
    PhoneNumberType.VOIP: "nonFixedVoip",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "uan",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
_FAULTS = {
    ValidationResult.TOO_SHORT: "TOO_SHORT",
    ValidationResult.TOO_LONG: "TOO_LONG",
    ValidationResult.INVALID_COUNTRY_CODE: "INVALID_COUNTRY_CODE",
    ValidationResult.INVALID_LENGTH: "INVALID_LENGTH",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "TOO_SHORT",
}
_GIVEN = (params.text("Fields", max_size=256), params.text("CountryCode", max_size=2))

_GIVEN_FIRST = (
    params.text("CountryCode", max_size=2),
    params.text("Type", max_size=32, is_list=True),
    params.text("AddOns", max_size=64, is_list=True),
)


class LookupResources:
    """``/v2/PhoneNumbers`` of the product lookups."""

    def operations(self) -> Iterator[Operation]:
        """What can be asked."""
        path = "/v2/PhoneNumbers/{PhoneNumber}"
        yield Operation(
            *("GET", path, self.fetch, _GIVEN, "lookups:read", 200, "lookups"), summary="Look a number up"
        )
        path = "/v1/PhoneNumbers/{PhoneNumber}"
        yield Operation(
            *("GET", path, self.fetch_first, _GIVEN_FIRST, "lookups:read", 200, "lookups"),
            summary="The same as it was asked before",
        )

    async def fetch_first(self, ask: Ask) -> Answer:
        """As version 1 has it: ``Type=carrier`` for what kind of line it is."""
        parsed = _parse(ask)
        number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        if not phonenumbers.is_possible_number(parsed):
            raise ApiError(20404, f"The requested resource /PhoneNumbers/{number} was not found")
        kind = _TYPES.get(phonenumbers.number_type(parsed))
        line = kind if kind in ("landline", "mobile") else None if kind is None else "voip"
        codes = {"mobile_country_code": None, "mobile_network_code": None, "name": None, "error_code": None}
        return {
            "phone_number": number,
            "national_format": phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL),
            "country_code": phonenumbers.region_code_for_number(parsed),
            "carrier": {**codes, "type": line} if "carrier" in (ask["Type"] or ()) else None,
            "caller_name": None,
            "add_ons": None,
            "url": f"{ask.base}/v1/PhoneNumbers/{number}",
        }

    async def fetch(self, ask: Ask) -> Answer:
        """One number; a national one needs its country."""
        parsed = _parse(ask)
        fields = {field.strip() for field in (ask["Fields"] or "").split(",")}
        number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        return {
            "calling_country_code": str(parsed.country_code),
            "country_code": phonenumbers.region_code_for_number(parsed),
            "phone_number": number,
            "national_format": phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL),
            "valid": phonenumbers.is_valid_number(parsed),
            "validation_errors": _faults(parsed),
            "line_type_intelligence": _line_type(parsed) if "line_type_intelligence" in fields else None,
            **dict.fromkeys(
                (
                    *("caller_name", "sim_swap", "call_forwarding", "line_status", "identity_match"),
                    *("reassigned_number", "sms_pumping_risk", "phone_number_quality_score", "pre_fill"),
                )
            ),
            "url": f"{ask.base}/v2/PhoneNumbers/{number}",
        }


def _parse(ask: Ask) -> phonenumbers.PhoneNumber:
    """The number of a path; a national one needs its country."""
    text, country = ask.path["PhoneNumber"], (ask["CountryCode"] or "US").upper()
    try:
        return phonenumbers.parse(text[:64], country)
    except phonenumbers.NumberParseException:
        raise ApiError(20404, "The requested resource is not a number") from None


def line_type(number: str) -> str:
    """Mobile, landline and so on; unknown where the number does not say."""
    try:
        return str(_TYPES.get(phonenumbers.number_type(phonenumbers.parse(number, None)), "unknown"))
    except phonenumbers.NumberParseException:
        return "unknown"


def _line_type(parsed: phonenumbers.PhoneNumber) -> dict[str, Any]:
    kind = _TYPES.get(phonenumbers.number_type(parsed))
    return {
        "type": kind,
        "carrier_name": None,
        "mobile_country_code": None,
        "mobile_network_code": None,
        "error_code": None,
    }


def _faults(parsed: phonenumbers.PhoneNumber) -> list[str]:
    if phonenumbers.is_valid_number(parsed):
        return []
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    return [_FAULTS.get(reason, "INVALID_BUT_POSSIBLE")]
