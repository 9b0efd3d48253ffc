"""``darkroom serve``: the service on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from darkroom.cli.connect import fail
from darkroom.errors import DarkroomError


def serve(
    *,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on; 127.0.0.1 unless given.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Port to listen on; 8000 unless given.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder where everything it keeps lies; ./data unless given.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=1, max=64, help="Processes that answer HTTP; 2 unless given.")
    ] = None,
    recipes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML file of the variants; large, medium and small unless given."),
    ] = None,
    no_keys: Annotated[
        bool, typer.Option("--no-keys", help="Ask for no API key; on loopback only, for this machine only.")
    ] = False,
) -> None:
    """Start the service, and run it until it is told to stop (Ctrl-C).

    Each of these options, and every other setting, is also an environment variable beginning with DARKROOM_; an option
    wins. The first start makes an admin key and prints it, once.
    """
    from darkroom import settings  # noqa: PLC0415 # pydantic takes 0.1 s, which other commands need not pay
    from darkroom.embedded.serve import serve as run  # noqa: PLC0415 # brings in the whole service

    try:
        status = run(
            settings.load(
                host=host,
                port=port,
                data=data,
                workers=workers,
                recipes=recipes,
                keys=False if no_keys else None,
            )
        )
    except DarkroomError as error:
        fail(error.detail)
    raise typer.Exit(status)
