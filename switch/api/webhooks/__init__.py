"""Requests that the switch makes to its customers: signed, ordered, retried."""
