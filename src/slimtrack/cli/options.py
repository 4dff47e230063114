"""The options of ``track``, in groups as its help shows them; what other commands share of them."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from slimtrack.cli.boxes import BoxFormat
from slimtrack.names import add_names
from slimtrack.networks.find import add_folder
from slimtrack.registry import DEFAULT_TRACKER

__all__ = [
    "BoxOption", "BoxFormatOption", "CorrectOption", "FirstFrameOption", "StartOption", "EndOption",
    "SetOption", "NamesOption", "NetworksOption", "ThreadsOption", "TrackerOption",
    "FormatOption", "OutOption", "OverwriteOption", "PlotOption", "ResumeOption", "VideoOption",
    "JsonOption", "QuietOption", "ShowOption", "SourceArgument", "add_places",
]  # fmt: skip

SourceArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="VIDEO", help="Video file, image folder, quoted glob, camera number, RTSP or HTTP URL."
    ),
]

_TARGET = "The target"

BoxOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y,W,H",
        rich_help_panel=_TARGET,
        help="The target in the first frame, in pixels from the top left corner, in percent (10%,20%,5%,8%) "
        "or as fractions of the frame. Default: you draw it with the mouse.",
    ),
]
BoxFormatOption: TypeAlias = Annotated[
    BoxFormat,
    typer.Option(
        rich_help_panel=_TARGET,
        help="Last two numbers of a box: width and height, or its lower right corner.",
    ),
]
FirstFrameOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_TARGET,
        help="Only write the first frame as a picture, with a grid of coordinates, and with the box if "
        "--box is given.",
    ),
]

CorrectOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FRAME:X,Y,W,H",
        rich_help_panel=_TARGET,
        help="Start the tracker anew at this frame (or time) with this box; can be repeated.",
    ),
]

_PART = "The part of the video"

StartOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        rich_help_panel=_PART,
        help="The first frame to track: its number (150), seconds (12.5s) or a time (1:30).",
    ),
]
EndOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        rich_help_panel=_PART,
        help="The first frame that is no longer tracked, in the same notation.",
    ),
]

_TRACKER = "The tracker"

TrackerOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--tracker",
        "-t",
        rich_help_panel=_TRACKER,
        help="Name from `slimtrack trackers`, also with options: name[option=value]; or FILE.py:NAME for one "
        f"of your own. Default: {DEFAULT_TRACKER}.",
    ),
]
SetOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", rich_help_panel=_TRACKER, help="Option of the tracker; can be repeated."
    ),
]
ThreadsOption: TypeAlias = Annotated[
    int,
    typer.Option(min=1, rich_help_panel=_TRACKER, help="Threads that the tracker may use."),
]
NetworksOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        rich_help_panel=_TRACKER,
        help="Folder of networks, searched before SLIMTRACK_NETWORKS.",
    ),
]

NamesOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_TRACKER,
        help='TOML file of your own names for trackers, in a table [trackers]: mine = "kcf[rate=0.01]". '
        "Default: the file in SLIMTRACK_NAMES.",
    ),
]

_RESULTS = "The results"

OutOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR|FILE",
        rich_help_panel=_RESULTS,
        help="Folder for the results, or a video file such as result.mp4, with its table beside it. Default: "
        "out/<name>-<tracker>, with a number appended if it exists.",
    ),
]
ResumeOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--resume",
        rich_help_panel=_RESULTS,
        help="Continue a stopped run: repeat its command with this option.",
    ),
]
OverwriteOption: TypeAlias = Annotated[
    bool,
    typer.Option("--overwrite", rich_help_panel=_RESULTS, help="Replace existing results."),
]
FormatOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="LIST",
        rich_help_panel=_RESULTS,
        help="Tables, separated by commas: csv, json, otb (boxes.txt, pixels counted from 1), mot; or none. "
        "Default: csv.",
    ),
]
VideoOption: TypeAlias = Annotated[
    bool | None, typer.Option(rich_help_panel=_RESULTS, help="Write an annotated mp4. Default: yes.")
]
PlotOption: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        rich_help_panel=_RESULTS,
        help="Write a plot of score and speed. Default: yes, if --out is a folder and matplotlib is there.",
    ),
]

_SAID = "Output"

JsonOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="-",
        rich_help_panel=_SAID,
        help="`--json -` prints one line of JSON per frame on stdout; files are written only with --out.",
    ),
]
QuietOption: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", rich_help_panel=_SAID, help="Print only errors.")
]
ShowOption: TypeAlias = Annotated[
    bool, typer.Option("--show", rich_help_panel=_SAID, help="Show the result live in a window.")
]


def add_places(networks: Path | None, names: Path | None) -> None:
    """Takes the folder of networks and the file of names that a command was given.

    Raises:
        InputError: One of them does not exist, or the file is not of that form.
    """
    if networks is not None:
        add_folder(networks)
    if names is not None:
        add_names(names)
