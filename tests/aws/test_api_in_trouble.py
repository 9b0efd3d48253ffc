"""The API function on the deployed stack while its stores fail, throttle and lose answers: who is told what."""

import dataclasses
import secrets
from contextlib import closing

import pytest

import pictures
from between import losing, refusing
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.errors import Unavailable

THROTTLED = refusing(400, "ProvisionedThroughputExceededException")
BROKEN = refusing(500, "InternalError")


@pytest.fixture
def mark():
    return f"m{secrets.token_hex(4)}"


def upload(by_hand, mark, **headers):
    return by_hand.client.post(
        "/v1/images", files={"file": ("a.jpg", pictures.jpeg(60, 40))}, data={"tags": mark}, headers=headers
    )


def everything(by_hand, mark):
    states = ["awaiting", "processing", "ready", "failed"]
    return by_hand.client.get("/v1/images", params={"tag": mark, "state": states}).json()["items"]


def told_to_come_again(answer):
    told = answer.json()
    assert (answer.status_code, told["code"]) == (503, Unavailable.code), answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert "Traceback" not in answer.text
    return True


@pytest.mark.parametrize("verb", ["GetItem", "Query", "BatchGetItem"])
def test_a_table_that_throttles_for_a_moment_is_not_noticed(by_hand, verb):
    by_hand.front.on(verb, THROTTLED, times=2)
    assert by_hand.client.get("/v1/images").status_code == 200


def test_a_table_that_goes_on_throttling_is_a_503_that_says_when_to_come_again(by_hand):
    by_hand.front.on("Query", THROTTLED)
    assert told_to_come_again(by_hand.client.get("/v1/images"))
    by_hand.front.heal()
    assert by_hand.client.get("/v1/images").status_code == 200


def test_an_upload_that_s3_does_not_take_is_not_acknowledged_and_comes_again_as_one_image(by_hand, mark):
    by_hand.front.on("PUT", BROKEN)
    assert told_to_come_again(upload(by_hand, mark, **{"idempotency-key": mark}))
    assert [one["state"] for one in everything(by_hand, mark)] in ([], ["awaiting"])
    assert by_hand.stores.asked == [], "somebody was told that it came"
    by_hand.front.heal()
    answer = upload(by_hand, mark, **{"idempotency-key": mark})
    assert answer.status_code == 202, answer.text
    assert by_hand.hands.give(by_hand.hands.take_of(answer.json()["id"])) == []
    (image,) = everything(by_hand, mark)
    assert (image["id"], image["state"]) == (answer.json()["id"], "ready")


@pytest.mark.parametrize("verb", ["PutItem", "PUT", "UpdateItem"])
def test_an_upload_whose_answer_is_lost_on_the_way_is_one_image(by_hand, mark, verb):
    before = by_hand.client.get("/v1/usage").json()["images"]["used"]
    by_hand.front.on(verb, losing, times=1)
    answer = upload(by_hand, mark)
    assert answer.status_code == 202, answer.text
    by_hand.hands.take_of(answer.json()["id"])
    assert [one["id"] for one in everything(by_hand, mark)] == [answer.json()["id"]]
    assert by_hand.client.get("/v1/usage").json()["images"]["used"] == before + 1


def test_what_one_changes_while_another_does_is_refused_or_both_are_kept(by_hand, mark):
    image_id = upload(by_hand, mark).json()["id"]
    url = f"/v1/images/{image_id}"
    version = by_hand.client.get(url).headers["etag"]

    def another(asked, forward):
        dynamodb, table = by_hand.deployed.stack._clients("dynamodb"), by_hand.deployed.outputs["FilesTableName"]
        with closing(DynamoCatalog(dynamodb, table)) as catalog:
            image = catalog.get(image_id)
            catalog.replace(dataclasses.replace(image, album="theirs"), version=image.version)
        return forward()

    by_hand.front.on("PutItem", another, times=1)
    assert by_hand.client.patch(url, json={"title": "mine"}).status_code == 200
    image = by_hand.image(image_id)
    assert (image["title"], image["album"]) == ("mine", "theirs")
    refused = by_hand.client.patch(url, json={"title": "late"}, headers={"if-match": version})
    assert (refused.status_code, refused.json()["code"]) == (412, "conflict")
