"""``slimtrack network``: get networks, take in those of other programs, look at them, time them."""

import json as json_format
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slimtrack.cli.network_files import fetch, list_
from slimtrack.cli.options import OverwriteOption
from slimtrack.cli.records import takes
from slimtrack.cli.train import require_torch
from slimtrack.errors import InputError, MissingError
from slimtrack.files import keep_existing
from slimtrack.networks.entry import OVERLAP_FILES
from slimtrack.networks.find import add_folder
from slimtrack.networks.importers import fold_all, import_file
from slimtrack.networks.network import Network
from slimtrack.networks.zoo import find
from slimtrack.timing import Stopwatch, cpu_name, gc_paused, single_thread
from slimtrack.video.guard import guard_files

__all__ = ["network"]

network = typer.Typer(
    name="network",
    help="List, download, import, inspect and time networks.",
    no_args_is_help=True,
)
network.command("list")(list_)
network.command("fetch")(fetch)

_WARM_UP = 10
"""Runs before the clock starts."""

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Name such as cf_vggm, or the path of an .onnx file.")
]
Folder = Annotated[
    Path | None,
    typer.Option("--networks", metavar="DIR", help="Folder of networks, searched before SLIMTRACK_NETWORKS."),
]
Side = Annotated[int, typer.Option(min=1, help="Side of the square input in pixels.")]


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What the command is told; the help of each option says what it means."""

    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=".onnx, MatConvNet .mat, .npz, .safetensors or .pth file.")
    ]
    out: Annotated[Path, typer.Option("--out", "-o", help="The .onnx file to write; a folder for --as atom.")]
    kind: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            help="Architecture that the weights of a .npz, .safetensors or .pth file belong to; "
            "atom: weights of ATOM as its authors publish them.",
        ),
    ] = None
    sha256: Annotated[
        str | None, typer.Option(help="SHA-256 that the file must have, or its first digits.")
    ] = None
    taps: Annotated[
        list[str] | None, typer.Option("--tap", help="Keep only what this tap needs; can be repeated.")
    ] = None
    fold: Annotated[bool, typer.Option("--fold", help="Fold batch normalisation into the convolutions.")] = (
        False
    )
    colors: Annotated[str | None, typer.Option(help="Order of the input's colour channels: bgr or rgb.")] = (
        None
    )
    mean: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="Mean of each colour channel, subtracted first (0..255)."),
    ] = None
    scale: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="Factor for each colour channel, applied after the mean."),
    ] = None
    name: Annotated[str | None, typer.Option(help="Name to store in the card.")] = None
    licence: Annotated[str | None, typer.Option(help="Licence to store in the card.")] = None
    origin: Annotated[str | None, typer.Option(help="Origin to store in the card.")] = None
    overwrite: OverwriteOption = False


@network.command("import")
@takes(ImportRequest)
def import_(request: ImportRequest) -> None:
    """Convert a network from another program to an .onnx file with a card and taps."""
    if request.kind == "atom":
        _import_atom(request)
        return
    if request.out.suffix != ".onnx":
        raise InputError(f"--out {request.out}: the name must end in .onnx")
    guard_files(str(request.file.resolve()), [request.out])
    keep_existing([request.out], request.overwrite)
    made = import_file(request.file, request.kind, request.sha256, request.taps or ())
    if request.fold:
        made = fold_all(made)
    changes: dict[str, Any] = {key: getattr(request, key) for key in ("colors", "name", "licence", "origin")}
    changes |= {"mean": _three("--mean", request.mean), "scale": _three("--scale", request.scale)}
    made = made.with_card(replace(made.card, **{k: v for k, v in changes.items() if v is not None}))
    made.save(request.out)
    typer.echo(f"{request.out}: {made.card.name}, {len(made.layers)} layers, {made.parameters:,} parameters")
    if made.card.note:
        typer.echo(f"note: {made.card.note}")


def _import_atom(request: ImportRequest) -> None:
    """Writes the files that the tracker `atom` takes."""
    require_torch("import --as atom", ("torch",))
    from slimtrack.learning.overlap.published import convert

    used = {"file", "out", "kind", "name", "licence", "origin", "overwrite"}
    unused = [each.name for each in fields(request) if each.name not in used and getattr(request, each.name)]
    if unused:
        raise InputError(f"--as atom does not take --{unused[0].replace('taps', 'tap')}: leave it out")
    keep_existing([request.out / name for name in OVERLAP_FILES], request.overwrite)
    given = {key: getattr(request, key) or "" for key in ("licence", "origin")}
    convert(request.file, request.out, name=request.name or "atom", **given)
    typer.echo(f"{request.out}: {', '.join(OVERLAP_FILES)}")
    typer.echo(f"use it with `slimtrack track .. --tracker 'atom[network={request.out.absolute()}]'`")


@network.command()
def info(
    name: Name,
    size: Side = 224,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    networks: Folder = None,
) -> None:
    """Show a network's layers, taps with stride and offset, parameters, bytes and operations."""
    made = _found(name, networks, size)
    if json:
        typer.echo(json_format.dumps(_as_data(made, size), indent=2))
        return
    console = Console()
    card = made.card
    console.print(f"[bold]{escape(card.name)}[/bold]: {escape(card.origin or 'origin not known')}")
    console.print(f"licence {escape(card.licence or 'not known')}; sha256 {card.sha256 or 'not known'}")
    console.print(f"input {card.colors.upper()}, minus {_numbers(card.mean)}, times {_numbers(card.scale)}")
    if card.note:
        console.print(escape(card.note))
    console.print(_layers(made))
    console.print(_taps(made, size))
    console.print(
        f"{made.parameters:,} parameters, {made.bytes:,} bytes; at {size}x{size}: "
        f"{made.flops(size, 'plain') / 1e6:,.1f} M multiply-adds, "
        f"{made.flops(size) / 1e6:,.1f} M by paper 003 (4.5), "
        f"{made.flops(size, 'double') / 1e6:,.1f} M by paper 002 (12)"
    )


