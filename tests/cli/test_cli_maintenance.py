"""What an operator does to a data folder beside the running service: sweep, audit, verify, and the failure inbox."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner

import pictures
from darkroom.cli import command_line
from darkroom.events import EdgePurge
from darkroom.events.sqlite import SqliteQueue
from darkroom.service import utc_now
from patience import eventually, ready, settled
from servers import Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STRANGER = "01k3v9m0c4qdhsyx7g6e8rb2tz"
LONG_AGO = time.time() - 40 * 86_400


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that keeps originals and does not sweep by itself."""
    with serving(tmp_path_factory.mktemp("tended"), workers="1", originals="keep", sweep_seconds="0") as server:
        yield server


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, trust_env=False, timeout=30) as asking:
        yield asking


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def darkroom(served: Served, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on the server's data folder."""
    for name in [name for name in os.environ if name.startswith("DARKROOM_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, data: Path = served.data, stdin: str = "") -> Ran:
        before = os.umask(0o022)
        try:
            result = CliRunner().invoke(command_line(), [*arguments, "--data", str(data)], stdin)
        finally:
            os.umask(before)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


def plant(path: Path, *, age: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"planted")
    if age:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def failing(client: httpx.Client) -> str:
    """Upload what is no picture, and return the id of its image once it has failed."""
    body = b"this is no picture"
    ticket = client.post("/v1/uploads", json={"filename": "text.jpg", "bytes": len(body)}).json()
    assert client.put(ticket["url"], content=body, headers=ticket["headers"]).status_code == 200
    assert settled(client, ticket["id"])["state"] == "failed"
    return str(ticket["id"])


def test_a_library_in_order_agrees_is_sound_and_needs_no_sweep(
    darkroom: Any, served: Served, client: httpx.Client
) -> None:
    ready(client, pictures.jpeg(60, 40))
    for command in ("audit", "verify", "sweep"):
        ran = darkroom(command, "--json")
        assert (ran.code, ran.err) == (0, "")
        (said,) = ran.objects
        assert said["images"] >= 1
        assert not any(said.get(member) for member in ("differences", "faults", "kinds"))
    assert "no difference" in darkroom("audit").out
    assert "sound" in darkroom("verify").out
    assert "looked at in" in darkroom("sweep").out


def test_the_audit_finds_what_was_planted_and_what_was_taken(
    darkroom: Any, served: Served, client: httpx.Client
) -> None:
    image = ready(client, pictures.jpeg(60, 40))
    planted = plant(served.data / "assets" / "i" / STRANGER / "small.jpg", age=False)
    taken = served.data / "assets" / "i" / image["id"] / "small.jpg"
    taken.rename(served.data / "taken")
    ran = darkroom("audit")
    assert ran.code == 1
    assert f"unowned-object      i/{STRANGER}/small.jpg" in ran.out
    assert f"missing-object      i/{image['id']}/small.jpg" in ran.out
    assert "differences: 2" in ran.out
    told = darkroom("audit", "--json").objects
    assert {(one["kind"], one["key"]) for one in told[:-1]} == {
        ("unowned-object", f"i/{STRANGER}/small.jpg"),
        ("missing-object", f"i/{image['id']}/small.jpg"),
    }
    assert told[-1]["agrees"] is False
    planted.unlink()
    (served.data / "taken").rename(taken)
    assert darkroom("audit").code == 0


def test_a_sweep_removes_what_nobody_owns_and_a_dry_one_only_tells(darkroom: Any, served: Served) -> None:
    planted = [
        plant(served.data / "assets" / "i" / STRANGER / "small.jpg"),
        plant(served.data / "uploads" / "originals" / STRANGER),
        plant(served.data / "assets" / "default" / "gigantic.jpg"),
    ]
    young = plant(served.data / "uploads" / "archive" / STRANGER, age=False)
    for _ in range(2):
        dry = darkroom("sweep", "--dry-run")
        assert dry.code == 0
        assert dry.out.count("unowned-object") == 4, "each, and the sum"
    assert all(path.exists() for path in planted)
    told = darkroom("sweep", "--json").objects
    assert [(one["kind"], one["mended"]) for one in told[:-1]] == [("unowned-object", True)] * 3
    assert told[-1]["kinds"] == {"unowned-object": {"found": 3, "bytes": 21, "mended": 3}}
    assert not any(path.exists() for path in planted)
    assert young.exists()
    young.unlink()


def test_so_many_that_the_catalog_must_be_wrong_are_left_and_said(darkroom: Any, served: Served) -> None:
    planted = [plant(served.data / "assets" / "i" / STRANGER / f"n{number}.jpg") for number in range(120)]
    ran = darkroom("sweep")
    assert ran.code == 1
    assert "--force" in ran.err
    assert all(path.exists() for path in planted)
    assert darkroom("sweep", "--force").code == 0
    assert not any(path.exists() for path in planted)


def test_a_flipped_bit_is_never_shown_is_found_and_is_repaired(
    darkroom: Any, served: Served, client: httpx.Client
) -> None:
    image = ready(client, pictures.jpeg(90, 60))
    path = f"/i/{image['id']}/medium.jpg"
    stored = served.data / "assets" / path[1:]
    whole = stored.read_bytes()
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 4
    stored.write_bytes(damaged)

    answer = client.get(path)
    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
    ran = darkroom("verify")
    assert (ran.code, "damaged-object    " + path[1:] in ran.out) == (1, True)

    ran = darkroom("verify", "--repair", "--json")
    assert ran.objects[0] == {"fault": "damaged-object", "key": path[1:], "image": image["id"], "repair": True}
    assert settled(client, image["id"])["state"] == "ready"
    assert stored.read_bytes() == whole
    assert client.get(path).content == whole
    assert darkroom("verify").code == 0


def test_a_damaged_original_is_found_and_not_worked_from(darkroom: Any, served: Served, client: httpx.Client) -> None:
    image = ready(client, pictures.jpeg(90, 66))
    stored = served.data / "uploads" / "originals" / image["id"]
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    ran = darkroom("verify", "--repair")
    assert ran.code == 1
    assert f"damaged-original  originals/{image['id']}" in ran.out
    assert client.get(f"/v1/images/{image['id']}").json()["version"] == image["version"]
    stored.write_bytes(whole)


# ------------------------------------------------------------------ the failure inbox


def test_what_failed_is_listed_shown_and_tried_again(darkroom: Any, client: httpx.Client) -> None:
    image_id = failing(client)
    listed = darkroom("failed", "list")
    assert listed.code == 0
    assert image_id in listed.out
    assert "unsupported-format" in listed.out
    (said,) = (one for one in darkroom("failed", "list", "--json").objects if one["id"] == image_id)
    assert said["image"]["error"]["code"] == "unsupported-format"
    shown = darkroom("failed", "show", image_id).out
    assert "text.jpg" in shown
    assert "kept" in shown
    version = client.get(f"/v1/images/{image_id}").json()["version"]
    assert darkroom("failed", "retry", image_id).code == 0
    eventually(lambda: settled(client, image_id)["version"] > version + 1, what="the second try")
    assert darkroom("failed", "drop", image_id, "--yes").code == 0
    assert client.get(f"/v1/images/{image_id}").status_code == 404


def test_all_that_failed_is_dropped_after_asking(darkroom: Any, served: Served, client: httpx.Client) -> None:
    failing(client)
    failing(client)
    assert darkroom("failed", "drop", "--all", stdin="n\n").code == 1
    assert len(darkroom("failed", "list", "--json").objects) == 2
    assert darkroom("failed", "drop", "--all", stdin="y\n").code == 0
    assert darkroom("failed", "list", "--json").objects == []
    assert darkroom("audit").code == 0


def test_an_event_that_was_given_up_waits_there_too(darkroom: Any, served: Served, client: httpx.Client) -> None:
    image = ready(client, pictures.jpeg(90, 72))
    queue = SqliteQueue(served.data / "queue.sqlite3", utc_now)
    bury(served, image["id"])
    (said,) = darkroom("failed", "list", "--json").objects
    assert (said["id"], said["image"]) == (image["id"], None)
    assert (said["events"][0]["work"], said["events"][0]["reason"]) == ("purging", "the edge said 403")
    assert "the edge said 403" in darkroom("failed", "list").out
    assert "purging, given up" in darkroom("failed", "show", image["id"]).out
    assert darkroom("failed", "retry", image["id"]).code == 0
    eventually(lambda: queue.depth().waiting == 0, what="the event being worked on")
    bury(served, image["id"])
    assert darkroom("failed", "drop", "--yes", image["id"]).code == 0
    assert queue.depth().buried == 0
    queue.close()
    assert client.get(f"/v1/images/{image['id']}").json()["state"] == "ready"


def bury(served: Served, image_id: str) -> None:
    """Bury an event that is not due yet for anybody whose clock is right."""
    queue = SqliteQueue(served.data / "queue.sqlite3", lambda: utc_now() + timedelta(hours=2))
    queue.publish(EdgePurge(image_id=image_id, names=()), delay_seconds=-3600)
    for lease in queue.lease(100, 30):
        if isinstance(lease.event, EdgePurge):
            queue.bury(lease, "the edge said 403")
        else:  # of another test, and delayed
            queue.retry(lease, -7200)
    queue.close()


def test_what_has_not_failed_is_said_not_to_have(darkroom: Any, client: httpx.Client) -> None:
    image = ready(client, pictures.jpeg(90, 78))
    for command in ("show", "retry", "drop"):
        yes = ("--yes",) if command == "drop" else ()
        ran = darkroom("failed", command, image["id"], *yes)
        assert (ran.code, "nothing of this id has failed" in ran.err) == (1, True)
    for arguments in (("retry",), ("retry", "--all", image["id"]), ("drop", "--yes"), ("drop",)):
        ran = darkroom("failed", *arguments)
        assert (ran.code, "--all" in ran.err) == (1, True)


# ------------------------------------------------------------------ where there is nothing to do it to


@pytest.mark.parametrize("command", [("sweep",), ("audit",), ("verify",), ("failed", "list")])
def test_a_folder_that_is_none_is_said_to_be_none_and_left_as_it_is(
    darkroom: Any, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ran = darkroom(*command, data=tmp_path / "absent")
    assert ran.code == 1
    assert "is no data folder" in ran.err
    assert not (tmp_path / "absent").exists()
