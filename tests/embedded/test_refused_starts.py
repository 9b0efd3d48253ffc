"""What cannot work is refused before anybody is greeted: one sentence that names what to change, exit status 1."""

import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager

import pytest

import pictures
import processes
from servers import free_port, refusal, serving


@contextmanager
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def a_sentence(said, *words):
    """See that this is one sentence for a person, that has all of ``words`` in it."""
    lines = [line for line in said.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, said
    assert lines[0].startswith("darkroom: ")
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in said
    assert '"level": "error"' not in said


@pytest.fixture(autouse=True)
def _leaves_no_process(tmp_path):
    yield
    assert [each for each in processes.everything() if str(tmp_path) in each.command] == []


def test_a_port_that_is_in_use(tmp_path):
    with taken_port() as port:
        a_sentence(refusal(tmp_path, port=port), str(port), "in use", "DARKROOM_PORT")


def test_an_address_that_is_not_this_machine_s(tmp_path):
    a_sentence(refusal(tmp_path, host="192.0.2.1"), "192.0.2.1", "DARKROOM_HOST")


def test_a_port_for_figures_that_is_in_use(tmp_path):
    with taken_port() as port:
        a_sentence(refusal(tmp_path, metrics_port=str(port)), "DARKROOM_METRICS_PORT", str(port))


def test_a_data_folder_that_is_a_file(tmp_path):
    (tmp_path / "data").write_text("not a folder")
    a_sentence(refusal(tmp_path), str(tmp_path / "data"), "DARKROOM_DATA")


def test_a_data_folder_that_may_not_be_written(tmp_path):
    # The kernel's own: not even root makes a file there.
    (tmp_path / "data").symlink_to("/proc/self")
    a_sentence(refusal(tmp_path), str(tmp_path / "data"), "DARKROOM_DATA")


def test_a_data_folder_of_another_release(tmp_path):
    with serving(tmp_path, workers="1"):
        pass
    with closing(sqlite3.connect(tmp_path / "data" / "catalog.sqlite3")) as connection:
        connection.execute("PRAGMA user_version = 99")
    a_sentence(refusal(tmp_path), "catalog.sqlite3", "99", "release")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[variants.card]\nwidth = 640\nheight = 360\nfit = 'squeeze'\n", ["line 4", "fit", "cover"]),
        ("[variants.card]\nwidth = 640\nheight = 360\nqualty = 3\n", ["line 4", "qualty"]),
        ("[variants.card]\nwidth = \n", ["line 2"]),
        ("", ["variants"]),
        (None, ["cannot be read"]),
    ],
)
def test_recipes_that_are_wrong(tmp_path, text, words):
    if text is not None:
        (tmp_path / "darkroom.toml").write_text(text)
    a_sentence(refusal(tmp_path, recipes="darkroom.toml"), "darkroom.toml", *words)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"colour": "blue"}, ["DARKROOM_COLOUR", "docs/settings.md"]),
        ({"workers": "many"}, ["DARKROOM_WORKERS"]),
        ({"ticket_seconds": "0"}, ["DARKROOM_TICKET_SECONDS"]),
        ({"public_url": "images.example"}, ["DARKROOM_PUBLIC_URL"]),
        ({"jail_layers": "landlock,moat"}, ["moat", "landlock"]),
    ],
)
def test_settings_that_are_wrong_or_unknown(tmp_path, settings, words):
    a_sentence(refusal(tmp_path, **settings), *words)
    assert not (tmp_path / "data").exists() or "jail_layers" in settings


WITHOUT_LANDLOCK = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, which landlock_restrict_self asks for
rules = struct.pack("=QQ", 0, 2)  # forbids nothing but to connect by TCP, which a server does not
ruleset = libc.syscall(444, rules, len(rules), 0)
for _ in range(16):  # as many as the kernel lets one lie on another
    if libc.syscall(446, ruleset, 0):
        sys.exit("no landlock")
os.close(ruleset)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_layer_of_the_jail_that_is_not_to_be_had(tmp_path):
    through = (sys.executable, "-c", WITHOUT_LANDLOCK)
    if subprocess.run([*through, sys.executable, "-c", ""], capture_output=True, check=False).returncode != 0:
        pytest.skip("the layer that this test takes away is not there")
    a_sentence(refusal(tmp_path, through=through, jail_layers="landlock,rlimits"), "jail", "landlock")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["cannot be read"]),
        (b"not a picture", ["no picture"]),
        (pictures.png()[:200], []),
        (b"", []),
    ],
)
def test_a_default_image_that_is_none(tmp_path, content, words):
    if content is not None:
        (tmp_path / "default.png").write_bytes(content)
    a_sentence(refusal(tmp_path, default_image="default.png"), "DARKROOM_DEFAULT_IMAGE", "default.png", *words)


def test_a_default_image_that_takes_too_long(tmp_path):
    recipes = '[variants.huge]\nwidth = 8000\nheight = 8000\nformats = ["avif", "webp", "png"]\n'
    (tmp_path / "slow.toml").write_text(recipes)
    (tmp_path / "default.jpg").write_bytes(pictures.encode(pictures.photo(4000, 3000), "JPEG", quality=60))
    said = refusal(tmp_path, recipes="slow.toml", default_image="default.jpg", render_seconds="1")
    a_sentence(said, "DARKROOM_DEFAULT_IMAGE", "default.jpg", "longer than 1 seconds")


def test_two_services_that_are_started_at_once_on_one_folder(tmp_path):
    said = []
    with serving(tmp_path, workers="1"):
        threads = [threading.Thread(target=lambda: said.append(refusal(tmp_path, port=free_port()))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(said) == 3
    for each in said:
        a_sentence(each, "another service")


def test_a_refused_start_makes_no_key_that_nobody_has_seen(tmp_path):
    with taken_port() as port:
        refusal(tmp_path, metrics_port=str(port))
    with serving(tmp_path, keys=True, workers="1") as served:
        assert served.key is not None
