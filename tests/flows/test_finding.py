"""What there is to be found in a library: tags and albums with their counts, and copies."""

import hashlib
import io

import pytest
from PIL import Image, ImageEnhance, ImageOps

import pictures
from patience import eventually, ready, uploaded


def listed(client, what, **parameters):
    answer = client.get(f"/v1/{what}", params=parameters)
    assert answer.status_code == 200, answer.text
    return [(item["name"], item["images"]) for item in answer.json()["items"]]


def test_tags_and_albums_are_listed_with_how_many_images_have_them(keeping):
    said = [{"tags": "Finding, finding-two", "album": "Findings"}, {"tags": "FINDING"}]
    first, second = (ready(keeping, pictures.jpeg(40, 30), **labels) for labels in said)

    def are(tags, albums):
        return lambda: (
            (listed(keeping, "tags", prefix="find"), listed(keeping, "albums", prefix="find")) == (tags, albums)
        )

    eventually(are([("FINDING", 2), ("finding-two", 1)], [("Findings", 1)]), what="both counted")
    page = keeping.get("/v1/tags", params={"prefix": "FIND", "limit": 1}).json()
    assert page["items"] == [{"name": "FINDING", "images": 2}]
    rest = {"prefix": "FIND", "cursor": page["next"]}
    assert listed(keeping, "tags", **rest) == [("finding-two", 1)]
    keeping.patch(f"/v1/images/{first['id']}", json={"remove_tags": ["finding"], "album": None})
    eventually(are([("FINDING", 1), ("finding-two", 1)], []), what="the edit being counted")
    for image in (first, second):
        assert keeping.delete(f"/v1/images/{image['id']}").status_code == 204
    eventually(are([], []), what="the deletes being counted")


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"limit": 0}, "limit"), ({"limit": 1001}, "limit"), ({"prefix": "x" * 65}, "prefix"), ({"prefx": "a"}, "prefx")],
)
def test_a_listing_that_cannot_be_meant_is_refused(keeping, parameters, named):
    for what in ("tags", "albums"):
        answer = keeping.get(f"/v1/{what}", params=parameters)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
        assert named in answer.json()["detail"]


def saved(picture, kind="JPEG", **options):
    body = io.BytesIO()
    picture.save(body, kind, **options)
    return body.getvalue()


def alike(client, image, **parameters):
    answer = client.get(f"/v1/images/{image['id']}/similar", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_copies_of_a_picture_are_found_and_other_pictures_are_not(keeping):
    picture = pictures.photo(480, 360, seed=71)
    across, down = round(picture.width * 0.02), round(picture.height * 0.02)
    copies = {
        "resized": saved(picture.resize((160, 120))),
        "recompressed": saved(picture, quality=20),
        "another-format": saved(picture, "PNG"),
        "cropped": saved(picture.crop((across, down, picture.width - across, picture.height - down))),
        "lighter": saved(ImageEnhance.Brightness(picture).enhance(1.3)),
        "grey": saved(ImageOps.grayscale(picture)),
    }
    first = ready(keeping, saved(picture, quality=92), filename="first.jpg")
    for name, body in copies.items():
        ready(keeping, body, filename=f"{name}.jpg")
    for seed in (72, 73, 74):
        ready(keeping, saved(pictures.photo(480, 360, seed=seed)), filename="other.jpg")
    same = ready(keeping, saved(picture, quality=92), filename="same.jpg")
    found = alike(keeping, first)
    assert {one["image"]["filename"].removesuffix(".jpg") for one in found} == {"same", *copies}
    assert [one["image"]["id"] for one in found if one["same_bytes"]] == [same["id"]] == [found[0]["image"]["id"]]
    assert [one["distance"] for one in found[1:]] == sorted(one["distance"] for one in found[1:])
    assert all(one["distance"] <= 80 for one in found)
    assert len(alike(keeping, first, limit=2)) == 2


def test_an_upload_is_told_that_its_bytes_are_there_already(keeping):
    body = saved(pictures.photo(120, 90, seed=75))
    sha256 = hashlib.sha256(body).hexdigest()
    told = []
    for _ in range(3):
        answer = keeping.post("/v1/images", content=body, headers={"prefer": "wait=20"})
        told.append((answer.json()["id"], answer.json()["duplicates"]))
    ids = [image_id for image_id, _ in told]
    assert [duplicates for _, duplicates in told] == [[], ids[:1], [ids[1], ids[0]]]
    promise = {"filename": "a.jpg", "bytes": len(body)}
    assert keeping.post("/v1/uploads", json=promise | {"sha256": sha256}).json()["duplicates"] == ids[::-1]
    assert keeping.post("/v1/uploads", json=promise | {"sha256": "0" * 64}).json()["duplicates"] == []
    assert keeping.post("/v1/uploads", json=promise).json()["duplicates"] is None
    assert "duplicates" not in keeping.get(f"/v1/images/{ids[0]}").json()
    keeping.delete(f"/v1/images/{ids[1]}")
    again = keeping.post("/v1/images", content=body).json()
    assert again["duplicates"] == [ids[2], ids[0]]


def test_likeness_that_cannot_be_told(keeping):
    ticket = keeping.post("/v1/uploads", json={"filename": "a.jpg", "bytes": 5}).json()
    not_there = keeping.get(f"/v1/images/{ticket['id']}/similar")
    assert (not_there.status_code, not_there.json()["code"]) == (409, "conflict")
    unknown = keeping.get(f"/v1/images/{'0' * 26}/similar")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")
    plain = uploaded(keeping, saved(Image.new("RGB", (64, 64), (200, 30, 30)), "PNG"), filename="plain.png")
    assert alike(keeping, plain) == []
    for limit in (0, 201, "x"):
        answer = keeping.get(f"/v1/images/{plain['id']}/similar", params={"limit": limit})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
