"""The operator's page, for administrators: what waits, what failed and is tried again or dropped, what is stored."""

import sqlite3
import uuid
from contextlib import suppress

import httpx
import pytest

import pictures
from browser import until, violations
from darkroom.client import ApiError, Client, Labels
from darkroom.events import ImageDeleted
from darkroom.events.sqlite import SqliteQueue
from darkroom.service import utc_now
from darkroom.web.views import size
from landscapes import landscape
from patience import eventually
from servers import serving

HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'`"


def half_a_picture():
    return pictures.jpeg(300, 200, comment=uuid.uuid4().bytes)[:-400]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A service of its own, on which an event of a stranger's words was given up before it was started."""
    folder = tmp_path_factory.mktemp("operated")
    (folder / "data").mkdir()
    queue = SqliteQueue(folder / "data" / "queue.sqlite3", utc_now)
    queue.publish(ImageDeleted(image_id=HOSTILE))
    (lease,) = queue.lease(1, 60)
    assert queue.bury(lease, f"the disk says {HOSTILE}")
    queue.close()
    with serving(folder, workers="1", originals="keep") as served:
        with Client(served.url) as client:
            for number in range(3):
                client.upload(landscape(number), filename=f"{number}.jpg", wait=60)
        yield served


@pytest.fixture
def api(site):
    with Client(site.url) as client:
        yield client


@pytest.fixture
def broken(api):
    """An image that could not be made of half a file; its name is a stranger's, too."""
    image = api.upload(half_a_picture(), Labels(title=f"half {HOSTILE}"), filename=HOSTILE, wait=60)
    assert image.state == "failed"
    yield image
    with suppress(ApiError):
        api.delete(image.id)


def tallies(page):
    names = page.locator(".tallies dt").all_inner_texts()
    return dict(zip(names, page.locator(".tallies dd").all_inner_texts(), strict=True))


def cases(page):
    return page.locator(".case")


def test_what_waits_what_failed_and_what_is_stored_stands_on_one_page(site, api, broken, open_page):
    page = open_page(site.url)
    page.get_by_role("link", name="Operator").click()
    page.wait_for_url("**/operator")
    shown = tallies(page)
    assert (shown["Service"], shown["In work"], shown["Events given up"]) == ("well", "0", "1")
    assert int(shown["Waiting"]) >= 0
    newest = cases(page).first.inner_text()
    for told in (broken.title, broken.error.detail, broken.error.code, "of local"):
        assert told in newest
    row = page.get_by_role("region", name="What is stored, by owner").get_by_role("row", name="local")
    used = api.usage()
    assert row.locator("td").first.inner_text() == str(used.images.used)
    assert row.locator("td").nth(1).inner_text() == size(used.bytes.used)
    cases(page).first.get_by_role("link", name=broken.title).first.click()
    page.wait_for_url(f"**/images/{broken.id}")


@pytest.mark.parametrize("scripts", [True, False])
def test_what_failed_is_tried_again_and_is_there(tmp_path, open_page, scripts):
    body = half_a_picture()
    with serving(tmp_path, workers="1", truncated="refuse") as served, Client(served.url) as api:
        image = api.upload(body, filename="half.jpg", wait=60)
        other = api.upload(half_a_picture(), filename="other.jpg", wait=60)
        third = api.upload(half_a_picture(), filename="third.jpg", wait=60)
        assert (image.state, other.state, third.state) == ("failed", "failed", "failed")
    with serving(tmp_path, workers="1", truncated="accept") as served, Client(served.url) as api:
        page = open_page(f"{served.url}/operator", scripts=scripts)
        assert cases(page).count() == 3
        page.get_by_role("button", name="Try again: half.jpg").click()
        eventually(lambda: api.get(image.id).state == "ready", what="the image")
        assert api.get(other.id).state == "failed"
        page.goto(f"{served.url}/operator")
        assert cases(page).count() == 2
        page.get_by_role("button", name="Try these 2 again").click()
        eventually(lambda: {api.get(each.id).state for each in (other, third)} == {"ready"}, what="both")
        page.goto(f"{served.url}/operator")
        assert page.locator("#failed").inner_text().splitlines()[-1] == "Nothing."


def test_what_is_given_up_goes_after_a_question(site, api, broken, open_page):
    page = open_page(f"{site.url}/operator", scripts=False)
    page.get_by_role("link", name=f"Drop: {broken.title}").click()
    page.wait_for_url("**/operator/drop**")
    assert broken.error.detail in page.content()
    assert violations(open_page(page.url)) == []
    page.get_by_role("link", name="Keep it").click()
    page.wait_for_url("**/operator")
    assert api.get(broken.id).state == "failed"
    page.get_by_role("link", name=f"Drop: {broken.title}").click()
    page.get_by_role("button", name="Drop it").click()
    page.wait_for_url("**/operator")
    with pytest.raises(ApiError, match="no image of this id"):
        api.get(broken.id)
    assert broken.title not in page.content()


