"""Networks made smaller for one target, from its first frame."""
