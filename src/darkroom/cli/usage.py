"""``darkroom usage``: what one has stored, and how much one may."""

import typer

from darkroom.cli.connect import DEFAULT_SERVER, Json, Key, Server, connected
from darkroom.cli.output import print_columns, print_json, size


def usage(*, json: Json = False, server: Server = DEFAULT_SERVER, key: Key = "") -> None:
    """Show how much the owner of the key has stored, and how much it may."""
    with connected(server, key) as client:
        found = client.usage()
    if json:
        print_json(found.raw)
        return
    rows = [
        (name, show(level.used), "no limit" if level.limit is None else show(level.limit))
        for name, level, show in (
            ("images", found.images, str),
            ("bytes", found.bytes, size),
            ("open uploads", found.open_tickets, str),
        )
    ]
    typer.echo(f"Owner {found.owner}")
    print_columns(("", "USED", "LIMIT"), rows)
