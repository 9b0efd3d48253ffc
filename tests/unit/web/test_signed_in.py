"""Whose pages a request with a cookie has to come from."""

import asyncio

import pytest

from darkroom.web.session import SignedIn, token_of

KEY = "dk_one"


def answered(origin, host="api.internal", base_url="https://images.example", token=None):
    """Return whether a request that changes something is handed on with the key, or the status it is refused with."""
    told = []

    async def app(scope, _receive, _send):
        told.append(dict(scope["headers"]).get(b"authorization"))

    async def send(message):
        if "status" in message:
            told.append(message["status"])

    headers = {"cookie": f"darkroom-key={KEY}", "host": host, "x-csrf-token": token or token_of(KEY), "origin": origin}
    raw = [(name.encode(), value.encode()) for name, value in headers.items() if value]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": raw}
    asyncio.run(SignedIn(app, base_url)(scope, None, send))
    return told == [f"Bearer {KEY}".encode()] or told[0]


@pytest.mark.parametrize(
    "origin",
    ["https://api.internal", "https://images.example"],
    ids=["the name that was asked for", "the name that people know"],
)
def test_pages_of_ours_by_either_name(origin):
    assert answered(origin) is True
    assert answered(origin, token="0" * 32) == 403


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://images.example",
        "https://images.example.evil",
        "https://evil.example",
        "https://images.example:8443",
    ],
)
def test_pages_of_others(origin):
    assert answered(origin) == 403


def test_case_and_a_path_of_the_setting_do_not_matter():
    assert answered("https://images.example", base_url="https://Images.example/") is True
