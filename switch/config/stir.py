"""The ``[stir]`` table: with what callers are vouched for, and whom we believe (RFC 8224, RFC 8588)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Self

from pydantic import model_validator

from .checks import Count, Text, whole_path
from .sections import Section, key

_URL = r"^(https?://[!#-;=?-~]+)?$"


class StirConfig(Section):
    """STIR/SHAKEN. Certificates of others are read from files only: a call never fetches anything."""

    certificate: Text = key(
        "PEM file with the certificate that our signatures are made with.", "", max_length=4096
    )
    private_key: Text = key("PEM file with its key (P-256), not encrypted.", "", max_length=4096)
    certificate_url: Text = key(
        "Where others find the certificate (x5u): https://...", "", max_length=1024, pattern=_URL
    )
    trusted: list[Text] = key(
        "PEM files with the roots that certificates of others must lead to.", list, max_length=256
    )
    certificates: dict[str, str] = key(
        "Certificates of others: the URL (x5u) that their signatures name, and the PEM file that holds it.",
        dict,
        max_length=10_000,
    )
    certificate_folder: Text = key(
        "A folder with certificates of others: for https://example.net/a/sp.pem the file "
        "example.net/a/sp.pem.",
        "",
        max_length=4096,
    )
    check_numbers: bool = key(
        "Whether a certificate must list the number that it signs for (TNAuthList, RFC 8226); one that "
        "names a service provider may sign for all of them.",
        False,
    )
    max_age: Count = key(
        "A signature that was made longer ago, or as far in the future, is stale.",
        60,
        unit="s",
        ge=5,
        le=3600,
    )

    def within(self, folder: Path) -> StirConfig:
        """The same with paths that start in the configuration's folder."""
        full = partial(whole_path, folder)
        return self.model_copy(
            update={
                "certificate": full(self.certificate),
                "private_key": full(self.private_key),
                "trusted": [full(text) for text in self.trusted],
                "certificates": {url: full(text) for url, text in self.certificates.items()},
                "certificate_folder": full(self.certificate_folder),
            }
        )

    @property
    def can_sign(self) -> bool:
        """Whether there is all that signing needs."""
        return bool(self.certificate and self.private_key and self.certificate_url)

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        given = (self.certificate, self.private_key, self.certificate_url)
        if any(given) and not all(given):
            raise ValueError("certificate, private_key and certificate_url are needed together")
        return self
