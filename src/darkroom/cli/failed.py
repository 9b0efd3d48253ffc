"""``darkroom failed``: the failure inbox."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from darkroom.cli.connect import Json, complain, fail
from darkroom.cli.here import Data, Region, StageName, library
from darkroom.cli.output import local, print_columns, print_facts, print_json, shown

if TYPE_CHECKING:
    from darkroom.events import Buried
    from darkroom.failures import Case
    from darkroom.service import Service

app = typer.Typer(
    help="What went wrong for good and waits for a person: images that failed, and events that were given up.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All there are.")]


@app.command(name="list")
def list_failed(*, data: Data = None, stage: StageName = None, region: Region = None, json: Json = False) -> None:
    """List what failed, with the reasons."""
    from darkroom import failures  # noqa: PLC0415 # brings in the whole service

    with library(data, stage, region) as opened:
        rows = []
        for one in failures.cases(opened.service):
            if json:
                print_json(_document(one))
            else:
                image = one.image
                since = image.asked_at or image.uploaded_at if image else one.buried[0].buried_at
                rows.append((one.image_id, local(since), image.filename if image else "", _code(one), _reason(one)))
        if not json:
            print_columns(("ID", "SINCE", "FILENAME", "CODE", "REASON"), rows)


@app.command(name="show")
def show_failed(
    ids: Ids, *, data: Data = None, stage: StageName = None, region: Region = None, json: Json = False
) -> None:
    """Show everything known of failures."""
    with library(data, stage, region) as opened:

        def show(one: "Case") -> None:
            if json:
                print_json(_document(one))
            else:
                _print_case(one)

        _for_each(opened.service, ids, show)


@app.command(name="retry")
def retry_failed(
    *,
    ids: Ids = None,
    all_: All = False,
    data: Data = None,
    stage: StageName = None,
    region: Region = None,
) -> None:
    """Try again: images are made anew from their originals, events are worked on once more."""
    from darkroom import failures  # noqa: PLC0415 # brings in the whole service

    _check_chosen(ids, all_=all_)
    with library(data, stage, region) as opened:

        def retry(one: "Case") -> None:
            failures.retry(opened.service, one)
            typer.echo(f"{shown(one.image_id)}  tried again")

        _for_each(opened.service, ids, retry, all_=all_)


@app.command(name="drop")
def drop_failed(
    *,
    ids: Ids = None,
    all_: All = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: Data = None,
    stage: StageName = None,
    region: Region = None,
) -> None:
    """Give up: failed images are deleted for good, their originals too, and events are forgotten."""
    from darkroom import failures  # noqa: PLC0415 # brings in the whole service

    _check_chosen(ids, all_=all_)
    if not yes:
        what = "all that failed" if all_ else "this" if len(ids or ()) == 1 else f"these {len(ids or ())}"
        typer.confirm(f"Drop {what} for good?", abort=True, err=True)
    with library(data, stage, region) as opened:

        def drop(one: "Case") -> None:
            failures.drop(opened.service, one)
            typer.echo(f"{shown(one.image_id)}  dropped")

        _for_each(opened.service, ids, drop, all_=all_)


def _for_each(service: "Service", ids: list[str] | None, act: Callable[["Case"], None], *, all_: bool = False) -> None:
    """Do something to every case, also after one was refused; end the command with exit code 1 if any was."""
    from darkroom import failures  # noqa: PLC0415 # brings in the whole service
    from darkroom.errors import Refused  # noqa: PLC0415 # likewise

    refused = False
    # All at first, because what is tried again or dropped is no case any more.
    for known in list(failures.cases(service)) if all_ else ids or []:
        name = known if isinstance(known, str) else known.image_id
        try:
            one = failures.case(service, known) if isinstance(known, str) else failures.as_it_is(service, known)
            if one is not None:
                act(one)
        except Refused as error:
            complain(f"{shown(name)}: {error.detail}")
            refused = True
    if refused:
        raise typer.Exit(1)


def _check_chosen(ids: list[str] | None, *, all_: bool) -> None:
    if bool(ids) is all_:
        fail("say which by their ids, as darkroom failed list shows them, or give --all")


def _work_of(grave: "Buried") -> str:
    from darkroom import failures  # noqa: PLC0415 # brings in the whole service

    return failures.work_of(grave.event)


def _code(one: "Case") -> str:
    if one.image is not None and one.image.error is not None:
        return one.image.error.code
    return _work_of(one.buried[0])


def _reason(one: "Case") -> str:
    if one.image is not None and one.image.error is not None:
        return one.image.error.detail
    return one.buried[0].reason


def _print_case(one: "Case") -> None:
    image = one.image
    facts: list[tuple[str, str | None]] = [("id", one.image_id)]
    if image is not None:
        facts += [
            ("owner", image.owner),
            ("filename", image.filename),
            ("uploaded", local(image.uploaded_at)),
            ("error", f"{image.error.detail} ({image.error.code})" if image.error else None),
            ("original", image.original),
        ]
    for grave in one.buried:
        facts.append(("event", f"{_work_of(grave)}, given up {local(grave.buried_at)} after {grave.attempts} tries"))
        facts.append(("reason", grave.reason))
    print_facts(facts)
    typer.echo()


def _document(one: "Case") -> dict[str, Any]:
    image = one.image
    known = image and {
        "owner": image.owner,
        "filename": image.filename,
        "uploaded_at": image.uploaded_at.isoformat(),
        "original": image.original,
        "error": image.error and {"code": image.error.code, "detail": image.error.detail},
    }
    events = [
        {
            "work": _work_of(grave),
            "reason": grave.reason,
            "attempts": grave.attempts,
            "buried_at": grave.buried_at.isoformat(),
        }
        for grave in one.buried
    ]
    return {"id": one.image_id, "image": known, "events": events}
