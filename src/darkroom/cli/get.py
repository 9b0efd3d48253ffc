"""``darkroom get``: one picture of an image, into a file."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from darkroom import names
from darkroom.cli.connect import DEFAULT_SERVER, Key, Server, connected, fail
from darkroom.cli.output import shown, size
from darkroom.errors import InvalidRequest
from darkroom.model import Format

if TYPE_CHECKING:
    from darkroom.client import Image, Variant

PREFERRED_FORMATS = ("jpeg", "png", "gif", "webp", "avif")
"""Of the formats a variant exists in, the one that most programs open comes first."""

_ENDINGS = {**{kind.value: kind.value for kind in Format}, "jpg": "jpeg", "tif": "tiff"}


def get(
    image_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    variant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of a variant; the largest unless given.")
    ] = None,
    image_format: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="jpeg, avif …; what FILE ends in, or jpeg, unless given."),
    ] = None,
    original: Annotated[bool, typer.Option("--original", help="The original, while it is kept.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it; a folder; or - for standard output."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Download one picture of an image."""
    if original and (variant or image_format):
        msg = "--original is what was uploaded; it has no --variant and no --format"
        raise typer.BadParameter(msg)
    with connected(server, key) as client:
        image = client.get(image_id)
        if original:
            name = image.filename
        else:
            chosen = _chosen(image, variant, image_format or _format_of(output))
            name = f"{Path(image.filename).stem}-{chosen.name}.{_extension(chosen.format)}"
        with _written(_target(output, name), force=force) as file:
            if original:
                client.original(image.id, file, sha256=image.source.sha256 if image.source else None)
            else:
                client.download(chosen.url, file)


def _chosen(image: "Image", name: str | None, image_format: str | None) -> "Variant":
    if not image.variants:
        fail(f"{image.id} is {image.state}; it has no variants")
    largest = max(image.variants, key=lambda variant: variant.width * variant.height)
    named = [variant for variant in image.variants if variant.name == (name or largest.name)]
    if not named:
        there = ", ".join(dict.fromkeys(variant.name for variant in image.variants))
        fail(f"{image.id} has no variant {name!r}; there are {there}")
    if image_format is None:
        ranks = {one: rank for rank, one in enumerate(PREFERRED_FORMATS)}
        return min(named, key=lambda variant: ranks.get(variant.format, len(ranks)))
    for candidate in named:
        if candidate.format == image_format:
            return candidate
    there = ", ".join(variant.format for variant in named)
    return fail(f"variant {named[0].name} of {image.id} is there as {there}, not as {image_format}")


def _format_of(output: Path | None) -> str | None:
    return None if output is None else _ENDINGS.get(output.suffix.lower().removeprefix("."))


def _extension(image_format: str) -> str:
    return Format(image_format).extension if image_format in set(Format) else image_format


def _target(output: Path | None, name: str) -> Path | None:
    """Return the file to write, or ``None`` for standard output; ``name`` is a stranger's and only a base name."""
    if output is not None and str(output) == "-":
        return None
    if output is not None and not output.is_dir():
        return output
    try:
        base = names.clean_filename(name)
    except InvalidRequest:
        fail(f"the server calls it {name!r}, which cannot be a file's name; give one by -o")
    return (output or Path()) / base


@contextmanager
def _written(target: Path | None, *, force: bool) -> Iterator[BinaryIO]:
    """Yield a file that becomes ``target`` once it is complete, and leaves nothing behind when it does not."""
    if target is None:
        yield sys.stdout.buffer
        return
    if target.exists() and not force:
        fail(f"{shown(target)} is there already; --force overwrites it")
    unfinished = target.with_name(f".darkroom-{uuid.uuid4().hex}.part")
    try:
        with unfinished.open("xb") as file:
            yield file
        if target.exists() and not force:
            fail(f"{shown(target)} has appeared meanwhile; --force overwrites it")
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    typer.echo(f"{shown(target)}  {size(target.stat().st_size)}", err=True)
