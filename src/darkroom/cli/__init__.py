"""The command line: ``darkroom serve`` starts the service; a command works on its data folder, or is its client.

This is loaded for every command, so nothing slow is imported here: a command brings in what it needs when it runs.
"""

from __future__ import annotations

import io
import sys

import typer

from darkroom.cli import (
    aws,
    backup,
    bulk,
    capacity,
    cost,
    doctor,
    failed,
    get,
    images,
    keys,
    labels,
    maintenance,
    put,
    search,
    secrets,
    serve,
    similar,
    transfer,
    url,
    usage,
)


def command_line() -> typer.Typer:
    """Return the program with all its commands."""
    app = typer.Typer(
        help="An image service: upload, variants, metadata, search and delivery.",
        epilog="Exit codes: 0 done, 1 something failed (said on standard error), 2 wrong usage, 130 interrupted.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command(name="serve")(serve.serve)
    app.command(name="put")(put.put)
    app.command(name="get")(get.get)
    app.command(name="search")(search.search)
    app.command(name="tags")(labels.tags)
    app.command(name="albums")(labels.albums)
    app.command(name="similar")(similar.similar)
    app.command(name="show")(images.show)
    app.command(name="tag")(images.tag)
    app.command(name="album")(images.album)
    app.command(name="rm")(images.remove)
    app.command(name="reprocess")(images.reprocess)
    app.command(name="jobs")(bulk.jobs)
    app.command(name="variants")(images.variants)
    app.command(name="url")(url.url)
    app.command(name="usage")(usage.usage)
    app.command(name="backup")(backup.backup)
    app.command(name="restore")(backup.restore)
    app.command(name="export")(transfer.export_library)
    app.command(name="import")(transfer.import_library)
    app.command(name="sweep")(maintenance.sweep)
    app.command(name="audit")(maintenance.audit)
    app.command(name="verify")(maintenance.verify)
    app.command(name="doctor")(doctor.doctor)
    app.command(name="cost")(cost.cost)
    app.command(name="capacity")(capacity.capacity)
    app.add_typer(failed.app, name="failed")
    app.add_typer(keys.app, name="keys")
    app.add_typer(aws.app, name="aws")
    app.add_typer(secrets.app, name="secrets")
    return app


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter of a file's name shows its number instead of ending the command.
            stream.reconfigure(errors="backslashreplace")
    try:
        command_line()(prog_name="darkroom")
    except KeyboardInterrupt:
        sys.exit(130)
