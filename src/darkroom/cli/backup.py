"""``darkroom backup`` and ``darkroom restore``."""

import os
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.connect import Json, complain
from darkroom.cli.here import Data, data_folder, explained
from darkroom.cli.output import counted, local, print_columns, print_json, shown, size

if TYPE_CHECKING:
    from darkroom.embedded.backup import Tally
    from darkroom.embedded.restore import Restored
    from darkroom.embedded.snapshot import Manifest
    from darkroom.embedded.vault import Vault

PRIVATE = 0o077
"""Nobody else on the machine reads a copy: originals and secrets are in it."""

_SHOWN = 20
"""How many damaged objects are named."""

Backups = Annotated[Path, typer.Argument(metavar="DIR", help="The folder that backups lie in.", show_default=False)]


def backup(
    folder: Backups,
    *,
    data: Data = None,
    keep: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER", min=1, help="Then remove all but the newest backups; all are kept unless given."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Copy everything the service keeps, also while it serves; a second time only what is new."""
    from darkroom.cli.progress import Meter  # noqa: PLC0415 # rich takes 0.1 s
    from darkroom.embedded.backup import back_up  # noqa: PLC0415 # brings in the whole service
    from darkroom.service import utc_now  # noqa: PLC0415 # likewise

    os.umask(PRIVATE)
    with explained(), Meter() as meter:
        manifest = back_up(
            data_folder(data),
            folder,
            clock=utc_now,
            keep=keep,
            told=lambda tally: meter.show(tally.images, tally.objects, tally.bytes),
        )
    if json:
        print_json(manifest.document())
    else:
        typer.echo(
            f"{manifest.name}  {_extent(manifest)}; "
            f"new: {counted(manifest.new_objects, 'object')}, {size(manifest.new_bytes)}"
        )
    _complain_of(manifest.damaged, "in the service itself, while the rest is backed up")


def restore(
    folder: Backups,
    *,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="NEW", help="The data folder to make: new or empty.", show_default=False),
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which backup; the latest unless given.", show_default=False),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the backups there are, and do nothing.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only read and compare everything, and write nothing.")
    ] = False,
    accept_losses: Annotated[
        bool, typer.Option("--accept-losses", help="Leave damaged objects out instead of restoring nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Make a data folder from a backup, or with --check find out whether that could be done."""
    from darkroom.cli.progress import Meter  # noqa: PLC0415 # rich takes 0.1 s
    from darkroom.embedded import restore as restoring  # noqa: PLC0415 # brings in the whole service
    from darkroom.embedded.layout import Layout  # noqa: PLC0415 # likewise
    from darkroom.embedded.vault import Vault  # noqa: PLC0415 # likewise

    if (data is None) is not (list_ or check):
        msg = "say by --data where to restore to, or give --check or --list"
        raise typer.BadParameter(msg)
    os.umask(PRIVATE)
    with explained(), Meter() as meter:
        if list_:
            with closing(Vault(folder)) as vault:
                _list(vault, json=json)
            return

        def told(tally: "Tally") -> None:
            meter.show(tally.images, tally.objects, tally.bytes)

        if data is None:
            restored = restoring.check(folder, name=snapshot, told=told)
        else:
            restored = restoring.restore(folder, Layout(data), name=snapshot, accept_losses=accept_losses, told=told)
    _report(restored, data, json=json)


def _report(restored: "Restored", data: Path | None, *, json: bool) -> None:
    manifest = restored.manifest
    if json:
        print_json({"backup": manifest.document(), "data": None if data is None else str(data), "lost": restored.lost})
    else:
        outcome = ("damaged" if restored.lost else "whole") if data is None else f"restored to {shown(data)}"
        typer.echo(f"{manifest.name}  {_extent(manifest)}: {outcome}")
    _complain_of(restored.lost, "in the backup")


def _list(vault: "Vault", *, json: bool) -> None:
    manifests = [snapshot.manifest() for snapshot in vault.snapshots()]
    if json:
        for manifest in manifests:
            print_json(manifest.document())
        return
    rows = [
        (
            one.name,
            local(datetime.fromisoformat(one.taken_at)),
            str(one.living),
            str(one.objects),
            size(one.bytes),
            size(one.new_bytes),
            one.darkroom,
        )
        for one in manifests
    ]
    print_columns(("BACKUP", "TAKEN", "IMAGES", "OBJECTS", "SIZE", "NEW", "RELEASE"), rows)


def _extent(manifest: "Manifest") -> str:
    return f"{counted(manifest.living, 'image')}, {counted(manifest.objects, 'object')}, {size(manifest.bytes)}"


def _complain_of(damaged: tuple[str, ...], where: str) -> None:
    """Name what is damaged, and end the command with exit code 1 if anything is."""
    if damaged:
        for sentence in damaged[:_SHOWN]:
            complain(shown(sentence))
        complain(f"missing or damaged {where}: {counted(len(damaged), 'object')}")
        raise typer.Exit(1)
