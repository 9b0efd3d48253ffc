"""What is done on a deployed stack about pictures that are made on demand, for the table of ``permissions.py``.

The render function is asked as CloudFront asks it, that of IIIF as API Gateway does. The stage has the first one leave
every AVIF to the transform function.
"""

from __future__ import annotations

import base64
import random
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from PIL import Image

import pictures
from darkroom import names
from darkroom.edge.window import ASKED
from darkroom.events import ResultWanted
from darkroom.results import Result
from darkroom.results.dynamodb import DynamoResults
from hands import message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flow_stage import Stage

LONG_AGO = timedelta(days=60)
"""Longer than the bucket keeps a result that nobody asks for."""
TOO_LITTLE = 330
"""MiB of a function in which no picture can be made: nearly all of it is the function's own."""
ALL = "width=60"
"""Of an image that is no wider: no variant has any headroom over it, so it is made from the original."""


def _address(stage: Stage, image_id: str, options: str, extension: str = "jpg") -> str:
    asked = {"id": image_id, "options": options, "ext": extension}
    return urlsplit(stage.asked("POST", "/v1/sign", json=asked)["url"]).path


def _shown(stage: Stage, address: str) -> str:
    """Ask for a picture that has to come; return its media type."""
    event = {"headers": {ASKED: address, "accept": "image/avif,*/*"}, "requestContext": {"http": {"method": "GET"}}}
    answer = stage.deployed.invoke("RenderFunctionName", event)
    assert answer["statusCode"] == 200, base64.b64decode(answer["body"])[:1000]
    return str(answer["headers"]["content-type"])


def _seen(stage: Stage, image_id: str, options: str = "width=20") -> str:
    """See a picture; return its key."""
    assert _shown(stage, _address(stage, image_id, options)) == "image/jpeg"
    key = f"{names.asset_prefix(image_id)}{names.RESULTS}{options}.jpg"
    assert stage.keys(key) == [key]
    return key


@contextmanager
def _ledger(stage: Stage, ago: timedelta = timedelta(0)) -> Iterator[DynamoResults]:
    """Give the ledger of results to somebody whose clock shows another time."""
    table = stage.deployed.outputs["ResultsTableName"]
    dynamodb = stage.deployed.stack._clients("dynamodb")
    with closing(DynamoResults(dynamodb, table, lambda: datetime.now(UTC) - ago)) as results:
        yield results


@contextmanager
def _overtaken(stage: Stage, image_id: str, *, after: int = 1) -> Iterator[None]:
    """Have an image change when a picture of it is made, and not yet entered as finished.

    That is when items were changed ``after`` times: when it was claimed, and before that when it was counted, if it is.
    """

    def changed(asked: Any, forward: Any) -> Any:
        with _ledger(stage) as results:
            results.void(image_id)
        return forward()

    stage.table.on("UpdateItem", changed, skip=after, times=1)
    try:
        yield
    finally:
        stage.table.heal()


# ------------------------------------------------------------------ addresses


def renew_secrets(stage: Stage) -> None:
    """make a signing secret, see a picture by it, and take it back"""
    image_id = stage.ready()
    made = stage.asked("POST", "/v1/secrets", json={"owner": "local"})
    try:
        _seen(stage, image_id)
    finally:
        stage.asked("DELETE", f"/v1/secrets/{made['id']}")


def see(stage: Stage) -> None:
    """see a picture that nobody has asked for before"""
    _seen(stage, stage.ready())


def see_whole(stage: Stage) -> None:
    """see a picture that has to be made from the original"""
    _seen(stage, stage.ready(), ALL)


def see_early(stage: Stage) -> None:
    """see a picture made from an original that is not archived yet"""
    image_id = stage.ready()
    _unarchive(stage, image_id)
    _seen(stage, image_id, ALL)


def _unarchive(stage: Stage, image_id: str) -> None:
    archived, arrived = f"archive/{image_id}", f"originals/{image_id}"
    stage.put(arrived, stage.s3().get_object(Bucket=stage.bucket(archived), Key=archived)["Body"].read())
    stage.remove(archived)


def see_changed(stage: Stage) -> None:
    """see a picture of an image that changes at that moment"""
    image_id = stage.ready()
    with _overtaken(stage, image_id):
        _seen(stage, image_id)


def see_later(stage: Stage) -> None:
    """have an AVIF that takes long made by and by"""
    image_id = stage.ready()
    address = _address(stage, image_id, "width=20", "auto")
    assert _shown(stage, address) != "image/avif"
    assert stage.hands.counts() == (1, 0), "nobody is asked to make it"
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    assert _shown(stage, address) == "image/avif"


# ------------------------------------------------------------------ by the IIIF Image API


