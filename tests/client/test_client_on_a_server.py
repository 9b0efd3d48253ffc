"""The client's calls on a real server: what a program that uses it goes through."""

import hashlib
import io
import uuid

import pytest

import pictures
from darkroom.client import ApiError, Client, Criteria, Damaged, Labels

WAIT = 30.0


@pytest.fixture
def client(server):
    with Client(server.url) as client:
        yield client


@pytest.fixture
def tag():
    """A tag that no other test's images have."""
    return uuid.uuid4().hex


def picture(**given):
    """Bytes of an image that no other test uploads."""
    return pictures.jpeg(120, 90, comment=uuid.uuid4().bytes, **given)


def test_an_upload_by_ticket_is_made_ready_found_and_fetched(client, tag, tmp_path):
    body = picture()
    file = tmp_path / "Strand bei Nacht.jpg"
    file.write_bytes(body)
    moved: list[int] = []
    image = client.upload(file, Labels(tags=(tag,), album="Sea", title="Night"), wait=WAIT, sent=moved.append)
    assert (image.state, image.filename, image.album, image.title) == ("ready", file.name, "Sea", "Night")
    assert image.source is not None
    assert (image.source.width, image.source.height) == (120, 90)
    assert image.source.sha256 == hashlib.sha256(body).hexdigest()
    assert sum(moved) == len(body)

    assert [found.id for found in client.search(Criteria(tags=(tag,)))] == [image.id]
    original, variant = io.BytesIO(), io.BytesIO()
    client.original(image.id, original, sha256=hashlib.sha256(body).hexdigest())
    assert original.getvalue() == body
    with pytest.raises(Damaged):
        client.original(image.id, io.BytesIO(), sha256=hashlib.sha256(b"another").hexdigest())
    client.download(image.variants[0].url, variant)
    assert len(variant.getvalue()) == image.variants[0].bytes


def test_the_simple_door_answers_once_it_is_ready(client, tag):
    image = client.upload_small(picture(), Labels(tags=(tag,)), filename="small.jpg", wait=WAIT)
    assert (image.state, image.filename, image.tags) == ("ready", "small.jpg", (tag,))


def test_the_simple_door_refuses_what_is_no_image_and_a_ticket_says_it_later(client):
    words = b"these are words, not a picture " + uuid.uuid4().bytes
    with pytest.raises(ApiError) as caught:
        client.upload_small(words)
    assert (caught.value.status, caught.value.code) == (415, "unsupported-format")
    image = client.upload(words, wait=WAIT)
    assert image.state == "failed"
    assert image.error is not None
    assert image.error.code == "unsupported-format"
    assert client.has_original(image.id)


def test_search_follows_cursors_over_all_pages(client, tag):
    ids = [client.upload(picture(), Labels(tags=(tag,)), wait=WAIT).id for _ in range(5)]
    found = [image.id for image in client.search(Criteria(tags=(tag,)), page_limit=2)]
    assert found == sorted(ids, reverse=True)


def test_a_patch_changes_empties_and_minds_the_version(client, tag):
    image = client.upload(picture(), Labels(tags=(tag,), title="Old"), wait=WAIT)
    changed = client.patch(image.id, {"title": None, "add_tags": ["x"], "remove_tags": [tag]}, version=image.version)
    assert (changed.title, changed.tags) == (None, ("x",))
    with pytest.raises(ApiError) as caught:
        client.patch(image.id, {"title": "Late"}, version=image.version)
    assert caught.value.status == 412


def test_a_deleted_image_is_not_found(client):
    image = client.upload(picture(), wait=WAIT)
    client.delete(image.id)
    with pytest.raises(ApiError) as caught:
        client.get(image.id)
    assert (caught.value.status, caught.value.code) == (404, "not-found")
    assert not client.has_original(image.id)


def test_reprocessing_makes_the_variants_again(client):
    image = client.upload(picture(), wait=WAIT)
    again = client.reprocess(image.id)
    assert client.settled(again.id, WAIT).state == "ready"


def test_a_file_over_the_limit_is_refused_before_it_is_sent(client, tmp_path):
    file = tmp_path / "large.jpg"
    with file.open("wb") as opened:
        opened.truncate(client.limits()["ticket_bytes"] + 1)
    moved: list[int] = []
    with pytest.raises(ApiError) as caught:
        client.upload(file, sent=moved.append)
    assert (caught.value.status, moved) == (413, [])


def test_recipes_and_health_are_told(client):
    client.health()
    assert {recipe.name for recipe in client.variants()} == {"large", "medium", "small"}


def test_keys_are_made_used_and_revoked(keyed_server):
    with Client(keyed_server.url, keyed_server.key) as admin:
        made = admin.add_key("a test", owner="somebody", scopes=["read"])
        assert made.id in {key.id for key in admin.list_keys()}
        assert all(key.key is None for key in admin.list_keys())
        with Client(keyed_server.url, made.key) as reader:
            assert list(reader.search()) == []
            with pytest.raises(ApiError) as caught:
                reader.upload(picture())
            assert (caught.value.status, caught.value.code) == (403, "forbidden")
            admin.revoke_key(made.id)
            with pytest.raises(ApiError) as caught:
                list(reader.search())
            assert (caught.value.status, caught.value.code) == (401, "unauthorized")


def test_originals_that_are_removed_are_said_to_be(keyed_server):
    with Client(keyed_server.url, keyed_server.key) as client:
        image = client.upload(picture(), wait=WAIT)
        assert image.original == "deleted"
        assert not client.has_original(image.id)
        with pytest.raises(ApiError) as caught:
            client.original(image.id, io.BytesIO())
        assert caught.value.code == "original-deleted"
        with pytest.raises(ApiError) as caught:
            client.reprocess(image.id)
        assert caught.value.code == "original-deleted"
        again = client.reprocess(image.id, from_rendition=True)
        assert client.settled(again.id, WAIT).state == "ready"