def test_no_text_from_a_stranger_is_anything_but_text(site, broken, open_page):
    page = open_page(f"{site.url}/operator")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    buried = cases(page).filter(has_text="erasing")
    assert f"the disk says {HOSTILE}" in buried.inner_text()
    assert HOSTILE in buried.locator("strong").inner_text()
    assert page.locator("img[onerror]").count() == 0
    assert page.locator("script:not([src])").count() == 0
    buried.get_by_role("link", name="Drop").click()
    page.wait_for_url("**/operator/drop**")
    assert f"the disk says {HOSTILE}" in page.locator("main").inner_text()
    assert page.locator("img[onerror]").count() == 0


def test_an_event_that_was_given_up_is_given_out_again(tmp_path, open_page):
    (tmp_path / "data").mkdir()
    queue = SqliteQueue(tmp_path / "data" / "queue.sqlite3", utc_now)
    queue.publish(ImageDeleted(image_id="0" * 26))
    (lease,) = queue.lease(1, 60)
    queue.bury(lease, "the disk was full")
    queue.close()
    with serving(tmp_path, workers="1") as served:
        page = open_page(f"{served.url}/operator", scripts=False)
        assert tallies(page)["Events given up"] == "1"
        assert "the disk was full" in cases(page).inner_text()
        assert "given up after 1 try" in cases(page).inner_text()
        page.get_by_role("button", name="Try again").click()
        page.wait_for_load_state()
        assert tallies(page)["Events given up"] == "0"
        assert cases(page).count() == 0


def test_it_is_looked_again_by_itself(site, api, open_page):
    page = open_page(f"{site.url}/operator", before=lambda page: page.clock.install())
    before = cases(page).count()

    def half_a_minute_later():
        with page.expect_response("**/operator/now"):
            page.clock.fast_forward(31_000)

    image = api.upload(half_a_picture(), filename="while one looks.jpg", wait=60)
    half_a_minute_later()
    until(page, f"document.querySelectorAll('.case').length === {before + 1}")
    assert "while one looks.jpg" in cases(page).first.inner_text()
    assert page.locator("#announce").inner_text() == "1 more failed"
    page.get_by_role("button", name="Try again: while one looks.jpg").focus()
    api.delete(image.id)
    shown = page.locator("#queue time").get_attribute("datetime")
    half_a_minute_later()
    until(page, f"document.querySelector('#queue time').dateTime !== '{shown}'")
    assert page.evaluate("document.activeElement.textContent") == "Try again"
    page.evaluate("document.activeElement.blur()")
    half_a_minute_later()
    until(page, f"document.querySelectorAll('.case').length === {before}")


def test_what_it_saves_is_reckoned_from_the_images_there_are(site, api, open_page):
    page = open_page(f"{site.url}/operator", scripts=False)
    images = [image for image in api.search() if image.state == "ready"]
    originals = sum(image.source.bytes for image in images)
    largest = [
        min(each.bytes for each in image.variants if each.width == max(one.width for one in image.variants))
        for image in images
    ]
    shown = tallies(page)
    assert shown["Less to load"] == f"{round(100 - 100 * sum(largest) / originals)} %"
    kept = originals + sum(each.bytes for image in images for each in image.variants)
    assert shown["More to keep"] == f"{round(100 * kept / originals - 100)} %"
    assert "because originals stay beside" in page.content()
    assert f"Of the newest {len(images)} images" in page.content()


def test_what_it_would_cost_is_the_bill_of_what_was_counted(site, open_page):
    page = open_page(f"{site.url}/operator", scripts=False)
    first = page.locator("p", has_text="in the first month").inner_text()
    page.get_by_role("link", name="Item by item, with every number").click()
    page.wait_for_url("**/cost?days=*")
    assert "counted by the running service" in page.content()
    total = page.locator(".sum strong").inner_text()
    assert total in first


def test_a_service_that_has_made_nothing_yet_has_a_page(tmp_path, open_page):
    with serving(tmp_path, workers="1") as served:
        page = open_page(f"{served.url}/operator")
        assert violations(page) == []
        assert "Nothing yet: there is no image" in page.content()
        assert "Not known yet: the service has made no image" in page.content()


