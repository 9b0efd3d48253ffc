"""Starting, stopping, dying and starting again, as an operator does it to a service that is at work."""

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

import pictures
import processes
from darkroom.embedded.serve import RESTART_SECONDS
from darkroom.model import State
from patience import eventually, ready, settled
from servers import command, free_port, refusal, serving

STOP_SECONDS = 10
NOTICE_SECONDS = 6
"""Within which no process of a service that was killed is left."""
HEAL_SECONDS = 5
GREETING = 2
"""Lines that are for a person and no log."""

PHOTO = pictures.encode(pictures.photo(1600, 1200), "JPEG", quality=85)


@contextmanager
def client_of(served, **headers):
    with httpx.Client(base_url=served.url, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def running(served):
    """Return the processes of a server once they are all there."""
    return eventually(lambda: processes.service(served.process.pid), what="all processes")


def gone(family, seconds=NOTICE_SECONDS):
    eventually(lambda: not any(each.is_alive for each in family), seconds=seconds, what=f"the end of all of {family}")


def post(client, body=PHOTO):
    answer = client.post("/v1/images", content=body, headers={"content-type": "image/jpeg"})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def post_in_spite_of(client):
    """Upload a photo to a server that is just being hurt; a connection to the part that died may be lost."""

    def attempt():
        try:
            return post(client)
        except httpx.TransportError:
            return None

    return eventually(attempt, what="an upload that is taken")


def has_stopped(served, seconds=STOP_SECONDS):
    """Wait for the end of a server that was told to stop; return the exit status."""
    return served.process.wait(seconds)


# ------------------------------------------------------------------ told to stop


@pytest.fixture(autouse=True, scope="module")
def _terminal_that_can_be_closed():
    """Whoever runs the tests under nohup, or with & in a script, has all that they start ignore its signals."""
    wanted = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def terminate(served):
    served.process.terminate()


def press_control_c(served):
    os.killpg(served.process.pid, signal.SIGINT)


def close_the_terminal(served):
    os.killpg(served.process.pid, signal.SIGHUP)


def terminate_every_process(served):
    for each in processes.process(served.process.pid).family():
        each.kill(signal.SIGTERM)


@pytest.mark.parametrize("tell", [terminate, press_control_c, close_the_terminal, terminate_every_process])
def test_told_to_stop_it_ends_soon_and_completely(tmp_path, tell):
    with serving(tmp_path, workers="2") as served, client_of(served) as client:
        ready(client, pictures.jpeg())
        family = list(running(served))
        tell(served)
        assert has_stopped(served) == 0
        gone(family, seconds=2)
        # A worker that is signalled before its parent ends "unexpectedly", as the HTTP server says; it is no matter.
        ours = [line for line in served.said.read_text().splitlines() if '"name": "_granian"' not in line]
        assert not [line for line in ours if '"level": "error"' in line]


def test_told_to_stop_twice_it_ends_once(tmp_path):
    with serving(tmp_path, workers="1") as served:
        family = list(running(served))
        for _ in range(20):
            press_control_c(served)
            time.sleep(0.005)
        assert has_stopped(served) == 0
        gone(family, seconds=2)


def test_without_a_terminal_it_goes_on_when_it_was_told_so(tmp_path):
    with serving(tmp_path, workers="1", through=("nohup",)) as served, client_of(served) as client:
        close_the_terminal(served)
        time.sleep(0.5)
        ready(client, pictures.jpeg())


def test_told_to_stop_while_it_starts(tmp_path):
    for delay in (0.2, 0.5, 0.8, 1.1):
        process = subprocess.Popen(
            command(tmp_path, free_port(), keys=False),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
            start_new_session=True,
        )
        time.sleep(delay)
        family = processes.process(process.pid).family()
        process.terminate()
        assert process.wait(STOP_SECONDS) in {0, -signal.SIGTERM}
        gone(family)


@pytest.mark.parametrize("tell", [terminate, press_control_c, terminate_every_process])
def test_requests_in_hand_are_answered_and_idle_connections_hold_nothing_up(tmp_path, tell):
    with serving(tmp_path, workers="1") as served, client_of(served) as idle:
        assert idle.get("/healthz").status_code == 200
        with raw_upload(served) as (send, receive):
            send(PHOTO[:1000])
            time.sleep(0.2)
            tell(served)
            time.sleep(2 * RESTART_SECONDS)
            send(PHOTO[1000:])
            assert receive().startswith(b"HTTP/1.1 202 ")
        assert has_stopped(served) == 0
        assert '"level": "error"' not in served.said.read_text(), "something was started again"


def test_an_upload_that_never_ends_holds_nothing_up_for_long(tmp_path):
    with serving(tmp_path, workers="1") as served, raw_upload(served) as (send, _):
        send(PHOTO[:1000])
        time.sleep(0.2)
        terminate(served)
        assert has_stopped(served) == 0


@contextmanager
def raw_upload(served, body=PHOTO):
    """Give functions to send parts of a body, and to receive the answer."""
    with socket.create_connection(("127.0.0.1", int(served.url.rsplit(":", 1)[1])), timeout=20) as connection:
        connection.sendall(
            b"POST /v1/images HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\n"
            b"content-length: %d\r\n\r\n" % len(body)
        )
        yield connection.sendall, lambda: connection.recv(65536)


# ------------------------------------------------------------------ work in hand


def all_become_ready(folder, ids, **settings):
    """Start the service on ``folder`` again and see that every image gets ready."""
    with serving(folder, **settings) as served, client_of(served) as client:
        for image_id in ids:
            assert settled(client, image_id)["state"] == "ready"
        listed = client.get("/v1/images", params={"limit": 200}).json()["items"]
        assert {image["id"] for image in listed} == set(ids)
        for image_id in ids:
            assert client.get(f"/i/{image_id}/small.jpg").status_code == 200
        assert client.get("/metrics").text.count('darkroom_queue_events{state="buried"} 0.0') == 1


def test_work_in_hand_is_done_before_the_end_or_after_the_next_start(tmp_path):
    with serving(tmp_path, workers="1", render_workers="1") as served, client_of(served) as client:
        ids = [post(client) for _ in range(12)]
        terminate(served)
        assert has_stopped(served) == 0
    all_become_ready(tmp_path, ids)


@pytest.mark.parametrize("tell", [terminate, press_control_c])
def test_work_that_cannot_be_finished_in_time_is_handed_back(tmp_path, tell):
    with serving(tmp_path, workers="1", render_workers="1") as served, client_of(served) as client:
        for worker in running(served).jailed:
            worker.kill(signal.SIGSTOP)
        ids = [post(client), post(client)]
        eventually(lambda: 'state="leased"} 1.0' in client.get("/metrics").text, what="the work beginning")
        tell(served)
        assert has_stopped(served) == 0
        assert "lease handed back" in served.said.read_text()
    all_become_ready(tmp_path, ids)


# ------------------------------------------------------------------ killed


@pytest.fixture(scope="module")
def hurt(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("hurt"), workers="2", render_workers="2") as served:
        yield served


@pytest.mark.parametrize("whom", ["processor", "HTTP worker", "jailed worker", "zygote"])
def test_whatever_process_dies_the_service_heals_by_itself_and_nothing_is_lost(hurt, whom):
    with client_of(hurt) as client:
        before = running(hurt)
        ids = [post(client) for _ in range(6)]
        victim = {
            "processor": before.processor,
            "HTTP worker": before.http_workers[0],
            "jailed worker": before.jailed[0],
            "zygote": before.zygote,
        }[whom]
        victim.kill()
        ids += [post_in_spite_of(client) for _ in range(3)]
        eventually(lambda: is_whole_again(hurt, before), seconds=HEAL_SECONDS, what="all processes being there again")
        assert ready(client, PHOTO)["state"] == State.READY
        for image_id in ids:
            assert settled(client, image_id)["state"] == "ready"
            assert client.get(f"/i/{image_id}/small.jpg").status_code == 200
        assert hurt.process.poll() is None


def is_whole_again(served, before):
    now = processes.service(served.process.pid)
    return (
        now is not None
        and len(now.http_workers) == len(before.http_workers)
        and all(each.is_alive for each in now)
        and healthy_everywhere(served)
    )


def healthy_everywhere(served):
    """Tell whether a dozen new connections are all answered: the kernel deals them out to all workers."""
    try:
        return all(httpx.get(f"{served.url}/healthz", trust_env=False).status_code == 200 for _ in range(12))
    except httpx.TransportError:
        return False


def test_of_a_service_that_was_killed_nothing_is_left_and_it_starts_again_at_once(tmp_path):
    port = free_port()
    with serving(tmp_path, port=port, workers="2", render_workers="1") as served, client_of(served) as client:
        ids = [post(client) for _ in range(5)]
        family = list(running(served))
        served.process.kill()
        served.process.wait()
    began = time.monotonic()
    all_become_ready(tmp_path, ids, port=port)
    gone(family, seconds=max(0.1, NOTICE_SECONDS - (time.monotonic() - began)))


def test_after_a_power_cut_everything_is_there(tmp_path):
    with serving(tmp_path, workers="2", render_workers="1") as served, client_of(served) as client:
        done = ready(client, PHOTO)["id"]
        ids = [post(client) for _ in range(5)]
        for each in running(served):
            each.kill()
        served.process.wait()
    assert '"trace"' not in served.said.read_text()
    all_become_ready(tmp_path, [done, *ids])


# ------------------------------------------------------------------ one data folder, one service


def test_a_second_service_on_the_same_folder_is_refused_and_disturbs_nothing(tmp_path):
    large = pictures.png(1000, 1000, compress_level=0)
    with (
        serving(tmp_path, workers="1") as served,
        client_of(served) as client,
        raw_upload(served, large) as (send, receive),
    ):
        image = ready(client, pictures.jpeg())
        send(large[:1_000_000])
        eventually(lambda: list((served.data / "incoming").iterdir()), what="a body being received")
        counted = client.get("/metrics").text
        said = refusal(tmp_path)
        assert f"process {served.process.pid}" in said
        assert str(served.data) in said
        assert "DARKROOM_DATA" in said
        send(large[1_000_000:])
        assert receive().startswith(b"HTTP/1.1 202 ")
        assert client.get(f"/i/{image['id']}/small.jpg").status_code == 200
        assert 'darkroom_transforms_total{format="jpeg",outcome="ready"} 1.0' in counted
        assert "darkroom_transforms_total" in client.get("/metrics").text, "what was counted is forgotten"


def test_a_copy_of_the_data_folder_is_the_service(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with serving(first, keys=True, workers="1") as served, client_of(served, **bearer(served)) as client:
        key = served.key
        image = ready(client, PHOTO, tags="moved")
    subprocess.run(["cp", "-a", first / "data", second / "data"], check=True)
    with (
        serving(second, keys=True, workers="1") as served,
        client_of(served, authorization=f"Bearer {key}") as client,
    ):
        (found,) = client.get("/v1/images", params={"tag": "moved"}).json()["items"]
        assert found["id"] == image["id"]
        assert client.get(f"/i/{image['id']}/small.jpg").status_code == 200


def bearer(served):
    return {"authorization": f"Bearer {served.key}"}


# ------------------------------------------------------------------ stopped and started again


def test_a_restart_keeps_images_keys_and_tickets(tmp_path):
    port = free_port()
    body = pictures.jpeg(70, 50)
    with serving(tmp_path, keys=True, port=port, workers="1") as served, client_of(served, **bearer(served)) as client:
        key = served.key
        assert served.said.read_text().count("dk_") == 1
        image = ready(client, PHOTO, tags="kept")
        other = client.post("/v1/keys", json={"owner": "other", "name": "x", "scopes": ["read"]}).json()["key"]
        revoked = client.post("/v1/keys", json={"owner": "other", "name": "x", "scopes": ["read"]}).json()
        assert client.delete(f"/v1/keys/{revoked['id']}").status_code == 204
        deleted = ready(client, pictures.jpeg(60, 60))["id"]
        assert client.delete(f"/v1/images/{deleted}").status_code == 204
        ticket = client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": len(body)}).json()
        picture = client.get(f"/i/{image['id']}/small.jpg")
    with (
        serving(tmp_path, keys=True, port=port, workers="1") as served,
        client_of(served, authorization=f"Bearer {key}") as client,
    ):
        assert served.key is None
        assert served.said.read_text().count("dk_") == 1, "the first key was printed again"
        assert client.get(f"/v1/images/{image['id']}").json() == image
        again = client.get(f"/i/{image['id']}/small.jpg")
        assert (again.content, again.headers["etag"]) == (picture.content, picture.headers["etag"])
        assert client.get(f"/i/{deleted}/small.jpg").status_code == 404
        assert client.get(f"/v1/images/{deleted}").status_code == 404
        assert client.get("/v1/images", headers={"authorization": f"Bearer {other}"}).status_code == 200
        revoked_says = client.get("/v1/images", headers={"authorization": f"Bearer {revoked['key']}"})
        assert revoked_says.status_code == 401
        stranger = httpx.put(ticket["url"], content=body, headers=ticket["headers"], trust_env=False)
        assert stranger.status_code == 200
        assert settled(client, ticket["id"])["state"] == "ready"


def test_what_earlier_runs_left_half_received_is_cleared_away(tmp_path):
    incoming = tmp_path / "data" / "incoming"
    incoming.mkdir(parents=True)
    (incoming / "left-over").write_bytes(b"half")
    with serving(tmp_path, workers="1"):
        assert list(incoming.iterdir()) == []


def test_everything_it_keeps_is_for_its_own_user_only(tmp_path):
    (tmp_path / "data").mkdir(mode=0o755)  # made by the operator, with the usual rights
    with serving(tmp_path, keys=True, workers="1") as served, client_of(served, **bearer(served)) as client:
        ready(client, PHOTO)
        for path in served.data.rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path


# ------------------------------------------------------------------ deleted means deleted


@pytest.mark.parametrize("rounds", [30, pytest.param(1000, marks=pytest.mark.soak)])
def test_after_a_delete_no_worker_ever_serves_the_picture(tmp_path, rounds):
    with serving(tmp_path, workers="2") as served:
        clients = [httpx.Client(base_url=served.url, trust_env=False, timeout=30) for _ in range(12)]
        try:
            for number in range(rounds):
                image_id = ready(clients[0], pictures.jpeg(40 + number % 50, 30))["id"]
                path = f"/i/{image_id}/small.jpg"
                assert {client.get(path).status_code for client in clients} == {200}
                assert clients[number % len(clients)].delete(f"/v1/images/{image_id}").status_code == 204
                assert {client.get(path).status_code for client in clients} == {404}, f"round {number}"
        finally:
            for client in clients:
                client.close()
        left = [path for path in (served.data / "assets").rglob("*") if path.is_file() and "default" not in path.parts]
        assert left == []
        assert [path for path in Path(served.data / "uploads").rglob("*") if path.is_file()] == []
