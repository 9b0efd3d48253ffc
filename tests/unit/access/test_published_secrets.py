"""Signing secrets that an edge knows: told of every change, and never of one that nobody was given."""

import base64

import pytest

from clock import Clock
from darkroom.access.memory import MemorySecrets
from darkroom.access.published import ANY, MOST_TRIED, PublishedSecrets, shown
from darkroom.access.signing import make_secret
from darkroom.errors import Conflict, Unavailable
from darkroom.transform.options import is_kid


class Edge:
    """What an edge was told last."""

    def __init__(self):
        self.secrets = MemorySecrets(Clock())
        self.knows = None
        self.answers = True

    def publish(self):
        if not self.answers:
            raise Unavailable("it does not answer")
        self.knows = shown(self.secrets.list())


@pytest.fixture
def edge():
    return Edge()


@pytest.fixture
def published(edge):
    return PublishedSecrets(edge.secrets, edge.publish)


def text(secret):
    return base64.urlsafe_b64encode(secret.secret).decode().rstrip("=")


def test_the_edge_knows_what_there_is(edge, published):
    one, other = published.add("local"), published.add("another")
    assert edge.knows == {one.id: text(one), other.id: text(other), ANY: f"{text(one)},{text(other)}"}
    assert published.retire(one.id)
    assert edge.knows == {other.id: text(other), ANY: text(other)}
    assert published.retire(other.id)
    assert edge.knows == {}


def test_a_secret_that_the_edge_could_not_be_told_of_is_none(edge, published):
    edge.answers = False
    with pytest.raises(Unavailable):
        published.add("local")
    assert list(published.list()) == []


def test_one_retired_half_way_is_retired_by_the_next_try(edge, published):
    made = published.add("local")
    edge.answers = False
    with pytest.raises(Unavailable):
        published.retire(made.id)
    assert list(published.list()) == []
    edge.answers = True
    assert not published.retire(made.id)
    assert edge.knows == {}


def test_one_too_many_is_told_to_nobody(edge, published):
    made = [published.add("local") for _ in range(8)]
    before = edge.knows
    with pytest.raises(Conflict):
        published.add("local")
    assert edge.knows == before
    assert len(before) == len(made) + 1


def test_who_names_no_secret_is_tried_with_few():
    many = [make_secret("local", Clock()()) for _ in range(MOST_TRIED + 1)]
    assert ANY in shown(many[:-1])
    assert len(shown(many[:-1])[ANY].encode()) <= 1024, "the most that CloudFront keeps under one name"
    assert ANY not in shown(many)
    assert len(shown(many)) == MOST_TRIED + 1


def test_a_size_for_all_is_there_by_a_name_that_no_secret_can_have(edge):
    secret = edge.secrets.add("local")
    there = shown([secret], {(320, None), (640, 480)})
    assert there.keys() - shown([secret]).keys() == {"-320x0", "-640x480"}
    assert not any(is_kid(name) for name in there.keys() - {secret.id})