def test_it_is_for_administrators_alone(keyed_server, open_page):
    with Client(keyed_server.url, keyed_server.key) as admin:
        writer = admin.add_key("writer", owner="local", scopes=["read", "write"])
        admin.add_key("theirs", owner="theirs", scopes=["read"])
    paths = ("/operator", "/operator/now", f"/operator/drop?id={'0' * 26}")
    for path in paths:
        answer = httpx.get(keyed_server.url + path, headers=bearer(writer.key), trust_env=False)
        assert (answer.status_code, "admin" in answer.text) == (403, True), path
        stranger = httpx.get(keyed_server.url + path, trust_env=False)
        assert (stranger.status_code, stranger.headers["location"][:13]) == (303, "/signin?next="), path
    for path in ("/operator/retry", "/operator/drop"):
        sent = {"headers": bearer(writer.key), "data": {"id": "0" * 26}, "trust_env": False}
        assert httpx.post(keyed_server.url + path, **sent).status_code == 403
        assert httpx.post(keyed_server.url + path, data={"id": "0" * 26}, trust_env=False).status_code == 303
    assert "/operator" not in httpx.get(keyed_server.url, headers=bearer(writer.key), trust_env=False).text
    page = open_page(f"{keyed_server.url}/operator")
    page.fill("#key", keyed_server.key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/operator")
    owners = page.get_by_role("region", name="What is stored, by owner").locator("tbody th").all_inner_texts()
    assert {"local", "theirs"} <= set(owners)
    assert keyed_server.key not in page.content()


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def test_what_changes_something_comes_from_its_own_page_with_its_token(keyed_server, open_page):
    with Client(keyed_server.url, keyed_server.key) as admin:
        other = admin.add_key("their writer", owner="theirs", scopes=["read", "write"])
    with Client(keyed_server.url, other.key) as theirs:
        image = theirs.upload(half_a_picture(), filename="theirs.jpg", wait=60)
        with httpx.Client(base_url=keyed_server.url, trust_env=False) as client:
            client.post("/signin", data={"key": keyed_server.key, "next": "/"})
            ours = {"origin": keyed_server.url}
            token = client.get("/operator").text.partition('name="csrf" content="')[2].partition('"')[0]
            for path in ("/operator/drop", "/operator/retry"):
                assert client.post(path, data={"id": image.id}, headers=ours).status_code == 403
                assert client.post(f"{path}?csrf={token}", data={"id": image.id}).status_code == 403
            assert theirs.get(image.id).state == "failed"
            page = open_page(f"{keyed_server.url}/operator")
            page.fill("#key", keyed_server.key)
            page.get_by_role("button", name="Sign in").click()
            case = cases(page).filter(has_text="theirs.jpg")
            assert "of theirs" in case.inner_text()
            assert case.locator("strong a").count() == 0  # its page is theirs alone
            case.get_by_role("link", name="Drop").click()
            page.get_by_role("button", name="Drop it").click()
            page.wait_for_url("**/operator")
            with pytest.raises(ApiError, match="no image of this id"):
                theirs.get(image.id)


@pytest.mark.parametrize(
    ("data", "status", "told"),
    [
        ({}, 422, "which failed ones"),
        ({"id": ["0" * 26]}, 404, "nothing of this id has failed"),
        ({"id": ["../../etc"]}, 404, "nothing of this id has failed"),
        ({"id": [str(n) for n in range(101)]}, 422, "1 to 100"),
        ({"id": ["0" * 26, "1" * 26]}, 409, "0 of 2 are"),
    ],
)
def test_what_cannot_be_done_is_said_on_a_page(site, data, status, told):
    for path in ("retry", "drop"):
        answer = httpx.post(f"{site.url}/operator/{path}", data=data, trust_env=False)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert told in answer.text


def test_a_store_that_does_not_answer_is_said_and_the_rest_is_there(tmp_path, open_page):
    with serving(tmp_path, workers="1") as served:
        with Client(served.url) as api:
            api.upload(landscape(1), filename="a.jpg", wait=60)
        with sqlite3.connect(served.data / "queue.sqlite3") as queue:
            queue.execute("ALTER TABLE events RENAME TO elsewhere")
        page = open_page(f"{served.url}/operator", scripts=False)
        assert "What waits is not known here" in page.content()
        assert page.get_by_role("region", name="What is stored, by owner").get_by_role("row", name="local").count() == 1
        assert violations(open_page(f"{served.url}/operator")) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_everybody_can_use_it(site, broken, open_page, scheme, phone):
    page = open_page(f"{site.url}/operator", phone=phone, color_scheme=scheme)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
