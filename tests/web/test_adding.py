"""Adding images in a browser: several at once, broken off and gone on with, and by a plain form."""

import json
import re
import uuid
from collections import Counter

import httpx
import pytest

import pictures
from browser import drop, throttle, until, violations
from landscapes import landscape
from patience import eventually
from servers import serving

PART = 65_536
LONG = 2_000_000


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("adding"), workers="1", part_bytes=str(PART)) as served:
        yield served


@pytest.fixture
def api(served):
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        yield client


def picture(name, body=None, kind="image/jpeg"):
    return {"name": name, "mimeType": kind, "buffer": body or pictures.jpeg(120, 90, comment=uuid.uuid4().bytes)}


def long_picture(name):
    return picture(name, pictures.jpeg(120, 90, comment=uuid.uuid4().bytes).ljust(LONG, b"\0"))


def states(page):
    return Counter(page.locator(".upload").evaluate_all("rows => rows.map(row => row.dataset.state)"))


def wait_for(page, count, state="ready"):
    eventually(lambda: states(page)[state] == count, seconds=60, what=f"{count} {state}, {states(page)}")


def image_of(page, number=0):
    return page.locator(".upload a").nth(number).get_attribute("href").rpartition("/")[2]


def parts_taken(served, image_id):
    """How often each part of an image was taken."""
    lines = [json.loads(line) for line in served.said.read_text().splitlines() if line.startswith("{")]
    paths = [line["path"] for line in lines if line.get("method") == "PUT" and line["status"] == 200]
    return Counter(path for path in paths if f"/{image_id}/" in path)


def parts_there(served):
    return list(served.data.glob("uploads/parts/*/*"))


def test_three_photos_with_tags_and_an_album(served, api, open_page):
    page = open_page(f"{served.url}/add")
    page.set_input_files(
        "#file", [picture(f"{name}.jpg", landscape(n)) for n, name in enumerate(("One", "Two", "Three"))]
    )
    assert page.locator(".upload").count() == 3
    assert not page.locator("#pause-all").is_visible()  # nothing has begun yet
    until(page, "[...document.querySelectorAll('.preview img')].every(image => image.naturalWidth && !image.hidden)")
    page.fill("#tags-of-all", "trip, Sea ,trip")
    page.fill("#album-of-all", "Iceland")
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 3)
    assert "3 of 3 ready" in page.locator("#told").inner_text()
    assert "3 uploads are ready" in page.locator("#announce").inner_text()
    assert violations(page) == []
    found = api.get("/v1/images", params={"tag": "trip"}).json()["items"]
    assert {image["filename"] for image in found} == {"One.jpg", "Two.jpg", "Three.jpg"}
    assert {(tuple(image["tags"]), image["album"]) for image in found} == {(("trip", "Sea"), "Iceland")}
    page.get_by_role("link", name="Look at it").first.click()
    page.wait_for_url("**/images/*")
    page.goto(f"{served.url}/?tag=trip")
    assert page.locator("#tiles > li").count() == 3


def test_files_are_dropped_and_pasted(served, open_page):
    page = open_page(f"{served.url}/add")
    page.evaluate(
        """bytes => {
            const file = (name) => new File([new Uint8Array(bytes)], name, {type: "image/png"});
            const given = new DataTransfer();
            given.items.add(file("dropped.png"));
            const target = document.getElementById("drop");
            target.dispatchEvent(new DragEvent("drop", {dataTransfer: given, bubbles: true, cancelable: true}));
            const pasted = new DataTransfer();
            pasted.items.add(file("pasted.png"));
            dispatchEvent(new ClipboardEvent("paste", {clipboardData: pasted}));
        }""",
        list(pictures.png(60, 40)),
    )
    eventually(lambda: page.locator(".upload").count() == 2, what="both files")
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 2)


def folder_with(folder):
    """A folder with two pictures, one of them deeper, and what else lies in folders."""
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(picture("")["buffer"])
    (folder / "deeper" / "b.HEIC").write_bytes(pictures.heic(80, 60))
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.jpg").write_bytes(picture("")["buffer"])
    return folder


def names_in(page):
    return sorted(page.locator(".what strong").all_inner_texts())


