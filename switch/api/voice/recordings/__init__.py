"""Recordings and what was said in them: files, rows, and REST."""
