"""The transform function on the deployed stack while S3 and DynamoDB fail, are slow, throttle or lose answers.

And while pictures break the decoder, functions run out of time and others write in between. Each time: it recovers, or
it is dead-lettered with a reason and can be redriven, and nobody is shown anything half-made.
"""

import io
import json
import secrets
import threading
import time

import pytest
from PIL import Image
from typer.testing import CliRunner

import pictures
from between import halving, losing, passing, refusing
from darkroom.cli import command_line
from darkroom.events import ObjectCreated
from darkroom.events.sqs import ATTEMPTS, REASON
from darkroom.serverless.object_created import NEVER_ENDED
from emulator import REGION
from hands import attribute, events_of, message
from patience import shows_default

THROTTLED = refusing(400, "ProvisionedThroughputExceededException")
BROKEN = refusing(500, "InternalError")
BUSY = refusing(503, "SlowDown")


@pytest.fixture
def mark():
    return f"m{secrets.token_hex(4)}"


@pytest.fixture
def posted(by_hand, mark):
    return by_hand.posted(pictures.jpeg(300, 200), tags=mark)


def slow(seconds):
    def rule(asked, forward):
        time.sleep(seconds)
        return forward()

    return rule


# ------------------------------------------------------------------ trouble that passes


PASSING = {
    "an original that S3 fails to give": ("GET", BROKEN, "originals/"),
    "an original of which S3 gives half": ("GET", halving, "originals/"),
    "S3 that is too busy for a variant": ("PUT", BUSY, "i/"),
    "a variant put, and the answer lost": ("PUT", losing, "i/"),
    "an original removed, and the answer lost": ("POST", losing, ""),
    "S3 that is slow": ("PUT", slow(0.7), "i/"),
    "a table that throttles reads": ("GetItem", THROTTLED, ""),
    "a table that throttles writes": ("PutItem", THROTTLED, ""),
    "a table that throttles entries": ("BatchWriteItem", THROTTLED, ""),
    "a table that fails": ("PutItem", refusing(500, "InternalServerError"), ""),
    "the commit done, and the answer lost": ("PutItem", losing, ""),
    "the counters changed, and the answer lost": ("UpdateItem", losing, ""),
}


@pytest.mark.parametrize("what", PASSING)
def test_trouble_that_passes_is_sat_out_within_one_try(by_hand, posted, mark, what):
    verb, happens, key = PASSING[what]
    image_id, arrival = posted
    by_hand.stores.on(verb, happens, key=key, times=2 if happens is not losing else 1)
    assert by_hand.hands.give(arrival) == []
    assert by_hand.stores.count(verb, key) >= 2, "nothing was asked again"
    assert by_hand.is_whole(image_id, mark)
    assert by_hand.keys("UploadBucketName", f"originals/{image_id}") == []
    used = by_hand.client.get("/v1/usage").json()
    listed = by_hand.client.get("/v1/images", params={"limit": 200}).json()["items"]
    assert used["images"]["used"] == len(listed), "counted twice, or not at all"


# ------------------------------------------------------------------ trouble that lasts


def all_of(*verbs_and_rules):
    def rule(asked, forward):
        for verb, happens in verbs_and_rules:
            if asked.verb == verb:
                return happens(asked, forward)
        return forward()

    return rule


EVERYTHING_OF = {
    "S3": all_of(("GET", BROKEN), ("PUT", BROKEN), ("HEAD", BROKEN), ("POST", BROKEN)),
    "the table": all_of(*((verb, THROTTLED) for verb in ("GetItem", "PutItem", "Query", "UpdateItem"))),
}


