"""Delivery over the wire, from real workers: bytes, headers, deletes seen by all, large pictures and slow readers."""

import contextlib
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import pictures
from darkroom.bucket.objects import FolderBucket
from darkroom.embedded.layout import Layout
from darkroom.names import asset_key
from patience import eventually, ready
from servers import serving

BROWSER = {"accept": "image/avif,image/webp,*/*;q=0.8"}
CONNECTIONS = 40
"""Enough that each of three workers has some of them: the kernel deals out connections, not requests."""


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as opened:
        yield opened


@pytest.fixture
def image(client):
    return ready(client, pictures.jpeg(640, 480))


def raw(url: str, request: bytes) -> bytes:
    """Send bytes as they are and return everything that comes back until the server closes."""
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


# ------------------------------------------------------------------ what arrives


def test_every_variant_arrives_under_its_own_address_and_negotiated(client, image):
    for variant in image["variants"]:
        exact = client.get(urlsplit(variant["url"]).path)
        assert exact.status_code == 200
        assert exact.headers["content-type"] == variant["content_type"]
        assert len(exact.content) == int(exact.headers["content-length"]) == variant["bytes"]
        negotiated = client.get(f"/i/{image['id']}/{variant['name']}", headers={"accept": variant["content_type"]})
        assert negotiated.content == exact.content
        assert negotiated.headers["vary"] == "Accept"


