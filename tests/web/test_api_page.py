"""The page of the interface in a real browser."""

import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


@pytest.mark.skipif(not CHROMIUM, reason="no chromium here: apt-get install chromium")
def test_the_page_shows_every_operation_with_nothing_from_elsewhere(server, tmp_path):
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path}", "--virtual-time-budget=10000", "--dump-dom"]
    done = subprocess.run([*command, f"{server.url}/docs"], capture_output=True, text=True, timeout=60, check=True)
    for path in ("/v1/images", "/v1/uploads", "/v1/images/{id}", "/healthz"):
        assert f'data-path="{path}"' in done.stdout
    assert "Unable to render" not in done.stdout
