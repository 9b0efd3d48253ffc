"""``darkroom search``."""

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.catalog.questions import WrongWord, members, read_line
from darkroom.cli.connect import DEFAULT_SERVER, Json, Key, Server, complain, connected
from darkroom.cli.output import columns, local, print_columns, print_json, shown, size
from darkroom.errors import InvalidRequest

if TYPE_CHECKING:
    from darkroom.client import Criteria, Image

LONGEST_PAGE = 200
HEADER = ("ID", "PIXELS", "SIZE", "FORMAT", "UPLOADED", "TAGS", "FILENAME")


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="Words of the filename or the title, and criteria such as tag:cat."),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="Print at most this many.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="Print all there are.")] = False,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """List images, newest first; every criterion has to hold.

    Criteria are tag, album, camera, lens, color (rrggbb), format, orientation, min_width, max_width, min_height,
    max_height, min_bytes, max_bytes, after and before (of upload), taken_after, taken_before, sha256, state, untagged:1
    and order:oldest. Of several formats or states any will do. A value with spaces goes in double quotes.

    darkroom search 'tag:cat tag:"my garden" orientation:portrait min_width:3000 after:2026-01-01 sunset'

    A date is its midnight, and a moment without a zone is of this machine's; after includes it, before does not.
    """
    asked = read_search(words or [])
    with connected(server, key) as client:
        page_limit = LONGEST_PAGE if everything else min(limit + 1, LONGEST_PAGE)
        found = client.search(asked, page_limit=page_limit)
        images = found if everything else islice(found, limit)
        if json:
            for image in images:
                print_json(image.raw)
        else:
            _print_table(list(images))
        if not everything and next(found, None) is not None:
            complain(f"there are more than {limit}; --limit or --all shows them")


def read_search(words: list[str]) -> "Criteria":
    """Return what the words of a command line ask for; when one is wrong, points at it and ends with exit code 2."""
    from darkroom.client import Criteria  # noqa: PLC0415 # as in connected

    line = " ".join(words)
    try:
        return Criteria(**members(read_line(line, datetime.astimezone)))
    except InvalidRequest as error:
        complain(shown(error.detail))
        if isinstance(error, WrongWord):
            typer.echo(marked(line, error.begin, error.end), err=True)
        raise typer.Exit(2) from error


def marked(line: str, begin: int, end: int) -> str:
    """Return a line, or the part of it that matters, with marks under some letters."""
    first, last = max(0, begin - 30), min(len(line), begin + 60)
    before = ("  …" if first else "  ") + shown(line[first:begin])
    word, after = shown(line[begin : min(end, last)]), shown(line[end:last])
    return f"{before}{word}{after}{'…' if last < len(line) else ''}\n{' ' * columns(before)}{'^' * columns(word)}"


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
