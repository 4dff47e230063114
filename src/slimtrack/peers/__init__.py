"""Trackers from other projects behind slimtrack's interface, for comparison."""
