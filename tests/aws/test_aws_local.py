"""`make aws-local`: the whole stack for a person, with a photo uploaded by the lines it prints."""

import io
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

import pictures
from browser import browser, open_page, until  # noqa: F401  # two are fixtures
from servers import clean_environment, free_port

LOCAL = Path(__file__).parents[2] / "infra" / "local.py"
START_SECONDS = 240
PATIENCE = 120_000
"""Milliseconds: functions start anew, on a machine that may be busy."""
STOP_SECONDS = 120
"""Removing what functions were unpacked into takes long on a busy disk."""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    port = free_port()
    output = tmp_path_factory.mktemp("local") / "said"
    with output.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-u", LOCAL, "--port", str(port)],
            stdout=said,
            stderr=subprocess.STDOUT,
            env=clean_environment(),
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while "Upload a photo" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.2)
        yield process, f"http://127.0.0.1:{port}", output
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def test_a_photo_is_uploaded_and_its_variants_are_delivered_at_the_printed_address(running):
    _, url, output = running
    (key,) = re.findall(r"key +(\S+)", output.read_text())
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        client.headers["authorization"] = f"Bearer {key}"
        answer = client.post(
            "/v1/images", files={"file": ("a.jpg", pictures.jpeg(800, 600))}, headers={"prefer": "wait=20"}
        )
        assert answer.status_code == 201, answer.text
        for variant in answer.json()["variants"]:
            assert variant["url"].startswith(f"{url}/i/")
            picture = client.get(variant["url"])
            assert (picture.status_code, picture.headers["content-type"]) == (200, variant["content_type"])
            with Image.open(io.BytesIO(picture.content)) as shown:
                assert shown.size == (variant["width"], variant["height"])
        order = {"id": answer.json()["id"], "options": "width=123,height=45,fit=cover", "ext": "webp"}
        address = client.post("/v1/sign", json=order).json()["url"]
        assert address.startswith(f"{url}/i/")
        with Image.open(io.BytesIO(client.get(address).content)) as shown:
            assert (shown.format, shown.size) == ("WEBP", (123, 45))
        body = pictures.jpeg(640, 480)
        ticket = client.post("/v1/uploads", json={"filename": "b.jpg", "bytes": len(body)}).json()
        assert httpx.put(ticket["url"], content=body, headers=ticket["headers"], trust_env=False).status_code == 200
        missing = client.get("/i/01k3v9m0c4qdhsyx7g6e8rb2tz/small.jpg")
        assert (missing.status_code, missing.headers["content-type"]) == (404, "image/jpeg")
        assert client.get("/docs").status_code == 200


def test_the_pages_are_at_the_printed_address_and_the_printed_key_opens_them(running, open_page):  # noqa: F811
    _, url, output = running
    (pages,) = re.findall(r"pages +(\S+)", output.read_text())
    (key,) = re.findall(r"key +(\S+)", output.read_text())
    (emulator,) = re.findall(r"emulator at (\S+)", output.read_text())
    page = open_page(pages, hosts=(urlsplit(emulator).netloc,))
    page.context.set_default_timeout(PATIENCE)
    page.fill("#key", key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/")
    page.goto(f"{url}/add")
    page.set_input_files("#file", {"name": "c.jpg", "mimeType": "image/jpeg", "buffer": pictures.jpeg(320, 200)})
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("link", name="Look at it").click()
    page.wait_for_url("**/images/*")
    until(page, "document.querySelector('.stage img').naturalWidth > 0", seconds=120)
    page.fill("#title", "By hand")
    page.keyboard.press("Tab")
    until(page, "document.getElementById('saved').textContent === 'saved'", seconds=120)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/signin")


def test_stopped_it_leaves_nothing_behind(running):
    process, url, output = running
    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_SECONDS) == 0
    assert "nothing was kept" in output.read_text()
    (emulator,) = re.findall(r"emulator at (\S+)", output.read_text())
    for address in (url, emulator):
        with pytest.raises(httpx.TransportError):
            httpx.get(address, trust_env=False)
