"""How long does a SIP message take: to parse, to ask, to answer, to build? Both twins side by side.

python bench/sip_parse.py [--seconds 0.3]
"""

from __future__ import annotations

import argparse
import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import report

sys.path.append(str(Path(__file__).parent.parent / "build" / "tests"))

SDP = b"""v=0
o=alice 2890844526 2890844526 IN IP4 192.0.2.101
s=-
c=IN IP4 192.0.2.101
t=0 0
m=audio 49172 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=sendrecv
""".replace(b"\n", b"\r\n")
