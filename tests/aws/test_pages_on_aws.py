"""The pages as the deployed stack serves them, in a real browser: API, pictures and upload bucket are three hosts.

The emulator tells its hosts apart by their names, and browsers find every name under ``localhost`` on this machine. So
two things are not as on AWS: nothing is over TLS, which the distribution is told by a header in place of it; and the
bucket has no host of its own, but the emulator's, and a path.
"""

import uuid
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import httpx
import pytest

import pictures
from browser import browser, open_page, throttle, until, violations  # noqa: F401  # two are fixtures
from darkroom.names import ORIGINALS
from darkroom.settings import SMALLEST_S3_PART
from deployed import Deployed, deploying
from emulator import emulating
from landscapes import landscape
from patience import eventually, ready

LONG = 3 * SMALLEST_S3_PART + 1_000
SLOW = 4_000_000
"""Bytes a second: a few seconds for a long file."""
PATIENCE = 120_000
"""Milliseconds: a function starts anew for the first of these, on a machine that may be busy."""


@dataclass(frozen=True)
class Site:
    """A stack under its own names, and a key of it."""

    deployed: Deployed
    key: str

    @property
    def url(self) -> str:
        return self.deployed.outputs["ApiUrl"]

    @property
    def bucket(self) -> str:
        """Where tickets lead to."""
        return f"{self.deployed.emulator.url}/{self.deployed.outputs['UploadBucketName']}/{ORIGINALS}"

    @property
    def delivery(self) -> str:
        """The host of the distribution, as browsers here find it."""
        name = urlsplit(self.deployed.outputs["PicturesUrl"]).hostname.partition(".")[0]
        return f"{name}.cloudfront.localhost:{urlsplit(self.deployed.emulator.url).port}"

    def signed_in(self, opening, path="/", **options):
        """Open a page and sign in with the key, as it is asked for."""

        def at_the_stack(page):
            page.context.set_default_timeout(PATIENCE)
            page.context.route(
                f"http://{self.delivery}/**",
                lambda route: route.continue_(headers=route.request.headers | {"x-forwarded-proto": "https"}),
            )

        hosts = (urlsplit(self.bucket).netloc, self.delivery)
        page = opening(self.url + path, before=at_the_stack, hosts=hosts, **options)
        assert urlsplit(page.url).path == "/signin"
        page.fill("#key", self.key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(self.url + path)
        return page


@contextmanager
def standing(emulator, packages):
    """Deploy. No origin is allowed but the stack's own: ``AllowedOrigins`` is empty, as by default."""
    with deploying(emulator, packages, PublicUrl="", Originals="keep") as deployed:
        deployed.make_defaults()
        with deployed.client() as client:
            assert client.get("/healthz").status_code == 200  # once, before it is told to start anew
        site = Site(deployed, deployed.new_key())
        delivery = f"http://{site.delivery}"
        with deployed.configured(
            "ApiFunction", DARKROOM_ASSETS_URL=delivery, DARKROOM_PART_BYTES=str(SMALLEST_S3_PART)
        ):
            yield site


@pytest.fixture(scope="module")
def named_emulator(tmp_path_factory):
    with emulating(tmp_path_factory.mktemp("named-emulator"), MINISTACK_HOST="localhost") as running:
        yield running


@pytest.fixture(scope="module")
def stood(named_emulator, packages):
    with standing(named_emulator, packages) as site:
        yield site


@pytest.fixture(scope="module")
def stack(stood):
    return stood.deployed


@pytest.fixture(scope="module")
def key(stood):
    return stood.key


@pytest.fixture(scope="module")
def site(stood):
    return stood.url


@pytest.fixture(scope="module")
def bucket(stood):
    return stood.bucket


@pytest.fixture(scope="module")
def delivery(stood):
    return stood.delivery


@pytest.fixture
def api(stack, key):
    with stack.client(key) as client:
        yield client


@pytest.fixture
def signed_in(open_page, stood):  # noqa: F811  # the fixture
    return partial(stood.signed_in, open_page)


def picture(name, body=None):
    body = body or pictures.jpeg(120, 90, comment=uuid.uuid4().bytes)
    return {"name": name, "mimeType": "image/jpeg", "buffer": body}


def long_picture(name):
    return picture(name, pictures.jpeg(120, 90, comment=uuid.uuid4().bytes).ljust(LONG, b"\0"))


def states(page):
    return Counter(page.locator(".upload").evaluate_all("rows => rows.map(row => row.dataset.state)"))


def wait_for(page, count, state="ready"):
    eventually(lambda: states(page)[state] == count, seconds=120, what=f"{count} {state}, {states(page)}")


def parts_of(stack, image_id):
    """Return the numbers of the parts that S3 has of an upload, none when there is no such upload."""
    s3, name = stack.stack._clients("s3"), stack.outputs["UploadBucketName"]
    for each in s3.list_multipart_uploads(Bucket=name).get("Uploads", []):
        if each["Key"] == f"{ORIGINALS}{image_id}":
            found = s3.list_parts(Bucket=name, Key=each["Key"], UploadId=each["UploadId"])
            return [part["PartNumber"] for part in found.get("Parts", [])]
    return []


def begun(stack):
    """Return the id of the one image of which parts are there."""
    s3, name = stack.stack._clients("s3"), stack.outputs["UploadBucketName"]
    opened = s3.list_multipart_uploads(Bucket=name).get("Uploads", [])
    ids = [each["Key"].removeprefix(ORIGINALS) for each in opened]
    with_parts = [one for one in ids if parts_of(stack, one)]
    return with_parts[0] if with_parts else None


def test_photos_are_added_shown_found_changed_and_deleted(signed_in, site, api, delivery):
    page = signed_in("/add")
    (cookie,) = page.context.cookies(site)
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    names = ("Dawn", "Fjord", "Ridge")
    page.set_input_files("#file", [picture(f"{name}.jpg", landscape(n)) for n, name in enumerate(names)])
    page.fill("#tags-of-all", "trip, Sea")
    page.fill("#album-of-all", "Iceland")
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 3)

    page.goto(site)
    assert page.locator("#tiles > li").count() == 3
    until(page, "[...document.images].every(image => image.complete && image.naturalWidth > 0)", seconds=120)
    shown = page.locator("#tiles img").evaluate_all("images => images.map(image => image.currentSrc)")
    assert {urlsplit(address).netloc for address in shown} == {delivery}
    assert violations(page) == []
    page.fill("#q", "fjord tag:sea")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=fjord**")
    assert page.locator("#tiles > li").count() == 1
    page.locator("#tiles a").first.click()
    page.wait_for_url("**/images/*")
    image_id = page.url.rpartition("/")[2]
    until(page, "document.querySelector('.stage img').naturalWidth > 0", seconds=120)

    page.get_by_role("checkbox", name="trip", exact=True).uncheck()
    page.fill("#more", "cold")
    page.keyboard.press("Enter")
    page.get_by_role("checkbox", name="cold").wait_for()
    eventually(lambda: api.get(f"/v1/images/{image_id}").json()["tags"] == ["Sea", "cold"], what="the tags")
    page.get_by_text("Focal point").click()
    target = page.locator("#focus input[type=image]")
    box = target.bounding_box()
    target.click(position={"x": box["width"] / 4, "y": box["height"] / 2})
    eventually(lambda: api.get(f"/v1/images/{image_id}").json()["focus"], what="a focal point")

    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Undo").click()
    assert api.get(f"/v1/images/{image_id}").status_code == 200
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("link", name="Gallery").click()  # leaving the page sends it on
    eventually(lambda: api.get(f"/v1/images/{image_id}").status_code == 404, what="the image being gone")
    page.goto(site)
    assert page.locator("#tiles > li").count() == 2
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/signin")
    page.goto(site)
    assert "/signin" in page.url


