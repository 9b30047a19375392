"""``python -m switchroom.switch`` is the ``switchroom`` command."""

from .ops.cli import main

main()
