"""For each Python of ``make sanitize-modules``: the sanitizer's library is in Python only.

Programs of others stand still with it (espeak-ng does). Python that is started again comes by the script that
loads it.
"""

from __future__ import annotations

import os
import sys

os.environ.pop("LD_PRELOAD", None)
sys.executable = os.environ["SANITIZED_PYTHON"]