def test_a_folder_is_chosen_and_its_pictures_are_taken(served, open_page, tmp_path):
    page = open_page(f"{served.url}/add")
    assert page.get_by_text("Choose a folder").is_visible()
    page.set_input_files("#folder", folder_with(tmp_path / "holiday"))
    assert names_in(page) == ["a.jpg", "b.HEIC"]
    assert "1 file that is no picture" in page.locator(".notice").inner_text()
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 2)


def test_a_folder_is_dropped_and_its_pictures_are_taken(served, open_page, tmp_path):
    page = open_page(f"{served.url}/add")
    drop(page, "#drop", [folder_with(tmp_path / "holiday")])
    eventually(lambda: names_in(page) == ["a.jpg", "b.HEIC"], what="the pictures of the folder")
    assert "1 file that is no picture" in page.locator(".notice").inner_text()


def test_a_phone_takes_a_photo_with_its_camera(served, open_page):
    page = open_page(f"{served.url}/add", phone=True, is_mobile=True)
    assert page.get_by_text("Take a photo").is_visible()
    assert not page.get_by_text("Choose a folder").is_visible()
    camera = page.locator("#photo")
    assert (camera.get_attribute("capture"), camera.get_attribute("accept")) == ("environment", "image/*")
    page.set_input_files("#photo", picture("image.jpg"))
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 1)


def test_all_together_have_a_bar_a_rate_and_a_time_and_are_paused_together(served, open_page):
    page = open_page(f"{served.url}/add")
    throttle(page, 1_000_000)
    page.set_input_files("#file", [long_picture("first.jpg"), long_picture("second.jpg")])
    page.get_by_role("button", name="Upload").click()
    told = r"^0 of 2 ready · [\d.]+ [kM]B of 4\.0 MB · [\d.]+ [kM]B/s, \d+:\d\d left$"
    eventually(lambda: re.match(told, page.locator("#told").inner_text()), what="rate and remaining time")
    bars = page.locator("#uploads progress").evaluate_all("bars => bars.map(bar => bar.value)")
    assert len(bars) == 3
    assert all(0 <= value < 1 for value in bars)
    assert sum(bars) > 0
    page.get_by_role("button", name="Pause all").click()
    wait_for(page, 2, "paused")
    throttle(page, -1)
    page.get_by_role("button", name="Go on with all").click()
    wait_for(page, 2)
    assert page.locator("#all").evaluate("bar => bar.value") == 1


