"""``darkroom doctor``: whether this machine can run the service as it is set up, and how safely."""

import typer

from darkroom.cli.connect import Json
from darkroom.cli.here import Data, explained
from darkroom.cli.output import print_json, shown


def doctor(*, data: Data = None, json: Json = False) -> None:
    """Look at settings, data folder, native libraries and the jail, and try them; exit code 1 when something is wrong.

    Nothing is changed, and the service may run meanwhile. What is marked `warning` works, but a person should know it.
    """
    from darkroom.embedded.doctor import Health, examine  # noqa: PLC0415 # brings in the whole service

    found = dict.fromkeys(Health, 0)
    with explained():
        for finding in examine(data=data):
            found[finding.health] += 1
            if json:
                print_json({"subject": finding.subject, "health": finding.health, "detail": finding.detail})
            else:
                typer.echo(f"{finding.health:<8}  {finding.subject:<23}  {shown(finding.detail)}")
    if not json:
        typer.echo(f"\n{found[Health.FAULT]} faults, {found[Health.WARNING]} warnings")
    if found[Health.FAULT]:
        raise typer.Exit(1)
