"""``python -m slimtrack``, for where the program ``slimtrack`` is not on the path."""

from slimtrack.cli import main

if __name__ == "__main__":
    main()
