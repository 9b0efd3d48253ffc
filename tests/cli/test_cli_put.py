"""``darkroom put``: a folder of everything goes in, what cannot is said, and a second run does nothing twice."""

import fcntl
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import time
from urllib.parse import urlsplit

import httpx
import pytest

from patience import eventually
from scripted import SILENCE, Answer, image_document, scripted, ticket_document
from servers import free_port, serving


@pytest.fixture
def folder(tmp_path, picture):
    """Two good pictures, one of them deep and without an ending; a broken one; a copy; and what is no picture."""
    root = tmp_path / "album"
    deep = root / "2026" / "summer"
    deep.mkdir(parents=True)
    (root / "a.jpg").write_bytes(picture())
    (deep / "no-ending").write_bytes(picture())
    shutil.copy(root / "a.jpg", root / "copy of a.jpg")
    (root / "broken.jpg").write_bytes(picture()[:300])
    (root / "notes.txt").write_text("Words.")
    (root / ".hidden.jpg").write_bytes(picture())
    (root / ".thumbnails").mkdir()
    (root / ".thumbnails" / "small.jpg").write_bytes(picture())
    return root


def outcomes(ran):
    return {os.path.basename(told["file"]): told["outcome"] for told in ran.objects}  # noqa: PTH119 # a path as printed


def test_a_folder_goes_in_and_what_cannot_is_said_with_its_reason(darkroom, invoke, folder, tag):
    ran = darkroom("put", folder, "--tag", tag, "--album", "Summer", "--title", "Sea")
    assert ran.code == 1
    assert re.search(r"^darkroom: \S+broken\.jpg: .+ \(unreadable-image\)$", ran.err, re.MULTILINE)
    assert re.search(r"^\S{26}  ready +\S+no-ending$", ran.out, re.MULTILINE)
    summary = ran.out.splitlines()[-1]
    for part in ("2 uploaded", "1 duplicate", "1 failed", "2 hidden", "1 no image", "/s"):
        assert part in summary
    found = invoke("search", f"tag:{tag}", "--json").objects
    assert {(image["filename"], image["album"], image["title"]) for image in found} <= {
        ("a.jpg", "Summer", "Sea"),
        ("copy of a.jpg", "Summer", "Sea"),
        ("no-ending", "Summer", "Sea"),
    }
    assert len(found) == 2


def test_a_second_run_sends_nothing_that_is_there(darkroom, invoke, folder, tag):
    first = darkroom("put", folder, "--tag", tag, "--json")
    again = darkroom("put", folder, "--tag", tag, "--json")
    assert sorted(outcomes(first).values()) == ["duplicate", "failed", "ready", "ready"]
    assert sorted(outcomes(again).values()) == ["already-there", "already-there", "duplicate", "failed"]
    assert len(invoke("search", f"tag:{tag}", "--json").objects) == 2


def test_a_file_that_failed_is_tried_again_without_another_image(invoke, folder, tag):
    first, again = (invoke("put", folder / "broken.jpg", "--tag", tag, "--json") for _ in range(2))
    assert first.code == again.code == 1
    assert first.objects == again.objects
    assert first.objects[0]["code"] == "unreadable-image"
    assert len(invoke("search", "state:failed", f"tag:{tag}", "--json").objects) == 1


