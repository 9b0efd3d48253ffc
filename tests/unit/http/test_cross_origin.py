import asyncio

import httpx
from starlette.responses import PlainTextResponse

from darkroom.http.cross_origin import CrossOrigin

SHOP, STRANGER = "https://shop.example", "https://stranger.example"
ASKING = {"access-control-request-method": "PUT", "access-control-request-headers": "content-type"}


def ask(origins, method, path="/upload/x", **headers):
    app = CrossOrigin(PlainTextResponse("answered", 201), origins=origins, prefixes=("/upload/",))

    async def asking():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, path, headers=fields)

    return asyncio.run(asking())


def cross_origin(answer):
    return [name for name in answer.headers if name.startswith("access-control-")]


def test_a_page_of_an_allowed_origin_may_ask_and_read_the_answer():
    preflight = ask((SHOP,), "OPTIONS", origin=SHOP, **ASKING)
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers["access-control-allow-origin"] == SHOP
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert "Content-Type" in preflight.headers["access-control-allow-headers"]
    answer = ask((SHOP,), "PUT", origin=SHOP)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (201, SHOP)
    assert "ETag" in answer.headers["access-control-expose-headers"]
    assert answer.headers["vary"] == "Origin"


def test_a_page_of_another_origin_may_not():
    for answer in (ask((SHOP,), "OPTIONS", origin=STRANGER, **ASKING), ask((SHOP,), "PUT", origin=STRANGER)):
        assert cross_origin(answer) == []
        assert answer.headers["vary"] == "Origin"


def test_a_star_allows_every_origin_but_never_its_cookies():
    answer = ask(("*",), "PUT", origin=STRANGER)
    assert answer.headers["access-control-allow-origin"] == STRANGER
    assert "access-control-allow-credentials" not in answer.headers


def test_other_paths_are_left_alone():
    assert cross_origin(ask(("*",), "GET", "/docs", origin=STRANGER)) == []
