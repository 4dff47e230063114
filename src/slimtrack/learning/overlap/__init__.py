"""Networks of the ATOM family: how well a box overlaps the target, or the box itself (paper 003)."""
