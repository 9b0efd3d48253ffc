"""The command line as a process of its own, and the folders of pictures it is given."""

import json
import subprocess
import sys
import uuid
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

import pictures
from darkroom.cli import command_line
from darkroom.client import Client, Labels
from servers import clean_environment

SECONDS = 60.0


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def objects(self):
        """What it printed with ``--json``: every line one JSON object."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def start(server):
    """Start ``darkroom`` with arguments, as a client of the keyless server unless told otherwise."""
    started = []

    def begin(*arguments, url=server.url, key="", environment=None, **given):
        process = subprocess.Popen(
            [sys.executable, "-m", "darkroom", *map(str, arguments)],
            env=clean_environment(server=url, key=key) | {"NO_COLOR": "1"} | (environment or {}),
            start_new_session=True,
            **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | given),
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def darkroom(start):
    """Run ``darkroom`` with arguments to its end."""

    def run(*arguments, stdin=b"", **given):
        process = start(*arguments, stdin=subprocess.PIPE, **given)
        out, err = process.communicate(stdin, SECONDS)
        ran = Ran(process.returncode, out.decode(), err.decode())
        assert "Traceback" not in ran.err, ran.err
        return ran

    return run


@pytest.fixture
def invoke(server):
    """Run a command to its end within this process: faster, where nothing depends on a process of its own."""

    def run(*arguments, url=server.url, key="", stdin=""):
        environment = {"DARKROOM_SERVER": url, "DARKROOM_KEY": key}
        result = CliRunner().invoke(command_line(), list(map(str, arguments)), stdin, environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def picture():
    """Make a picture that no other test has, as the bytes of a file."""

    def make(width=90, height=60):
        return pictures.jpeg(width, height, comment=uuid.uuid4().bytes)

    return make


@pytest.fixture
def tag():
    """A tag that no other test's images have."""
    return uuid.uuid4().hex


@pytest.fixture
def upload(server, picture):
    """Upload a fresh picture and return the id of its ready image."""

    def put(name="cat.jpg", *tags, body=None, title=None, on=server):
        with Client(on.url, on.key) as client:
            labels = Labels(tags=tags, title=title)
            image = client.upload(body or picture(), labels, filename=name, wait=SECONDS)
        assert image.state == "ready"
        return image.id

    return put


@pytest.fixture(scope="session")
def one_image(server):
    """The id of one ready image, 90 by 60, called dunes.jpg, in the album Sea; and the tag that only it has."""
    with Client(server.url) as client:
        tag = uuid.uuid4().hex
        image = client.upload(
            pictures.jpeg(90, 60, comment=uuid.uuid4().bytes),
            Labels(tags=(tag,), album="Sea"),
            filename="dunes.jpg",
            wait=SECONDS,
        )
    return image.id, tag
