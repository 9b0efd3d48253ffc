"""Addresses as programs and pages use them: each one that is made is answered with what it says."""

import io
from html.parser import HTMLParser

import httpx
import pytest
from PIL import Image

import pictures
from darkroom.client import Client, SecretSigner, picture, srcset
from darkroom.errors import InvalidRequest


@pytest.fixture(scope="module")
def client(server):
    with Client(server.url) as opened:
        yield opened


@pytest.fixture(scope="module")
def image(client):
    return client.upload(pictures.jpeg(300, 200), wait=30)


@pytest.fixture(scope="module")
def signer(client, server):
    return SecretSigner(client.add_secret("local").secret, server.url)


def shown(address):
    answer = httpx.get(address, trust_env=False)
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def addresses(text):
    return [(part.split()[0], int(part.split()[1].removesuffix("w"))) for part in text.split(", ")]


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_one_address(client, image):
    assert shown(client.url(image.id, width=60, height=60, fit="cover", grayscale=True, ext="png")).size == (60, 60)
    assert "exp=" in client.url(image.id, width=60, expires_in=100)
    with pytest.raises(InvalidRequest, match="colour"):
        client.url(image.id, colour="red")


@pytest.mark.parametrize("by", ["server", "secret"])
def test_a_srcset_has_what_it_says(client, signer, image, by):
    who = client if by == "server" else signer
    for address, width in addresses(srcset(who, image.id, widths=(40, 80), ext="jpg")):
        assert shown(address).size == (width, round(width * 200 / 300))
    for address, width in addresses(srcset(who, image.id, widths=(40, 80), ext="jpg", width=2, height=1, fit="cover")):
        assert shown(address).size == (width, width // 2)


def test_a_picture_element_is_ready_to_be_put_into_a_page(client, signer, image):
    for text in (
        client.picture(image, alt='A "sea" <at> night', sizes="50vw", widths=(40, 80)),
        picture(signer, image, alt='A "sea" <at> night', sizes="50vw", widths=(40, 80)),
    ):
        tags = Tags(text).found
        assert [tag for tag, _ in tags] == ["picture", "source", "source", "img"]
        for (_, said), kind in zip(tags[1:], ("AVIF", "WEBP", "JPEG"), strict=True):
            assert said["sizes"] == "50vw"
            for address, width in addresses(said["srcset"]):
                found = shown(address)
                assert (found.format, found.width) == (kind, width)
        last = tags[-1][1]
        assert (last["width"], last["height"], last["alt"]) == ("300", "200", 'A "sea" <at> night')
        assert image.color in last["style"]
        assert last["data-thumbhash"] == image.placeholder


def test_what_is_no_secret_is_refused_at_once():
    for text in ("", "abc", "abc.", ".abcd", "abc.short", "abc.!!!"):
        with pytest.raises(ValueError, match=r"ID\.SECRET"):
            SecretSigner(text, "http://127.0.0.1")