def test_an_upload_that_was_opened_and_never_sent_does_not_count_as_there(invoke, server, picture, tmp_path):
    body = picture()
    (tmp_path / "cat.jpg").write_bytes(body)
    told = {"filename": "cat.jpg", "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    opened = httpx.post(f"{server.url}/v1/uploads", json=told, trust_env=False).json()
    first, again = (invoke("put", tmp_path, "--json").objects[0] for _ in range(2))
    assert (first["outcome"], again["outcome"]) == ("ready", "already-there")
    assert first["id"] == again["id"] != opened["id"]


def test_without_waiting_a_file_is_sent_and_found_ready_later(invoke, picture, tmp_path):
    file = tmp_path / "cat.jpg"
    file.write_bytes(picture())
    ran = invoke("put", file, "--no-wait", "--json")
    assert (ran.code, ran.objects[0]["outcome"]) in {(0, "sent"), (0, "ready")}
    again = invoke("put", file, "--json")
    assert (again.objects[0]["outcome"], again.objects[0]["id"]) == ("already-there", ran.objects[0]["id"])


def test_what_is_named_is_sent_whatever_it_is_called(invoke, tmp_path):
    file = tmp_path / ".words"
    file.write_text("These are words.")
    ran = invoke("put", file)
    assert ran.code == 1
    assert "(unsupported-format)" in ran.err


def test_paths_that_are_not_there_are_said_and_the_others_go_in(invoke, picture, tmp_path):
    file = tmp_path / "cat.jpg"
    file.write_bytes(picture())
    ran = invoke("put", tmp_path / "dog.jpg", file)
    assert ran.code == 1
    assert "dog.jpg: it is not there" in ran.err
    assert "1 uploaded; 1 failed" in ran.out


def test_nothing_to_upload_is_no_failure(invoke, tmp_path):
    ran = invoke("put", tmp_path)
    assert ran.code == 0
    assert "nothing to upload" in ran.out


def test_a_name_of_control_characters_cannot_touch_the_terminal(invoke, picture, tmp_path):
    file = tmp_path / "a\x1b[31mb\n.jpg"
    file.write_bytes(picture())
    ran = invoke("put", file)
    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert ran.out.count("\n") == 2


def interrupted(process):
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = (part.decode() for part in process.communicate(timeout=20))
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "darkroom: interrupted" in err
    return out


def test_after_ctrl_c_the_same_command_goes_on(start, darkroom, picture, tmp_path):
    for number in range(12):
        (tmp_path / f"{number:02}.jpg").write_bytes(picture(400, 300))
    process = start("put", tmp_path, "--jobs", "1")
    assert b"ready" in process.stdout.readline()
    out = interrupted(process)
    assert "not tried" in out
    again = darkroom("put", tmp_path, "--json")
    assert again.code == 0
    assert set(outcomes(again).values()) == {"ready", "already-there"}
    assert len(again.objects) == 12


def test_a_long_file_goes_on_with_the_parts_that_are_missing(start, darkroom, picture, tmp_path):
    file = tmp_path / "long.jpg"
    file.write_bytes(picture().ljust(6_000_000, b"\0"))  # decoders pass over what comes after its end
    with serving(tmp_path, workers="1", part_bytes="65536") as served:
        process = start("put", file, url=served.url)
        eventually(lambda: len(parts_in(tmp_path)) > 3, what="the first parts")
        interrupted(process)
        before = len(parts_in(tmp_path))
        assert 3 < before < 91
        again = darkroom("put", file, "--json", url=served.url)
        assert list(outcomes(again).values()) == ["ready"]
        (image,) = httpx.get(f"{served.url}/v1/images", trust_env=False).json()["items"]
        assert image["source"]["bytes"] == 6_000_000
        assert parts_in(tmp_path) == []
    lines = [json.loads(line) for line in served.said.read_text().splitlines() if line.startswith("{")]
    taken = [line["path"] for line in lines if line.get("method") == "PUT" and line["status"] == 200]
    assert len(taken) == 92
    assert len(set(taken)) == 92, "a part that was there was sent again"


def parts_in(folder):
    return list(folder.glob("data/uploads/parts/*/*"))


def test_ctrl_c_does_not_wait_for_a_server_that_keeps_silent(start, picture, tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(picture())
    with scripted(Answer(200, {}), SILENCE, SILENCE) as script:
        process = start("put", tmp_path, "--jobs", "2", url=script.url)
        deadline = time.monotonic() + 20
        while len(script.asked) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        interrupted(process)


def test_a_wrong_key_is_said_once(invoke, folder, keyed_server):
    ran = invoke("put", folder, url=keyed_server.url, key="dk_nobody_knows")
    assert ran.code == 1
    assert ran.err.count("DARKROOM_KEY") == 1
    assert "uploaded" not in ran.out


def test_a_key_that_may_only_read_is_said_once(invoke, folder, keyed_server):
    made = invoke("keys", "add", "reader", "--scope", "read", url=keyed_server.url, key=keyed_server.key)
    ran = invoke("put", folder, "--jobs", "1", url=keyed_server.url, key=made.out.strip())
    assert ran.code == 1
    assert ran.err.count("darkroom: ") == 1
    assert "4 not tried" in ran.out


def test_a_server_that_is_away_is_said_once_with_its_address(darkroom, folder):
    url = f"http://127.0.0.1:{free_port()}"
    ran = darkroom("put", folder, url=url)
    assert ran.code == 1
    assert ran.err.startswith(f"darkroom: cannot reach {url}")
    assert ran.err.count("\n") == 1


def test_a_terminal_shows_one_bar_with_rate_and_remaining_time(start, picture, tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(picture(300, 200))
    seen, process = on_a_terminal(start, "put", tmp_path)
    assert process.wait(20) == 0
    assert re.search(r"[0-6]/6 files", seen)
    assert re.search(r"\d (bytes|kB|MB)/s", seen)
    assert re.search(r"\d:\d\d:\d\d left", seen)
    assert len(re.findall(r"  ready  ", seen)) == 6
    assert "6 uploaded" in seen


def test_the_bar_says_when_all_is_sent_but_not_ready(start, picture, tmp_path):
    (tmp_path / "cat.jpg").write_bytes(picture())
    processing, ready = Answer(200, image_document(state="processing")), Answer(200, image_document())
    with scripted() as script:
        opened = Answer(201, ticket_document(script))
        script.answers = [Answer(200, {}), Answer(200, {"items": [], "next": None}), opened, Answer(201)]
        script.answers += [processing] * 8 + [ready]
        seen, process = on_a_terminal(start, "put", tmp_path, url=script.url)
    assert process.wait(20) == 0
    assert "0/1 files" in seen
    assert "all sent, not all ready" in seen


def test_a_server_that_is_restarted_meanwhile_is_waited_for(start, picture, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.jpg").write_bytes(picture(400, 300))
    with serving(tmp_path, workers="1") as first:
        process = start("put", folder, "--json", url=first.url, bufsize=0)  # a buffer would keep lines from the rest
        assert b"ready" in process.stdout.readline()
    with serving(tmp_path, workers="1", port=urlsplit(first.url).port):
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err.count(b"8 uploaded")) == (0, 1), err
    assert out.count(b"ready") == 7


def on_a_terminal(start, *arguments, **given):
    """Run a command on a pseudo-terminal of 120 columns; return everything that was shown, and the process."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    process = start(*arguments, stdout=slave, stderr=slave, stdin=subprocess.DEVNULL, **given)
    os.close(slave)
    seen = b""
    try:
        while piece := os.read(master, 65536):
            seen += piece
    except OSError:  # how Linux says that nobody has the other end open any more
        pass
    os.close(master)
    return seen.decode(), process
