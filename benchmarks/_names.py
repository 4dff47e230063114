"""The names that several scripts here go over."""

from slimtrack.errors import SlimtrackError
from slimtrack.registry import list_trackers, tracker_class


def ours() -> tuple[str, ...]:
    """Our own trackers that run here, in the registry's order."""
    return tuple(name for name in list_trackers() if is_ours(name))


def is_ours(name: str) -> bool:
    """Whether a tracker, if it runs here or not, is none of OpenCV's, ONNX Runtime's or other packages'."""
    try:
        return tracker_class(name).__module__.startswith("slimtrack.trackers.")
    except SlimtrackError:
        return False
