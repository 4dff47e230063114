"""The options of ``track``, in groups as its help shows them; what other commands share of them."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from slimtrack.cli.boxes import BoxFormat

__all__ = [
    "BoxOption", "BoxFormatOption", "CorrectOption", "FirstFrameOption", "StartOption", "EndOption",
    "SetOption", "NetworksOption", "ThreadsOption", "TrackerOption",
    "FormatOption", "OutOption", "OverwriteOption", "PlotOption", "ResumeOption", "VideoOption",
    "JsonOption", "QuietOption", "ShowOption", "SourceArgument",
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
        help="Where it is in the first frame: pixels from the top left corner, percent (10%,20%,5%,8%) or "
        "fractions of the frame's sides. Drawn with the mouse if left out.",
    ),
]
BoxFormatOption: TypeAlias = Annotated[
    BoxFormat,
    typer.Option(
        rich_help_panel=_TARGET, help="Whether a box ends in width and height or in its lower right corner."
    ),
]
FirstFrameOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        rich_help_panel=_TARGET,
        help="Write the first frame as a picture, with a grid of coordinates and with --box if it is given, "
        "and do nothing else.",
    ),
]

CorrectOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FRAME:X,Y,W,H",
        rich_help_panel=_TARGET,
        help="Track anew from that frame (or time) with this box; repeatable.",
    ),
]

_PART = "The part of the video"

StartOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        rich_help_panel=_PART,
        help="The first frame: its number (150), seconds (12.5s) or a time (1:30).",
    ),
]
EndOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PLACE",
        rich_help_panel=_PART,
        help="Where to end, written in the same way: that frame is not tracked any more.",
    ),
]

_TRACKER = "The tracker"

TrackerOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--tracker",
        "-t",
        rich_help_panel=_TRACKER,
        help="Name, see `slimtrack trackers`; also name[option=value].",
    ),
]
SetOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", rich_help_panel=_TRACKER, help="Option of the tracker; repeatable."
    ),
]
ThreadsOption: TypeAlias = Annotated[
    int,
    typer.Option(
        min=1, rich_help_panel=_TRACKER, help="Threads for the tracker; the speed is stated for them."
    ),
]
NetworksOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        rich_help_panel=_TRACKER,
        help="Folder of networks, looked in before SLIMTRACK_NETWORKS.",
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
        help="Folder for the results; or a file such as result.mp4, with its table beside it. If left out: "
        "out/<name>-<tracker>, with a number where that is taken.",
    ),
]
ResumeOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--resume",
        rich_help_panel=_RESULTS,
        help="Go on with a run that was stopped: the same command again, with this.",
    ),
]
OverwriteOption: TypeAlias = Annotated[
    bool,
    typer.Option("--overwrite", rich_help_panel=_RESULTS, help="Replace earlier results at --out."),
]
FormatOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="LIST",
        rich_help_panel=_RESULTS,
        help="Tables, comma between: csv (if left out), json, otb (boxes.txt, from 1,1 on), mot; or none.",
    ),
]
VideoOption: TypeAlias = Annotated[
    bool | None, typer.Option(rich_help_panel=_RESULTS, help="Write an annotated mp4: if left out, yes.")
]
PlotOption: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        rich_help_panel=_RESULTS,
        help="Write a picture of score and speed: if left out, into a folder where matplotlib is there.",
    ),
]

_SAID = "What is said and shown"

JsonOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="-",
        rich_help_panel=_SAID,
        help="`--json -`: a line of JSON a frame on stdout and nothing else there; files only with --out.",
    ),
]
QuietOption: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", rich_help_panel=_SAID, help="Say nothing but errors.")
]
ShowOption: TypeAlias = Annotated[
    bool, typer.Option("--show", rich_help_panel=_SAID, help="Play it live in a window.")
]
