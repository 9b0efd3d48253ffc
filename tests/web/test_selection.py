"""Many images at once in a browser: selected by mouse and keys, worked on, deleted and not deleted; with scripts and
without.
"""

import json
import re

import httpx
import pytest

import pictures
from browser import violations
from darkroom.client import Client, Labels
from patience import eventually
from servers import serving

COUNT = 8
HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("selection"), workers="1", originals="keep") as served:
        yield served


@pytest.fixture
def api(served):
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        yield client


@pytest.fixture
def ids(served, api):
    """Eight small images, named 0 to 7 and the newest last, and nothing else."""
    with Client(served.url) as client:
        for image in client.search():
            client.delete(image.id)
        made = [
            client.upload(
                pictures.jpeg(120, 90, comment=bytes([n])), Labels(title=str(n)), filename=f"{n}.jpg", wait=60
            )
            for n in range(COUNT)
        ]
    return [image.id for image in made]


def left(api):
    """The titles of all images, the newest first."""
    return "".join(image["title"] for image in api.get("/v1/images").json()["items"])


def tagged(api, tag):
    return "".join(image["title"] for image in api.get("/v1/images", params={"tag": tag}).json()["items"])


def selected(page):
    """The titles of what is selected."""
    script = "ticks => ticks.filter(tick => tick.checked).map(tick => tick.getAttribute('aria-label').slice(7))"
    return "".join(page.locator(".tick").evaluate_all(script))


def tick(page, title, **how):
    page.get_by_role("checkbox", name=f"Select {title}", exact=True).click(**how)


def tile(page, title):
    return page.locator("#tiles").get_by_role("link", name=title, exact=True)


def said(page, words):
    eventually(lambda: words in page.locator("#said").inner_text(), what=words)


def test_it_is_selected_by_clicks_and_by_ranges(served, ids, open_page):
    page = open_page(served.url)
    assert not page.locator("#selection").is_visible()
    tick(page, "6")
    assert page.locator("#count").inner_text() == "1 selected"
    tile(page, "3").click()  # once something is selected, pictures are ticked, not opened
    assert selected(page) == "63"
    tile(page, "1").click(modifiers=["Shift"])
    assert selected(page) == "6321"
    tick(page, "4", modifiers=["Shift"])
    assert selected(page) == "643"
    tile(page, "6").click()
    assert selected(page) == "43"
    page.get_by_role("button", name="Clear").click()
    assert selected(page) == ""
    assert not page.locator("#selection").is_visible()
    tile(page, "5").click()
    page.wait_for_url("**/images/*")


def test_it_is_selected_by_keys(served, ids, open_page):
    page = open_page(served.url)
    tile(page, "7").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert selected(page) == "6"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert selected(page) == "654"
    page.keyboard.press("Shift+ArrowLeft")
    assert selected(page) == "65"
    page.keyboard.press("Escape")
    assert selected(page) == ""
    page.keyboard.press("ControlOrMeta+a")
    assert selected(page) == "76543210"
    assert page.locator("#count").inner_text() == "8 selected"
    page.keyboard.press("Escape")
    page.fill("#q", "words")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("Delete")
    assert (selected(page), page.input_value("#q")) == ("", "")
    tile(page, "7").focus()
    page.keyboard.press("ArrowDown")
    below = page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert below > tile(page, "7").bounding_box()["y"] + 50
    page.keyboard.press("ArrowUp")
    assert tile(page, "7").evaluate("link => link === document.activeElement")


def test_a_phone_selects_after_a_switch(served, api, ids, open_page):
    page = open_page(served.url, phone=True)
    page.get_by_text("Select", exact=True).tap()
    tile(page, "7").tap()
    tile(page, "5").tap()
    assert selected(page) == "75"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    page.fill("#deed-tags", "phone")
    page.get_by_role("button", name="Add tags").tap()
    said(page, "2 of 2 images done")
    assert tagged(api, "phone") == "75"


