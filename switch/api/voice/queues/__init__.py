"""Queues: who waits in them, who takes them out, and REST."""
