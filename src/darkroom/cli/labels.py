"""``darkroom tags`` and ``darkroom albums``."""

from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.connect import DEFAULT_SERVER, Json, Key, Server, complain, connected
from darkroom.cli.output import print_columns, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkroom.client import Label

Prefix = Annotated[
    str,
    typer.Argument(metavar="[PREFIX]", help="Names that begin so, without regard to case.", show_default=False),
]


def tags(prefix: Prefix = "", *, json: Json = False, server: Server = DEFAULT_SERVER, key: Key = "") -> None:
    """List the tags of ready images, with how many have each."""
    with connected(server, key) as client:
        _print("TAG", client.tags(prefix), json=json)


def albums(prefix: Prefix = "", *, json: Json = False, server: Server = DEFAULT_SERVER, key: Key = "") -> None:
    """List the albums of ready images, with how many are in each."""
    with connected(server, key) as client:
        _print("ALBUM", client.albums(prefix), json=json)


def _print(heading: str, found: "Iterable[Label]", *, json: bool) -> None:
    if json:
        for label in found:
            print_json({"name": label.name, "images": label.images})
        return
    rows = [(label.name, str(label.images)) for label in found]
    if rows:
        print_columns((heading, "IMAGES"), rows)
    else:
        complain("nothing was found")