@pytest.mark.parametrize("store", EVERYTHING_OF)
def test_while_a_store_does_not_answer_at_all_no_image_is_to_blame(by_hand, posted, mark, store):
    image_id, arrival = posted
    by_hand.stores.rule = EVERYTHING_OF[store]
    for tries in (1, 5):
        assert by_hand.hands.give(arrival, tries=tries) == []
        arrival = message(arrival["body"])
    by_hand.stores.rule = passing
    assert by_hand.hands.counts() == (0, 2), "each comes back in a minute, as a message of its own"
    assert by_hand.hands.buried() == []
    assert by_hand.image(image_id)["state"] == "processing"
    assert by_hand.is_unseen(image_id, mark)
    assert shows_default(by_hand.client.get(f"/i/{image_id}/small.jpg"), "processing")
    assert by_hand.hands.give(message(arrival["body"])) == []
    assert by_hand.is_whole(image_id, mark)


def test_what_fails_for_one_image_only_fails_alone_and_is_given_up_with_the_reason(by_hand, mark):
    """One of three in a batch; then its last try, its burial, and an operator who has it tried once more."""
    images = [by_hand.posted(pictures.jpeg(60 + number, 40), tags=mark) for number in range(3)]
    image_id, arrival = images[1]
    by_hand.stores.on("GET", BROKEN, key=f"originals/{image_id}")
    failed = by_hand.hands.give(*(each for _, each in images))
    assert failed == [arrival]
    assert [by_hand.image(one)["state"] for one, _ in images] == ["ready", "processing", "ready"]
    assert by_hand.hands.give(arrival, tries=4) == [arrival]
    assert by_hand.image(image_id)["state"] == "processing"
    assert by_hand.hands.give(arrival, tries=5) == []
    image = by_hand.image(image_id)
    assert (image["state"], image["error"]["code"]) == ("failed", "gave-up")
    assert "the bucket does not answer" in image["error"]["detail"]
    assert by_hand.keys("AssetsBucketName", f"i/{image_id}/") == []
    (told,) = failures(by_hand)
    assert told["id"] == image_id
    (buried,) = told["events"]
    assert (buried["work"], buried["attempts"]) == ("rendering", 5)
    assert buried["reason"].startswith("unavailable: the bucket does not answer")
    by_hand.stores.heal()
    operator(by_hand, "failed", "retry", image_id)
    assert by_hand.hands.give(by_hand.hands.take_of(image_id)) == []
    assert by_hand.image(image_id)["state"] == "ready"
    assert failures(by_hand) == []


def operator(by_hand, *arguments):
    """Run a command on the stage, and return what it prints."""
    stage = ("--stage", by_hand.deployed.stack.name.removeprefix("darkroom-"), "--region", REGION)
    ran = CliRunner().invoke(command_line(), [*arguments, *stage], env=by_hand.deployed.emulator.environment())
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def failures(by_hand):
    """Return what an operator sees in the failure inbox."""
    listed = operator(by_hand, "failed", "list", "--json")
    return [one for one in map(json.loads, listed.splitlines()) if "id" in one]


# ------------------------------------------------------------------ the decoder, and time


def poison():
    """A picture that is honest, and small enough for a stage, and takes more memory than the function below has."""
    body = io.BytesIO()
    Image.new("RGB", (8_600, 8_600), "teal").save(body, "JPEG", progressive=True, subsampling=0, quality=30)
    return body.getvalue()


def test_a_picture_that_breaks_the_decoder_is_tried_twice_failed_dead_lettered_and_redriven(by_hand, mark):
    image_id, arrival = by_hand.posted(poison(), tags=mark)
    bystander, other = by_hand.posted(pictures.jpeg(60, 40), tags=f"{mark}-other")
    with by_hand.deployed.configured("TransformFunction", memory=450):
        assert by_hand.hands.give(arrival, other) == [arrival]
        assert by_hand.image(image_id)["state"] == "processing"
        assert by_hand.hands.give(arrival, tries=2) == []
    image = by_hand.image(image_id)
    assert (image["state"], image["error"]["code"]) == ("failed", "render-failed")
    assert by_hand.is_unseen(image_id, mark)
    assert by_hand.is_whole(bystander, f"{mark}-other")
    (told,) = failures(by_hand)
    assert (told["id"], [each["attempts"] for each in told["events"]]) == (image_id, [2])
    assert told["events"][0]["reason"].startswith("render-failed: ")
    operator(by_hand, "failed", "retry", image_id)
    assert by_hand.hands.give(by_hand.hands.take_of(image_id)) == []
    assert by_hand.is_whole(image_id, mark)
    assert failures(by_hand) == []


