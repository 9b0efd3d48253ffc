import pytest

import pictures
from patience import eventually, ready, settled, shows_default, uploaded


def test_search_by_what_people_said_and_what_was_seen(keeping):
    mark = "search-flow"
    wide = ready(keeping, pictures.jpeg(600, 200), filename="wide harbour.jpg", tags=f"{mark},Boat", album="Sea")
    tall = ready(keeping, pictures.png(200, 600), filename="tall.png", tags=mark, title="Lighthouse at night")
    square = ready(keeping, pictures.webp(300, 300), filename="square.webp", tags=f"{mark},boat")

    def found(**parameters):
        answer = keeping.get("/v1/images", params={"tag": mark} | parameters)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert found() == [square["id"], tall["id"], wide["id"]]
    assert found(tag=[mark, "BOAT"]) == [square["id"], wide["id"]]
    assert found(album="sea") == [wide["id"]]
    assert found(q="night lighthouse") == [tall["id"]]
    assert found(q="harbour") == [wide["id"]]
    assert found(format=["png", "webp"]) == [square["id"], tall["id"]]
    assert found(orientation="landscape") == [wide["id"]]
    assert found(min_width=250, max_width=300) == [square["id"]]
    assert found(min_height=600) == [tall["id"]]
    assert found(max_bytes=1) == []
    assert found(sha256=tall["source"]["sha256"].upper()) == [tall["id"]]
    assert found(uploaded_after=tall["uploaded_at"]) == [square["id"], tall["id"]]
    assert found(uploaded_before=tall["uploaded_at"]) == [wide["id"]]
    assert found(state="failed") == []


def test_pages_follow_one_another_while_images_come_and_go(keeping):
    mark = "paging-flow"
    images = [ready(keeping, pictures.jpeg(32, 32 + n), tags=mark) for n in range(5)]
    first = keeping.get("/v1/images", params={"tag": mark, "limit": 2}).json()
    assert [item["id"] for item in first["items"]] == [images[4]["id"], images[3]["id"]]
    ready(keeping, pictures.jpeg(32, 64), tags=mark)
    keeping.delete(f"/v1/images/{images[2]['id']}")
    seen, cursor = [], first["next"]
    while cursor:
        page = keeping.get("/v1/images", params={"tag": mark, "limit": 2, "cursor": cursor}).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == [images[1]["id"], images[0]["id"]]


def test_a_cursor_belongs_to_its_search(keeping):
    for n in range(2):
        ready(keeping, pictures.jpeg(33, 32 + n), tags="cursor-flow")
    cursor = keeping.get("/v1/images", params={"tag": "cursor-flow", "limit": 1}).json()["next"]
    for parameters in ({"tag": "other", "cursor": cursor}, {"tag": "cursor-flow", "cursor": cursor[:-2]}):
        answer = keeping.get("/v1/images", params=parameters)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


def test_changing_what_was_said(keeping):
    image = ready(keeping, pictures.jpeg(40, 40), tags="one,two", title="before")
    url = f"/v1/images/{image['id']}"
    changed = keeping.patch(url, json={"add_tags": ["Three", "ONE"], "remove_tags": ["TWO"], "album": "Box"}).json()
    assert (changed["tags"], changed["album"], changed["title"]) == (["one", "Three"], "Box", "before")
    assert changed["version"] == image["version"] + 1
    assert keeping.patch(url, json={"title": None, "tags": []}).json()["tags"] == []
    moved = keeping.patch(url, json={"title": "late"}, headers={"if-match": f'"{image["version"]}"'})
    assert (moved.status_code, moved.json()["code"]) == (412, "conflict")
    version = keeping.get(url).headers["etag"]
    assert keeping.patch(url, json={"title": "in time"}, headers={"if-match": version}).json()["title"] == "in time"