def test_tags_and_album_of_what_is_selected(served, api, ids, open_page):
    page = open_page(served.url)
    for title in "640":
        tick(page, title)
    page.fill("#deed-tags", "Trip, sea")
    page.get_by_role("button", name="Add tags").click()
    said(page, "3 of 3 images done")
    assert tagged(api, "trip") == tagged(api, "sea") == "640"
    tick(page, "4")
    page.fill("#deed-tags", "sea")
    page.get_by_role("button", name="Remove tags").click()
    said(page, "2 of 2 images done")
    assert tagged(api, "sea") == "4"
    page.fill("#deed-tags", "")
    page.fill("#deed-album", "Iceland")
    page.keyboard.press("Enter")
    said(page, "2 of 2 images done")
    assert {image["title"] for image in api.get("/v1/images", params={"album": "iceland"}).json()["items"]} == set("60")
    page.get_by_role("button", name="Add tags").click()
    said(page, "Say which tags")


def test_all_of_a_search_is_what_it_found_not_what_came_later(served, api, ids, open_page):
    page = open_page(f"{served.url}/?q=1+2+3+state:ready&limit=2")
    page.goto(f"{served.url}/?limit=2&max_width=200")
    with Client(served.url) as client:
        later = client.upload(pictures.jpeg(120, 90, comment=b"later"), Labels(title="L"), filename="l.jpg", wait=60)
    page.keyboard.press("ControlOrMeta+a")
    page.get_by_label("All of this search").check()
    assert page.locator("#count").inner_text() == "All selected"
    page.fill("#deed-tags", "everything")
    page.get_by_role("button", name="Add tags").click()
    said(page, "8 of 8 images done")
    assert tagged(api, "everything") == "76543210"
    assert api.get(f"/v1/images/{later.id}").json()["tags"] == []


def test_what_cannot_be_done_says_why(served, api, ids, open_page):
    page = open_page(served.url)
    tick(page, "7")
    tick(page, "6")
    api.delete(f"/v1/images/{ids[6]}")
    page.fill("#deed-tags", "late")
    page.get_by_role("button", name="Add tags").click()
    said(page, "1 could not be")
    assert "there is no image of this id" in page.locator("#said").inner_text()
    assert violations(page) == []
    page.get_by_role("link", name="Details").click()
    page.get_by_role("heading", name="Add the tag late").wait_for()
    assert ids[6] in page.locator(".errors").inner_text()
    assert violations(page) == []
    page.go_back()
    tick(page, "7")
    page.complaints.expected.append("422")
    page.fill("#deed-tags", "x" * 65)
    page.get_by_role("button", name="Add tags").click()
    said(page, "64")


def test_a_deletion_is_counted_and_can_be_undone(served, api, ids, open_page):
    page = open_page(served.url)
    tick(page, "7")
    tick(page, "2")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("alert").wait_for()
    assert "2 images will be deleted in 10 seconds" in page.get_by_role("alert").inner_text()
    assert violations(page) == []
    page.get_by_role("button", name="Undo").click()
    assert selected(page) == "72"
    assert left(api) == "76543210"
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("alert").wait_for()
    assert left(api) == "76543210"
    eventually(lambda: left(api) == "654310", what="the deletion")
    eventually(lambda: page.locator("#tiles > li").count() == 6, what="the tiles gone")
    assert "2 of 2 images done" in page.locator("#announce").inner_text()
    assert not page.locator("#selection").is_visible()


def test_whoever_leaves_the_page_has_meant_the_deletion(served, api, ids, open_page):
    page = open_page(served.url)
    tick(page, "7")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("alert").wait_for()
    page.goto(f"{served.url}/add")
    eventually(lambda: left(api) == "6543210", what="the deletion")


def test_deleting_all_of_a_search_is_asked_with_the_count(served, api, ids, open_page):
    with Client(served.url) as client:
        client.patch(ids[0], {"add_tags": ["keep"]})
    page = open_page(f"{served.url}/?untagged=1&limit=3")
    page.get_by_text("Select", exact=True).click()
    page.get_by_label("All of this search").check()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    assert "Delete 7 images?" in dialog.inner_text()
    assert violations(page) == []
    page.keyboard.press("Escape")
    assert not page.get_by_role("alert").is_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete 7 images").click()
    page.get_by_role("alert").wait_for()
    assert left(api) == "76543210"
    eventually(lambda: left(api) == "0", what="the deletion")


