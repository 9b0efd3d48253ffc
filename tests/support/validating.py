"""The official validator of the IIIF Image API, run against a service: what it asks of level 2, and what besides."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

_SCRIPT = Path(__file__).with_name("iiif_validation.py")
LEVEL_2 = 33
"""Tests of levels 0 to 2 that version 1.0.5 of the validator has for version 3.0 of the API."""
BEYOND = {"format_gif", "linkheader_canonical", "linkheader_profile", "rot_mirror", "rot_mirror_180"}
"""Tests of what is optional that pass as well. Its test of WebP cannot: it calls what no Python 3 has."""


def drawn(folder: Path) -> bytes:
    """Return the picture that it wants to find."""
    path = folder / "squares.png"
    done = _run("picture", str(path))
    assert done.returncode == 0, done.stderr
    return path.read_bytes()


def assert_level_2(url: str, image_id: str) -> None:
    """Have it run every test of level 2."""
    done = _run(*_asked(url, image_id), "--level=2")
    assert done.returncode == 0, done.stderr
    assert f"Done ({LEVEL_2} tests, 0 failures)" in done.stderr
    assert done.stderr.count("PASS") == LEVEL_2


def assert_beyond(url: str, image_id: str) -> None:
    """Have it run tests of what is optional."""
    done = _run(*_asked(url, image_id), *(f"--test={name}" for name in sorted(BEYOND)))
    assert f"Done ({len(BEYOND)} tests, 0 failures)" in done.stderr, done.stderr


def _asked(url: str, image_id: str) -> tuple[str, ...]:
    place = urlsplit(url).netloc
    return "validate", "--server", place, "--prefix", "iiif", "--identifier", image_id, "--version=3.0"


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(_SCRIPT), *arguments], capture_output=True, text=True, timeout=600, check=False
    )