def _asked_by_iiif(stage: Stage, image_id: str, size: str, extension: str = "jpg") -> dict[str, Any]:
    """Ask for a picture; return the answer as Lambda is told it."""
    path = f"/iiif/{image_id}/full/{size}/0/default.{extension}"
    event = {"rawPath": path, "headers": {}, "requestContext": {"http": {"method": "GET"}}}
    return dict(stage.deployed.invoke("IiifFunctionName", event))


def _seen_by_iiif(stage: Stage, image_id: str, size: str = "20,", options: str = "width=20") -> None:
    answer = _asked_by_iiif(stage, image_id, size)
    assert answer["statusCode"] == 200, base64.b64decode(answer["body"])[:1000]
    key = f"{names.asset_prefix(image_id)}{names.RESULTS}{options}.jpg"
    assert stage.keys(key) == [key]


def view(stage: Stage) -> None:
    """see a picture by IIIF"""
    _seen_by_iiif(stage, stage.ready())


def view_whole(stage: Stage) -> None:
    """see a picture by IIIF that has to be made from the original"""
    _seen_by_iiif(stage, stage.ready(), "max", "fit=inside")


def view_early(stage: Stage) -> None:
    """see a picture by IIIF made from an original that is not archived yet"""
    image_id = stage.ready()
    _unarchive(stage, image_id)
    _seen_by_iiif(stage, image_id, "max", "fit=inside")


def view_changed(stage: Stage) -> None:
    """see a picture by IIIF of an image that changes at that moment"""
    image_id = stage.ready()
    with _overtaken(stage, image_id, after=2):
        _seen_by_iiif(stage, image_id)


def view_larger(stage: Stage) -> None:
    """be sent by IIIF to where a large picture is"""
    noise = Image.frombytes("RGB", (1300, 1300), random.Random(1).randbytes(1300 * 1300 * 3))
    body = pictures.encode(noise, "JPEG", quality=60)
    answer = stage.client.post("/v1/images", files={"file": ("a.jpg", body)})
    assert answer.status_code == 202, answer.text
    image_id = str(answer.json()["id"])
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    sent = _asked_by_iiif(stage, image_id, "1290,", "png")
    assert sent["statusCode"] == 307, base64.b64decode(sent["body"])[:1000]
    assert "/t/width=1290," in sent["headers"]["location"]


def view_later(stage: Stage) -> None:
    """have a picture made by and by that was asked for by IIIF and could not be made there"""
    image_id = stage.ready()
    with stage.deployed.configured("IiifFunction", memory=TOO_LITTLE):
        assert _asked_by_iiif(stage, image_id, "20,")["statusCode"] == 503
        assert stage.hands.counts() == (1, 0), "nobody is asked to make it"
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    _seen_by_iiif(stage, image_id)


# ------------------------------------------------------------------ the other functions


def make_changed(stage: Stage) -> None:
    """have a picture made by and by of an image that changes at that moment"""
    image_id = stage.ready()
    wanted = message(ResultWanted(image_id=image_id, options="width=20", extension="jpg"))
    with _overtaken(stage, image_id):
        assert stage.hands.give(wanted) == []
    assert stage.keys(f"i/{image_id}/t/") == [f"i/{image_id}/t/width=20.jpg"]


def delete_made(stage: Stage) -> None:
    """delete an image with what was made of it on demand"""
    image_id = stage.ready()
    _seen(stage, image_id)
    stage.asked("DELETE", f"/v1/images/{image_id}")
    stage.hands.clear()
    assert stage.keys(f"i/{image_id}/") == []


def sweep_unused(stage: Stage) -> None:
    """have a sweep forget what the bucket has removed of what was made on demand"""
    image_id = stage.ready()
    with _ledger(stage, LONG_AGO) as then:
        receipt = then.claim(image_id, "t/width=20.jpg", 1)
        assert receipt
        assert then.commit(receipt, Result(image_id=image_id, name="t/width=20.jpg", checksum="x"))
        given_up = then.claim(image_id, "t/width=21.jpg", 1)
        assert given_up
        then.release(given_up, image_id, "t/width=21.jpg")
    stage.sweeps()
    with _ledger(stage) as now:
        assert not now.owns(image_id, "t/width=20.jpg")
    assert not [use for use in _uses(stage) if use.endswith(f"{image_id}#t/width=21.jpg")]


def _uses(stage: Stage) -> list[str]:
    """Return when what was used, as the table has it."""
    items = stage.deployed.stack._clients("dynamodb").query(
        TableName=stage.deployed.outputs["ResultsTableName"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "ru"}},
        ConsistentRead=True,
    )["Items"]
    return [each["sk"]["S"] for each in items]
