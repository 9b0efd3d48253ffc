"""The catalog in DynamoDB while requests fail, answers are lost, processes die and others write in between.

Whatever happens at whichever request: a search finds exactly the images that are there, the usage is what counting them
gives, and the same can be done again.
"""

import dataclasses
import itertools
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta

import pytest

from darkroom.catalog import Claim
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.catalog.quotas import Quota
from darkroom.errors import AlreadyExists, NotFound, Unavailable, VersionMoved
from darkroom.model import Query, State
from libraries import FIRST, counted, everything, found_by, image, tombstone
from tables import tables_in

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOURS = 3 * 3600
MOST_STEPS = 16
"""More requests than any one verb takes here."""

numbers = itertools.count()


class Steps:
    """A client on which something happens at one request, counted from 1: see ``at``."""

    def __init__(self, client):
        self._client = client
        self.count = 0
        self.happen = lambda count, send: send()

    def __getattr__(self, operation):
        real = getattr(self._client, operation)

        def ask(**given):
            self.count += 1
            return self.happen(self.count, lambda: real(**given))

        return ask

    def at(self, step, happens):
        """From now on, count anew, and at request ``step`` have ``happens(send)`` answer."""
        self.count = 0
        self.happen = lambda count, send: happens(send) if count == step else send()

    def from_(self, step, happens):
        """As ``at``, for all requests from ``step`` on."""
        self.count = 0
        self.happen = lambda count, send: happens(send) if count >= step else send()

    def heal(self):
        """Let everything be as it is."""
        self.happen = lambda count, send: send()


def refused(send):
    raise Unavailable("not sent")


def lost(send):
    send()
    raise Unavailable("sent, but the answer is lost")


class Clock:
    def __init__(self):
        self.now = NOW.timestamp()

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def tables(emulator):
    with tables_in(emulator) as it:
        yield it


@pytest.fixture(scope="module")
def table(tables):
    return tables.make()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def steps(tables):
    return Steps(tables.client)


@pytest.fixture
def catalog(steps, table, clock):
    with closing(DynamoCatalog(steps, table, clock=clock)) as it:
        yield it


@pytest.fixture
def other(tables, table, clock):
    """Another process."""
    with closing(DynamoCatalog(tables.client, table, clock=clock)) as it:
        yield it


def hold(catalog, owner, ids):
    """Hold searches and usage against what there is; return it."""
    there = [one for image_id in ids if (one := catalog.get(image_id)) is not None]
    criteria = [
        {"states": ()},
        {"states": (State.READY,)},
        {"states": (State.AWAITING, State.FAILED)},
        {"states": (), "tags": ("old",)},
        {"states": (), "tags": ("new",)},
        {"states": (), "words": "jpg"},
    ]
    for each in criteria:
        query = Query(owner=owner, **each)
        assert everything(catalog, query) == found_by(query, there), each
    used = catalog.usage(owner, tickets_since=FIRST)
    assert (used.images, used.bytes, used.open_tickets) == counted(owner, FIRST, there)
    return there


def entries_of(tables, table, owner, term):
    return [item for item in tables.items(table) if item["pk"]["S"] == f"t#{owner}#{term}#0"]


def begun(**members):
    """Return a new image of a new owner, whose upload has begun."""
    number = next(numbers)
    return image(
        number,
        owner=f"owner-{number}",
        **{"tags": ("old", "both"), "state": State.AWAITING, "promised_bytes": 100} | members,
    )


def ready(one):
    number = int(one.filename.removeprefix("IMG_").removesuffix(".jpg"))
    return image(number, owner=one.owner, tags=("new", "both"), album="a", length=250)


def create_with_everything(catalog, one):
    quota = Quota(images=5, bytes=1000, open_tickets=3)
    catalog.create(one, within=quota, claim=Claim(name="key", fingerprint="same", until=NOW + timedelta(days=1)))


def replace(catalog, one):
    catalog.replace(ready(one), version=1)


def bury(catalog, one):
    catalog.replace(tombstone(one), version=1)


