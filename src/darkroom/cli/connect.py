"""How a command reaches the service, and how it says that something went wrong."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from darkroom.cli.output import shown

if TYPE_CHECKING:
    from darkroom.client import Client, Patience

DEFAULT_SERVER = "http://127.0.0.1:8000"
WAIT_SECONDS = 600.0
"""How long a command waits for one image to be processed before it leaves it to the server."""

Server = Annotated[
    str, typer.Option("--server", metavar="URL", envvar="DARKROOM_SERVER", help="Address of the service.")
]
Key = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="KEY",
        envvar="DARKROOM_KEY",
        help="API key. Better in the variable: a command line can be read by others on the machine.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="For programs: every line printed is one JSON object.")]


@contextmanager
def connected(server: str, key: str, patience: "Patience | None" = None) -> Iterator["Client"]:
    """Yield a client. What goes wrong with it is said in a sentence and ends the command."""
    from darkroom.client import ApiError, Client, ClientError  # noqa: PLC0415 # takes 0.1 s, which --help need not pay

    try:
        client = Client(server, key or None, patience=patience)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        with client:
            yield client
    except ApiError as error:
        fail(f"{error.detail}{hint(error.status)}")
    except ClientError as error:
        fail(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"{shown(error.filename or 'reading or writing')}: {error.strerror or error}")


def for_each(names: Iterable[str], act: Callable[[str], None]) -> None:
    """Do something for every name, also after one was refused; end the command with exit code 1 if any was."""
    from darkroom.client import ApiError  # noqa: PLC0415 # as in connected

    refused = False
    for name in names:
        try:
            act(name)
        except ApiError as error:
            complain(f"{shown(name)}: {error.detail}{hint(error.status)}")
            refused = True
    if refused:
        raise typer.Exit(1)


def hint(status: int) -> str:
    """Return what a person at a command line does about a status, to be said after the server's sentence."""
    return " (the key is given by --key or the variable DARKROOM_KEY)" if status == 401 else ""


def complain(sentence: str) -> None:
    """Say on standard error that something went wrong."""
    typer.echo(f"darkroom: {sentence}", err=True)


def fail(sentence: str) -> NoReturn:
    """Say what went wrong and end the command with exit code 1."""
    complain(sentence)
    raise typer.Exit(1)
