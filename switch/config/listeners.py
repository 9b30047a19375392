"""How phones, browsers and trunks reach the switch over TLS and WebSocket."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from .checks import Count, Flag, Number, Text, whole_path
from .sections import Section, key


class TlsConfig(Section):
    """Certificates of tls: and wss: listeners and of connections to trunks; a reload reads them again."""

    certificate: Text = key(
        "PEM file with the switch's certificate and those between it and its root. Relative: to this file.",
        "",
        max_length=4096,
    )
    private_key: Text = key(
        "PEM file with the key, not encrypted. Empty: it is in the certificate's file.", "", max_length=4096
    )
    more_certificates: list[Text] = key(
        "PEM files, each with a certificate and its key, for clients that ask for another name (SNI).",
        list,
        max_length=256,
    )
    ca_file: Text = key(
        "PEM file with the roots that servers and clients are believed by. Empty: those of the system.",
        "",
        max_length=4096,
    )
    client_certificates: Literal["off", "optional", "required"] = key(
        "Whether clients of tls: and wss: listeners are asked for a certificate; a bad one is refused.", "off"
    )
    verify_servers: Flag = key(
        "Whether servers that we connect to must prove their name. Without that anybody can be the trunk.",
        True,
    )
    min_version: Literal["1.2", "1.3"] = key("The oldest TLS that is spoken.", "1.2")
    ciphers: Text = key(
        "Ciphers of TLS 1.2 as OpenSSL writes them. Empty: its good ones.", "", max_length=1024
    )
    handshake_timeout: Number = key(
        "A handshake (TLS, WebSocket) must be over this long after its connection came.",
        8.0,
        unit="s",
        gt=0,
        le=60,
    )
    handshake_rate: Number = key(
        "New TLS and WebSocket connections a second from one source address; ten times that from known ones.",
        10.0,
        unit="1/s",
        gt=0,
        le=100_000,
    )
    handshake_burst: Count = key("Such connections that may come at once.", 50, ge=1, le=100_000)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.private_key or self.more_certificates) and not self.certificate:
            raise ValueError("certificate: is missing, though there are other files")
        return self

    def within(self, folder: Path) -> TlsConfig:
        """The same with paths that start in the configuration's folder."""
        full = partial(whole_path, folder)
        return self.model_copy(
            update={
                "certificate": full(self.certificate),
                "private_key": full(self.private_key),
                "ca_file": full(self.ca_file),
                "more_certificates": [full(text) for text in self.more_certificates],
            }
        )


class WebSocketConfig(Section):
    """SIP over WebSocket (RFC 7118): for phones in browsers."""

    path: Text = key(
        "The path of the URL; others get 404. Empty: any.", "", max_length=256, pattern=r"^(?:/[!-~]*)?$"
    )
    origins: list[Text] = key(
        "Web pages that may connect, such as https://phone.example.com. Empty: any; digest still counts.",
        list,
        max_length=256,
    )
    ping_interval: Number = key(
        "A connection that is silent for so long gets a ping, which keeps proxies from closing it. 0: never.",
        25.0,
        unit="s",
        ge=0,
        le=3600,
    )
