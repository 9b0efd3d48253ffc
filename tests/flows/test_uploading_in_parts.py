"""Long files in parts, on every deployment: any order, broken off and taken up again, completed once."""

import hashlib
from contextlib import contextmanager

import httpx
import pytest

import pictures
from patience import ready, settled

PART = 8 * 1024 * 1024
BODY = pictures.jpeg(640, 480).ljust(2 * PART + 5_000, b"\0")
"""A picture, and after its end what decoders pass over."""


def ticket_for(client, body=BODY, **said):
    answer = client.post("/v1/uploads", json={"filename": "long.jpg", "bytes": len(body), **said})
    assert answer.status_code == 201, answer.text
    return answer.json()


def put_part(client, ticket, number, body=BODY):
    part, size = ticket["parts"][number - 1], ticket["part_bytes"]
    return client.put(part["url"], content=body[(number - 1) * size : number * size], headers=part["headers"])


def put_parts(client, ticket, *numbers, body=BODY):
    for number in numbers:
        answer = put_part(client, ticket, number, body)
        assert answer.status_code == 200, answer.text


def complete(client, ticket):
    with without_key(client):
        return client.post(ticket["complete_url"])


@contextmanager
def without_key(client):
    """Call as a browser does, which has the ticket and no key."""

    def dropped(request):
        request.headers.pop("authorization", None)

    hooks = client.event_hooks
    client.event_hooks = {"request": [*hooks["request"], dropped], "response": hooks["response"]}
    try:
        yield
    finally:
        client.event_hooks = hooks


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def test_a_long_file_comes_in_parts_breaks_off_and_goes_on(keeping):
    ticket = ticket_for(keeping, sha256=hashlib.sha256(BODY).hexdigest(), tags=["in parts"])
    assert set(ticket) == {
        *("id", "part_bytes", "parts", "received", "complete_url", "resume_url", "expires_at", "duplicates"),
    }
    assert (ticket["part_bytes"], len(ticket["parts"]), ticket["received"]) == (PART, 3, [])
    put_parts(keeping, ticket, 3, 1)
    assert refusal(complete(keeping, ticket)) == (409, "parts-missing")
    with without_key(keeping):
        again = keeping.get(ticket["resume_url"]).json()
    assert (again["id"], again["received"]) == (ticket["id"], [1, 3])
    assert keeping.get(f"/v1/uploads/{ticket['id']}").json()["received"] == [1, 3]
    put_parts(keeping, again, 2)
    answer = complete(keeping, again)
    assert (answer.status_code, answer.json()) == (200, {"id": ticket["id"]})
    assert answer.headers["location"] == f"/v1/images/{ticket['id']}"
    image = settled(keeping, ticket["id"])
    assert (image["state"], image["tags"]) == ("ready", ["in parts"])
    assert image["source"]["sha256"] == hashlib.sha256(BODY).hexdigest()
    assert image["source"]["bytes"] == len(BODY)
    original = keeping.get(f"/v1/images/{ticket['id']}/original")
    if original.is_redirect:  # too long to be answered by a function
        original = httpx.get(original.headers["location"], trust_env=False)
    assert original.content == BODY
    assert complete(keeping, ticket).status_code == 200
    assert refusal(keeping.get(f"/v1/uploads/{ticket['id']}")) == (412, "conflict")
    assert 400 <= put_part(keeping, ticket, 1).status_code < 500
    assert keeping.get(f"/v1/images/{ticket['id']}").json() == image


def test_what_is_completed_without_a_checksum_and_its_original_removed(deleting):
    ticket = ticket_for(deleting)
    put_parts(deleting, ticket, 1, 2, 3)
    assert complete(deleting, ticket).status_code == 200
    image = settled(deleting, ticket["id"])
    assert (image["state"], image["original"]) == ("ready", "deleted")
    assert complete(deleting, ticket).status_code == 200
    probe = ready(deleting, pictures.jpeg(32, 32))
    assert probe["state"] == "ready"  # the queue has been worked through
    assert deleting.get(f"/v1/images/{ticket['id']}").json() == image


def test_other_bytes_than_promised_never_become_an_image(keeping):
    ticket = ticket_for(keeping, sha256=hashlib.sha256(b"others").hexdigest())
    put_parts(keeping, ticket, 1, 2, 3)
    answer = complete(keeping, ticket)
    if answer.status_code == 200:  # S3 knows no checksum of the whole: it is compared when it is processed
        image = settled(keeping, ticket["id"])
        assert (image["state"], image["error"]["code"]) == ("failed", "checksum-mismatch")
    else:
        assert refusal(answer) == (422, "checksum-mismatch")
        assert keeping.get(f"/v1/images/{ticket['id']}").json()["state"] == "awaiting"


@pytest.mark.parametrize("which", ["token", "id", "no token", "malformed"])
def test_only_the_ticket_completes(keeping, which):
    ticket = ticket_for(keeping)
    url = httpx.URL(ticket["complete_url"])
    changed = {
        "token": url.copy_set_param("token", "0" * 32),
        "id": httpx.URL(ticket["complete_url"].replace(ticket["id"], "0" * 26)),
        "no token": url.copy_with(query=None),
        "malformed": url.copy_set_param("token", "me"),
    }
    expected = (404, "not-found") if which in {"token", "id"} else (422, "invalid-request")
    assert refusal(keeping.post(changed[which])) == expected


def test_a_part_of_another_length_is_refused(keeping):
    ticket = ticket_for(keeping)
    part = ticket["parts"][2]
    assert 400 <= keeping.put(part["url"], content=b"x", headers=part["headers"]).status_code < 500
    assert keeping.get(f"/v1/uploads/{ticket['id']}").json()["received"] == []


def test_the_parts_of_a_deleted_image_are_refused(keeping):
    ticket = ticket_for(keeping)
    put_parts(keeping, ticket, 1)
    assert keeping.delete(f"/v1/images/{ticket['id']}").status_code == 204
    assert put_part(keeping, ticket, 3).status_code == 404
    assert refusal(complete(keeping, ticket)) == (404, "not-found")
    assert refusal(keeping.get(f"/v1/uploads/{ticket['id']}")) == (404, "not-found")


def test_a_file_that_comes_whole_has_no_parts_to_ask_for(keeping):
    ticket = ticket_for(keeping, pictures.jpeg(32, 32))
    assert refusal(keeping.get(f"/v1/uploads/{ticket['id']}")) == (404, "not-found")


def test_the_same_idempotency_key_gives_the_same_upload(keeping):
    said = {"filename": "long.jpg", "bytes": len(BODY)}
    first, again = (
        keeping.post("/v1/uploads", json=said, headers={"idempotency-key": "in-parts"}).json() for _ in range(2)
    )
    assert (first["id"], first["complete_url"]) == (again["id"], again["complete_url"])