def test_without_scripts_the_same_is_done_by_forms(signed_in, site, api):
    page = signed_in("/add", scripts=False)
    page.set_input_files("#file", picture("plain form.jpg", landscape(5)))
    page.fill("#tags-of-all", "plain, form")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/images/*")
    image_id = page.url.rpartition("/")[2]
    eventually(lambda: api.get(f"/v1/images/{image_id}").json()["state"] == "ready", seconds=120, what="the image")
    page.goto(f"{site}/images/{image_id}")
    page.get_by_role("checkbox", name="plain", exact=True).uncheck()
    page.fill("#title", "By form")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="By form").wait_for()
    page.get_by_text("Focal point").click()
    target = page.locator("#focus input[type=image]")
    box = target.bounding_box()
    target.click(position={"x": box["width"] / 2, "y": box["height"] / 4})
    page.get_by_text("50 % from the left, 25 % from the top").wait_for()
    found = api.get(f"/v1/images/{image_id}").json()
    assert (found["tags"], found["title"]) == (["form"], "By form")
    page.get_by_role("link", name="Delete").click()
    page.wait_for_url("**/delete")
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url(f"{site}/")
    assert api.get(f"/v1/images/{image_id}").status_code == 404


def test_a_long_file_goes_in_parts_is_paused_reloaded_and_gone_on_with(signed_in, stack, tmp_path):
    file = tmp_path / "long.jpg"
    file.write_bytes(long_picture("")["buffer"])
    page = signed_in("/add")
    page.on("dialog", lambda dialog: dialog.accept())  # that uploads are under way
    throttle(page, SLOW)
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()
    image_id = eventually(lambda: begun(stack), seconds=120, what="a part")
    page.get_by_role("button", name="Pause", exact=True).click()
    wait_for(page, 1, "paused")
    there = parts_of(stack, image_id)
    page.wait_for_timeout(2000)
    assert parts_of(stack, image_id) == there
    page.reload()
    assert "long.jpg" in page.locator(".notice").inner_text()
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    throttle(page, -1)
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 1)
    assert len(sent) == 4 - len(there)
    assert page.locator(".upload a").get_attribute("href") == f"/images/{image_id}"


