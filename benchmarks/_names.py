"""The names that several scripts here go over."""

OURS = ("mosse", "kcf", "dcf", "dsst", "fdsst", "samf", "samf-ca", "cacf", "dcf-ca", "staple")
"""Our trackers in the order of the documents; a test holds them against the registry."""
