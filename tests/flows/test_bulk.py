"""Work on many images at once, on every deployment."""

import pytest

import pictures
from patience import eventually, ready


def job_of(client, body, *, key=None):
    answer = client.post("/v1/bulk", json=body, headers={} if key is None else {"idempotency-key": key})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    return answer.json()


def finished(client, job):
    def look():
        now = client.get(f"/v1/jobs/{job['id']}").json()
        return now if now["state"] in {"done", "stopped", "failed"} else None

    return eventually(look, seconds=120, what=f"job {job['id']} being over")


def counts(job):
    return job["state"], job["matched"], job["done"], job["failed"]


def test_what_a_search_finds_is_counted_tagged_put_into_an_album_made_anew_and_deleted(keeping):
    ids = [ready(keeping, pictures.jpeg(32, 24), tags="bulk-flow")["id"] for _ in range(3)]
    other = ready(keeping, pictures.jpeg(32, 24), tags="bulk-other")
    search = {"search": "tag:bulk-flow orientation:landscape min_width:32"}

    dry = finished(keeping, job_of(keeping, {"action": "delete", "dry_run": True, **search}))
    assert counts(dry) == ("done", 3, 0, 0)
    assert {keeping.get(f"/v1/images/{image_id}").status_code for image_id in ids} == {200}

    tagged = finished(keeping, job_of(keeping, {"action": "add_tags", "tags": ["Seen"], **search}))
    assert counts(tagged) == ("done", 3, 3, 0)
    shelved = {"action": "set_album", "album": "Flow", "ids": [*ids, "0" * 26]}
    partly = finished(keeping, job_of(keeping, shelved))
    assert counts(partly) == ("done", 3, 3, 1)
    assert [(error["id"], error["code"]) for error in partly["errors"]] == [("0" * 26, "not-found")]
    images = [keeping.get(f"/v1/images/{image_id}").json() for image_id in ids]
    assert [(image["tags"], image["album"]) for image in images] == [(["bulk-flow", "Seen"], "Flow")] * 3

    untagged = {"action": "remove_tags", "tags": ["BULK-flow"], **search}
    assert counts(finished(keeping, job_of(keeping, untagged))) == ("done", 3, 3, 0)
    anew = finished(keeping, job_of(keeping, {"action": "reprocess", "search": "album:flow"}))
    assert counts(anew) == ("done", 3, 3, 0)

    def are_ready_again():
        again = [keeping.get(f"/v1/images/{image_id}").json() for image_id in ids]
        newer = all(now["version"] > was["version"] for was, now in zip(images, again, strict=True))
        return newer and {one["state"] for one in again} == {"ready"}

    eventually(are_ready_again, seconds=120, what="all three being ready again")

    gone = finished(keeping, job_of(keeping, {"action": "delete", "search": "album:Flow"}))
    assert counts(gone) == ("done", 3, 3, 0)
    assert {keeping.get(f"/v1/images/{image_id}").status_code for image_id in ids} == {404}
    assert keeping.get(f"/v1/images/{other['id']}").json() == other
    latest = [job["id"] for job in keeping.get("/v1/jobs").json()["items"]]
    assert latest[:3] == [gone["id"], anew["id"], latest[2]]


def test_a_job_is_made_once_and_can_be_stopped(keeping):
    ready(keeping, pictures.jpeg(32, 24), tags="bulk-once")
    body = {"action": "add_tags", "tags": ["x"], "search": "tag:bulk-once"}
    first = job_of(keeping, body, key="bulk")
    assert job_of(keeping, body, key="bulk")["id"] == first["id"]
    other = keeping.post("/v1/bulk", json=body | {"tags": ["y"]}, headers={"idempotency-key": "bulk"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    finished(keeping, first)
    stopped = keeping.delete(f"/v1/jobs/{first['id']}")
    assert (stopped.status_code, stopped.json()["state"]) == (200, "done")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "action"),
        ({"action": "paint", "search": "tag:a"}, "action"),
        ({"action": "delete"}, "search or ids"),
        ({"action": "delete", "search": "tag:a", "ids": ["x"]}, "search or ids"),
        ({"action": "delete", "ids": []}, "ids"),
        ({"action": "delete", "ids": ["x"] * 1001}, "ids"),
        ({"action": "delete", "search": ""}, "state:ready"),
        ({"action": "delete", "search": "kitten:a"}, "kitten"),
        ({"action": "delete", "search": "a" * 5000}, "search"),
        ({"action": "add_tags", "search": "tag:a"}, "tags"),
        ({"action": "delete", "search": "tag:a", "tags": ["b"]}, "tags"),
        ({"action": "delete", "search": "tag:a", "dryrun": True}, "dryrun"),
        ({"action": "reprocess", "search": "tag:a", "from": "memory"}, "from"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_job_that_cannot_be_meant_is_refused(keeping, body, named):
    answer = keeping.post("/v1/bulk", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request"), answer.text
    assert named in answer.json()["detail"]


def test_a_job_that_nobody_began(keeping):
    for answer in (keeping.get(f"/v1/jobs/{'0' * 26}"), keeping.delete("/v1/jobs/x")):
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
