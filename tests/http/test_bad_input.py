"""What strangers send: each gets a clear answer with its code, promptly, and the service goes on serving."""

import json
import socket
import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest

import pictures
from patience import ready, settled


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as opened:
        yield opened
        assert opened.get("/healthz").status_code == 200


def refused(answer, status, code, *, naming=""):
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "code"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert naming in problem["detail"]
    assert "Traceback" not in answer.text
    return problem


def test_what_is_no_image_is_refused_at_once(client):
    for body in (b"hello", bytes(1000), b"%PDF-1.7", b"MZ" + bytes(99)):
        refused(client.post("/v1/images", content=body), 415, "unsupported-format", naming="JPEG")


def test_an_svg_is_refused_at_once_and_the_answer_says_what_would_accept_it(client):
    refused(client.post("/v1/images", content=pictures.svg()), 415, "unsupported-format", naming="DARKROOM_SVG")


def test_a_picture_whose_header_is_broken_is_refused_at_once(client):
    for body in (pictures.jpeg(64, 64)[:20], pictures.png(64, 64)[:12], b"GIF89a", b"RIFF\x00\x00\x00\x00WEBPxxxx"):
        refused(client.post("/v1/images", content=body), 422, "unreadable-image")


def test_a_picture_of_too_many_pixels_is_refused_at_once(client):
    header = bytearray(pictures.png(64, 64))
    header[16:24] = (50_000).to_bytes(4) * 2
    refused(client.post("/v1/images", content=bytes(header)), 422, "too-many-pixels", naming="50000")


def test_nothing_is_no_image(client):
    refused(client.post("/v1/images", content=b""), 422, "invalid-request", naming="empty")
    refused(client.post("/v1/images", files={"file": ("a.jpg", b"")}), 422, "invalid-request", naming="empty")
    refused(client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": 0}), 422, "invalid-request", naming="bytes")


def test_a_form_without_its_file(client):
    other = {"other": ("a.jpg", pictures.jpeg(9, 9))}
    refused(client.post("/v1/images", files=other), 422, "invalid-request", naming="file")
    twice = [("file", ("a.jpg", pictures.jpeg(9, 9)))] * 2
    refused(client.post("/v1/images", files=twice), 422, "invalid-request", naming="exactly one")
    answer = client.post("/v1/images", files={"file": ("a.jpg", pictures.jpeg(9, 9))}, data={"tagz": "x"})
    refused(answer, 422, "invalid-request", naming="tagz")


@pytest.mark.parametrize(
    "content_type",
    [f"multipart/form-data{rest}" for rest in ("", "; boundary=", "; boundary=x", "; ;;")],
)
def test_a_form_that_is_none(client, content_type):
    answer = client.post("/v1/images", content=b"--y\r\nnonsense", headers={"content-type": content_type})
    refused(answer, 422, "invalid-request")


def test_too_much_for_the_small_door_is_told_the_other_one(client):
    big = pictures.jpeg(64, 64) + bytes(4 * 1024 * 1024)
    refused(client.post("/v1/images", content=big), 413, "too-large", naming="/v1/uploads")
    refused(client.post("/v1/images", files={"file": ("a.jpg", big)}), 413, "too-large", naming="/v1/uploads")

    def endless():
        for _ in range(100):
            yield bytes(65536)

    refused(client.post("/v1/images", content=endless()), 413, "too-large")


def test_a_ticket_for_too_much(client):
    refused(client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": 10**12}), 413, "too-large")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a\u0000b.jpg", "ab.jpg"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("<script>alert(1)</script>", "script>"),
        ("\ud83d\ude00 cafe\u0301.jpg", "\ud83d\ude00 café.jpg".encode("utf-16", "surrogatepass").decode("utf-16")),
    ],
)
def test_names_from_strangers_are_kept_harmless(client, sent, kept):
    body = json.dumps({"filename": sent, "bytes": 5})
    answer = client.post("/v1/uploads", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 201
    assert client.get(f"/v1/images/{answer.json()['id']}").json()["filename"] == kept


@pytest.mark.parametrize("name", ["x" * 10_000, "..", "/", "\u0000", "\ud800"])
def test_names_that_cannot_be_kept_are_refused(client, name):
    body = json.dumps({"filename": name, "bytes": 5})
    answer = client.post("/v1/uploads", content=body, headers={"content-type": "application/json"})
    refused(answer, 422, "invalid-request", naming="filename")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("tags", "cat"),
        ("tags", [1]),
        ("tags", [["cat"]]),
        ("tags", ["x" * 65]),
        ("tags", ["\u200f"]),
        ("tags", [str(n) for n in range(51)]),
        ("album", {"a": 1}),
        ("title", "x" * 501),
        ("bytes", "5"),
        ("bytes", 5.5),
        ("bytes", True),
        ("bytes", -1),
        ("content_type", "not a type"),
        ("content_type", "image/jpeg\r\nx: y"),
        ("sha256", "abc"),
        ("colour", "red"),
    ],
)
def test_a_member_that_is_wrong_is_named(client, member, value):
    answer = client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": 5} | {member: value})
    refused(answer, 422, "invalid-request", naming=member.rstrip("s"))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b'{"filename": 1}', b"\xff\xfe", b"[" * 100_000])
