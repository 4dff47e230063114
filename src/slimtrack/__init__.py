"""Follow an object in a video from one box, in real time on one CPU core."""

from slimtrack.box import Box
from slimtrack.errors import SlimtrackError
from slimtrack.follower import Follower
from slimtrack.registry import create, list_trackers
from slimtrack.tracker import Estimate, State, Track, Tracker
from slimtrack.tracking import follow
from slimtrack.video.draw import draw

__all__ = [
    "Box",
    "Estimate",
    "Follower",
    "SlimtrackError",
    "State",
    "Track",
    "Tracker",
    "create",
    "draw",
    "follow",
    "list_trackers",
]
__version__ = "0.1.0"
