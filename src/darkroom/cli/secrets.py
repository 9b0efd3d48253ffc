"""``darkroom secrets``: what addresses of transformations are signed with. Needs an admin key."""

from typing import Annotated

import typer

from darkroom.access import LOCAL_OWNER
from darkroom.cli.connect import DEFAULT_SERVER, Json, Key, Server, connected, for_each
from darkroom.cli.output import local, print_columns, print_json

app = typer.Typer(
    help="List, add and retire signing secrets (needs an admin key).", no_args_is_help=True, rich_markup_mode=None
)


@app.command(name="list")
def list_secrets(*, json: Json = False, server: Server = DEFAULT_SERVER, key: Key = "") -> None:
    """List all live signing secrets, without their texts."""
    with connected(server, key) as client:
        found = client.list_secrets()
    if json:
        for one in found:
            print_json(one.raw)
    else:
        print_columns(("ID", "OWNER", "CREATED"), [(one.id, one.owner, local(one.created_at)) for one in found])


@app.command(name="add")
def add_secret(
    *,
    owner: Annotated[str, typer.Option(metavar="OWNER", help="Whose images it signs.")] = LOCAL_OWNER,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Make a signing secret and print it, this once; it signs from now on."""
    with connected(server, key) as client:
        made = client.add_secret(owner)
    if json:
        print_json(made.raw)
    else:
        typer.echo(made.secret)
        typer.echo(f"This is signing secret {made.id} of owner {made.owner}. It is shown only now: keep it.", err=True)


@app.command(name="retire")
def retire_secrets(
    secret_ids: Annotated[list[str], typer.Argument(metavar="ID", help="As `darkroom secrets list` shows them.")],
    *,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Have nothing be answered any more that these signed."""
    with connected(server, key) as client:

        def retire(secret_id: str) -> None:
            client.retire_secret(secret_id)
            typer.echo(f"retired {secret_id}")

        for_each(secret_ids, retire)
