"""``darkroom url``: the signed address of any size."""

from typing import Annotated

import typer

from darkroom.cli.connect import DEFAULT_SERVER, Key, Server, connected
from darkroom.transform.options import AUTO, EXTENSIONS


def url(
    image_id: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    options: Annotated[
        list[str], typer.Argument(metavar="OPTION...", help="Such as width=640 fit=cover.", show_default=False)
    ],
    *,
    ext: Annotated[str, typer.Option(metavar="EXT", help=f"One of {', '.join([AUTO, *EXTENSIONS])}.")] = AUTO,
    expires_in: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="How long the address is good; for ever unless given.")
    ] = None,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Print the signed address of a transformation of an image."""
    with connected(server, key) as client:
        typer.echo(client.sign(image_id, ",".join(options), ext, expires_in=expires_in))
