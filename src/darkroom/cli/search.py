"""``darkroom search``."""

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.connect import DEFAULT_SERVER, Json, Key, Server, complain, connected
from darkroom.cli.output import local, print_columns, print_json, size

if TYPE_CHECKING:
    from darkroom.client import Image

LONGEST_PAGE = 200
HEADER = ("ID", "PIXELS", "SIZE", "FORMAT", "UPLOADED", "TAGS", "FILENAME")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r} is no date such as 2026-11-23 or 2026-11-23T10:00:00Z"
        raise typer.BadParameter(msg) from error
    return moment.astimezone(UTC)


Moment = Annotated[datetime | None, typer.Option(parser=_moment, metavar="DATE")]
Bound = Annotated[int | None, typer.Option(metavar="NUMBER", min=0)]


def search(  # noqa: PLR0913 # each criterion of the contract is an option
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help="Words of the filename or the title.")
    ] = None,
    *,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Has this tag; repeat it for several, all of them.")
    ] = None,
    album: Annotated[str | None, typer.Option(metavar="ALBUM", help="Is in this album.")] = None,
    image_format: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="FORMAT", help="Was uploaded as this, e.g. jpeg; repeat it for any of them."),
    ] = None,
    orientation: Annotated[str | None, typer.Option(metavar="SHAPE", help="landscape, portrait or square.")] = None,
    min_width: Bound = None,
    max_width: Bound = None,
    min_height: Bound = None,
    max_height: Bound = None,
    min_bytes: Bound = None,
    max_bytes: Bound = None,
    uploaded_after: Moment = None,
    uploaded_before: Moment = None,
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="The original has this checksum (hex).")] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            help="awaiting, processing, ready (unless told otherwise) or failed; repeat it for any of them.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="Print at most this many.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Print all there are.")] = False,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """List images, newest first; every criterion has to hold.

    A date without a time is its midnight, one without a zone is of this machine's. --uploaded-after includes the
    moment, --uploaded-before does not.
    """
    with connected(server, key) as client:
        from darkroom.client import Criteria  # noqa: PLC0415 # as in connected

        criteria = Criteria(
            words=" ".join(words) if words else None,
            tags=tuple(tag or ()),
            album=album,
            formats=tuple(image_format or ()),
            orientation=orientation,
            min_width=min_width,
            max_width=max_width,
            min_height=min_height,
            max_height=max_height,
            min_bytes=min_bytes,
            max_bytes=max_bytes,
            uploaded_after=uploaded_after,
            uploaded_before=uploaded_before,
            sha256=sha256,
            states=tuple(state or ()),
        )
        page_limit = LONGEST_PAGE if everything else min(limit + 1, LONGEST_PAGE)
        found = client.search(criteria, page_limit=page_limit)
        images = found if everything else islice(found, limit)
        if json:
            for image in images:
                print_json(image.raw)
        else:
            _print_table(list(images))
        if not everything and next(found, None) is not None:
            complain(f"there are more than {limit}; --limit or --all shows them")


def _print_table(images: list["Image"]) -> None:
    if images:
        print_columns(HEADER, (_row(image) for image in images))
    else:
        complain("nothing was found")


def _row(image: "Image") -> tuple[str, ...]:
    source = image.source
    return (
        image.id,
        f"{source.width}×{source.height}" if source else image.state,
        size(source.bytes) if source else "",
        source.format if source else "",
        local(image.uploaded_at),
        ", ".join(image.tags),
        image.filename,
    )
