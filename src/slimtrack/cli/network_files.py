"""``slimtrack network list`` and ``fetch``: lists the known networks and downloads them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from slimtrack.errors import MissingError
from slimtrack.files import make_folder
from slimtrack.networks.catalogue import CATALOGUE, entry, owner
from slimtrack.networks.entry import Entry, File
from slimtrack.networks.fetch import fetch as download
from slimtrack.networks.fetch import is_there
from slimtrack.networks.find import VARIABLE, add_folder, find_network, folder_to_fill, user_folder
from slimtrack.networks.zoo import locate
from slimtrack.registry import list_trackers, settings, tracker_class

__all__ = ["fetch", "list_"]


def list_(
    networks: Annotated[
        Path | None, typer.Option(metavar="DIR", help=f"Folder of networks, searched before {VARIABLE}.")
    ] = None,
) -> None:
    """List the known networks with licence and size, whether they are here, and how to get them."""
    if networks is not None:
        add_folder(networks)
    console = Console()
    table = Table(
        "network", "here", "size", "licence", "colours", "for", title="Networks", title_justify="left"
    )
    users = _users()
    for name, known in CATALOGUE.items():
        size = sum(file.size for file in known.downloads or known.files)
        table.add_row(
            escape(name),
            "yes" if _is_here(name) else "fetch" if known.published else "make",
            decimal(size) if size else "",
            escape(known.card.licence or "not known"),
            known.card.colors,
            escape(
                "; ".join(filter(None, (", ".join(users.get(name, [])), known.taps and f"taps {known.taps}")))
            ),
        )
    console.print(table)
    console.print(
        "fetch: `slimtrack network fetch NAME` downloads it; make: the same command says how to make it."
    )


def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME..", help="Names from `slimtrack network list`.")
    ],
    networks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help=f"Folder to write to. Default: the first of {VARIABLE}."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Download networks from their authors, check size and hash, and put them where slimtrack finds them."""
    wanted = [entry(name) for name in names]
    folder = networks.expanduser() if networks is not None else folder_to_fill()
    console = Console()
    for each in wanted:
        if each.published:
            _fetch_one(console, each, folder, overwrite)
        elif each.shipped:
            console.print(f"[bold]{each.card.name}[/bold] comes with slimtrack")
    if any(each.published for each in wanted):
        console.print(_where(folder, networks is not None), soft_wrap=True)
    unpublished = [each for each in wanted if not each.published and not each.shipped]
    if unpublished:
        raise MissingError("\n".join(_how(each, folder) for each in unpublished))


def _fetch_one(console: Console, known: Entry, folder: Path, overwrite: bool) -> None:
    card = known.card
    console.print(f"[bold]{card.name}[/bold]: {escape(card.origin)}", soft_wrap=True)
    console.print(f"licence: {escape(card.licence or 'none stated by its authors')}", soft_wrap=True)
    for file in known.downloads:
        console.print(f"{file.url}\n  {file.size:,} bytes, sha256 {file.sha256}", soft_wrap=True)
        if not overwrite and is_there(file, folder):
            console.print(f"  {escape(str(folder / file.path))} is already there", soft_wrap=True)
            continue
        make_folder(folder)
        with _progress(console, file) as on_progress:
            path = download(file, folder, on_progress)
        console.print(f"  {escape(str(path))} written, size and hash are right", soft_wrap=True)


@contextmanager
def _progress(console: Console, file: File) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere; gives a callback that takes the bytes so far."""
    columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(Path(file.path).name, total=file.size)
        yield lambda done: bar.update(task, completed=done)


def _where(folder: Path, given: bool) -> str:
    """A sentence that says how slimtrack finds the downloaded networks."""
    if folder == user_folder():
        return f"Networks in {escape(str(folder))} are found without further settings."
    if given:
        return f"They are found with --networks {escape(str(folder))}, or with {VARIABLE} set to it."
    return f"They are found because {VARIABLE} names {escape(str(folder))}."


def _how(known: Entry, folder: Path) -> str:
    return (
        f"no public address of {known.card.name} is known; to make it: "
        f"{known.make.replace('FOLDER', str(folder))}"
    )


def _is_here(name: str) -> bool:
    known = CATALOGUE[name]
    try:
        if known.taps:
            locate(name)
        else:
            for place in known.places:
                find_network(place)
    except MissingError:
        return False
    return True


def _users() -> dict[str, list[str]]:
    """Names of networks -> the trackers that use them by default."""
    users: dict[str, list[str]] = {}
    for tracker in list_trackers(missing=True):
        for name in _needs(tracker):
            users.setdefault(name, []).append(tracker)
    return users


def _needs(tracker: str) -> list[str]:
    """Names of the networks that a tracker uses by default."""
    try:
        cls, network = tracker_class(tracker), settings(tracker).get("network")
    except MissingError:
        return []
    if network is not None:
        return [network]
    files = getattr(cls, "files", ())
    owners = (owner(path) for path in (files.values() if isinstance(files, Mapping) else files))
    return list({found.card.name: None for found in owners if found is not None})
