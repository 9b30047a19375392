"""A switch in a program of your own: the same that ``switchroom serve`` runs."""

import asyncio

from switchroom.switch import Switch, load


async def main() -> None:
    """Start the switch, look at it, stop it."""
    async with Switch(load("switchroom.toml")) as switch:
        print(switch.status())


asyncio.run(main())
