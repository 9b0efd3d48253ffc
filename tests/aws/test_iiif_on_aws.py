"""The IIIF Image API on AWS: the function behind an API of its own, deployed from the template, permissions enforced.

In the emulator as it is. What that leaves out is how many requests API Gateway lets through.
"""

import base64
import json
import random
from urllib.parse import urlsplit

import pytest
from PIL import Image

import pictures
from answers import picture_of, refused_openly
from between import between
from darkroom.edge.window import ASKED
from darkroom.serverless.wire import LARGEST_ANSWER_BYTES
from deployed import deploying
from patience import ready
from validating import assert_beyond, assert_level_2, drawn


@pytest.fixture(scope="module")
def viewers(emulator):
    """What viewers reach the API by: the validator knows no other host than it connects to."""
    with between(emulator.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stack(emulator, packages, viewers):
    asked = {"IiifOwners": "local,museum,archive", "Originals": "archive", "IiifUrl": viewers.url}
    with deploying(emulator, packages, **asked) as deployed:
        viewers.host = urlsplit(deployed.outputs["IiifApiEndpoint"]).netloc
        deployed.make_defaults()
        deployed.add_secret("local")
        yield deployed


@pytest.fixture(scope="module")
def client(stack):
    with stack.client(stack.new_key()) as opened:
        yield opened


@pytest.fixture(scope="module")
def image(client):
    return ready(client, pictures.jpeg(400, 300))


def results_of(stack, image):
    prefix = f"i/{image['id']}/t/"
    found = stack.stack._clients("s3").list_objects_v2(Bucket=stack.outputs["AssetsBucketName"], Prefix=prefix)
    return sorted(each["Key"].removeprefix(prefix) for each in found.get("Contents", []))


def test_the_official_validator_passes_every_test_of_level_2(client, viewers, tmp_path):
    squares = ready(client, drawn(tmp_path), filename="squares.png")
    assert_level_2(viewers.url, squares["id"])
    assert_beyond(viewers.url, squares["id"])


def test_an_image_is_described_by_the_address_that_viewers_know(client, image, viewers):
    answer = client.get(f"/iiif/{image['id']}/info.json")
    said = answer.json()
    assert said["id"] == f"{viewers.url}/iiif/{image['id']}"
    assert (said["width"], said["height"], said["profile"]) == (400, 300, "level2")
    assert answer.headers["cache-control"] == "public, max-age=60"
    bare = client.get(f"/iiif/{image['id']}")
    assert (bare.status_code, bare.headers["location"]) == (303, f"{said['id']}/info.json")


def test_a_picture_is_made_once_and_the_same_result_as_of_a_signed_address(stack, client):
    image = ready(client, pictures.jpeg(401, 300))
    spellings = ("full/200,", "full/!200,300", "pct:0,0,100,100/200,", "0,0,401,300/200,150")
    answers = [client.get(f"/iiif/{image['id']}/{spelling}/0/default.jpg") for spelling in spellings]
    assert picture_of(answers[0]).size == (200, 150)
    assert len({answer.content for answer in answers}) == 1
    assert results_of(stack, image) == ["width=200.jpg"]
    signed = client.post("/v1/sign", json={"id": image["id"], "options": "width=200", "ext": "jpg"}).json()["url"]
    assert asked_of_the_function(stack, urlsplit(signed).path)["body"] == answers[0].content
    assert answers[0].headers["cache-control"] == "public, max-age=86400, s-maxage=60"
    part = client.get(f"/iiif/{image['id']}/full/200,/0/default.jpg", headers={"range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, answers[0].content[:10])


def asked_of_the_function(stack, path):
    """Ask the function that CloudFront asks for signed addresses."""
    event = {"headers": {ASKED: path}, "requestContext": {"http": {"method": "GET"}}}
    told = stack.invoke("RenderFunctionName", event)
    return told | {"body": base64.b64decode(told["body"])}


def test_what_is_wrong_is_400_and_what_is_not_there_404(stack, client, image):
    before = results_of(stack, image)
    for wrong in ("full/max/0/default", "full/max/45/default.jpg", "5000,0,5,5/max/0/default.jpg", "full/max"):
        refused_openly(client.get(f"/iiif/{image['id']}/{wrong}"), 400, "invalid-request")
    assert "rotation" in refused_openly(
        client.get(f"/iiif/{image['id']}/full/max/45/default.jpg"), 400, "invalid-request"
    )
    for missing in ("nobody", "01k0000000000000000000000a", image["id"].upper()):
        refused_openly(client.get(f"/iiif/{missing}/full/max/0/default.jpg"), 404, "not-found")
    assert client.post(f"/iiif/{image['id']}/info.json").status_code == 405
    assert results_of(stack, image) == before


def test_it_is_switched_on_for_each_owner(stack, client, image):
    with stack.client(stack.new_key("stranger")) as other:
        strange = ready(other, pictures.jpeg(402, 300))
    for path in ("info.json", "full/50,/0/default.jpg"):
        refused_openly(client.get(f"/iiif/{strange['id']}/{path}"), 404, "not-found")
    assert results_of(stack, strange) == []


def test_what_has_to_be_made_has_a_rate_of_its_own_and_what_is_there_has_none(stack, client):
    # Of owners whom no other test is about: what they have taken stays taken.
    stack.add_secret("museum")
    with (
        stack.client(stack.new_key("museum")) as museum,
        stack.client(stack.new_key("archive")) as archive,
        stack.configured("IiifFunction", DARKROOM_IIIF_RATE="0.001", DARKROOM_IIIF_BURST="2"),
    ):
        shown = ready(museum, pictures.jpeg(403, 300))
        address = f"/iiif/{shown['id']}/full/{{}},/0/default.jpg"
        assert [client.get(address.format(width)).status_code for width in (10, 11, 12)] == [200, 200, 429]
        again = client.get(address.format(12))
        assert "too many new pictures" in refused_openly(again, 429, "rate-limited")
        assert int(again.headers["retry-after"]) > 0
        assert {client.get(address.format(width)).status_code for width in (10, 11) * 3} == {200}
        other = ready(archive, pictures.jpeg(404, 300))
        assert picture_of(client.get(f"/iiif/{other['id']}/full/10,/0/default.jpg")).width == 10
        signed = museum.post("/v1/sign", json={"id": shown["id"], "options": "width=12", "ext": "jpg"}).json()["url"]
        assert asked_of_the_function(stack, urlsplit(signed).path)["statusCode"] == 200
        assert client.get(address.format(12)).status_code == 200


def test_what_is_longer_than_a_function_s_answer_is_sent_for_to_the_distribution(stack, client):
    noise = Image.frombytes("RGB", (1500, 1500), random.Random(1).randbytes(1500 * 1500 * 3))
    image = ready(client, pictures.encode(noise, "JPEG", quality=60))
    sent = client.get(f"/iiif/{image['id']}/full/1450,/0/default.png")
    assert (sent.status_code, sent.headers["cache-control"]) == (307, "no-store")
    assert sent.headers["access-control-allow-origin"] == "*"
    there = urlsplit(sent.headers["location"])
    assert there.netloc == stack.outputs["DistributionDomain"]
    assert results_of(stack, image) == ["width=1450.png"]
    told = asked_of_the_function(stack, there.path)
    assert told["statusCode"] == 307, "the address is signed, so the function says where the bucket has it"
    found = stack.stack._clients("s3").head_object(
        Bucket=stack.outputs["AssetsBucketName"], Key=f"i/{image['id']}/t/width=1450.png"
    )
    assert found["ContentLength"] > LARGEST_ANSWER_BYTES


def test_a_deleted_image_is_gone_here_too(stack, client):
    image = ready(client, pictures.jpeg(405, 300))
    address = f"/iiif/{image['id']}/full/100,/0/default.jpg"
    assert client.get(address).status_code == 200
    assert client.delete(f"/v1/images/{image['id']}").status_code == 204
    for path in (address, f"/iiif/{image['id']}/info.json", f"/iiif/{image['id']}/full/101,/0/default.jpg"):
        refused_openly(client.get(path), 404, "not-found")


def test_the_function_of_signed_addresses_is_no_way_around_it(stack, image):
    told = asked_of_the_function(stack, f"/iiif/{image['id']}/full/50,/0/default.jpg")
    assert (told["statusCode"], json.loads(told["body"])["code"]) == (403, "bad-signature")
