"""``darkroom similar``."""

from typing import Annotated

import typer

from darkroom.cli.connect import DEFAULT_SERVER, Json, Key, Server, complain, connected
from darkroom.cli.output import local, print_columns, print_json, size

HEADER = ("ID", "LIKENESS", "PIXELS", "SIZE", "FORMAT", "UPLOADED", "FILENAME")


def similar(
    image_id: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    *,
    limit: Annotated[int, typer.Option(metavar="NUMBER", min=1, max=200, help="Print at most this many.")] = 50,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Find copies of an image: same bytes, resized, recompressed, recoloured or cropped a little; the nearest first."""
    with connected(server, key) as client:
        found = client.similar(image_id, limit=limit)
    if json:
        for one in found:
            print_json(one.raw)
        return
    rows = []
    for one in found:
        image, source = one.image, one.image.source
        alike = "same bytes" if one.same_bytes else f"{one.distance} of 255 off"
        pixels, length, kind = (
            (f"{source.width}×{source.height}", size(source.bytes), source.format) if source else ("", "", "")
        )
        rows.append((image.id, alike, pixels, length, kind, local(image.uploaded_at), image.filename))
    if rows:
        print_columns(HEADER, rows)
    else:
        complain("nothing was found")
