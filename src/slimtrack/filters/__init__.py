"""Filters: they learn from features and respond where the target is. Pure functions of arrays."""
