"""What the client does when a server is busy, away, odd or broken off."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from darkroom.client import ApiError, Client, Criteria, Labels, Patience, SourceChanged, UnexpectedAnswer, Unreachable
from scripted import BREAK_OFF, Answer, image_document, parted_ticket_document, scripted, ticket_document
from servers import free_port

KEY = "dk_id_secret"
LIMITS = {"ticket_bytes": 100}
IMAGE = image_document()


def problem(status, code="unavailable", **headers):
    body = {"type": "about:blank", "title": "No", "status": status, "detail": "Come back later.", "code": code}
    return Answer(status, body, {"Content-Type": "application/problem+json", **headers})


@pytest.fixture
def pauses():
    """The seconds that were waited, without waiting."""
    return []


@pytest.fixture
def talk(pauses):
    """Begin a server that answers as told, and return it with a client of it."""
    with ExitStack() as stack:

        def begin(*answers, path="", **patience):
            script = stack.enter_context(scripted(*answers))
            client = Client(script.url + path, KEY, patience=Patience(pause=pauses.append, **patience))
            return stack.enter_context(client), script

        yield begin


def test_busy_is_tried_again_after_what_the_server_asked_for(talk, pauses):
    answers = (
        problem(503, **{"Retry-After": "7"}),
        problem(429, "rate-limited", **{"Retry-After": "3"}),
        Answer(200, LIMITS),
    )
    client, _ = talk(*answers)
    assert client.limits() == LIMITS
    assert pauses == [7, 3]


def test_delays_grow_to_a_bound_and_the_tries_end(talk, pauses):
    client, _ = talk(*[problem(503)] * 6, attempts=6, first_delay=1, longest_delay=5)
    with pytest.raises(ApiError) as caught:
        client.limits()
    assert pauses == [1, 2, 4, 5, 5]
    assert (caught.value.status, caught.value.code, caught.value.detail) == (503, "unavailable", "Come back later.")


def test_a_server_that_wants_hours_is_not_waited_for(talk, pauses):
    client, _ = talk(problem(429, "rate-limited", **{"Retry-After": "7200"}))
    with pytest.raises(ApiError) as caught:
        client.limits()
    assert pauses == []
    assert caught.value.retry_after == 7200


@pytest.mark.parametrize(
    ("status", "code"), [(400, "invalid-request"), (404, "not-found"), (500, "internal"), (429, "over-quota")]
)
def test_what_would_be_the_same_again_is_not_tried_again(talk, status, code):
    client, script = talk(problem(status, code))
    with pytest.raises(ApiError) as caught:
        client.get("x")
    assert len(script.asked) == 1
    assert caught.value.code == code


def test_nobody_listening_is_unreachable_and_names_the_address(pauses):
    url = f"http://127.0.0.1:{free_port()}"
    patience = Patience(attempts=3, pause=pauses.append)
    with Client(url, patience=patience) as client, pytest.raises(Unreachable, match=url):
        client.limits()
    assert len(pauses) == 2


def test_a_broken_connection_is_tried_again_where_twice_does_no_harm(talk):
    client, _ = talk(BREAK_OFF, Answer(200, IMAGE))
    assert client.get(IMAGE["id"]).filename == "cat.jpg"


@pytest.mark.parametrize(
    "change",
    [
        lambda client: client.patch("x", {"title": "y"}),
        lambda client: client.delete("x"),
        lambda client: client.add_key("x", owner="local", scopes=["read"]),
    ],
)
def test_a_broken_connection_is_not_tried_again_where_twice_may_do_harm(talk, change):
    client, script = talk(BREAK_OFF)
    with pytest.raises(Unreachable):
        change(client)
    assert len(script.asked) == 1


def test_a_broken_upload_is_sent_again_whole_under_the_same_idempotency_key(talk):
    moved: list[int] = []
    client, script = talk()
    script.answers = [
        problem(503),
        Answer(201, ticket_document(script)),
        BREAK_OFF,
        Answer(200),
        Answer(200, IMAGE),
    ]
    image = client.upload(b"x" * 100_000, Labels(tags=("cat",)), filename="cat.jpg", sent=moved.append)
    assert image.tags == ("cat",)
    opened, again, broken, put, _ = script.requests
    assert opened.headers["idempotency-key"] == again.headers["idempotency-key"]
    assert broken.body == put.body == b"x" * 100_000
    assert sum(moved) == 100_000
    assert min(moved) == -100_000


def test_a_ticket_is_used_with_exactly_its_headers_and_never_with_the_key(talk):
    client, script = talk()
    script.answers = [Answer(201, ticket_document(script)), Answer(200), Answer(200, IMAGE)]
    client.upload(b"bytes", filename="cat.jpg")
    opened, put, asked = script.requests
    assert opened.headers["authorization"] == asked.headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in put.headers
    assert (put.headers["content-type"], put.headers["x-ticket"]) == ("image/jpeg", "t")
    assert (put.headers["content-length"], "transfer-encoding" in put.headers) == ("5", False)


def test_a_ticket_our_own_broken_attempt_has_used_is_a_success(talk):
    client, script = talk()
    script.answers = [Answer(201, ticket_document(script)), BREAK_OFF, problem(412, "conflict"), Answer(200, IMAGE)]
    assert client.upload(b"bytes").state == "ready"


def test_a_ticket_somebody_else_has_used_is_a_refusal(talk):
    client, script = talk()
    script.answers = [Answer(201, ticket_document(script)), problem(412, "conflict")]
    with pytest.raises(ApiError) as caught:
        client.upload(b"bytes")
    assert caught.value.status == 412


def test_a_file_that_shrinks_while_it_is_sent_is_said_to_have_changed(talk, tmp_path):
    file = tmp_path / "cat.jpg"
    file.write_bytes(b"x" * 1_000_000)
    client, script = talk()
    script.answers = [Answer(201, ticket_document(script)), BREAK_OFF]
    with pytest.raises(SourceChanged):
        client.upload(file, sent=lambda _: file.write_bytes(b"x"))


LONG = b"0123456789abcdefghijKLM"


def test_a_long_file_goes_in_parts_each_of_which_is_tried_again_alone(talk):
    moved: list[int] = []
    client, script = talk()
    ticket = parted_ticket_document(script)
    done = Answer(200)
    script.answers = [
        Answer(201, ticket),
        done,
        BREAK_OFF,
        problem(503),
        done,
        done,
        Answer(200, {}),
        Answer(200, IMAGE),
    ]
    assert client.upload(LONG, sent=moved.append).state == "ready"
    sent = [(request.path, request.body) for request in script.requests if request.path.startswith("/door/")]
    assert sent == [("/door/1", LONG[:10]), *[("/door/2", LONG[10:20])] * 3, ("/door/3", LONG[20:])]
    assert script.asked[-2] == "POST /complete"
    assert not any("authorization" in request.headers for request in script.requests[1:-1])
    assert sum(moved) == len(LONG)


def test_a_part_whose_address_has_ended_goes_to_a_fresh_one(talk):
    client, script = talk()
    ticket = parted_ticket_document(script)
    fresh = ticket | {"parts": [{"url": f"{script.url}/fresh/{number}", "headers": {}} for number in (1, 2, 3)]}
    done = Answer(200)
    script.answers = [Answer(201, ticket), done, Answer(403, b"<Error/>"), Answer(200, fresh), done, done]
    script.answers += [Answer(200, {}), Answer(200, IMAGE)]
    client.upload(LONG)
    assert [path for path in script.asked if path.startswith("PUT")] == [
        *("PUT /door/1", "PUT /door/2", "PUT /fresh/2", "PUT /fresh/3"),
    ]


def test_an_upload_is_resumed_with_the_parts_that_are_missing(talk):
    client, script = talk()
    ticket = parted_ticket_document(script) | {"received": [1, 3]}
    script.answers = [Answer(200, ticket), Answer(200), Answer(200, {}), Answer(200, IMAGE)]
    moved: list[int] = []
    assert client.resume(IMAGE["id"], LONG, sent=moved.append).state == "ready"
    assert script.asked[:3] == [f"GET /v1/uploads/{IMAGE['id']}", "PUT /door/2", "POST /complete"]
    assert sum(moved) == 10


def test_an_upload_that_somebody_completed_meanwhile_is_done(talk):
    client, script = talk(problem(412, "conflict"), Answer(200, IMAGE))
    assert client.resume(IMAGE["id"], LONG).state == "ready"
    script.answers = [Answer(201, parted_ticket_document(script)), problem(412), problem(412), Answer(200, IMAGE)]
    assert client.upload(LONG).state == "ready"


def test_a_long_file_that_grows_while_it_is_sent_is_said_to_have_changed(talk, tmp_path):
    file = tmp_path / "cat.jpg"
    file.write_bytes(LONG)
    client, script = talk()
    script.answers = [Answer(201, parted_ticket_document(script)), Answer(200), Answer(200), BREAK_OFF]
    with pytest.raises(SourceChanged):
        client.upload(file, sent=lambda _: file.write_bytes(LONG + b"more"))


def test_waiting_ends_when_the_image_is_settled_or_the_time_is_over(talk, pauses):
    processing = IMAGE | {"state": "processing"}
    client, _ = talk(*[Answer(200, processing)] * 3, Answer(200, IMAGE), Answer(200, processing))
    assert client.settled("x", 60).state == "ready"
    assert len(pauses) == 3
    assert pauses == sorted(pauses)
    assert client.settled("x", 0).state == "processing"


def test_search_goes_on_over_short_and_empty_pages_until_there_is_no_cursor(talk):
    pages = [
        Answer(200, {"items": [IMAGE], "next": "a b&c"}),
        Answer(200, {"items": [], "next": "d"}),
        Answer(200, {"items": [IMAGE, IMAGE], "next": None}),
    ]
    client, script = talk(*pages)
    assert len(list(client.search(page_limit=10))) == 3
    assert script.asked == [
        "GET /v1/images?limit=10",
        "GET /v1/images?limit=10&cursor=a+b%26c",
        "GET /v1/images?limit=10&cursor=d",
    ]


def test_criteria_become_the_parameters_of_the_contract():
    criteria = Criteria(
        tags=("a", "b"),
        words="sea side",
        formats=("jpeg",),
        min_width=100,
        uploaded_after=datetime(2026, 11, 23, 10, tzinfo=UTC),
        states=("ready", "failed"),
    )
    assert criteria.as_parameters() == [
        ("tag", "a"),
        ("tag", "b"),
        ("q", "sea side"),
        ("format", "jpeg"),
        ("min_width", "100"),
        ("uploaded_after", "2026-11-23T10:00:00Z"),
        ("state", "ready"),
        ("state", "failed"),
    ]


def test_fields_that_a_newer_server_adds_do_no_harm(talk):
    newer = IMAGE | {"rating": 5, "source": {"format": "jxl", "content_type": "image/jxl", "width": 1, "height": 2}}
    newer["source"] |= {"bytes": 3, "sha256": "0" * 64, "has_alpha": False, "frames": 1, "depth": 16}
    client, _ = talk(Answer(200, newer))
    image = client.get("x")
    assert image.source is not None
    assert (image.source.format, image.focus, image.raw["rating"]) == ("jxl", (0.25, 0.5), 5)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"{}", b"null", b"\xff"])
def test_an_answer_of_something_else_is_said_to_be_one(talk, body):
    client, _ = talk(Answer(200, body))
    with pytest.raises(UnexpectedAnswer, match="Darkroom"):
        client.get("x")


@pytest.mark.parametrize("body", [b"<html>no</html>", b"[1]", b"null"])
def test_an_error_of_something_else_still_has_a_status_and_a_sentence(talk, body):
    client, _ = talk(Answer(502, body))
    with pytest.raises(ApiError, match="502") as caught:
        client.get("x")
    assert (caught.value.status, caught.value.code) == (502, "http-502")


def test_a_server_that_has_moved_is_named(talk):
    answer = Answer(301, None, {"Location": "https://other.example/"})
    client, _ = talk(answer)
    with pytest.raises(ApiError, match=r"https://other\.example/"):
        client.get("x")


def test_an_id_stays_one_part_of_the_path(talk):
    client, script = talk(problem(404, "not-found"))
    with pytest.raises(ApiError):
        client.get("../keys?x=1#y")
    assert script.asked == ["GET /v1/images/..%2Fkeys%3Fx%3D1%23y"]


def test_a_name_that_is_no_text_can_be_uploaded(talk, tmp_path):
    file = tmp_path / b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    file.write_bytes(b"bytes")
    client, script = talk()
    script.answers = [Answer(201, ticket_document(script)), Answer(200), Answer(200, IMAGE)]
    client.upload(file)
    assert json.loads(script.requests[0].body)["filename"] == "caf?.jpg"


@pytest.mark.parametrize("address", ["", "localhost", "localhost:8000", "ftp://x", "http://", "http://u:p@h/"])
def test_an_address_that_can_be_none_is_refused_at_once(address):
    with pytest.raises(ValueError, match="address"):
        Client(address)


@pytest.mark.parametrize("key", ["dk_a_b\n", "dk_ä_b", "dk a"])
def test_a_key_that_can_be_none_is_refused_at_once(key):
    with pytest.raises(ValueError, match="key"):
        Client("http://127.0.0.1:1", key)


def test_a_server_may_lie_under_a_path(talk):
    client, script = talk(Answer(200, LIMITS), path="/images/")
    client.limits()
    assert script.asked == ["GET /images/v1/limits"]


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(talk, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    client, _ = talk(Answer(200, LIMITS))
    assert client.limits() == LIMITS
