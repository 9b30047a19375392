"""Verify v2: codes that prove who has a number."""
