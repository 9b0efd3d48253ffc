"""Commands over all images of a search: what ``tag``, ``album``, ``rm`` and ``reprocess`` share; and ``jobs``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.connect import DEFAULT_SERVER, Json, Key, Server, complain, connected
from darkroom.cli.output import counted, local, print_columns, print_facts, print_json, shown
from darkroom.cli.search import read_search

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.client import Client, Job

SomeIds = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", show_default=False)]
SearchLine = Annotated[
    str | None,
    typer.Option("--search", metavar="SEARCH", help="All images that this finds, as `darkroom search` takes it."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With --search: only count.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
HEADER = ("ID", "ACTION", "STATE", "IMAGES", "DONE", "FAILED", "BEGUN")


def check_which(ids: list[str] | None, search: str | None, *, dry_run: bool = False) -> None:
    """End with exit code 2 unless it is said, in one way, which images are meant."""
    if bool(ids) == (search is not None):
        msg = "say which images: by their ids, or by --search"
        raise typer.BadParameter(msg)
    if dry_run and search is None:
        msg = "--dry-run counts what --search finds"
        raise typer.BadParameter(msg)


def do_all(
    client: "Client", begin: "Callable[..., Job]", search: str, what: str, *, dry_run: bool, yes: bool, json: bool
) -> None:
    """Count what a search finds, ask, have it done, and say what became of it; exit code 1 if any failed.

    ``begin`` is ``client.bulk`` with everything but the criteria; ``what`` is done, as a question asks it: ``Delete {}
    for good?``.
    """
    criteria = read_search([search])
    found = client.finished(begin(criteria, dry_run=True))
    if found.error is not None or dry_run or not found.matched:
        _say(found, json=json)
        return
    if not yes:
        typer.confirm(what.format(counted(found.matched, "image")), abort=True, err=True)
    _say(client.finished(begin(criteria), told=_progress), json=json)


def jobs(
    ids: SomeIds = None,
    *,
    stop: Annotated[bool, typer.Option("--stop", help="Have these do nothing more.")] = False,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Show how far work on many images has come: the latest jobs, or those of some ids."""
    if stop and not ids:
        msg = "say which jobs to --stop"
        raise typer.BadParameter(msg)
    with connected(server, key) as client:
        found = [client.stop_job(job_id) if stop else client.job(job_id) for job_id in ids or ()]
        found = found if ids else client.jobs()
    if json:
        for job in found:
            print_json(job.raw)
    elif ids:
        for job in found:
            _print_job(job)
    elif found:
        print_columns(HEADER, (_row(job) for job in found))
    else:
        complain("there are no jobs")


def _row(job: "Job") -> tuple[str, ...]:
    action = f"{job.action} (dry run)" if job.dry_run else job.action
    return job.id, action, job.state, str(job.matched), str(job.done), str(job.failed), local(job.created_at)


def _print_job(job: "Job") -> None:
    print_facts(
        (
            ("id", job.id),
            ("action", f"{job.action} (dry run)" if job.dry_run else job.action),
            ("state", job.state),
            ("search", job.raw.get("search")),
            ("images", str(job.matched)),
            ("done", str(job.done)),
            ("failed", str(job.failed)),
            ("begun", local(job.created_at)),
            ("error", f"{job.error.detail} ({job.error.code})" if job.error else None),
            *((image_id, f"{why.detail} ({why.code})") for image_id, why in job.errors),
        )
    )
    typer.echo()


def _progress(job: "Job") -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{job.state}: {job.done + job.failed} of {job.matched} ", err=True, nl=False)


def _say(job: "Job", *, json: bool) -> None:
    if sys.stderr.isatty():
        typer.echo("\r", err=True, nl=False)
    if json:
        print_json(job.raw)
    elif job.dry_run:
        typer.echo(counted(job.matched, "image") if job.matched else "nothing was found")
    else:
        typer.echo(f"{counted(job.done, 'image')} done{f', {job.failed} failed' if job.failed else ''}")
    for image_id, why in job.errors:
        complain(f"{shown(image_id)}: {shown(why.detail)} ({why.code})")
    if job.error is not None:
        complain(f"{shown(job.error.detail)} ({job.error.code})")
    if job.failed or job.state != "done":
        raise typer.Exit(1)