def test_a_lost_connection_is_waited_for(signed_in, stack):
    page = signed_in("/add")
    page.complaints.expected.append("net::ERR_INTERNET_DISCONNECTED")
    throttle(page, SLOW)
    page.set_input_files("#file", long_picture("cut.jpg"))
    page.get_by_role("button", name="Upload").click()
    eventually(lambda: begun(stack), seconds=120, what="a part")
    throttle(page, SLOW, offline=True)
    wait_for(page, 1, "offline")
    throttle(page, -1)
    wait_for(page, 1)


def test_what_is_cancelled_leaves_no_parts(signed_in, stack, api):
    page = signed_in("/add")
    throttle(page, SLOW)
    page.set_input_files("#file", long_picture("cancelled.jpg"))
    page.get_by_role("button", name="Upload").click()
    image_id = eventually(lambda: begun(stack), seconds=120, what="a part")
    page.get_by_role("button", name="Cancel").click()
    wait_for(page, 1, "cancelled")
    eventually(lambda: begun(stack) is None, seconds=120, what="the parts being gone")
    assert api.get(f"/v1/images/{image_id}").status_code == 404


def test_without_the_rule_of_the_bucket_no_answer_reaches_the_page_and_with_it_again_it_goes_on(signed_in, stack):
    s3, name = stack.stack._clients("s3"), stack.outputs["UploadBucketName"]
    rules = s3.get_bucket_cors(Bucket=name)["CORSRules"]
    page = signed_in("/add")
    page.complaints.expected += ["CORS policy", "net::ERR_FAILED", "412"]  # the emulator takes what S3 would refuse
    page.set_input_files("#file", picture("refused.jpg"))
    s3.delete_bucket_cors(Bucket=name)
    try:
        page.get_by_role("button", name="Upload").click()
        wait_for(page, 1, "offline")
    finally:
        s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
    wait_for(page, 1)


def test_pictures_are_selected_and_worked_on_by_a_job(signed_in, site, api):
    page = signed_in("/add")
    page.set_input_files("#file", [picture("first.jpg"), picture("second.jpg")])
    page.fill("#tags-of-all", "chosen")
    page.get_by_role("button", name="Upload").click()
    wait_for(page, 2)
    page.context.close()
    forms = signed_in("/?tag=chosen", scripts=False)
    for box in forms.locator("#tiles input[type=checkbox]").all():
        box.check()
    forms.locator("#selection [name=album]").fill("Together")
    forms.locator("#selection button[value=set_album]").click()
    forms.wait_for_url("**/jobs/*")
    found = {"tag": "chosen", "album": "Together"}
    eventually(
        lambda: len(api.get("/v1/images", params=found).json()["items"]) == 2, seconds=120, what="both in the album"
    )


@pytest.mark.parametrize("emulator", ["shim"])
def test_a_transformation_is_tried_and_shown_from_the_distribution(emulator, packages, tmp_path_factory, open_page):  # noqa: F811
    """The emulator knows nothing of what makes pictures by their addresses: our reading of AWS stands in."""
    folder = tmp_path_factory.mktemp(f"named-{emulator}-emulator")
    with emulating(folder, shim=True, MINISTACK_HOST="localhost") as running, standing(running, packages) as stood:
        stood.deployed.make_first_secret()
        with stood.deployed.client(stood.key) as client:
            image = ready(client, landscape(3))
        page = stood.signed_in(open_page, f"/images/{image['id']}/playground?width=123&height=45&fit=cover&ext=webp")
        until(page, "Boolean(document.getElementById('result')?.dataset.loaded)", seconds=120)
        assert "123 × 45" in page.locator("#figures").inner_text()
        assert page.locator("#picture").get_attribute("data-address").startswith(f"http://{stood.delivery}/i/")
        page.context.close()


