"""Prunes networks for one target, from its first frames (papers 000 and 001)."""
