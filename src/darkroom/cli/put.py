"""``darkroom put``: its options. The work is in ``uploading``."""

from pathlib import Path
from typing import Annotated

import typer

from darkroom.cli.connect import DEFAULT_SERVER, Json, Key, Server


def put(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", show_default=False)],
    *,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Tag for each image; may be repeated.")] = None,
    album: Annotated[str | None, typer.Option(metavar="ALBUM", help="Album for each image.")] = None,
    title: Annotated[str | None, typer.Option(metavar="TITLE", help="Title for each image.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="NUMBER", min=1, max=64, help="How many at a time.")] = 4,
    wait: Annotated[bool, typer.Option(help="Wait until each image is ready, and say so if it cannot be made.")] = True,
    json: Json = False,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
) -> None:
    """Upload images: files, and folders with all the folders in them.

    In folders, hidden files are passed over, and files that neither have an image's ending nor begin as an image does.

    What the server already has, by its checksum, is left as it is and not sent again: interrupted or failed, the same
    command goes on where it stopped.
    """
    from darkroom.cli.uploading import upload_all  # noqa: PLC0415 # brings in the HTTP client, which --help need not pay
    from darkroom.client import Labels  # noqa: PLC0415 # as above

    labels = Labels(tags=tuple(tag or ()), album=album, title=title)
    upload_all(paths, labels, jobs=jobs, wait=wait, as_json=json, server=server, key=key)
