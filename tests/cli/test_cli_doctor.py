"""The doctor looks at everything, finds what was made wrong, and leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hostile
from darkroom.transform.libraries import libraries
from darkroom.transform.sandbox import LAYERS
from servers import clean_environment

WITHOUT_LANDLOCK = """
import sys, hostile
from darkroom.cli import main
for _ in range(16):
    hostile.add_landlock_ruleset()
sys.argv[1:] = ["doctor", "--json"]
main()
"""


def examined(folder, *command, **settings):
    """Run the doctor in a folder; return its exit code and, by subject, what it found: health and sentence."""
    ran = subprocess.run(
        [*(command or (sys.executable, "-m", "darkroom", "doctor")), "--json"],
        cwd=folder,
        env=clean_environment(**settings) | {"PYTHONPATH": str(Path(hostile.__file__).parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not ran.stderr, ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert all(one.keys() == {"subject", "health", "detail"} for one in found)
    return ran.returncode, {one["subject"]: (one["health"], one["detail"]) for one in found}


def test_everything_is_looked_at_and_the_exit_code_says_whether_anything_is_wrong(tmp_path):
    code, found = examined(tmp_path)
    outdated = {library.name for library in libraries() if library.is_fixed is False}
    faults = {subject for subject, (health, _) in found.items() if health == "fault"}
    assert faults == outdated
    assert code == (1 if faults else 0)
    assert {f"jail: {layer}" for layer in LAYERS} <= found.keys()
    assert {library.name for library in libraries()} <= found.keys()
    looked_at = {
        "settings",
        "python",
        "sqlite",
        "data folder",
        "disk space",
        "fsync",
        "hard links",
        "database",
        "clock",
    }
    assert looked_at | {"open files", "memory", "decoding"} <= found.keys()
    for library in libraries():
        assert library.version in found[library.name][1]
    assert list(tmp_path.iterdir()) == []


def test_it_may_be_asked_beside_a_running_service_and_leaves_its_folder_as_it_was(server):
    before = sorted(server.data.rglob("*"))
    _, found = examined(server.data.parent)
    assert found["data folder"] == ("ok", f"{server.data}, with images")
    assert [path for path in sorted(server.data.rglob("*")) if ".doctor-" in path.name] == []
    assert set(before) <= set(server.data.rglob("*"))


def test_a_wrong_setting_is_named_and_the_rest_is_looked_at_all_the_same(tmp_path):
    code, found = examined(tmp_path, port="none")
    assert code == 1
    assert found["settings"][0] == "fault"
    assert "DARKROOM_PORT" in found["settings"][1]
    assert found["decoding"][0] == "ok"


@pytest.mark.parametrize(
    ("subject", "settings", "said"),
    [
        ("settings", {"recipes": "none.toml"}, "none.toml"),
        ("settings", {"default_image": "none.png"}, "none.png"),
        ("data folder", {"data": "a-file/data"}, "a-file"),
        ("disk space", {"reserve_bytes": str(2**60)}, "reserve"),
        ("jail", {"jail_layers": "moat"}, "moat"),
        ("open files", {"max_simultaneous_uploads": str(10**7)}, "raise the limit"),
    ],
)
def test_what_is_wrong_is_said_where_it_is_wrong(tmp_path, subject, settings, said):
    (tmp_path / "a-file").write_bytes(b"")
    code, found = examined(tmp_path, **settings)
    assert code == 1
    assert found[subject][0] == "fault"
    assert said in found[subject][1]


@pytest.mark.parametrize(("required", "health"), [("", "warning"), ("landlock", "fault")])
def test_a_missing_layer_of_the_jail_is_told_with_its_reason(tmp_path, required, health):
    _, found = examined(tmp_path, sys.executable, "-c", WITHOUT_LANDLOCK, jail_layers=required)
    assert found["jail: landlock"][0] == health
    assert "missing: " in found["jail: landlock"][1]
    assert found["jail: seccomp"][0] == "ok"


def test_people_read_lines_and_a_sum(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "darkroom", "doctor", "--data", str(tmp_path / "elsewhere")],
        cwd=tmp_path,
        env=clean_environment() | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("ok        settings")
    assert any("elsewhere is made at the first start" in line for line in lines)
    assert lines[-1].endswith("warnings")
    assert "faults" in lines[-1]
