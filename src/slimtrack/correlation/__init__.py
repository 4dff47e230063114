"""What correlation trackers are composed of: the template and its parts."""
