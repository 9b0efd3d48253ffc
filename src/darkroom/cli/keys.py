"""``darkroom keys``: who may call. Needs an admin key."""

from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.access import LOCAL_OWNER, Scope
from darkroom.cli.connect import DEFAULT_SERVER, Json, Key, Server, connected, for_each
from darkroom.cli.output import local, print_columns, print_json

if TYPE_CHECKING:
    from darkroom.client import Rate

app = typer.Typer(
    help="List, add and revoke API keys (needs an admin key).", no_args_is_help=True, rich_markup_mode=None
)


@app.command(name="list")
def list_keys(*, json: Json = False, server: Server = DEFAULT_SERVER, key: Key = "") -> None:
    """List all keys; their texts are not kept and cannot be shown."""
    with connected(server, key) as client:
        found = client.list_keys()
    if json:
        for one in found:
            print_json(one.raw)
    else:
        rows = [
            (one.id, one.owner, " ".join(one.scopes), _rate(one.rate), local(one.created_at), one.name) for one in found
        ]
        print_columns(("ID", "OWNER", "SCOPES", "RATE", "CREATED", "NAME"), rows)


def _rate(rate: "Rate | None") -> str:
    return "" if rate is None else f"{rate.per_second:g}/s, {rate.burst} at once"


@app.command(name="add")
def add_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    *,
    owner: Annotated[str, typer.Option(metavar="OWNER", help="Whose images the key sees.")] = LOCAL_OWNER,
    scope: Annotated[list[Scope] | None, typer.Option(help="May be repeated; read and write unless given.")] = None,
    rate: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="Requests a second the key may make, instead of the server's setting."),
    ] = None,
    burst: Annotated[
        int, typer.Option(metavar="NUMBER", help="Requests it may make at once after a pause, with --rate.")
    ] = 100,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Make a key and print it, this once."""
    from darkroom.client import Rate  # noqa: PLC0415 # as in connected

    own = None if rate is None else Rate(per_second=rate, burst=burst)
    with connected(server, key) as client:
        made = client.add_key(name, owner=owner, scopes=scope or (Scope.READ, Scope.WRITE), rate=own)
    if json:
        print_json(made.raw)
    else:
        typer.echo(made.key)
        typer.echo(f"This is key {made.id} of owner {made.owner}. It is shown only now: keep it.", err=True)


@app.command(name="revoke")
def revoke_keys(
    key_ids: Annotated[list[str], typer.Argument(metavar="ID", help="As `darkroom keys list` shows them.")],
    *,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Make keys unknown, from now on."""
    with connected(server, key) as client:

        def revoke(key_id: str) -> None:
            client.revoke_key(key_id)
            typer.echo(f"revoked {key_id}")

        for_each(key_ids, revoke)
