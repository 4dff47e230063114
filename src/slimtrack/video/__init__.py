"""Reads frames, writes results and annotated videos, and makes synthetic clips."""
