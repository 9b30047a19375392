"""What documents SIP is kept in."""

from __future__ import annotations

DOMAIN, LIST, CREDENTIAL = "sip_domain", "sip_list", "sip_credential"
ACCESS, ADDRESS = "sip_access", "sip_address"
TRUNK, ORIGINATION = "trunk", "origination"
KINDS = (DOMAIN, LIST, CREDENTIAL, ACCESS, ADDRESS, TRUNK, ORIGINATION)
OF_FILE = "file"  # the state of the document that has what was mapped to the switch's own domain
RECOVERY = "trunk.recovery"  # the application that takes calls of a trunk whose addresses are all away