def test_a_page_may_ask_three_hosts_and_of_the_third_one_prefix(signed_in, stack, site, bucket, delivery):
    page = signed_in()
    policy = page.goto(site).headers["content-security-policy"]
    said = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert said == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' http://{delivery} data: blob:",
        "connect-src": f"'self' http://{delivery} {bucket}",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    page.complaints.expected += ["Content Security Policy", "403"]  # what S3 says of what is not there
    asked = "url => fetch(url, {mode: 'no-cors'}).then(() => 'let through', error => error.constructor.name)"
    assert page.evaluate(asked, f"{bucket}nothing") == "let through"
    assert page.evaluate(asked, bucket.replace(ORIGINALS, "archive/")) == "TypeError"
    assert page.evaluate(asked, "http://stranger.localhost/") == "TypeError"


def test_with_parameters_as_they_are_the_pictures_host_is_the_distribution_s(named_emulator, packages):
    with deploying(named_emulator, packages, PublicUrl="", AllowedOrigins="https://shop.example") as deployed:
        api = deployed.outputs["ApiUrl"]
        host = {"Host": urlsplit(api).netloc}
        with httpx.Client(base_url=named_emulator.url, trust_env=False, headers=host, timeout=60) as client:
            answer = client.get("/signin")
            assert answer.status_code == 200, answer.text
            picture_hosts = answer.headers["content-security-policy"].partition("img-src ")[2].partition(";")[0]
        assert picture_hosts == f"'self' {deployed.outputs['PicturesUrl']} data: blob:"
        assert deployed.outputs["PicturesUrl"].startswith("https://")
        found = deployed.stack._clients("s3").get_bucket_cors(Bucket=deployed.outputs["UploadBucketName"])
        assert [rule["AllowedOrigins"] for rule in found["CORSRules"]] == [[api], ["https://shop.example"]]


def test_files_beside_the_pages_are_kept_for_good_and_are_few_bytes(stack, key):
    host = {"Host": urlsplit(stack.outputs["ApiUrl"]).netloc}
    with httpx.Client(base_url=stack.emulator.url, trust_env=False, headers=host, timeout=60) as client:
        page = client.get("/signin").text
        sheet = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
        answer = client.get(sheet)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
        plain = client.get(sheet, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert (answer.text, plain.text.count("{") > 10) == (plain.text, True)
        same = client.get(sheet, headers={"If-None-Match": answer.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        icon = client.get(sheet.replace("pages.css", "icon.svg"))
        assert (icon.headers["content-type"], icon.content[:4]) == ("image/svg+xml", b"<svg")


def test_a_request_as_api_gateway_tells_it_has_its_cookies_apart_and_so_has_the_answer(stack, key):
    """The emulator leaves cookies among the headers: the event here is as AWS's documents have it."""

    def told(method, path, body=None, query="", **given):
        host = urlsplit(stack.outputs["ApiUrl"]).netloc
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"host": host, "x-forwarded-proto": "https"} | given.pop("headers", {}),
            "requestContext": {
                "stage": "$default",
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            },
            "isBase64Encoded": False,
        } | given
        name = stack.resource("ApiFunction")
        stack.outputs["ApiFunctionName"] = name
        return stack.invoke("ApiFunctionName", event | ({} if body is None else {"body": body}))

    form = {"content-type": "application/x-www-form-urlencoded", "origin": stack.outputs["ApiUrl"]}
    answer = told("POST", "/signin", f"key={key}&next=%2Fadd", headers=form)
    assert (answer["statusCode"], answer["headers"]["location"]) == (303, "/add")
    (cookie,) = answer["cookies"]
    assert cookie.startswith("darkroom-key=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} == set(cookie.split("; ")[1:])
    ours = ["theme=dark", cookie.partition(";")[0]]
    assert told("GET", "/add", cookies=ours)["statusCode"] == 200
    assert told("GET", "/add", cookies=["theme=dark"])["statusCode"] == 303
    refused = told("POST", "/images/01k3v9m0c4qdhsyx7g6e8rb2tz/delete", "", cookies=ours, headers=form)
    assert refused["statusCode"] == 403, "without the page's token"