def test_head_has_no_body_and_the_connection_stays_usable(client, image):
    path = f"/i/{image['id']}/small"
    get = client.get(path)
    for _ in range(3):
        head = client.head(path)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["content-length"] == get.headers["content-length"]
    answer = raw(str(client.base_url), f"HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert answer.endswith(b"\r\n\r\n")


def test_who_has_it_is_sent_no_body(client, image):
    path = f"/i/{image['id']}/small"
    etag = client.get(path).headers["etag"]
    not_modified = client.get(path, headers={"if-none-match": f'"other", {etag}'})
    assert (not_modified.status_code, not_modified.content) == (304, b"")
    assert not_modified.headers["etag"] == etag


def test_a_part_arrives(client, image):
    path = f"/i/{image['id']}/small.jpg"
    whole = client.get(path).content
    part = client.get(path, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert client.get(path, headers={"range": f"bytes={len(whole)}-"}).status_code == 416


@pytest.mark.parametrize(
    "path",
    [
        "/i/",
        "/i/..%2f..%2fsecrets",
        "/i/%2e%2e/%2e%2e/catalog.sqlite",
        "/i/../v1/images",
        "/i/%00",
        "/i/%ff%fe",
        "/i/" + "a" * 5_000,
        "/i/01k3v9m0c4qdhsyx7g6e8rb2tz/medium.jpg%00.png",
    ],
)
def test_nonsense_is_answered_with_the_default_image(client, path):
    answer = raw(str(client.base_url), f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"x-default-image: missing" in head
    assert b"cache-control: public, max-age=10" in head
    assert body


def test_the_default_image_is_a_picture_of_the_size_asked_for(client, image):
    unknown = "01k3v9m0c4qdhsyx7g6e8rb2tz"

    def rendered():
        answer = client.get(f"/i/{unknown}/small.jpg")
        assert (answer.status_code, answer.headers["x-default-image"]) == (404, "missing")
        return answer if answer.headers["content-type"] == "image/jpeg" else None

    small = eventually(rendered, what="the default image in small")
    assert len(small.content) < 20_000
    assert client.get(f"/i/{unknown}/small", headers=BROWSER).headers["content-type"] == "image/avif"


def test_other_methods_are_refused_with_what_is_allowed(client, image):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        refused = client.request(method, f"/i/{image['id']}/small", content=b"x" * 1000)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_a_page_of_anybody_may_show_and_read_it(client, image):
    shown = client.get(f"/i/{image['id']}/small", headers={"origin": "https://anybody.example"})
    assert shown.headers["access-control-allow-origin"] == "*"
    assert shown.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "set-cookie" not in shown.headers


# ------------------------------------------------------------------ deleted: seen by every worker


@pytest.fixture(scope="module")
def three_workers(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("three-workers"), workers="3", originals="keep") as served:
        yield served


@contextlib.contextmanager
def many_clients(url):
    """Give clients that each hold one connection, and so one worker, as long as they live."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=30)) for _ in range(CONNECTIONS)]


def test_a_deleted_image_is_answered_by_no_worker_any_more(three_workers):
    with many_clients(three_workers.url) as clients:
        for _ in range(3):
            image = ready(clients[0], pictures.jpeg(64, 48))
            paths = [f"/i/{image['id']}/small", f"/i/{image['id']}/small.jpg"]
            for client in clients:  # hot everywhere
                for path in paths:
                    assert client.get(path).status_code == 200
            assert clients[0].delete(f"/v1/images/{image['id']}").status_code == 204
            for client in clients:
                for path in paths:
                    answer = client.get(path, headers={"if-none-match": "*"})
                    assert (answer.status_code, answer.headers["x-default-image"]) == (404, "missing")


def test_a_deleted_image_stays_away_while_everybody_asks_for_it(three_workers):
    with many_clients(three_workers.url) as clients:
        image = ready(clients[0], pictures.jpeg(64, 48))
        path = f"/i/{image['id']}/small"
        seen: list[tuple[float, int]] = []
        stop = threading.Event()

        def ask(mine):
            while not stop.is_set():
                for client in mine:
                    asked = time.monotonic()
                    seen.append((asked, client.get(path).status_code))

        readers = [threading.Thread(target=ask, args=(clients[1 + part :: 2],)) for part in range(2)]
        for reader in readers:
            reader.start()
        eventually(lambda: len(seen) > 2 * CONNECTIONS, what="pictures asked for")
        assert clients[0].delete(f"/v1/images/{image['id']}").status_code == 204
        deleted = time.monotonic()
        eventually(lambda: seen[-1][0] > deleted + 0.5, what="pictures asked for after the delete")
        stop.set()
        for reader in readers:
            reader.join()
        assert {status for asked, status in seen if asked < deleted - 1.0} <= {200}
        assert {status for asked, status in seen if asked > deleted} == {404}


def test_a_reprocessed_image_is_delivered_anew_by_every_worker(three_workers):
    with many_clients(three_workers.url) as clients:
        image = ready(clients[0], pictures.jpeg(64, 48))
        path = f"/i/{image['id']}/small.jpg"
        before = {client.get(path).headers["etag"] for client in clients}
        assert len(before) == 1, "all workers name the same bytes alike"
        assert clients[0].post(f"/v1/images/{image['id']}/reprocess").status_code == 202
        eventually(lambda: clients[0].get(f"/v1/images/{image['id']}").json()["state"] == "ready", what="ready again")
        answers = [client.get(path) for client in clients]
        assert {answer.status_code for answer in answers} == {200}
        eventually(lambda: {client.get(path).headers["etag"] for client in clients}.isdisjoint(before), what="new etag")


# ------------------------------------------------------------------ large pictures, slow readers

LARGE = b"GIF89a" + bytes(range(256)) * 100_000


@pytest.fixture
def large(server, image):
    """Return the path of a variant that is too large for the hot cache."""
    key = asset_key(image["id"], "earlier", "gif")
    FolderBucket(Layout(server.data).assets).put(key, LARGE, content_type="image/gif")
    return f"/{key}"


def memory_of(process_id: int) -> int:
    """Return the memory of a process and all it has started, in bytes; what they share is counted once."""
    total = 0
    for line in Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            total += int(line.split()[1]) * 1024
    return total + sum(memory_of(child) for child in children_of(process_id))


def children_of(process_id: int) -> list[int]:
    """Return the processes that a process has started and that still run."""
    tasks = Path(f"/proc/{process_id}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def open_files_of(process_id: int) -> list[str]:
    """Return the names of what a process has open."""
    names = []
    for link in Path(f"/proc/{process_id}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in between
            names.append(str(link.readlink()))
    return names


def test_a_large_picture_arrives_whole_and_in_parts(client, large):
    for _ in range(2):
        assert client.get(large).content == LARGE
    assert client.get(large, headers={"range": "bytes=20000000-20000999"}).content == LARGE[20_000_000:20_001_000]
    assert client.head(large).headers["content-length"] == str(len(LARGE))


def test_slow_readers_of_a_large_picture_hold_little_memory_and_nobody_up(server, client, image, large):
    client.get(large)
    before = memory_of(server.process.pid)
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            slow = stack.enter_context(socket.socket())
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect((urlsplit(server.url).hostname, urlsplit(server.url).port))
            slow.sendall(f"GET {large} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            assert slow.recv(100)
        for _ in range(20):
            assert client.get(f"/i/{image['id']}/small").status_code == 200
        assert memory_of(server.process.pid) - before < 8 * len(LARGE), "thirty readers hold thirty copies"
    assert client.get(large).content == LARGE


def test_readers_who_break_off_leave_no_trace(server, client, large):
    already_said = len(server.said.read_text())
    for _ in range(10):
        with client.stream("GET", large) as answer:
            next(answer.iter_raw(1000))
    assert client.get(large).content == LARGE
    processes = children_of(server.process.pid)
    assert processes

    def closed():
        return not any(name.endswith("earlier.gif") for process in processes for name in open_files_of(process))

    eventually(closed, what="the file of a reader who went away being closed")
    said = server.said.read_text()[already_said:]
    assert "Traceback" not in said
