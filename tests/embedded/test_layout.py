"""The data folder: whose it is, what is secret in it, and what is cleared away."""

import os
import stat
import subprocess
import sys
import time

import pytest

from darkroom.embedded import layout as module
from darkroom.embedded.layout import SECRET_BYTES, Layout
from darkroom.errors import BadConfiguration

HOLDER = """
import os, sys, time
from pathlib import Path
from darkroom.embedded.layout import Layout
Layout(Path(sys.argv[1])).lock()
print("held", flush=True)
os.close(1)
if sys.argv[2] == "leaves-a-child" and os.fork():
    os._exit(0)
time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path / "data")
    made.prepare()
    return made


def holder(folder, *, kind="stays", seconds=60.0):
    """Start a process that holds the folder, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), kind, str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def end(process):
    process.kill()
    process.communicate()


# ------------------------------------------------------------------ folders


def test_everything_is_made_for_its_own_user_only(layout):
    for path in [layout.root, *layout.root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_what_is_there_stays_but_for_half_received_bodies(layout):
    (layout.assets / "i").mkdir()
    (layout.assets / "i" / "picture").write_bytes(b"kept")
    (layout.incoming / "half").write_bytes(b"half")
    layout.prepare()
    assert (layout.assets / "i" / "picture").read_bytes() == b"kept"
    assert list(layout.incoming.iterdir()) == []


@pytest.mark.parametrize("do", [Layout.prepare, Layout.lock])
def test_a_folder_that_cannot_be_used_is_named(tmp_path, do):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadConfiguration, match=r"file/data.*DARKROOM_DATA"):
        do(Layout(tmp_path / "file" / "data"))


# ------------------------------------------------------------------ one at a time


def test_a_folder_is_held_by_one_service_at_a_time(layout):
    process = holder(layout.root)
    began = time.monotonic()
    with pytest.raises(BadConfiguration, match=f"process {process.pid}.*{layout.root}.*DARKROOM_DATA"):
        layout.lock()
    assert time.monotonic() - began < 1, "nobody waits for a service that is running"
    end(process)
    os.close(layout.lock())


def test_what_is_left_of_a_killed_service_is_waited_for(layout):
    holder(layout.root, kind="leaves-a-child", seconds=1.5).communicate()
    began = time.monotonic()
    os.close(layout.lock())
    assert 1 < time.monotonic() - began < 10


def test_but_not_for_ever(layout, monkeypatch):
    monkeypatch.setattr(module, "LEFT_OVER_SECONDS", 0.3)
    holder(layout.root, kind="leaves-a-child", seconds=3).communicate()
    with pytest.raises(BadConfiguration, match="another service"):
        layout.lock()


# ------------------------------------------------------------------ secrets


def test_a_secret_is_made_once_and_stays(layout):
    first = layout.secret("tickets")
    assert len(first) == SECRET_BYTES
    assert layout.secret("tickets") == first
    assert Layout(layout.root).secret("tickets") == first
    assert layout.secret("other") != first
    assert {path.name for path in (layout.root / "secrets").iterdir()} == {"tickets", "other"}


def test_two_folders_have_different_secrets(layout, tmp_path):
    other = Layout(tmp_path / "other")
    other.prepare()
    assert layout.secret("tickets") != other.secret("tickets")


ASK = """
import sys
from pathlib import Path
from darkroom.embedded.layout import Layout
print("there", flush=True)
sys.stdin.readline()
print(Layout(Path(sys.argv[1])).secret("tickets").hex())
"""


def test_processes_that_ask_for_a_new_secret_at_once_are_given_the_same(layout):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, str(layout.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout.readline() == "there\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    secrets = {process.communicate(timeout=20)[0] for process in processes}
    assert len(secrets) == 1
    assert len(secrets.pop().strip()) == 2 * SECRET_BYTES


@pytest.mark.parametrize("left", [b"", b"short"])
def test_a_secret_that_was_cut_off_is_never_used(layout, left):
    (layout.root / "secrets" / "tickets").write_bytes(left)
    with pytest.raises(BadConfiguration, match="tickets is damaged"):
        layout.secret("tickets")