def test_json_of_the_wrong_shape(client, body):
    for path in ("/v1/uploads", "/v1/keys"):
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
        refused(answer, 422, "invalid-request")


def test_json_that_is_too_large(client):
    body = b'{"filename": "' + b"x" * 3_000_000 + b'"}'
    refused(client.post("/v1/uploads", content=body, headers={"content-type": "application/json"}), 413, "too-large")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=many",
        "cursor=made-up",
        "cursor=%00%ff",
        "cursor=" + "A" * 400,
        "colour=red",
        "format=bmp",
        "orientation=round",
        "min_width=-1",
        "min_width=1e3",
        "uploaded_after=yesterday",
        "uploaded_after=2026-01-01",
        "uploaded_after=2026-01-01T00:00:00",
        "uploaded_before=99999-01-01T00:00:00Z",
        "state=deleted",
        "sha256=xyz",
        "tag=",
        "tag=" + "x" * 65,
        "color=red",
        "color=%23ff00001",
        "untagged=0",
        "untagged=1&tag=cat",
        "camera=",
        "lens=" + "x" * 1001,
        "q=***",
        "q=" + "word+" * 201,
        "taken_after=2015",
        "order=random",
        "min_width=5&max_width=4",
        "uploaded_after=2026-01-01T00:00:00Z&uploaded_before=2026-01-01T00:00:00Z",
        "album=a&album=b",
        "min_width=1&min_width=2",
        "order=newest&order=oldest",
    ],
)
def test_a_search_parameter_that_is_wrong_is_named(client, query):
    refused(client.get(f"/v1/images?{query}"), 422, "invalid-request", naming=query.split("=")[0].rstrip("s"))


def test_a_search_longer_than_any_address_is_refused_at_once(client):
    began = time.monotonic()
    assert client.get("/v1/images?q=" + "word+" * 10_000).status_code in {414, 422, 431}
    refused(client.get("/v1/images?" + "&".join(["tag=x"] * 1000)), 422, "invalid-request", naming="tag")
    assert time.monotonic() - began < 30


def test_a_cursor_belongs_to_one_search_of_one_owner(client):
    for number in range(3):
        ready(client, pictures.jpeg(30, 20 + number))
    page = client.get("/v1/images?limit=1").json()
    other = page["next"][:-1] + ("0" if page["next"][-1] != "0" else "1")
    for query in (f"limit=1&order=oldest&cursor={page['next']}", f"tag=x&cursor={page['next']}", f"cursor={other}"):
        refused(client.get(f"/v1/images?{query}"), 422, "invalid-request", naming="cursor")
    assert client.get(f"/v1/images?limit=2&cursor={page['next']}").status_code == 200


@pytest.mark.parametrize("image_id", ["x", "0" * 26, "..%2f..%2fetc", "%00", "'; DROP TABLE images; --", "a" * 60])
def test_an_id_that_names_nothing(client, image_id):
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/original"), ("POST", "/reprocess")):
        answer = client.request(method, f"/v1/images/{image_id}{path}", json={} if method == "PATCH" else None)
        refused(answer, 404, "not-found")


