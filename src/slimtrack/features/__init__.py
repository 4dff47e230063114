"""Features: they turn an image patch into channels on a grid of cells."""
