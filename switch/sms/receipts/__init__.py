"""Receipts: those that come are matched to what was sent, those that are owed wait for who asked."""
