"""Signing in with a key, and what a request without the page's token may not do."""

import httpx
import pytest

from browser import violations
from darkroom.client import Client, Labels
from landscapes import landscape


@pytest.fixture(scope="module")
def keyed(keyed_server):
    with Client(keyed_server.url, keyed_server.key) as client:
        client.upload(landscape(1), Labels(title="Behind a key"), filename="a.jpg", wait=60)
    return keyed_server


def test_whoever_is_not_signed_in_is_asked_and_brought_to_where_they_wanted(keyed, open_page):
    page = open_page(f"{keyed.url}/?q=behind")
    assert page.url.startswith(f"{keyed.url}/signin?next=")
    assert violations(page) == []
    page.complaints.expected.append("401")
    page.fill("#key", "dk_nobody_knows")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    assert violations(page) == []
    page.fill("#key", keyed.key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{keyed.url}/?q=behind")
    assert page.locator("#tiles > li").count() == 1
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Lax", -1)
    assert keyed.key not in page.content()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/signin")
    page.goto(keyed.url)
    assert "/signin" in page.url


def test_a_key_that_is_revoked_ends_what_was_signed_in(keyed, open_page):
    with Client(keyed.url, keyed.key) as admin:
        made = admin.add_key("browser", owner="local", scopes=["read"])
        page = open_page(f"{keyed.url}/signin")
        page.fill("#key", made.key)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{keyed.url}/")
        admin.revoke_key(made.id)
        page.goto(keyed.url)
        assert "/signin" in page.url


@pytest.fixture
def signed_in(keyed):
    with httpx.Client(base_url=keyed.url, trust_env=False) as client:
        answer = client.post("/signin", data={"key": keyed.key, "next": "/"})
        assert answer.status_code == 303
        assert "samesite=lax" in answer.headers["set-cookie"].lower()
        yield client


def test_what_changes_something_comes_from_a_page_of_ours_with_its_token(keyed, signed_in):
    page = signed_in.get("/")
    token = page.text.partition('name="csrf" content="')[2].partition('"')[0]
    assert len(token) == 32
    told = {"filename": "a.jpg", "bytes": 10}
    ours = {"origin": keyed.url}
    for headers in ({}, ours, {"x-csrf-token": token}, {"x-csrf-token": token, "origin": "https://stranger.example"}):
        answer = signed_in.post("/v1/uploads", json=told, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), headers
    wrong = signed_in.post("/v1/uploads", json=told, headers=ours | {"x-csrf-token": "0" * 32})
    assert wrong.status_code == 403
    assert signed_in.post("/v1/uploads", json=told, headers=ours | {"x-csrf-token": token}).status_code == 201
    assert signed_in.get("/v1/images").status_code == 200


@pytest.mark.parametrize(("host", "secure"), [("127.0.0.1", False), ("localhost:80", False), ("images.example", True)])
def test_over_anything_but_loopback_the_cookie_goes_over_tls_only(keyed, host, secure):
    headers = {"host": host}
    answer = httpx.post(f"{keyed.url}/signin", data={"key": keyed.key}, headers=headers, trust_env=False)
    assert ("secure" in answer.headers["set-cookie"].lower()) is secure


@pytest.mark.parametrize(
    "wanted", ["https://stranger.example/", "//stranger.example", "/\\\\stranger.example", "javascript:1"]
)
def test_signing_in_leads_to_no_other_site(keyed, wanted):
    answer = httpx.post(f"{keyed.url}/signin", data={"key": keyed.key, "next": wanted}, trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    "cookie", ["darkroom-key=", "darkroom-key=dk_x", 'darkroom-key="a\\"b"', "=;;;", "darkroom-key=\xe4"]
)
def test_a_cookie_that_is_no_key_signs_nobody_in(keyed, cookie):
    answer = httpx.get(f"{keyed.url}/", headers={"cookie": cookie.encode("latin-1")}, trust_env=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/signin")


def test_without_keys_nobody_is_asked(server):
    answer = httpx.get(f"{server.url}/signin", trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