def test_delete_ends_everything_public_and_cannot_be_repeated(keeping):
    image = ready(keeping, pictures.jpeg(640, 480), tags="delete-flow")
    paths = [f"/i/{image['id']}/{name}" for name in ("large", "small.jpg", "medium.avif")]
    assert {keeping.get(path).status_code for path in paths} == {200}
    url = f"/v1/images/{image['id']}"
    assert keeping.delete(url).status_code == 204
    for path in paths * 5:  # five times: whichever worker answers
        assert shows_default(keeping.get(path), "missing")
    assert keeping.get(url).status_code == 404
    assert keeping.get(f"{url}/original").status_code == 404
    assert keeping.delete(url).status_code == 404
    assert keeping.get("/v1/images", params={"tag": "delete-flow"}).json()["items"] == []


def test_an_image_deleted_before_it_was_rendered_never_comes_back(keeping):
    answer = keeping.post("/v1/images", files={"file": ("late.jpg", pictures.jpeg(1600, 1200))})
    image_id = answer.json()["id"]
    assert keeping.delete(f"/v1/images/{image_id}").status_code == 204
    ready(keeping, pictures.jpeg(32, 32))  # what was in the queue before it has been worked on
    assert keeping.get(f"/v1/images/{image_id}").status_code == 404

    def stays_away():
        return shows_default(keeping.get(f"/i/{image_id}/small.jpg"), "missing")

    eventually(stays_away, what="the late picture being gone")


def test_the_original_comes_back_untouched_while_it_is_kept(keeping):
    body = pictures.jpeg(100, 80, exif=pictures.camera_exif())
    said = keeping.post("/v1/images", params={"filename": 'näme "1".jpg'}, content=body, headers={"prefer": "wait=20"})
    image = said.json()
    answer = keeping.get(f"/v1/images/{image['id']}/original")
    assert answer.content == body
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''n%C3%A4me%20%221%22.jpg")


def test_the_original_is_gone_where_the_policy_says_so(deleting):
    image = ready(deleting, pictures.jpeg(100, 80))
    assert image["original"] == "deleted"
    for answer in (
        deleting.get(f"/v1/images/{image['id']}/original"),
        deleting.post(f"/v1/images/{image['id']}/reprocess"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "original-deleted")


def test_reprocessing_makes_everything_anew(keeping):
    image = ready(keeping, pictures.jpeg(700, 500))
    answer = keeping.post(f"/v1/images/{image['id']}/reprocess")
    assert answer.status_code == 202
    assert answer.json()["state"] == "processing"
    again = settled(keeping, image["id"])
    assert again["state"] == "ready"
    assert again["version"] > image["version"]
    assert again["variants"] == image["variants"]


def test_reprocessing_from_a_rendition_keeps_what_was_known_of_the_original(deleting):
    image = ready(deleting, pictures.jpeg(2400, 1600, exif=pictures.camera_exif()))
    answer = deleting.post(f"/v1/images/{image['id']}/reprocess", params={"from": "rendition"})
    assert answer.status_code == 202, answer.text
    again = settled(deleting, image["id"])
    assert again["state"] == "ready", again["error"]
    assert (again["source"], again["exif"]) == (image["source"], image["exif"])
    assert [(v["name"], v["width"]) for v in again["variants"]] == [(v["name"], v["width"]) for v in image["variants"]]
    assert again["original"] == "deleted"


@pytest.mark.parametrize("focus", [[0.1, 0.9], None])
def test_a_focus_is_kept_and_taken_away(keeping, focus):
    image = ready(keeping, pictures.jpeg(50, 50))
    assert keeping.patch(f"/v1/images/{image['id']}", json={"focus": focus}).json()["focus"] == focus


def test_a_failed_image_can_be_deleted(keeping):
    body = pictures.png(300, 300)
    image = uploaded(keeping, body[: len(body) // 2], filename="half.png")
    assert image["state"] == "failed"
    assert keeping.delete(f"/v1/images/{image['id']}").status_code == 204
