"""``darkroom export`` and ``darkroom import``."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from darkroom.cli.connect import Json, complain
from darkroom.cli.here import Data, Region, StageName, data_folder, explained, library
from darkroom.cli.output import counted, print_json, shown, size

if TYPE_CHECKING:
    from darkroom.transfer import Extent, Outcome

_SHOWN = 20
"""How many objects that are lost are named."""


def export_library(
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="A new file, - for standard output; with --images a new folder.")
    ],
    *,
    data: Data = None,
    stage: StageName = None,
    region: Region = None,
    images: Annotated[
        bool, typer.Option("--images", help="Export originals and variants too, beside the lines.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: Json = False,
) -> None:
    """Write down all images as JSON Lines, with or without their files, also while the service runs."""
    from darkroom import exports  # noqa: PLC0415 # brings in the whole service
    from darkroom.cli.progress import Meter  # noqa: PLC0415 # rich takes 0.1 s

    if stage is None and target != exports.STANDARD:
        with explained():
            data_folder(data).refuse_within(target)
    with Meter() as meter, library(data, stage, region) as opened:
        extent = exports.write(
            opened.collection,
            target,
            with_objects=images,
            force=force,
            told=lambda so_far: meter.show(so_far.images, so_far.objects, so_far.bytes),
        )
    if json:
        if target != exports.STANDARD:
            print_json({"images": extent.images, "objects": extent.objects, "bytes": extent.bytes, "lost": extent.lost})
    else:
        typer.echo(f"exported {_extent(extent, with_objects=images)}", err=target == exports.STANDARD)
    if extent.lost:
        for sentence in extent.lost[:_SHOWN]:
            complain(shown(sentence))
        complain(f"missing or damaged in the service itself, while the rest is exported: {len(extent.lost)}")
        raise typer.Exit(1)


def import_library(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="An export: a file, a folder, or - for standard input.")
    ],
    *,
    data: Data = None,
    stage: StageName = None,
    region: Region = None,
    on_conflict: Annotated[
        Literal["skip", "replace", "fail"],
        typer.Option(help="What becomes of an image that is here already and is another."),
    ] = "skip",
    json: Json = False,
) -> None:
    """Bring exported images into a data folder or a stage, also while it serves; again, and only what is new is added.

    Everything is checked before anything is changed.
    """
    from darkroom import exports  # noqa: PLC0415 # brings in the whole service
    from darkroom.cli.progress import Meter  # noqa: PLC0415 # rich takes 0.1 s
    from darkroom.transfer import OnConflict  # noqa: PLC0415 # likewise

    outcomes: Counter[Outcome] = Counter()
    with Meter() as meter, library(data, stage, region) as opened:
        extent = exports.read(
            opened.collection,
            source,
            opened.scratch,
            on_conflict=OnConflict(on_conflict),
            checked=lambda so_far: meter.show(so_far.images, so_far.objects, so_far.bytes),
            brought=lambda outcome: outcomes.update((outcome,)),
        )
    named = {outcome.value: count for outcome, count in outcomes.items()}
    if json:
        print_json({"images": extent.images, "objects": extent.objects, "bytes": extent.bytes, "outcomes": named})
    else:
        said = ", ".join(f"{count} {name}" for name, count in named.items()) or "nothing in it"
        typer.echo(f"{counted(extent.images, 'image')}: {said}")


def _extent(extent: "Extent", *, with_objects: bool) -> str:
    images = counted(extent.images, "image")
    return f"{images}, {counted(extent.objects, 'object')}, {size(extent.bytes)}" if with_objects else images