@network.command()
def bench(
    name: Name,
    taps: Annotated[
        list[str] | None, typer.Option("--tap", help="Tap to compute; can be repeated. Default: the deepest.")
    ] = None,
    size: Side = 224,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs.")] = 200,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    networks: Folder = None,
) -> None:
    """Time one image on each installed runtime, on one thread."""
    made = _found(name, networks, size)
    wanted = tuple(taps or list(made.taps)[-1:])
    rows = [_timed(made, runtime, wanted, size, runs) for runtime in ("onnxruntime", "openvino")]
    if json:
        data = {"network": name, "taps": wanted, "size": size, "cpu": cpu_name(), "runs": runs}
        typer.echo(json_format.dumps({**data, "runtimes": rows}, indent=2))
        return
    table = Table("runtime", "p50 ms", "p95 ms", title=escape(f"{name} {', '.join(wanted)} at {size}x{size}"))
    for row in rows:
        figures = (
            (f"{row['p50_ms']:.3f}", f"{row['p95_ms']:.3f}") if "p50_ms" in row else (row["missing"], "")
        )
        table.add_row(row["runtime"], *figures)
    console = Console()
    console.print(table)
    console.print(f"one thread, {runs} runs, {cpu_name()}")


def _found(name: str, networks: Path | None, size: int) -> Network:
    """The network; an input that is too small for it is refused before anything is printed."""
    if networks is not None:
        add_folder(networks)
    made = find(name)
    made.sizes(size)
    return made


def _three(what: str, text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        first, second, third = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{what} {text!r} is not three numbers with commas between them") from error
    return first, second, third


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _layers(made: Network) -> Table:
    table = Table("layer", "kernel", "stride", "pads", "channels", "groups", "parameters")
    for each in made.layers:
        table.add_row(
            escape(each.name),
            "x".join(map(str, each.kernel)),
            "x".join(map(str, each.stride)),
            " ".join(map(str, each.pads)),
            f"{each.in_channels} -> {each.out_channels}",
            str(each.groups),
            f"{each.parameters:,}",
        )
    return table


def _taps(made: Network, size: int) -> Table:
    table = Table("tap", "also", "channels", "stride", "offset", f"cells at {size}")
    sizes = made.sizes(size)
    for tap in made.taps.values():
        also = ", ".join(alias for alias, name in made.aliases.items() if name == tap.name)
        cells = "x".join(map(str, sizes[tap.name]))
        table.add_row(escape(tap.name), also, str(tap.channels), str(tap.stride), f"{tap.offset:g}", cells)
    return table


def _as_data(made: Network, size: int) -> dict[str, Any]:
    sizes = made.sizes(size)
    return {
        "card": asdict(made.card),
        "layers": [asdict(layer) for layer in made.layers],
        "taps": [{**asdict(tap), "cells": sizes[tap.name]} for tap in made.taps.values()],
        "aliases": dict(made.aliases),
        "parameters": made.parameters,
        "bytes": made.bytes,
        "size": size,
        "flops": {kind: made.flops(size, kind) for kind in ("plain", "multiply-add", "double")},
    }


def _timed(made: Network, runtime: str, taps: tuple[str, ...], size: int, runs: int) -> dict[str, Any]:
    """Milliseconds of a runtime; what to install where it is missing."""
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    chosen = made.on(cast(Literal["onnxruntime", "openvino"], runtime))
    watch = Stopwatch()
    with single_thread(), gc_paused():
        batch = chosen.prepare(image)
        try:
            for _ in range(_WARM_UP):
                chosen.run(batch, *taps)
        except MissingError as error:
            return {"runtime": runtime, "missing": str(error)}
        for _ in range(runs):
            with watch:
                chosen.run(batch, *taps)
    p50, p95 = (float(value) for value in np.percentile(watch.ms, (50, 95)))
    return {"runtime": runtime, "p50_ms": p50, "p95_ms": p95}