def forget(catalog, one):
    catalog.forget(one.id)


VERBS = (create_with_everything, replace, forget)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
@pytest.mark.parametrize("trouble", [refused, lost], ids=lambda trouble: trouble.__name__)
@pytest.mark.parametrize("dies", [False, True], ids=["goes on", "dies"])
def test_wherever_a_write_is_broken_off_nothing_half_made_is_seen(
    verb, trouble, dies, catalog, other, steps, clock, tables, table
):
    for step in range(1, MOST_STEPS):
        one = begun()
        if verb is not create_with_everything:
            other.create(one)
        before = other.get(one.id)
        (steps.from_ if dies else steps.at)(step, trouble)
        with suppress(Unavailable):
            verb(catalog, one)
        taken = steps.count
        steps.heal()
        (now,) = hold(other, one.owner, [one.id]) or [None]
        # What has died is taken for dead after a while, and again nothing is seen of it.
        clock.now += HOURS
        assert (hold(other, one.owner, [one.id]) or [None]) == [now]
        left = entries_of(tables, table, one.owner, "every")
        assert len(left) == (now is not None and now.state is not State.DELETED), "a search removes what it meets"
        again(verb, other, one, before, now)
        hold(other, one.owner, [one.id])
        if taken < step:
            assert step > 2
            return
    pytest.fail("a verb takes more requests than were tried")


def again(verb, catalog, one, before, now):
    """Do again what was broken off: it is done, or had been."""
    if verb is create_with_everything:
        # If it is there, its claim is bound, and gives it to whoever tries again.
        verb(catalog, one if now is None else dataclasses.replace(one, id=begun().id))
        assert catalog.get(one.id) == one
    elif verb is forget:
        verb(catalog, one)
        assert catalog.get(one.id) is None
    elif now == before:
        verb(catalog, one)
        assert catalog.get(one.id).version == 2
    else:
        with pytest.raises(VersionMoved):
            verb(catalog, one)


OTHERS = {
    "edits": lambda other, one: other.replace(dataclasses.replace(one, tags=("third",)), version=1),
    "buries": bury,
    "forgets": forget,
    "forgets and makes anew": lambda other, one: (other.forget(one.id), other.create(begun_again(one))),
    "counts": lambda other, one: other.usage(one.owner, tickets_since=FIRST),
    "searches": lambda other, one: everything(other, Query(owner=one.owner, states=(), tags=("new",))),
}


def begun_again(one):
    return dataclasses.replace(one, tags=("third",), promised_bytes=7)


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("verb", [replace, bury, forget], ids=lambda verb: verb.__name__)
def test_whenever_another_comes_in_between_both_are_right(verb, what, catalog, other, steps, clock):
    for step in range(1, MOST_STEPS):
        one = begun()
        other.create(one)

        def in_between(send, one=one):
            with suppress(VersionMoved, NotFound, AlreadyExists):
                OTHERS[what](other, one)
            return send()

        steps.at(step, in_between)
        with suppress(VersionMoved, NotFound):
            verb(catalog, one)
        taken = steps.count
        steps.heal()
        there = hold(other, one.owner, [one.id])
        clock.now += HOURS
        assert hold(other, one.owner, [one.id]) == there
        if taken < step:
            return
    pytest.fail("a verb takes more requests than were tried")


def test_of_two_who_create_one_id_with_all_their_requests_mixed_one_does(catalog, other, steps):
    for step in range(1, MOST_STEPS):
        one = begun()
        theirs = dataclasses.replace(one, tags=("third",), promised_bytes=7)
        made = []

        def in_between(send, theirs=theirs, made=made):
            with suppress(AlreadyExists):
                made.append(other.create(theirs))
            return send()

        steps.at(step, in_between)
        with suppress(AlreadyExists):
            made.append(catalog.create(one))
        taken = steps.count
        steps.heal()
        assert hold(other, one.owner, [one.id]) == made
        if taken < step:
            return
    pytest.fail("a creation takes more requests than were tried")
