"""Conferences: who takes part in them, what servers are told of them, and REST."""
