"""What commands have in common that work on a data folder of this machine instead of asking a running service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.connect import fail
from darkroom.cli.output import shown
from darkroom.errors import DarkroomError

if TYPE_CHECKING:
    from darkroom.embedded.layout import Layout

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="The data folder; DARKROOM_DATA or ./data unless given. It may be in use."
    ),
]


def data_folder(data: Path | None) -> "Layout":
    """Return the data folder that is meant."""
    from darkroom import settings  # noqa: PLC0415 # pydantic takes 0.1 s, which other commands need not pay
    from darkroom.embedded.layout import Layout  # noqa: PLC0415 # likewise

    return Layout(settings.load(data=data).data)


@contextmanager
def explained() -> Iterator[None]:
    """End the command with a sentence when something goes wrong within."""
    try:
        yield
    except DarkroomError as error:
        fail(error.detail)
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"{shown(error.filename or 'reading or writing')}: {error.strerror or error}")