def test_without_scripts_a_form_does_it(served, api, ids, open_page):
    page = open_page(served.url, scripts=False)
    assert not page.locator("#selection").is_visible()
    tick(page, "5")
    tick(page, "3")
    page.fill("#deed-tags", "plain, form")
    page.get_by_role("button", name="Add tags").click()
    page.wait_for_url("**/jobs/*")
    page.get_by_role("heading", name="Add the tags plain, form").wait_for()
    page.get_by_text("2 of 2 images done.").wait_for()  # the page is loaded anew until then
    assert tagged(api, "plain") == tagged(api, "form") == "53"
    page.goto(served.url)
    page.get_by_text("Select", exact=True).click()
    page.get_by_label("All images").check()
    page.fill("#deed-album", "Forms")
    page.keyboard.press("Enter")
    page.get_by_text("8 of 8 images done.").wait_for()
    page.get_by_role("link", name="The images").click()
    assert page.locator("#tiles > li").count() == 8


def test_without_scripts_a_deletion_is_counted_and_asked(served, api, ids, open_page):
    page = open_page(served.url, scripts=False)
    tick(page, "5")
    tick(page, "3")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("heading", name="Delete 2 images?").wait_for()
    assert left(api) == "76543210"
    page.get_by_role("link", name="Keep them").click()
    page.get_by_text("Select", exact=True).click()
    page.get_by_label("All images").check()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("heading", name="Delete 8 images?").wait_for()
    page.get_by_role("button", name="Delete them").click()
    page.get_by_text("8 of 8 images done.").wait_for()
    assert left(api) == ""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"act": "delete"}, "no image is selected"),
        ({"act": "burn", "id": "0" * 26}, "buttons"),
        ({"act": "reprocess", "id": "0" * 26}, "buttons"),
        ({"act": "", "id": "0" * 26, "tags": "a", "album": "b"}, "buttons"),
        ({"act": "add_tags", "id": "0" * 26, "tags": " , "}, "at least one"),
        ({"act": "set_album", "all": "1", "search": "tag:"}, "after the colon"),
        ({"act": "delete", "id": ["0" * 26] * 1001}, "1001"),
    ],
)
def test_what_the_form_may_not_ask_is_said_on_a_page(served, data, words):
    answer = httpx.post(f"{served.url}/selection", data=data, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert words in answer.text


def test_only_what_was_counted_is_deleted_from_its_page(served, api, ids):
    job = api.post("/v1/bulk", json={"action": "add_tags", "tags": ["a"], "ids": ids, "dry_run": True}).json()
    eventually(lambda: api.get(f"/v1/jobs/{job['id']}").json()["state"] == "done", what="the count")
    assert api.post(f"/jobs/{job['id']}/delete").status_code == 409
    assert api.get(f"/jobs/{'0' * 26}").status_code == 404
    assert left(api) == "76543210"


def test_a_job_is_stopped_from_its_page(served, api, ids, open_page):
    job = api.post("/v1/bulk", json={"action": "add_tags", "tags": ["a"], "ids": ids}).json()
    answer = api.post(f"/jobs/{job['id']}/stop")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job['id']}")
    page = open_page(f"{served.url}/jobs/{job['id']}")
    assert re.search(r"Stopped\.|8 of 8", page.locator("#said").inner_text())


