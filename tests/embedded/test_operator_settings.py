"""What an operator sets is what the running service does."""

import io
from contextlib import contextmanager

import httpx
import pytest
from PIL import Image

import pictures
from darkroom.names import FIRST_ID
from patience import eventually, ready, settled, uploaded
from servers import refusal, serving

UNKNOWN = f"/i/{FIRST_ID}"


@contextmanager
def client_of(served, **headers):
    with httpx.Client(base_url=served.url, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def main_colour(answer):
    picture = Image.open(io.BytesIO(answer.content)).convert("RGB")
    return picture.size, picture.resize((1, 1)).getpixel((0, 0))


def test_the_operator_s_own_default_image_is_served_and_may_be_replaced(tmp_path):
    for colour, size in (((200, 20, 20), (300, 200)), ((20, 20, 200), (500, 500))):
        (tmp_path / "default.png").write_bytes(pictures.encode(Image.new("RGB", size, colour), "PNG"))
        with serving(tmp_path, workers="1", default_image="default.png") as served, client_of(served) as client:
            answer = client.get(f"{UNKNOWN}/medium.jpg")
            assert (answer.status_code, answer.headers["x-default-image"]) == (404, "missing")
            shown_size, shown_colour = main_colour(answer)
            assert shown_size == size
            assert all(abs(shown - set_) < 8 for shown, set_ in zip(shown_colour, colour, strict=True))
            assert max(main_colour(client.get(f"{UNKNOWN}/small"))[0]) <= 320
    refusal(tmp_path, default_image="no-such-file.png")
    with serving(tmp_path, workers="1") as served, client_of(served) as client:
        assert main_colour(client.get(f"{UNKNOWN}/medium.jpg"))[1] != pytest.approx(colour, abs=50)


RECIPES = """
[variants.card]
width = 200
height = 100
fit = "cover"
formats = ["webp", "jpeg"]
quality = 70

[variants.original-size]
width = 8192
height = 8192
formats = ["png"]
"""


def test_other_variants_from_a_file(tmp_path):
    (tmp_path / "mine.toml").write_text(RECIPES)
    with serving(tmp_path, workers="1", recipes="mine.toml") as served, client_of(served) as client:
        assert [recipe["name"] for recipe in client.get("/v1/variants").json()["items"]] == ["card", "original-size"]
        image = ready(client, pictures.jpeg(600, 400))
        made = {(variant["name"], variant["format"]): variant for variant in image["variants"]}
        assert set(made) == {("card", "webp"), ("card", "jpeg"), ("original-size", "png")}
        assert (made["card", "webp"]["width"], made["card", "webp"]["height"]) == (200, 100)
        assert (made["original-size", "png"]["width"], made["original-size", "png"]["height"]) == (600, 400)
        negotiated = client.get(f"/i/{image['id']}/card", headers={"accept": "image/webp,*/*"})
        assert (negotiated.status_code, negotiated.headers["content-type"]) == (200, "image/webp")
        assert client.get(f"/i/{image['id']}/small.jpg").status_code == 404
        assert client.get(f"{UNKNOWN}/card.webp").headers["content-type"] == "image/webp"


def test_an_svg_is_drawn_where_it_is_switched_on(tmp_path):
    with serving(tmp_path, workers="1", svg="1") as served, client_of(served) as client:
        image = ready(client, pictures.svg(600, 400))
        source = image["source"]
        assert (source["format"], source["width"], source["height"]) == ("svg", 600, 400)
        shown = client.get(f"/i/{image['id']}/small.jpg")
        assert shown.headers["content-type"] == "image/jpeg"
        assert all(abs(a - b) < 8 for a, b in zip(corner(shown), pictures.RED, strict=True))
        reaching = pictures.svg(within='<image xlink:href="file:///etc/passwd"/>')
        failed = uploaded(client, reaching)
        assert (failed["state"], failed["error"]["code"]) == ("failed", "unsupported-format")
        assert "file:///etc/passwd" in failed["error"]["detail"]


def corner(answer):
    return Image.open(io.BytesIO(answer.content)).convert("RGB").getpixel((10, 10))


@pytest.mark.parametrize(("policy", "kept"), [("delete", False), ("keep", True), ("archive", True)])
def test_what_becomes_of_originals(tmp_path, policy, kept):
    body = pictures.jpeg(300, 200)
    with serving(tmp_path, workers="1", originals=policy) as served, client_of(served) as client:
        image = ready(client, body)
        assert image["original"] == ("kept" if kept else "deleted")
        original = client.get(f"/v1/images/{image['id']}/original")
        if kept:
            assert original.content == body
        else:
            assert original.json()["code"] == "original-deleted"
        expected = {"delete": [], "keep": ["originals"], "archive": ["archive"]}[policy]

        def is_so():  # an image is ready a moment before its original has gone where it goes
            files = (path for path in (served.data / "uploads").rglob("*") if path.is_file())
            return [path.parent.name for path in files] == expected

        eventually(is_so, what=f"originals being where the policy {policy} has them")
        again = client.post(f"/v1/images/{image['id']}/reprocess")
        assert again.status_code == (202 if kept else 409)
        assert settled(client, image["id"])["state"] == "ready"


@pytest.mark.parametrize("truncated", ["refuse", "accept"])
def test_what_becomes_of_a_jpeg_that_is_cut_off(tmp_path, truncated):
    body = pictures.jpeg(600, 400)
    with serving(tmp_path, workers="1", truncated=truncated) as served, client_of(served) as client:
        uploaded = client.post("/v1/images", content=body[: len(body) - 100]).json()
        image = settled(client, uploaded["id"])
        if truncated == "accept":
            assert (image["state"], image["error"]) == ("ready", None)
        else:
            assert image["state"] == "failed"
            assert image["error"]["code"] == "unreadable-image"
            assert "cut off" in image["error"]["detail"]


def test_bounds_and_addresses(tmp_path):
    settings = {
        "max_upload_bytes": "5000",
        "max_post_bytes": "2000",
        "max_pixels": "10000",
        "max_side": "150",
        "max_tags": "2",
        "ticket_seconds": "60",
        "assets_url": "https://pictures.example/",
        "public_url": "https://api.example",
        "browser_seconds": "60",
        "edge_seconds": "120",
        "miss_seconds": "3",
    }
    with serving(tmp_path, workers="1", **settings) as served, client_of(served) as client:
        limits = client.get("/v1/limits").json()
        assert (limits["ticket_bytes"], limits["post_bytes"], limits["pixels"]) == (5000, 2000, 10_000)
        assert (limits["side"], limits["tags"], limits["ticket_seconds"]) == (150, 2, 60)
        image = ready(client, pictures.jpeg(60, 40, quality=50), tags="a,b")
        assert image["variants"][0]["url"].startswith(f"https://pictures.example/i/{image['id']}/")
        ticket = client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": 5000}).json()
        assert ticket["url"].startswith(f"https://api.example/upload/{ticket['id']}?")
        delivered = client.get(f"/i/{image['id']}/small.jpg")
        assert delivered.headers["cache-control"] == "public, max-age=60, s-maxage=120"
        assert client.get(f"{UNKNOWN}/small.jpg").headers["cache-control"] == "public, max-age=3"
        refused = [
            client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": 5001}),
            client.post("/v1/images", content=bytes(2001)),
            client.post("/v1/images", content=pictures.png(151, 10)),
            client.post("/v1/images", content=pictures.png(101, 100)),
            client.post("/v1/images", params={"tag": ["a", "b", "c"]}, content=pictures.png(9, 9)),
        ]
        assert [answer.json()["code"] for answer in refused] == [
            "too-large",
            "too-large",
            "too-many-pixels",
            "too-many-pixels",
            "invalid-request",
        ]


def test_layers_of_the_jail_can_be_insisted_on(tmp_path):
    with (
        serving(tmp_path, workers="1", jail_layers="rlimits, no-new-privileges") as served,
        client_of(served) as client,
    ):
        ready(client, pictures.jpeg())


def test_a_worker_that_is_often_replaced_serves_all_the_same(tmp_path):
    with (
        serving(tmp_path, workers="1", render_workers="1", render_recycle="1") as served,
        client_of(served) as client,
    ):
        for _ in range(4):
            ready(client, pictures.jpeg())


def test_an_image_that_takes_too_long_fails_with_a_reason(tmp_path):
    recipes = '[variants.huge]\nwidth = 8000\nheight = 8000\nformats = ["avif", "webp", "png"]\n'
    (tmp_path / "slow.toml").write_text(recipes)
    with (
        serving(tmp_path, workers="1", render_seconds="1", attempts="1", recipes="slow.toml") as served,
        client_of(served) as client,
    ):
        noise = pictures.encode(pictures.photo(4000, 3000), "JPEG", quality=60)
        answer = client.post("/v1/images", content=noise)
        image = settled(client, answer.json()["id"])
        assert (image["state"], image["error"]["code"]) == ("failed", "render-failed")
        assert "longer than 1 seconds" in image["error"]["detail"]
        assert client.get(f"/i/{image['id']}/huge.png").headers["x-default-image"] == "failed"
        assert 'darkroom_queue_events{state="buried"} 1.0' in client.get("/metrics").text
        ready(client, pictures.jpeg())
