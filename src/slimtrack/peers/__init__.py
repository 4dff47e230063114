"""Other people's trackers under our interface, to measure against."""