def test_a_job_is_stopped_where_it_is_shown(served, api, ids, open_page):
    page = open_page(served.url)

    def held(route):  # a job of eight images is over before anybody can point at a button
        answer = route.fetch()
        state = answer.json() | {"state": "running", "done": 3}
        route.fulfill(response=answer, json=answer.json() if asked else state)

    asked = []
    page.route("**/v1/jobs/*", lambda route: held(route) if route.request.method == "GET" else route.continue_())
    page.on("request", lambda request: asked.append(request.url) if request.method == "DELETE" else None)
    page.keyboard.press("ControlOrMeta+a")
    page.fill("#deed-tags", "stopped")
    page.get_by_role("button", name="Add tags").click()
    said(page, "3 of 8 images done …")
    bar = page.get_by_role("progressbar", name="Progress")
    assert bar.evaluate("bar => bar.value / bar.max") == pytest.approx(3 / 8)
    assert violations(page) == []
    page.get_by_role("button", name="Stop").click()
    eventually(lambda: "…" not in page.locator("#said").inner_text(), what="the end of it")
    assert asked == [f"{served.url}/v1/jobs/{api.get('/v1/jobs').json()['items'][0]['id']}"]
    assert page.locator("#stop").is_hidden()


def test_nothing_from_a_stranger_is_anything_but_text(served, api, ids, open_page):
    with Client(served.url) as client:
        labels = Labels(tags=(HOSTILE,), album=HOSTILE, title=HOSTILE)
        client.upload(pictures.jpeg(120, 90, comment=b"hostile"), labels, filename=HOSTILE, wait=60)
    page = open_page(f"{served.url}/?tag={HOSTILE}&q=%22{HOSTILE[2:-1]}%22&album={HOSTILE}&camera={HOSTILE}")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    assert [text.rstrip("\u00a0 ×") for text in page.locator(".chips a").all_inner_texts()][:2] == [
        f"tag {HOSTILE}",
        f"“{HOSTILE[2:-1]}”",
    ]
    page.goto(f"{served.url}/?tag={HOSTILE}")
    tick(page, HOSTILE)
    page.fill("#deed-tags", HOSTILE[1:])
    page.get_by_role("button", name="Add tags").click()
    said(page, "1 of 1 image done")
    page.get_by_label("All of this search").check()
    page.fill("#deed-album", HOSTILE[1:])
    page.get_by_role("button", name="Set album").click()
    said(page, "1 of 1 image done")
    assert api.get("/v1/images", params={"album": HOSTILE[1:]}).json()["items"][0]["tags"] == [HOSTILE, HOSTILE[1:]]
    job = api.get("/v1/jobs").json()["items"][0]
    page.goto(f"{served.url}/jobs/{job['id']}")
    assert page.locator("h1").inner_text() == f"Put into the album {HOSTILE[1:]}"
    assert page.locator("img[onerror]").count() == page.locator("script:not([src])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_everybody_can_use_it(served, api, ids, open_page, scheme, phone):
    page = open_page(served.url, phone=phone, color_scheme=scheme)
    page.get_by_text("Select", exact=True).click()
    tile(page, "7").click()
    page.wait_for_timeout(300)  # until what fades in is there
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    job = api.post("/v1/bulk", json={"action": "delete", "ids": ids[:2], "dry_run": True}).json()
    eventually(lambda: api.get(f"/v1/jobs/{job['id']}").json()["state"] == "done", what="the count")
    page.goto(f"{served.url}/jobs/{job['id']}")
    assert violations(page) == []


def test_behind_a_key_it_takes_the_token_of_the_page(keyed_server, open_page):
    with Client(keyed_server.url, keyed_server.key) as client:
        made = client.upload(
            pictures.jpeg(60, 90, comment=b"keyed"), Labels(title="Keyed one"), filename="k.jpg", wait=60
        )
        for scripts in (True, False):
            page = open_page(f"{keyed_server.url}/?q=keyed+one", scripts=scripts)
            page.fill("#key", keyed_server.key)
            page.get_by_role("button", name="Sign in").click()
            tick(page, "Keyed one")
            page.fill("#deed-tags", f"by key {scripts}")
            page.get_by_role("button", name="Add tags").click()
            page.get_by_text("1 of 1 image done").wait_for()
        assert client.get(made.id).tags == ("by key True", "by key False")
        refused = httpx.post(
            f"{keyed_server.url}/selection",
            data={"act": "delete", "id": made.id},
            headers={"cookie": f"darkroom-key={keyed_server.key}", "origin": keyed_server.url},
            trust_env=False,
        )
        assert refused.status_code == 403
        assert json.loads(refused.text)["code"] == "forbidden"
        client.delete(made.id)
