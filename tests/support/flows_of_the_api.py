"""What people do by the API of a deployed stack, for the table of ``permissions.py``."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pictures

if TYPE_CHECKING:
    from flow_stage import Stage


def upload(stage: Stage) -> None:
    """upload a small file"""
    image_id, arrival = stage.posted()
    assert arrival
    assert stage.state(image_id) == "processing"
    found = stage.asked("GET", "/v1/images", params={"state": "processing"})["items"]
    assert image_id in {one["id"] for one in found}


def upload_by_ticket(stage: Stage) -> None:
    """upload by a ticket"""
    body = pictures.jpeg(60, 40)
    ticket = stage.asked("POST", "/v1/uploads", json={"filename": "a.jpg", "bytes": len(body)})
    assert stage.client.put(ticket["url"], content=body, headers=ticket["headers"]).status_code == 200
    stage.hands.take_of(ticket["id"])


def go_on_with_parts(stage: Stage) -> None:
    """go on with an upload in parts"""
    ticket = stage.asked("GET", f"/v1/uploads/{stage.in_parts()}")
    assert ticket["received"] == []


def delete_parts(stage: Stage) -> None:
    """delete an image of which only parts are there"""
    image_id = stage.in_parts()
    stage.asked("DELETE", f"/v1/images/{image_id}")
    assert f"originals/{image_id}" not in stage.opened()
    stage.hands.clear()


def search(stage: Stage) -> None:
    """search"""
    assert "items" in stage.asked("GET", "/v1/images")


def download(stage: Stage) -> None:
    """fetch an original, before and after it went to the archive"""
    image_id, arrival = stage.posted()
    assert stage.client.get(f"/v1/images/{image_id}/original").status_code == 200
    assert stage.hands.give(arrival) == []
    assert stage.client.get(f"/v1/images/{image_id}/original").status_code == 200


def tag(stage: Stage) -> None:
    """tag, and take the tag away again"""
    image_id, word = stage.ready(), f"t{secrets.token_hex(4)}"
    stage.asked("PATCH", f"/v1/images/{image_id}", json={"add_tags": [word]})
    assert stage.asked("GET", "/v1/images", params={"tag": word})["items"]
    stage.asked("PATCH", f"/v1/images/{image_id}", json={"tags": []})
    assert not stage.asked("GET", "/v1/images", params={"tag": word})["items"]
    assert not stage.counts_tag(word)


def delete(stage: Stage) -> None:
    """delete an image"""
    image_id = stage.ready()
    stage.purging()
    stage.asked("DELETE", f"/v1/images/{image_id}")
    assert stage.keys(f"i/{image_id}/") == stage.keys(f"archive/{image_id}") == []
    assert stage.purging() == [image_id]
    assert stage.hands.counts() == (0, 1), "nobody looks a second time"
    stage.hands.clear()


def delete_early(stage: Stage) -> None:
    """delete an image that is not made yet"""
    image_id, _ = stage.posted()
    stage.asked("DELETE", f"/v1/images/{image_id}")
    assert stage.keys(f"originals/{image_id}") == []
    stage.hands.clear()


def reprocess(stage: Stage) -> None:
    """have an image made anew"""
    image_id = stage.ready()
    stage.asked("POST", f"/v1/images/{image_id}/reprocess")
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    assert stage.state(image_id) == "ready"


def reprocess_from_rendition(stage: Stage) -> None:
    """have an image made anew whose original is lost"""
    image_id = stage.ready()
    stage.remove(f"archive/{image_id}")
    stage.asked("POST", f"/v1/images/{image_id}/reprocess", params={"from": "rendition"})
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    assert stage.state(image_id) == "ready"


def keys(stage: Stage) -> None:
    """make a key, use it, list keys and take it back"""
    made = stage.asked("POST", "/v1/keys", json={"owner": "local", "name": "k", "scopes": ["read"]})
    with stage.deployed.client(made["key"]) as client:
        assert client.get("/v1/images").status_code == 200
    listed = stage.asked("GET", "/v1/keys")["items"]
    assert made["id"] in {one["id"] for one in listed}
    stage.asked("DELETE", f"/v1/keys/{made['id']}")


def rate(stage: Stage) -> None:
    """be held to a key's own rate"""
    asked = {"owner": "local", "name": "k", "scopes": ["read"], "rate": {"per_second": 0.1, "burst": 1}}
    made = stage.asked("POST", "/v1/keys", json=asked)
    with stage.deployed.client(made["key"]) as client:
        assert [client.get("/v1/images").status_code for _ in range(2)] == [200, 429]


def be_healthy(stage: Stage) -> None:
    """say that everything is well"""
    assert stage.client.get("/healthz").status_code == 200
