"""The base class of correlation trackers, and the parts they are composed of."""
