"""The commands about images one knows the ids of: show, tag, rm, reprocess; and variants."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.bulk import DryRun, SearchLine, SomeIds, Yes, check_which, do_all
from darkroom.cli.connect import DEFAULT_SERVER, WAIT_SECONDS, Json, Key, Server, complain, connected, for_each
from darkroom.cli.output import local, print_columns, print_facts, print_json, shown, size

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.client import Changes, Client, Image

Ids = Annotated[list[str], typer.Argument(metavar="ID", show_default=False)]


def show(ids: Ids, *, json: Json = False, server: Server = DEFAULT_SERVER, key: Key = "") -> None:
    """Show everything known of images."""
    with connected(server, key) as client:

        def show_one(image_id: str) -> None:
            image = client.get(image_id)
            if json:
                print_json(image.raw)
            else:
                _print_image(image)

        for_each(ids, show_one)


def _print_image(image: "Image") -> None:
    source = image.source
    exif = image.exif
    error = image.error
    print_facts(
        (
            ("id", image.id),
            ("state", image.state),
            ("error", f"{error.detail} ({error.code})" if error else None),
            ("filename", image.filename),
            ("title", image.title),
            ("album", image.album),
            ("tags", ", ".join(image.tags)),
            ("focus", f"{image.focus[0]:g}, {image.focus[1]:g}" if image.focus else None),
            ("uploaded", local(image.uploaded_at)),
            ("original", image.original),
            ("source", f"{source.format}, {source.width}×{source.height}, {size(source.bytes)}" if source else None),
            ("frames", str(source.frames) if source and source.frames > 1 else None),
            ("pages", f"{source.pages}, of which one is shown" if source and source.pages > 1 else None),
            ("sha256", source.sha256 if source else None),
            ("colors", ", ".join(image.colors)),
            *((name.replace("_", " "), None if value is None else str(value)) for name, value in exif.items()),
            ("version", str(image.version)),
        )
    )
    if image.variants:
        typer.echo()
        rows = [
            (variant.name, variant.format, f"{variant.width}×{variant.height}", size(variant.bytes), variant.url)
            for variant in image.variants
        ]
        print_columns(("VARIANT", "FORMAT", "PIXELS", "SIZE", "URL"), rows)
    typer.echo()


def tag(
    ids: SomeIds = None,
    *,
    search: SearchLine = None,
    add: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Tag to add; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Tag to take away; may be repeated.")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Add tags to images and take tags away; with --search to all that it finds, after saying how many these are."""
    check_which(ids, search, dry_run=dry_run)
    if not add and not remove:
        msg = "say which tags to --add or to --remove"
        raise typer.BadParameter(msg)
    if search is not None:
        if add and remove:
            msg = "with --search, --add and --remove are two commands"
            raise typer.BadParameter(msg)
        what = f"Add {_named(add)} to {{}}?" if add else f"Take {_named(remove or [])} away from {{}}?"
        action, tags = ("add_tags", add) if add else ("remove_tags", remove)
        with connected(server, key) as client:
            begin = partial(client.bulk, action, tags=tags or [])
            do_all(client, begin, search, what, dry_run=dry_run, yes=yes, json=json)
        return
    changes: Changes = {"add_tags": add or [], "remove_tags": remove or []}
    with connected(server, key) as client:
        _change_each(client, ids or [], changes, lambda image: ", ".join(image.tags), json=json)


def _change_each(
    client: "Client", ids: list[str], changes: "Changes", told: "Callable[[Image], str]", *, json: bool
) -> None:
    """Change images one by one; of each, say what ``told`` finds worth telling."""

    def change_one(image_id: str) -> None:
        image = client.patch(image_id, changes)
        if json:
            print_json(image.raw)
        else:
            typer.echo(f"{image.id}  {shown(told(image))}")

    for_each(ids, change_one)


def _named(tags: list[str]) -> str:
    return shown(", ".join(tags)).replace("{", "{{").replace("}", "}}")


def album(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The album; '' for none.", show_default=False)],
    ids: SomeIds = None,
    *,
    search: SearchLine = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Put images into an album; with --search all that it finds, after saying how many these are."""
    check_which(ids, search, dry_run=dry_run)
    with connected(server, key) as client:
        if search is not None:
            what = f"Put {{}} into {_named([name])}?" if name else "Take {} out of their albums?"
            begin = partial(client.bulk, "set_album", album=name)
            do_all(client, begin, search, what, dry_run=dry_run, yes=yes, json=json)
            return
        _change_each(client, ids or [], {"album": name or None}, lambda image: image.album or "-", json=json)


def remove(
    ids: SomeIds = None,
    *,
    search: SearchLine = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Delete images and everything made from them, for good."""
    check_which(ids, search, dry_run=dry_run)
    if search is not None:
        with connected(server, key) as client:
            begin = partial(client.bulk, "delete")
            do_all(client, begin, search, "Delete {} for good?", dry_run=dry_run, yes=yes, json=json)
        return
    ids = ids or []
    if not yes:
        what = "this image" if len(ids) == 1 else f"these {len(ids)} images"
        typer.confirm(f"Delete {what} for good?", abort=True, err=True)
    with connected(server, key) as client:

        def remove_one(image_id: str) -> None:
            client.delete(image_id)
            if json:
                print_json({"id": image_id, "deleted": True})
            else:
                typer.echo(f"{shown(image_id)}  deleted")

        for_each(ids, remove_one)


def reprocess(
    ids: SomeIds = None,
    *,
    search: SearchLine = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    from_rendition: Annotated[
        bool, typer.Option("--from-rendition", help="If the original is gone, make them from the largest variant.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until they are made, and fail if they cannot be.")] = True,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Make all variants of images anew; with --search of all that it finds: they are asked for, and not waited for."""
    check_which(ids, search, dry_run=dry_run)
    if search is not None:
        with connected(server, key) as client:
            begin = partial(client.bulk, "reprocess", from_rendition=from_rendition)
            do_all(client, begin, search, "Make all variants of {} anew?", dry_run=dry_run, yes=yes, json=json)
        return
    failed = []
    with connected(server, key) as client:

        def reprocess_one(image_id: str) -> None:
            image = client.reprocess(image_id, from_rendition=from_rendition)
            if wait:
                image = client.settled(image.id, WAIT_SECONDS)
            if json:
                print_json(image.raw)
            else:
                typer.echo(f"{image.id}  {image.state}")
            if image.error:
                complain(f"{image.id}: {image.error.detail} ({image.error.code})")
                failed.append(image.id)

        for_each(ids or [], reprocess_one)
    if failed:
        raise typer.Exit(1)


def variants(*, json: Json = False, server: Server = DEFAULT_SERVER, key: Key = "") -> None:
    """List the variants that are made of every image."""
    with connected(server, key) as client:
        recipes = client.variants()
    if json:
        for recipe in recipes:
            print_json(recipe.raw)
    else:
        rows = [
            (recipe.name, f"{recipe.width}×{recipe.height}", recipe.fit, ", ".join(recipe.formats))
            for recipe in recipes
        ]
        print_columns(("VARIANT", "SIZE", "FIT", "FORMATS"), rows)