@pytest.mark.parametrize("focus", [[0.5], [2, 0], [0.5, "x"], "center", [-0.1, 0]])
def test_a_focus_outside_the_picture(client, focus):
    image = ready(client, pictures.jpeg(20, 20))
    refused(client.patch(f"/v1/images/{image['id']}", json={"focus": focus}), 422, "invalid-request", naming="focus")


@pytest.mark.parametrize("if_match", ["three", '"3", "4"', '"-1"', "W/x", "9" * 40])
def test_a_version_that_is_none(client, if_match):
    image = ready(client, pictures.jpeg(21, 20))
    answer = client.patch(f"/v1/images/{image['id']}", json={"title": "x"}, headers={"if-match": if_match})
    refused(answer, 422, "invalid-request", naming="If-Match")


def test_addresses_and_methods_that_are_not_there(client):
    refused(client.get("/v1/nothing"), 404, "not-found")
    answer = client.put("/v1/images")
    refused(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].replace(" ", "").split(",")) >= {"GET"}


def test_an_idempotency_key_that_is_none(client):
    for key in ("", "x" * 256, "a b"):
        answer = client.post("/v1/uploads", json={"filename": "a", "bytes": 5}, headers={"idempotency-key": key})
        refused(answer, 422, "invalid-request", naming="idempotency-key")


def raw(server, request, *, seconds=10.0):
    """Send bytes as they are; return what comes back until the server closes or has answered."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=seconds) as connection:
        connection.settimeout(seconds)
        try:
            connection.sendall(request)
            return connection.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            return b""


def test_headers_beyond_all_measure_are_not_kept_in_memory(server, client):
    for request in (
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 2_000_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n" + b"x: a\r\n" * 100_000 + b"\r\n",
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"nonsense\r\n\r\n",
    ):
        answer = raw(server, request)
        assert answer == b"" or answer.split(b" ")[1] in {b"400", b"404", b"414", b"431"}


def test_uploads_that_break_off_leave_nothing(server, client):
    incoming = server.data / "incoming"
    for _ in range(5):
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port)) as connection:
            head = b"POST /v1/images HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n"
            connection.sendall(head + b"x" * 999)
            time.sleep(0.05)
    deadline = time.monotonic() + 10
    while any(incoming.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(incoming.iterdir()) == []


def test_a_hundred_clients_waiting_hold_nobody_up(client, server):
    image = ready(client, pictures.jpeg(22, 20))
    answers = []

    def wait():
        with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as own:
            answers.append(
                own.post("/v1/images", content=pictures.jpeg(400, 300), headers={"prefer": "wait=20"}).status_code
            )

    threads = [threading.Thread(target=wait) for _ in range(100)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    assert client.get(f"/v1/images/{image['id']}").status_code == 200
    assert client.get(f"/i/{image['id']}/small.jpg").status_code == 200
    answered = time.monotonic() - began
    for thread in threads:
        thread.join()
    assert set(answers) <= {201, 202}
    assert answered < 5.0, "waiting clients held others up"


def test_what_was_refused_is_not_there(client):
    before = client.get("/v1/images", params={"state": ["processing", "awaiting"], "limit": 200}).json()["items"]
    client.post("/v1/images", content=b"no image")
    after = client.get("/v1/images", params={"state": ["processing", "awaiting"], "limit": 200}).json()["items"]
    assert {image["id"] for image in after} <= {image["id"] for image in before}


def test_a_broken_ticket_upload_can_be_repeated(client):
    body = pictures.jpeg(120, 90)
    ticket = client.post("/v1/uploads", json={"filename": "again.jpg", "bytes": len(body)}).json()
    address = urlsplit(ticket["url"])
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"PUT {address.path}?{address.query} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
        fields = "".join(f"{name}: {value}\r\n" for name, value in ticket["headers"].items())
        connection.sendall((head + fields + "\r\n").encode() + body[: len(body) // 2])
    assert client.put(ticket["url"], content=body, headers=ticket["headers"]).status_code == 200
    assert settled(client, ticket["id"])["state"] == "ready"
