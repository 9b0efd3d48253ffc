"""What people do on the pages of a deployed stack, for the table of ``permissions.py``: by forms, without scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pictures

if TYPE_CHECKING:
    import httpx

    from flow_stage import Stage


class Visitor:
    """Somebody who has signed in with a key."""

    def __init__(self, stage: Stage) -> None:
        self._client = stage.client
        host = urlsplit(stage.deployed.outputs["ApiEndpoint"]).netloc
        self._headers = {"Host": host, "Origin": f"https://{host}"}
        answer = self._sent("POST", "/signin", data={"key": stage.deployed.new_key()})
        assert answer.status_code == 303, answer.text
        # By hand: what keeps cookies gives this one to nobody without TLS.
        self._headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]

    def _sent(self, method: str, path: str, **given: Any) -> httpx.Response:
        return self._client.request(method, path, headers=self._headers, follow_redirects=False, **given)

    def page(self, path: str) -> str:
        """Return a page, which has to be there."""
        answer = self._sent("GET", path)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.text

    def sends(self, page: str, form: str, **given: Any) -> str:
        """Send a form of a page, told by what its address begins with; return where that leads to."""
        found = re.search(rf'action="({form}[^"]*)"', self.page(page))
        assert found, f"{page} has no form {form}"
        answer = self._sent("POST", found[1].replace("&amp;", "&"), **given)
        assert answer.status_code == 303, (answer.status_code, answer.text)
        return str(answer.headers["location"])


def look(stage: Stage) -> None:
    """sign in and look at every page"""
    image_id = stage.ready()
    visitor = Visitor(stage)
    assert f'data-id="{image_id}"' in visitor.page("/")
    for path in ("/add", "/cost", f"/images/{image_id}", f"/images/{image_id}/tile", f"/images/{image_id}/delete"):
        visitor.page(path)
    assert f"/i/{image_id}/t/" in visitor.page(f"/images/{image_id}/playground?width=50")


def add_by_form(stage: Stage) -> None:
    """add a picture by the form of a page"""
    leads = Visitor(stage).sends(
        "/add", "/add", files={"file": ("a.jpg", pictures.jpeg(60, 40))}, data={"tags": "a, b"}
    )
    image_id = leads.removeprefix("/images/")
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    assert stage.state(image_id) == "ready"


def change_by_forms(stage: Stage) -> None:
    """change an image by the forms of its page: its tags, its focal point, its files made anew"""
    image_id = stage.ready()
    visitor, page = Visitor(stage), f"/images/{image_id}"
    visitor.sends(page, f'{page}[?"]', data={"tag": "kept", "more": "a, b", "title": "New"})
    visitor.sends(page, f"{page}/focus", data={"at.x": "10", "at.y": "20"})
    found = stage.asked("GET", f"/v1/images/{image_id}")
    assert (found["tags"], found["title"], found["focus"] is None) == (["kept", "a", "b"], "New", False)
    stage.hands.clear()
    visitor.sends(page, f"{page}/reprocess")
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    assert stage.state(image_id) == "ready"


def select(stage: Stage) -> None:
    """put images into an album by the form over the gallery, which begins a job"""
    image_id = stage.ready()
    visitor = Visitor(stage)
    leads = visitor.sends("/", "/selection", data={"id": image_id, "album": "Chosen", "act": "set_album"})
    assert "Put into the album Chosen" in visitor.page(leads)
    stage.hands.clear()


def delete_by_form(stage: Stage) -> None:
    """delete an image by the page that asks whether it is meant"""
    image_id = stage.ready()
    assert Visitor(stage).sends(f"/images/{image_id}/delete", f"/images/{image_id}/delete") == "/"
    assert stage.keys(f"i/{image_id}/") == stage.keys(f"archive/{image_id}") == []
    stage.hands.clear()


def operate(stage: Stage) -> None:
    """see on the operator's page what waits and what was given up, and have it tried again"""
    image_id, arrival = stage.posted()
    stage.deployed.stack._clients("sqs").send_message(QueueUrl=stage.hands.dead, MessageBody=arrival["body"])
    visitor = Visitor(stage)
    page = visitor.page("/operator")
    assert image_id in page
    assert "not known here" not in page
    assert "cannot be looked up" not in page
    assert visitor.sends("/operator", "/operator/retry", data={"id": image_id}) == "/operator"
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    assert stage.state(image_id) == "ready"
    assert stage.hands.buried() == []
