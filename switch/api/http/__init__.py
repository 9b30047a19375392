"""The listener: uvicorn in the loop of the switch, with limits; and the proxy for unchanged clients."""
