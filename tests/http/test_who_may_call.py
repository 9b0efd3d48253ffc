"""Keys, scopes and owners; and the rule for a service without keys."""

import socket
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest

import pictures
from patience import ready, settled
from servers import serving


@pytest.fixture
def admin(keyed_server):
    with httpx.Client(
        base_url=keyed_server.url, headers={"authorization": f"Bearer {keyed_server.key}"}, trust_env=False, timeout=30
    ) as client:
        yield client


@pytest.fixture
def stranger(keyed_server):
    with httpx.Client(base_url=keyed_server.url, trust_env=False) as client:
        yield client


def new_key(admin, *scopes, owner="local"):
    answer = admin.post("/v1/keys", json={"owner": owner, "name": "a test", "scopes": list(scopes)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(key):
    return {"authorization": f"Bearer {key['key']}"}


PATHS = [
    ("GET", "/v1/images"),
    ("POST", "/v1/images"),
    ("POST", "/v1/uploads"),
    ("GET", "/v1/limits"),
    ("GET", "/v1/usage"),
    ("GET", "/v1/variants"),
    ("GET", "/v1/keys"),
    ("GET", "/metrics"),
    ("GET", "/v1/images/" + "0" * 26),
    ("DELETE", "/v1/images/" + "0" * 26),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer dk_aaaaaaaaaaaa_" + "b" * 43},
        {"authorization": "Basic YTpi"},
        {"authorization": "Bearer " + "x" * 5000},
        {"authorization": b"Bearer dk_\xff_\xfe"},
    ],
)
def test_without_a_valid_key_nothing_is_answered(stranger, method, path, headers):
    answer = stranger.request(method, path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json", "/docs"])
def test_what_anybody_may_see(stranger, path):
    assert stranger.get(path).status_code == 200


@pytest.mark.parametrize(
    ("scope", "method", "path", "allowed"),
    [
        ("read", "GET", "/v1/images", True),
        ("read", "POST", "/v1/uploads", False),
        ("read", "GET", "/v1/keys", False),
        ("write", "POST", "/v1/uploads", True),
        ("write", "GET", "/v1/images", False),
        ("write", "GET", "/metrics", False),
        ("admin", "GET", "/v1/keys", True),
        ("admin", "GET", "/v1/images", False),
    ],
)
def test_a_key_may_do_what_its_scopes_say(admin, stranger, scope, method, path, allowed):
    body = {"filename": "a.jpg", "bytes": 5} if method == "POST" else None
    answer = stranger.request(method, path, json=body, headers=bearer(new_key(admin, scope)))
    if allowed:
        assert answer.status_code in {200, 201}
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert "scope" in answer.json()["detail"]


def test_a_revoked_key_is_unknown_from_then_on(admin, stranger):
    key = new_key(admin, "read")
    assert stranger.get("/v1/images", headers=bearer(key)).status_code == 200
    assert admin.delete(f"/v1/keys/{key['id']}").status_code == 204
    assert stranger.get("/v1/images", headers=bearer(key)).status_code == 401
    assert admin.delete(f"/v1/keys/{key['id']}").json()["code"] == "not-found"


def test_keys_are_listed_without_their_secrets(admin, keyed_server):
    key = new_key(admin, "read", "write")
    listed = admin.get("/v1/keys").json()["items"]
    mine = next(item for item in listed if item["id"] == key["id"])
    assert mine == {name: key[name] for name in ("id", "owner", "name", "scopes", "created_at", "rate")}
    secret = key["key"].split("_", 2)[2]  # it may have that sign itself
    stored = b"".join(path.read_bytes() for path in keyed_server.data.rglob("*") if path.is_file())
    assert secret.encode() not in stored


def test_another_owner_s_image_is_not_there(admin, stranger):
    image = ready(admin, pictures.jpeg(60, 40), tags="mine")
    other = bearer(new_key(admin, "read", "write", owner="other"))
    url = f"/v1/images/{image['id']}"
    answers = [
        stranger.get(url, headers=other),
        stranger.get(f"{url}/original", headers=other),
        stranger.patch(url, json={"title": "mine now"}, headers=other),
        stranger.post(f"{url}/reprocess", headers=other),
        stranger.delete(url, headers=other),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "not-found")}
    assert stranger.get("/v1/images", params={"tag": "mine"}, headers=other).json()["items"] == []
    assert admin.get(url).json() == image
    assert stranger.get(f"/i/{image['id']}/small.jpg").status_code == 200  # delivery is public by its address


def test_owners_do_not_share_idempotency_keys(admin, stranger):
    other = bearer(new_key(admin, "write", owner="other"))
    request = {"json": {"filename": "a.jpg", "bytes": 5}}
    mine = admin.post("/v1/uploads", **request, headers={"idempotency-key": "shared"}).json()
    theirs = stranger.post("/v1/uploads", **request, headers={"idempotency-key": "shared", **other}).json()
    assert mine["id"] != theirs["id"]


def test_a_ticket_is_enough_for_the_door(admin, stranger):
    body = pictures.jpeg(30, 30)
    ticket = admin.post("/v1/uploads", json={"filename": "a.jpg", "bytes": len(body)}).json()
    assert stranger.put(ticket["url"], content=body, headers=ticket["headers"]).status_code == 200
    assert settled(admin, ticket["id"])["state"] == "ready"


def raw_get(server, path, *headers):
    """Ask with exactly these header lines; return the status and the body."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        lines = [f"GET {path} HTTP/1.1", *headers, "connection: close", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return int(answer.split(b" ")[1]), answer


@pytest.mark.parametrize(
    "headers",
    [
        ["host: localhost"],
        ["host: 127.0.0.1:8000"],
        ["host: [::1]:9"],
        ["host: LOCALHOST:80", "origin: http://localhost:5173"],
    ],
)
def test_without_keys_this_machine_may_call(server, headers):
    assert raw_get(server, "/v1/images", *headers)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        ["host: images.example"],
        ["host: localhost.evil.example"],
        ["host: 127.0.0.1.nip.io"],
        ["host: localhost", "host: evil.example"],
        ["host: localhost", "origin: https://evil.example"],
        ["host: localhost", "origin: null"],
        ["host: localhost", "origin: http://localhost.evil.example"],
        ["host: localhost", "forwarded: for=1.2.3.4"],
        ["host: localhost", "x-forwarded-for: 127.0.0.1"],
        ["host: localhost", "X-Forwarded-Anything: 1"],
        ["host: localhost", "via: 1.1 proxy"],
    ],
)
@pytest.mark.parametrize("path", ["/v1/images", "/docs", "/metrics", "/upload/x"])
def test_without_keys_nobody_else_may(server, headers, path):
    status, answer = raw_get(server, path, *headers)
    assert status in {400, 403}
    if status == 403:
        assert b'"code": "forbidden"' in answer


def test_without_keys_the_service_does_not_start_on_a_network(tmp_path):
    command = [
        sys.executable,
        "-m",
        "darkroom",
        "serve",
        "--no-keys",
        "--host",
        "0.0.0.0",
        "--data",
        str(tmp_path / "d"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert "DARKROOM_HOST" in done.stderr
    assert "Traceback" not in done.stderr


def test_pages_of_allowed_origins_may_call_and_no_others(tmp_path):
    with (
        serving(tmp_path, keys=True, workers="1", allowed_origins="https://app.example") as served,
        httpx.Client(base_url=served.url, trust_env=False) as client,
    ):
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        for path in ("/v1/uploads", "/upload/" + "0" * 26):
            good = client.options(path, headers={"origin": "https://app.example", **asked})
            assert good.status_code == 204
            assert good.headers["access-control-allow-origin"] == "https://app.example"
            assert "access-control-allow-credentials" not in good.headers
            bad = client.options(path, headers={"origin": "https://evil.example", **asked})
            assert "access-control-allow-origin" not in bad.headers
            answers = [
                client.request("PUT" if "upload/" in path else "POST", path, headers={"origin": origin}).headers
                for origin in ("https://app.example", "https://evil.example")
            ]
            assert [headers.get("access-control-allow-origin") for headers in answers] == ["https://app.example", None]
            assert all("origin" in headers["vary"].lower() for headers in answers)
