"""What holds of every page there is: found by following all links, as somebody who may do everything."""

import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest

import pictures
from darkroom.client import Client, Labels
from landscapes import landscape

HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'`"
EXPECTED = {"/", "/add", "/cost", "/operator", "/operator/drop"}
EXPECTED |= {"/images/*", "/images/*/delete", "/images/*/playground", "/images/*/similar"}
BESIDE = ("/docs", "/i/", "/static/", "/v1/")
"""What pages lead to that is no page of ours."""


class Read(HTMLParser):
    """Everything in a page that could do something."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.posts, self.inline = [], [], [], []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.inline += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        values = [(value or "").strip().lower() for value in given.values()]
        self.inline += [f"{tag} {value}" for value in values if value.startswith("javascript:")]
        self._in_script = tag == "script"
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "style":
            self.inline.append("style element")
        if tag == "form" and given.get("method", "get").lower() == "post":
            self.posts.append(given["action"])
        if tag in {"script", "img", "input", "source", "iframe", "object", "embed"} and "src" in given:
            self.loaded.append(given["src"])
        if tag == "link":
            self.loaded.append(given["href"])
        self.loaded += [each.split()[0] for each in given.get("srcset", "").split(", ") if each]

    def handle_data(self, data):
        if self._in_script and data.strip():
            self.inline.append(f"script {data[:60]}")


@pytest.fixture(scope="module")
def site(keyed_server):
    with Client(keyed_server.url, keyed_server.key) as client:
        labels = Labels(tags=(HOSTILE[:60], "sea"), album=HOSTILE[:60], title=HOSTILE)
        client.upload(landscape(61), labels, filename=HOSTILE, wait=60)
        broken = client.upload(pictures.jpeg(300, 200)[:900], Labels(title=HOSTILE), filename=HOSTILE, wait=60)
        assert broken.state == "failed"
    return keyed_server


@pytest.fixture(scope="module")
def visited(site):
    """Every page that links lead to from the gallery, by its address, as answered."""
    found, ahead, kinds = {}, ["/", "/?q=tag%3A", "/images/" + "0" * 26, "/operator/drop?id=none"], {}
    with httpx.Client(base_url=site.url, trust_env=False) as client:
        client.post("/signin", data={"key": site.key})
        while ahead:
            address = ahead.pop(0)
            kind = kind_of(address)
            if address in found or kinds.get(kind, 0) >= 6:
                continue
            kinds[kind] = kinds.get(kind, 0) + 1
            answer = found[address] = client.get(address)
            assert answer.status_code in {200, 404, 422}, (address, answer.status_code)
            for link in Read(answer.text).links:
                target = urlsplit(urljoin(f"{site.url}{address}", link))
                if f"{target.scheme}://{target.netloc}" == site.url and not target.path.startswith(BESIDE):
                    ahead.append(target.path + (f"?{target.query}" if target.query else ""))
    return found


def kind_of(address):
    return re.sub(r"(?<=/images/)[0-9a-z]{26}", "*", urlsplit(address).path)


def test_all_kinds_of_pages_are_led_to(visited):
    kinds = {kind_of(address) for address in visited}
    assert kinds >= EXPECTED
    assert {answer.status_code for answer in visited.values()} == {200, 404, 422}


def test_no_page_lets_anything_run_but_files_of_ours(visited):
    for address, answer in visited.items():
        assert answer.headers["content-type"] == "text/html; charset=utf-8", address
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'", address
        assert policy["script-src"] == policy["style-src"] == "'self'", address
        assert policy["base-uri"] == policy["frame-ancestors"] == "'none'", address
        assert policy["form-action"] == "'self'", address
        assert "unsafe" not in answer.headers["content-security-policy"], address
        assert answer.headers["x-content-type-options"] == "nosniff", address
        assert answer.headers["cache-control"] == "no-store", address
        assert Read(answer.text).inline == [], address


def test_no_page_asks_another_host(site, visited):
    for address, answer in visited.items():
        for loaded in Read(answer.text).loaded:
            target = urlsplit(urljoin(f"{site.url}{address}", loaded))
            assert target.scheme == "data" or f"{target.scheme}://{target.netloc}" == site.url, (address, loaded)
        for link in Read(answer.text).links:
            target = urlsplit(urljoin(f"{site.url}{address}", link))
            assert f"{target.scheme}://{target.netloc}" == site.url, (address, link)


def test_every_form_that_changes_something_brings_the_token(site, visited):
    posts = {kind_of(action): action for answer in visited.values() for action in Read(answer.text).posts}
    assert len(posts) >= 8, posts
    with httpx.Client(base_url=site.url, trust_env=False) as client:
        client.post("/signin", data={"key": site.key})
        for action in posts.values():
            assert len(parse_qs(urlsplit(action).query)["csrf"][0]) == 32, action
            without = urlsplit(action).path
            refused = client.post(without, headers={"origin": site.url}, data={"id": "x"})
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), action
            foreign = client.post(action, headers={"origin": "https://stranger.example"}, data={"id": "x"})
            assert foreign.status_code == 403, action


def test_the_key_is_in_no_page(site, visited):
    assert not [address for address, answer in visited.items() if site.key in answer.text]


def test_nobody_sees_a_page_without_a_key(site, visited):
    with httpx.Client(base_url=site.url, trust_env=False) as client:
        for address in visited:
            answer = client.get(address)
            assert (answer.status_code, answer.headers["location"][:13]) == (303, "/signin?next="), address