def test_a_function_that_runs_out_of_time_while_it_writes_is_done_again_and_shows_nothing_half_made(
    by_hand, posted, mark
):
    image_id, arrival = posted
    before = by_hand.client.get("/v1/usage").json()
    let_go = threading.Event()

    def hanging(asked, forward):
        let_go.wait(60)

    by_hand.stores.on("PUT", hanging, key=f"i/{image_id}", skip=3)
    try:
        with by_hand.deployed.configured("TransformFunction", timeout=8):
            assert "timed out" in by_hand.hands.dies(arrival).lower()
    finally:
        let_go.set()
    assert len(by_hand.keys("AssetsBucketName", f"i/{image_id}/")) == 3
    assert by_hand.is_unseen(image_id, mark)
    assert by_hand.keys("UploadBucketName", f"originals/{image_id}") != []
    by_hand.stores.heal()
    assert by_hand.hands.give(arrival, tries=2) == []
    assert by_hand.is_whole(image_id, mark)
    assert by_hand.client.get("/v1/usage").json()["images"] == before["images"]


def test_a_function_that_never_comes_to_an_end_is_given_up_in_the_end(by_hand, posted, mark):
    image_id, arrival = posted
    assert by_hand.hands.give(arrival, tries=6) == []
    image = by_hand.image(image_id)
    assert (image["state"], image["error"]["code"]) == ("failed", "gave-up")
    (buried,) = by_hand.hands.buried()
    assert attribute(buried, REASON) == NEVER_ENDED
    assert attribute(buried, ATTEMPTS) == "6"
    assert events_of(buried) == events_of(arrival)


# ------------------------------------------------------------------ others who write in between


def in_between(does):
    def rule(asked, forward):
        does()
        return forward()

    return rule


def test_an_edit_that_comes_before_the_commit_is_kept_and_so_is_the_commit(by_hand, posted, mark):
    image_id, arrival = posted

    def edit():
        answer = by_hand.client.patch(f"/v1/images/{image_id}", json={"title": "in between"})
        assert answer.status_code == 200, answer.text

    by_hand.stores.on("PutItem", in_between(edit), times=1)
    assert by_hand.hands.give(arrival) == []
    assert by_hand.stores.count("PutItem") >= 2, "the condition of the first commit did not fail"
    assert by_hand.is_whole(image_id, mark)
    assert by_hand.image(image_id)["title"] == "in between"


def test_a_deletion_that_comes_before_the_commit_wins_and_nothing_is_left(by_hand, posted, mark):
    image_id, arrival = posted

    def delete():
        assert by_hand.client.delete(f"/v1/images/{image_id}").status_code == 204

    by_hand.stores.on("PutItem", in_between(delete), times=1)
    assert by_hand.hands.give(arrival) == []
    assert by_hand.client.get(f"/v1/images/{image_id}").status_code == 404
    assert by_hand.client.get("/v1/images", params={"tag": mark}).json()["items"] == []
    assert by_hand.keys("AssetsBucketName", f"i/{image_id}/") == []


def test_of_two_functions_that_work_on_one_event_at_a_time_one_commits_and_both_are_content(by_hand, posted, mark):
    image_id, arrival = posted
    other = message(ObjectCreated(key=f"originals/{image_id}", etag="told twice"))

    def work():
        assert by_hand.hands.give(other) == []

    by_hand.stores.on("PutItem", in_between(work), times=1)
    assert by_hand.hands.give(arrival) == []
    assert by_hand.is_whole(image_id, mark)
    assert by_hand.hands.buried() == []
