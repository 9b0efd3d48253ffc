"""What there is to be found in a library: tags and albums with their counts."""

import pytest

import pictures
from patience import eventually, ready


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
