"""What commands have in common that ask no service, but open what it keeps: a data folder, or a stage on AWS."""

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
    from darkroom.library import Library

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="The data folder; DARKROOM_DATA or ./data unless given. It may be in use."
    ),
]

StageName = Annotated[
    str | None,
    typer.Option(
        "--stage",
        metavar="NAME",
        help="A stage on AWS instead, with the credentials of your AWS tools; needs --region.",
    ),
]
Region = Annotated[
    str | None,
    typer.Option(metavar="REGION", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="Where the stage is: eu-west-1."),
]


@contextmanager
def library(data: Path | None, stage: str | None, region: str | None) -> Iterator["Library"]:
    """Open what the options of a command name, and end it with a sentence when something goes wrong within."""
    with explained():
        if stage is None:
            from darkroom import settings  # noqa: PLC0415 # pydantic takes 0.1 s, which other commands need not pay
            from darkroom.embedded import maintenance  # noqa: PLC0415 # brings in the whole service

            with maintenance.opened(settings.load(data=data)) as opened:
                yield opened
            return
        if data is not None:
            fail("--data and --stage name two libraries; give one of them")
        if not region:
            fail("say where the stage is with --region, or AWS_REGION")
        with aws_needed():
            from darkroom.serverless import maintenance as cloud  # noqa: PLC0415 # half a second that only stages need
        with cloud.opened(stage, region) as opened:
            yield opened


@contextmanager
def aws_needed() -> Iterator[None]:
    """End the command with a sentence when what AWS takes is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed; this takes: pip install 'darkroom[aws]'")


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
