"""A table that throttles, fails, answers late or does half of what it was asked, and what becomes of it."""

import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import botocore.awsrequest
import botocore.exceptions
import botocore.httpsession
import pytest

from darkroom import dynamodb
from darkroom.access import Rate, Scope
from darkroom.access.dynamodb import DynamoAccess, DynamoRates
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.catalog.quotas import Quota
from darkroom.dynamodb import Table
from darkroom.errors import AlreadyExists, Unavailable
from darkroom.model import Query, State
from libraries import FIRST, everything, image
from tables import PREFIX, tables_in

THROTTLED = (400, "ProvisionedThroughputExceededException")
BROKEN = (500, "InternalServerError")


@pytest.fixture(scope="module")
def tables(emulator):
    with tables_in(emulator) as it:
        yield it


@pytest.fixture
def client(emulator, tables):
    """A client as the functions have it, with hooks of its own."""
    made = emulator.session().client("dynamodb", endpoint_url=emulator.url, config=dynamodb.CONFIG)
    yield made
    made.close()


@pytest.fixture
def catalog(client, tables):
    with closing(DynamoCatalog(client, tables.make())) as it:
        yield it


class Wire:
    """What happens to requests of one operation on their way: the first ``times`` of them get ``happens``."""

    def __init__(self, client, operation, times, happens):
        self.seen = 0
        self._times, self._happens = times, happens
        client.meta.events.register(f"before-send.dynamodb.{operation}", self)

    def __call__(self, request, **given):
        self.seen += 1
        return self._happens(request) if self.seen <= self._times else None


class Raw(io.BytesIO):
    def stream(self, **given):
        yield self.read()


def answering(status, code):
    """Answer so without asking the table."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"}).encode()
    return lambda request: botocore.awsrequest.AWSResponse(request.url, status, {}, Raw(body))


def losing(request):
    """Let the table do what it is asked, and lose its answer."""
    session = botocore.httpsession.URLLib3Session()
    session.send(request)
    session.close()
    raise botocore.exceptions.ReadTimeoutError(endpoint_url=request.url)


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN], ids=lambda fault: fault[1])
@pytest.mark.parametrize("operation", ["PutItem", "BatchWriteItem", "UpdateItem"])
def test_a_table_that_refuses_once_is_asked_again(client, catalog, operation, fault):
    wire = Wire(client, operation, 1, answering(*fault))
    catalog.create(image(1))
    assert wire.seen > 1
    assert everything(catalog, Query(owner="local")) == [image(1)]


@pytest.mark.parametrize("fault", [THROTTLED, BROKEN], ids=lambda fault: fault[1])
def test_a_table_that_goes_on_refusing_is_said_within_bounded_time(client, catalog, fault):
    wire = Wire(client, "GetItem", 1000, answering(*fault))
    with pytest.raises(Unavailable, match=fault[1]):
        catalog.check()
    assert wire.seen == 3


def test_a_table_that_cannot_be_reached_is_said(client, catalog):
    def unreachable(request):
        raise botocore.exceptions.EndpointConnectionError(endpoint_url=request.url)

    Wire(client, "GetItem", 1000, unreachable)
    with pytest.raises(Unavailable, match="does not answer"):
        catalog.get(image(1).id)


def test_without_permission_it_is_the_operator_who_is_told(emulator, tables):
    stranger = emulator.session(emulator.allowing()).client(
        "dynamodb", endpoint_url=emulator.url, config=dynamodb.CONFIG
    )
    with (
        closing(stranger),
        closing(DynamoCatalog(stranger, f"{PREFIX}x")) as catalog,
        pytest.raises(Unavailable, match="AccessDenied"),
    ):
        catalog.check()


def test_a_write_whose_answer_is_lost_is_done_once(client, catalog):
    Wire(client, "PutItem", 1, losing)
    catalog.create(image(1, state=State.AWAITING))
    stored = catalog.replace(image(1, tags=("cat",)), version=1)
    assert stored.version == 2
    assert everything(catalog, Query(owner="local", tags=("cat",))) == [stored]
    assert catalog.usage("local", tickets_since=FIRST).images == 1
    with pytest.raises(AlreadyExists):
        catalog.create(image(1))


def test_a_replace_whose_answer_is_lost_has_not_been_overtaken_by_itself(client, catalog):
    catalog.create(image(1))
    Wire(client, "PutItem", 1, losing)
    assert catalog.replace(image(1, title="new"), version=1) == catalog.get(image(1).id)


@pytest.mark.parametrize("quota", [None, Quota(images=1)], ids=["no quota", "quota"])
def test_an_announcement_whose_answer_is_lost_is_counted_once(client, catalog, quota):
    wire = Wire(client, "UpdateItem", 1, losing)
    catalog.create(image(1), within=quota)
    assert wire.seen == 2
    assert catalog.usage("local", tickets_since=FIRST).images == 1


class Stingy:
    """A client whose batches do one item of what they are asked, and give back the rest."""

    def __init__(self, client, *, rounds):
        self._client, self._rounds = client, rounds
        self.asked = 0

    def __getattr__(self, operation):
        return getattr(self._client, operation)

    def batch_get_item(self, RequestItems):  # noqa: N803
        self.asked += 1
        ((name, given),) = RequestItems.items()
        keys = given["Keys"]
        if self.asked > self._rounds or len(keys) == 1:
            return self._client.batch_get_item(RequestItems=RequestItems)
        answer = self._client.batch_get_item(RequestItems={name: given | {"Keys": keys[:1]}})
        return answer | {"UnprocessedKeys": {name: given | {"Keys": keys[1:]}}}

    def batch_write_item(self, RequestItems):  # noqa: N803
        self.asked += 1
        ((name, requests),) = RequestItems.items()
        if self.asked > self._rounds or len(requests) == 1:
            return self._client.batch_write_item(RequestItems=RequestItems)
        self._client.batch_write_item(RequestItems={name: requests[:1]})
        return {"UnprocessedItems": {name: requests[1:]}}


def test_what_a_batch_leaves_undone_is_done_in_the_end(tables):
    name = tables.make()
    with closing(DynamoCatalog(Stingy(tables.client, rounds=3), name)) as catalog:
        for number in range(5):
            catalog.create(image(number))
    with closing(DynamoCatalog(Stingy(tables.client, rounds=3), name)) as catalog:
        assert len(catalog.get_many(tuple(image(number).id for number in range(5)))) == 5
        assert len(everything(catalog, Query(owner="local", words="jpg"))) == 5


def test_a_batch_that_is_never_done_is_given_up(tables, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    stingy = Stingy(tables.client, rounds=10**6)
    with closing(Table(stingy, tables.make())) as table, pytest.raises(Unavailable, match="too busy"):
        table.write_many({"pk": "x", "sk": str(number)} for number in range(25))
    assert stingy.asked == dynamodb.ROUNDS


def test_what_keeps_keys_has_no_secret_in_it(tables):
    name = tables.make()
    with closing(DynamoAccess(tables.client, name, lambda: FIRST)) as access:
        _, text = access.add("alice", "", frozenset({Scope.READ}))
        assert access.identify(text).owner == "alice"
    assert text.rpartition("_")[2] not in repr(tables.items(name))


def test_functions_that_run_at_once_share_a_bucket_exactly(tables):

    name = tables.make()
    functions = [DynamoRates(tables.client, name, lambda: 10**18) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        took = list(pool.map(lambda each: sum(each.take("key", Rate(1, 30)) == 0 for _ in range(20)), functions))
    assert sum(took) == 30
    for each in functions:
        each.close()
