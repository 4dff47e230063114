"""The names that several scripts here go over."""

from slimtrack.registry import list_trackers, tracker_class


def ours() -> tuple[str, ...]:
    """Our own trackers, in the registry's order: not those of OpenCV, of ONNX Runtime, of other packages."""
    return tuple(n for n in list_trackers() if tracker_class(n).__module__.startswith("slimtrack.trackers."))
