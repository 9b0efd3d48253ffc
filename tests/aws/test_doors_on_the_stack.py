"""Both upload doors of the deployed stack: a large photo, pages of other origins, and what neither of them takes."""

import pytest

import pictures
from deployed import deploying
from patience import eventually

ORIGIN, STRANGER = "https://shop.example", "https://stranger.example"


@pytest.fixture(scope="module")
def stack(emulator, packages):
    with deploying(emulator, packages, Originals="keep", AllowedOrigins=ORIGIN) as deployed:
        yield deployed


@pytest.fixture
def client(stack):
    with stack.client(stack.new_key()) as asking:
        yield asking


@pytest.fixture(scope="module")
def photo():
    """12 megapixels, in fewer bytes than the simple door takes."""
    body = pictures.encode(pictures.photo(4000, 3000), "JPEG", quality=85, exif=pictures.camera_exif())
    assert 1_000_000 < len(body) < 4 * 1024 * 1024
    return body


def ticket_for(client, length, content_type="image/jpeg"):
    asked = {"filename": "a.jpg", "bytes": length, "content_type": content_type}
    answer = client.post("/v1/uploads", json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def originals(stack):
    found = stack.stack._clients("s3").list_objects_v2(Bucket=stack.outputs["UploadBucketName"], Prefix="originals/")
    return [each["Key"] for each in found.get("Contents", [])]


@pytest.mark.parametrize("door", ["posted", "by ticket"])
def test_a_photo_of_12_megapixels_becomes_ready_and_comes_back_byte_for_byte(client, photo, door):
    if door == "posted":
        answer = client.post("/v1/images", files={"file": ("a.jpg", photo)})
        assert answer.status_code == 202, answer.text
        image_id = answer.json()["id"]
    else:
        ticket = ticket_for(client, len(photo))
        assert client.put(ticket["url"], content=photo, headers=ticket["headers"]).status_code == 200
        image_id = ticket["id"]

    def made():
        image = client.get(f"/v1/images/{image_id}").json()
        assert image["state"] != "failed", image["error"]
        return image if image["state"] == "ready" else None

    image = eventually(made, seconds=120, what="the photo being ready")
    assert (image["source"]["width"], image["source"]["height"]) == (4000, 3000)
    assert {variant["width"] for variant in image["variants"]} == {1920, 1080, 320}
    assert client.get(f"/v1/images/{image_id}/original").content == photo


def test_a_page_of_an_allowed_origin_may_put_to_the_deployed_bucket_and_no_other(client):
    body = pictures.jpeg(30, 20)
    ticket = ticket_for(client, len(body))
    names = ",".join(sorted(name.lower() for name in ticket["headers"]))
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": names}
    allowed = client.options(ticket["url"], headers={"Origin": ORIGIN} | asked)
    assert allowed.is_success, allowed.text
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    stranger = client.options(ticket["url"], headers={"Origin": STRANGER} | asked)
    assert "access-control-allow-origin" not in stranger.headers
    sent = client.put(ticket["url"], content=body, headers={"Origin": ORIGIN} | ticket["headers"])
    assert sent.status_code == 200
    assert sent.headers["access-control-allow-origin"] == ORIGIN


def test_a_put_of_another_length_or_type_is_refused_by_the_signature(stack, client):
    body = pictures.jpeg(30, 20)
    ticket = ticket_for(client, len(body))
    wrong = (
        (body + b"x", ticket["headers"]),
        (body[:-1], ticket["headers"]),
        (body, ticket["headers"] | {"content-type": "text/html"}),
    )
    for content, headers in wrong:
        given = {name.lower(): value for name, value in headers.items()}
        assert client.put(ticket["url"], content=content, headers=given).status_code == 403
    assert f"originals/{ticket['id']}" not in originals(stack)
    assert client.get(f"/v1/images/{ticket['id']}").json()["state"] == "awaiting"


def test_the_simple_door_takes_no_more_than_lambda_does_and_names_the_other_one(stack, client):
    before = originals(stack)
    answer = client.post("/v1/images", content=b"\xff\xd8\xff" + bytes(4 * 1024 * 1024))
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert "/v1/uploads" in answer.json()["detail"]
    assert originals(stack) == before
