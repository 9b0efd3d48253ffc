"""What the running service writes down, and what never gets into it."""

import json
import re
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

import pictures
import processes
from darkroom.transform.obstacles import obstacles
from darkroom.transform.sandbox import LAYERS
from patience import eventually, ready, settled
from servers import free_port, serving

DOCUMENTATION = Path(__file__).parent.parent.parent / "docs" / "operations.md"
GREETING = 2
"""Lines for a person, on standard output, before anything else happens."""


@contextmanager
def client_of(served, **headers):
    with httpx.Client(base_url=served.url, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def lines_of(served):
    """Return what the server has logged; all that is no JSON is the greeting."""
    texts = served.said.read_text().splitlines()
    assert len([text for text in texts if not text.startswith("{")]) == GREETING
    return [json.loads(text) for text in texts if text.startswith("{")]


def written(served, event, **fields):
    """Return the lines of this event that have these fields."""
    wanted = {"event": event} | fields
    return [line for line in lines_of(served) if wanted.items() <= line.items()]


@pytest.fixture(scope="module")
def figures_url():
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def logged(tmp_path_factory, figures_url):
    port = figures_url.rpartition(":")[2]
    with serving(tmp_path_factory.mktemp("logged"), keys=True, workers="2", metrics_port=port) as served:
        yield served


@pytest.fixture(scope="module")
def admin(logged):
    with client_of(logged, authorization=f"Bearer {logged.key}") as client:
        yield client


def test_one_line_for_each_request_with_what_an_operator_wants_to_know(logged, admin):
    answer = admin.get("/v1/images", params={"tag": "told-nobody"})
    (line,) = eventually(lambda: written(logged, "request", method="GET", route="/v1/images"), what="the line")
    moment = datetime.fromisoformat(line.pop("time"))
    assert abs(datetime.now(moment.tzinfo) - moment) < timedelta(seconds=30)
    assert 0 < line.pop("seconds") < 10
    key_id = logged.key.split("_")[1]
    assert line == {
        "level": "info",
        "name": "darkroom.requests",
        "event": "request",
        "method": "GET",
        "path": "/v1/images",
        "route": "/v1/images",
        "status": 200,
        "bytes": len(answer.content),
        "key": key_id,
        "owner": "local",
    }


def test_refused_and_unknown_requests_are_written_down_too(logged, admin):
    with client_of(logged) as stranger:
        stranger.get("/v1/limits")
        stranger.get("/no/such/page")
        stranger.request("BREW", "/v1/images")
    admin.get("/v1/images/" + "0" * 26)
    (line,) = eventually(lambda: written(logged, "request", path="/v1/limits"), what="the stranger's line")
    assert (line["status"], line["key"], line["owner"]) == (401, None, None)
    (line,) = eventually(lambda: written(logged, "request", path="/no/such/page"), what="the unknown page's line")
    assert (line["status"], line["route"]) == (404, "other")
    (line,) = eventually(lambda: written(logged, "request", method="other"), what="the unknown method's line")
    assert line["status"] == 405
    (line,) = eventually(lambda: written(logged, "request", path="/v1/images/" + "0" * 26), what="the line")
    assert (line["status"], line["route"]) == (404, "/v1/images/{id}")


def test_one_line_for_each_image(logged, admin):
    image = ready(admin, pictures.jpeg(640, 480, exif=pictures.camera_exif()))
    (line,) = eventually(lambda: written(logged, "image ready", image=image["id"]), what="the line")
    assert line["level"] == "info"
    assert line["owner"] == "local"
    assert (line["format"], line["width"], line["height"]) == ("jpeg", 640, 480)
    assert line["bytes"] == image["source"]["bytes"]
    assert line["variant_bytes"] >= sum(variant["bytes"] for variant in image["variants"])
    assert 0 < line["seconds"] < 20


def test_a_failed_image_says_why(logged, admin):
    truncated = pictures.encode(pictures.photo(800, 600), "JPEG")[:20_000]
    answer = admin.post("/v1/images", content=truncated)
    image = settled(admin, answer.json()["id"])
    assert image["state"] == "failed"
    (line,) = eventually(lambda: written(logged, "image failed", image=image["id"]), what="the line")
    assert line["level"] == "warning"
    assert (line["code"], line["detail"]) == (image["error"]["code"], image["error"]["detail"])


def test_a_deleted_image_is_written_down(logged, admin):
    image = ready(admin, pictures.jpeg(50, 50))
    admin.delete(f"/v1/images/{image['id']}")
    (line,) = eventually(lambda: written(logged, "image deleted", image=image["id"]), what="the line")
    assert line["owner"] == "local"


def test_a_start_says_which_layers_of_the_jail_hold_and_how_many_processes_decode(logged):
    (line,) = written(logged, "jail")
    assert set(line["layers"]) == LAYERS.keys() - obstacles().keys()
    assert line["workers"] >= 2


def test_the_lines_that_are_documented_are_like_those_that_are_written(logged, admin):
    image = ready(admin, pictures.jpeg(300, 200))
    eventually(lambda: written(logged, "image ready", image=image["id"]), what="the line")
    documented = [json.loads(line) for line in DOCUMENTATION.read_text().splitlines() if line.startswith('{"time"')]
    assert {"request", "image ready", "image failed"} <= {example["event"] for example in documented}
    for event in ("request", "image ready"):
        (example,) = [line for line in documented if line["event"] == event]
        real = written(logged, event)[-1]
        assert list(real) == list(example), event


def test_deliveries_are_counted_and_not_listed(logged, admin, figures_url):
    image = ready(admin, pictures.jpeg(60, 60))
    for _ in range(300):
        assert admin.get(f"/i/{image['id']}/small.jpg").status_code == 200
    eventually(lambda: figure(figures_url, "darkroom_deliveries_total", outcome="hot") >= 290, what="the count")
    assert not any(image["id"] in line.get("path", "") for line in lines_of(logged) if line["event"] != "request")
    assert not written(logged, "request", path=f"/i/{image['id']}/small.jpg")
    eventually(lambda: written(logged, "deliveries"), seconds=15, what="the line of all deliveries")
    assert len(written(logged, "deliveries")) < 10
    assert sum(line.get("hot", 0) for line in written(logged, "deliveries")) <= 300


def test_no_key_no_signature_and_no_place_is_ever_written_down(logged, admin):
    body = pictures.jpeg(64, 48, exif=pictures.camera_exif())
    ticket = admin.post("/v1/uploads", json={"filename": "a.jpg", "bytes": len(body)}).json()
    new_key = admin.post("/v1/keys", json={"owner": "other", "name": "x", "scopes": ["read", "write"]}).json()
    with client_of(logged) as stranger:
        assert stranger.put(ticket["url"], content=body, headers=ticket["headers"]).status_code == 200
        stranger.put(ticket["url"], content=body, headers=ticket["headers"])
        stranger.put(ticket["url"] + "0", content=body, headers=ticket["headers"])
        stranger.put(ticket["url"], content=body[:-1], headers=ticket["headers"])
        for path in (f"/v1/keys/{new_key['key']}", f"/v1/images/{new_key['key']}", f"/{new_key['key']}"):
            stranger.get(path)
            admin.delete(path)
        stranger.get("/v1/images", params={"authorization": new_key["key"]})
        stranger.get("/v1/images", headers={"authorization": f"Basic {new_key['key']}"})
        stranger.get(f"http://{new_key['key']}@{logged.url.removeprefix('http://')}/v1/images")
    assert settled(admin, ticket["id"])["state"] == "ready"
    admin.patch(f"/v1/images/{ticket['id']}", json={"title": "a private title", "tags": ["a private tag"]})
    eventually(lambda: written(logged, "request", method="PATCH"), what="the last line")
    text = logged.said.read_bytes().decode()
    secret = ticket["url"].partition("?")[2]
    words = [word for part in secret.split("&") for word in [part, part.partition("=")[2]] if len(word) > 12]
    assert words, secret
    for word in [
        *words,
        secret,
        new_key["key"],
        new_key["key"].split("_", 2)[2],
        str(pictures.LATITUDE),
        "48,51",
        "private",
    ]:
        assert word not in text, word
    assert logged.key not in "".join(map(str, lines_of(logged))), "the first key is in the greeting only"


def test_every_line_is_json_whatever_strangers_send(logged, admin):
    hostile = ["/%0a%7b%22event%22:%22forged%22%7d", "/%ff%fe", "/%e2%80%a8x", "/%00", "/caf%c3%a9", "/%1b[31m"]
    for path in hostile:
        admin.get(path)
    names = ['"\n{"event": "forged"}\n.jpg', "\u2028\u2029.jpg", "é\x85.jpg"]
    for name in names:
        admin.post("/v1/images", params={"filename": name}, content=pictures.jpeg(20, 20))
        admin.post("/v1/images", params={"filename": name}, content=b"not a picture")
    eventually(lambda: written(logged, "request", path="/caf\u00e9"), what="the line")
    for line in lines_of(logged):
        assert {"time", "level", "name", "event"} <= set(line)
        assert line["event"] != "forged"
        assert line["level"] in {"debug", "info", "warning", "error", "critical"}
    assert logged.said.read_bytes().isascii()


# ------------------------------------------------------------------ figures


def figure(url, name, **labels):
    """Return the sum of a figure over all series with these labels."""
    return sum_of(httpx.get(f"{url}/metrics", trust_env=False).text, name, **labels)


def sum_of(text, name, **labels):
    total = 0.0
    for line in text.splitlines():
        match = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
        if match and all(f'{key}="{value}"' in (match[1] or "") for key, value in labels.items()):
            total += float(match[2])
    return total


def test_figures_are_the_sum_of_all_workers_whoever_is_asked(logged, admin, figures_url):
    def asked(url=figures_url):
        return figure(url, "darkroom_requests_total", route="/v1/variants")

    before = asked()
    with ExitStack() as stack:
        clients = [stack.enter_context(client_of(logged, **admin.headers)) for _ in range(16)]
        for client in clients:  # the kernel deals connections out to the workers
            for _ in range(5):
                assert client.get("/v1/variants").status_code == 200
        assert asked() == before + 80
        assert {
            sum_of(client.get("/metrics").text, "darkroom_requests_total", route="/v1/variants") for client in clients
        } == {before + 80}


def test_figures_outlive_the_worker_that_counted_them(logged, admin, figures_url):
    for _ in range(10):
        with client_of(logged, **admin.headers) as client:
            client.get("/v1/limits")
    before = figure(figures_url, "darkroom_requests_total", route="/v1/limits")
    for worker in processes.service(logged.process.pid).http_workers:
        worker.kill()
        eventually(lambda: figure(figures_url, "darkroom_requests_total", route="/v1/limits") >= before, what="all")
    eventually(lambda: answers(logged), what="a new worker")
    assert figure(figures_url, "darkroom_requests_total", route="/v1/limits") == before


def answers(served):
    try:
        return httpx.get(f"{served.url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_the_port_for_figures_answers_nothing_else(logged, figures_url):
    answer = httpx.get(f"{figures_url}/metrics", trust_env=False)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE darkroom_requests_total counter" in answer.text
    assert sum_of(answer.text, "darkroom_queue_events", state="buried") == 0
    for path in ("/", "/healthz", "/v1/images", "/metrics/x"):
        assert httpx.get(f"{figures_url}{path}", trust_env=False).status_code == 404
    assert httpx.post(f"{figures_url}/metrics", trust_env=False).status_code in {405, 501}
    assert httpx.get(f"{logged.url}/metrics", trust_env=False).status_code == 401


def test_warnings_only_when_only_warnings_are_wanted(tmp_path):
    with serving(tmp_path, workers="1", log_level="warning") as served, client_of(served) as client:
        ready(client, pictures.jpeg())
        assert lines_of(served) == []