def test_a_lost_connection_is_waited_for_and_no_part_that_is_there_goes_again(served, open_page):
    page = open_page(f"{served.url}/add")
    page.complaints.expected.append("net::ERR_INTERNET_DISCONNECTED")
    throttle(page, 1_000_000)
    page.set_input_files("#file", long_picture("cut.jpg"))
    page.get_by_role("button", name="Upload").click()
    eventually(lambda: len(parts_there(served)) > 5, what="some parts")
    throttle(page, 1_000_000, offline=True)
    wait_for(page, 1, "offline")
    assert "waiting for the connection" in page.locator(".said").inner_text()
    assert len(parts_there(served)) < LONG // PART
    throttle(page, -1)
    wait_for(page, 1)
    taken = parts_taken(served, image_of(page))
    assert len(taken) == -(-LONG // PART)
    assert sum(taken.values()) <= len(taken) + 1  # but for the one that was under way


def test_it_is_paused_and_goes_on(served, open_page):
    page = open_page(f"{served.url}/add")
    throttle(page, 1_000_000)
    page.set_input_files("#file", long_picture("paused.jpg"))
    page.get_by_role("button", name="Upload").click()
    eventually(lambda: len(parts_there(served)) > 3, what="some parts")
    page.get_by_role("button", name="Pause", exact=True).click()
    wait_for(page, 1, "paused")
    before = len(parts_there(served))
    page.wait_for_timeout(500)
    assert len(parts_there(served)) <= before + 1
    throttle(page, -1)
    page.get_by_role("button", name="Go on", exact=True).click()
    wait_for(page, 1)
    assert sum(parts_taken(served, image_of(page)).values()) <= -(-LONG // PART) + 1


def test_after_a_reload_the_same_file_goes_on_where_it_stopped(served, open_page, tmp_path):
    file = tmp_path / "reloaded.jpg"
    file.write_bytes(long_picture("")["buffer"])
    page = open_page(f"{served.url}/add")
    page.on("dialog", lambda dialog: dialog.accept())  # that uploads are under way
    throttle(page, 1_000_000)
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()
    eventually(lambda: len(parts_there(served)) > 5, what="some parts")
    page.reload()
    assert "reloaded.jpg" in page.locator(".notice").inner_text()
    throttle(page, -1)
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 1)
    taken = parts_taken(served, image_of(page))
    assert len(taken) == -(-LONG // PART)
    assert sum(taken.values()) <= len(taken) + 1
    page.reload()
    assert page.locator(".notice").count() == 0


def test_what_is_cancelled_is_gone(served, api, open_page):
    page = open_page(f"{served.url}/add")
    throttle(page, 500_000)
    page.set_input_files("#file", long_picture("cancelled.jpg"))
    page.get_by_role("button", name="Upload").click()
    eventually(lambda: parts_there(served), what="a part")
    page.get_by_role("button", name="Cancel").click()
    wait_for(page, 1, "cancelled")
    eventually(lambda: not parts_there(served), what="the parts being gone")
    asked = {"q": "cancelled", "state": ["awaiting", "processing", "ready", "failed"]}
    assert api.get("/v1/images", params=asked).json()["items"] == []
    throttle(page, -1)
    page.get_by_role("button", name="Try again").click()
    wait_for(page, 1)


def test_what_fails_says_why_in_words_and_can_be_tried_again(served, open_page):
    page = open_page(f"{served.url}/add")
    page.set_input_files("#file", [picture("half.jpg", pictures.jpeg(300, 200)[:900]), picture("good.jpg")])
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 1)
    wait_for(page, 1, "failed")
    assert "damaged" in page.locator(".upload[data-state=failed] .said").inner_text()
    assert "1 failed" in page.locator("#told").inner_text()
    assert violations(page) == []
    page.get_by_role("button", name="Try again").click()
    wait_for(page, 1, "failed")


def test_a_picture_whose_type_the_browser_does_not_know_is_taken(served, open_page):
    page = open_page(f"{served.url}/add")
    page.set_input_files("#file", [picture("IMG_1.HEIC", pictures.heic(80, 60), "")])
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 1)


def test_without_scripts_a_form_does(served, api, open_page):
    page = open_page(f"{served.url}/add", scripts=False)
    page.set_input_files("#file", picture("plain form.jpg"))
    page.fill("#tags-of-all", "plain, form")
    page.fill("#album-of-all", "Forms")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/images/*")
    image = api.get(f"/v1/images/{page.url.rpartition('/')[2]}").json()
    assert (image["filename"], image["tags"], image["album"]) == ("plain form.jpg", ["plain", "form"], "Forms")
    page.goto(f"{served.url}/add")
    page.complaints.expected.append("415")
    page.set_input_files("#file", picture("words.jpg", b"These are words."))
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="That did not work").wait_for()


def test_a_hostile_name_is_a_name(served, open_page):
    name = "<img src=x onerror=alert(1)>.jpg"
    page = open_page(f"{served.url}/add")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.set_input_files("#file", picture(name))
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 1)
    assert page.locator(".what strong").inner_text() == name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_everybody_can_use_it(served, open_page, scheme, phone):
    page = open_page(f"{served.url}/add", phone=phone, color_scheme=scheme)
    assert violations(page) == []
    page.set_input_files("#file", [picture("a.jpg"), picture("b.jpg")])
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_is_signed_in_like_everything(keyed_server, open_page):
    page = open_page(f"{keyed_server.url}/add")
    page.fill("#key", keyed_server.key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/add")
    page.set_input_files("#file", picture("keyed.jpg"))
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 1)
    scripts_off = open_page(f"{keyed_server.url}/signin", scripts=False)
    scripts_off.fill("#key", keyed_server.key)
    scripts_off.get_by_role("button", name="Sign in").click()
    scripts_off.goto(f"{keyed_server.url}/add")
    scripts_off.set_input_files("#file", picture("keyed form.jpg"))
    scripts_off.get_by_role("button", name="Upload").click()
    scripts_off.wait_for_url("**/images/*")
