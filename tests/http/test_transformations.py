"""Transformations over the wire: signed, made once whoever asks, delivered like a variant, refused when not right."""

import asyncio
import base64
import http.client
import secrets
import time
from urllib.parse import urlsplit

import httpx
import pytest

import pictures
from answers import picture_of, refused
from darkroom.access.signing import SigningSecret
from darkroom.access.sqlite import SqliteSecrets
from darkroom.edge.signatures import path_of, sign, sign_family
from darkroom.embedded.layout import Layout
from darkroom.service import utc_now
from patience import eventually, ready
from servers import serving

AVIF = {"accept": "image/avif,image/webp,*/*;q=0.8"}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    settings = {"srcset_widths": "40,80", "unsigned_sizes": "33x0,44x44", "workers": "2", "originals": "keep"}
    with serving(tmp_path_factory.mktemp("transformations"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def client(served):
    with httpx.Client(base_url=served.url, trust_env=False, timeout=30) as opened:
        yield opened


@pytest.fixture
def image(client):
    return ready(client, pictures.jpeg(400, 300))


@pytest.fixture(scope="module")
def secret(client):
    return made_secret(client, "local")


def made_secret(client, owner):
    answer = client.post("/v1/secrets", json={"owner": owner})
    assert answer.status_code == 201, answer.text
    kid, _, text = answer.json()["secret"].partition(".")
    assert kid == answer.json()["id"]
    decoded = base64.urlsafe_b64decode(text + "=")
    return SigningSecret(id=kid, owner=owner, secret=decoded, created_at=None)


def signed(client, image, options, ext="jpg", **said):
    answer = client.post("/v1/sign", json={"id": image["id"], "options": options, "ext": ext, **said})
    assert answer.status_code == 200, answer.text
    return answer.json()


def path(client, image, options, ext="jpg", **said):
    return urlsplit(signed(client, image, options, ext, **said)["url"]).path


def own(image, options, secret, ext="jpg"):
    """Sign without the server."""
    return path_of(image["id"], options, sign(secret.secret, image["id"], options, ext), ext)


def results_of(served, image):
    folder = served.data / "assets" / "i" / image["id"] / "t"
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


# ------------------------------------------------------------------ made and delivered


def test_a_signed_address_gives_the_picture_like_a_variant(client, served, image):
    address = path(client, image, "width=80,height=80,fit=cover")
    answer = client.get(address)
    assert picture_of(answer).size == (80, 80)
    assert answer.headers["cache-control"] == "public, max-age=86400, s-maxage=31536000"
    assert answer.headers["access-control-allow-origin"] == "*"
    again = client.get(address, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    part = client.get(address, headers={"range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, answer.content[:10])
    head = client.head(address)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(answer.content)))
    assert results_of(served, image) == ["width=80,height=80,fit=cover.jpg"]


def test_every_order_and_alias_is_one_stored_object(client, served, image):
    bodies = {
        client.get(path(client, image, options)).content
        for options in ("width=80,rotate=90", "rotate=90,width=80", "width=40,dpr=2,rotate=90", "rotate=90,width=0080")
    }
    assert len(bodies) == 1
    assert results_of(served, image) == ["width=80,rotate=90.jpg"]


@pytest.mark.parametrize(
    ("ext", "kind"), [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("avif", "AVIF"), ("gif", "GIF")]
)
def test_every_format_is_what_it_is_called(client, image, ext, kind):
    answer = client.get(path(client, image, "width=40", ext))
    assert picture_of(answer).format == kind
    assert answer.headers["content-type"] == f"image/{kind.lower()}"


def test_auto_is_negotiated(client, image):
    address = path(client, image, "width=40", "auto")
    for accept, kind in (("image/avif,image/webp", "AVIF"), ("image/webp", "WEBP"), ("*/*", "JPEG"), ("", "JPEG")):
        answer = client.get(address, headers={"accept": accept})
        assert picture_of(answer).format == kind
        assert answer.headers["vary"] == "Accept"


def test_auto_of_what_is_transparent_or_moves(client):
    clear, moving = ready(client, pictures.png(60, 60, alpha=True)), ready(client, pictures.animated_gif())
    for image, kinds in ((clear, ("AVIF", "PNG")), (moving, ("WEBP", "GIF"))):
        address = path(client, image, "width=30", "auto")
        assert picture_of(client.get(address, headers=AVIF)).format == kinds[0]
        assert picture_of(client.get(address, headers={"accept": "*/*"})).format == kinds[1]
    assert (
        picture_of(
            client.get(path(client, clear, "width=30,background=ff0000", "auto"), headers={"accept": "*/*"})
        ).format
        == "JPEG"
    )


def test_a_family_serves_a_srcset_and_nothing_else(client, image):
    family = signed(client, image, "width=1,fit=cover", "auto", family=True)
    assert family["widths"] == [40, 80]
    for width in family["widths"]:
        address = urlsplit(family["template"]).path.replace("%7Bwidth%7D", "{width}").replace("{width}", str(width))
        assert picture_of(client.get(address)).width == width
        other = address.replace(f"width={width}", f"width={width + 1}")
        refused(client.get(other), 403, "bad-signature")
    assert picture_of(client.get(urlsplit(family["url"]).path)).width == 40


def test_the_focus_decides_where_nothing_else_does(client, served, image):
    address = path(client, image, "width=30,height=60,fit=cover", "png")
    middle = client.get(address).content
    assert client.patch(f"/v1/images/{image['id']}", json={"focus": [0.0, 0.5]}).status_code == 200
    left = client.get(address).content
    assert left != middle
    fixed = path(client, image, "width=30,height=60,fit=cover,gravity=center", "png")
    assert client.get(fixed).content == middle
    assert client.patch(f"/v1/images/{image['id']}", json={"focus": None}).status_code == 200
    assert client.get(address).content == middle


def test_more_than_is_kept_is_not_enlarged_and_a_header_says_so(keyed_server):
    with httpx.Client(
        base_url=keyed_server.url, trust_env=False, timeout=30, headers={"authorization": f"Bearer {keyed_server.key}"}
    ) as client:
        image = ready(client, pictures.jpeg(2400, 600))
        large = client.get(path(client, image, "width=2200"))
        assert picture_of(large).size == (1920, 480)
        assert large.headers["x-not-enlarged"] == "1920x480"
        assert client.get(path(client, image, "width=2200")).headers["x-not-enlarged"] == "1920x480"
        assert "x-not-enlarged" not in client.get(path(client, image, "width=1000")).headers


# ------------------------------------------------------------------ once


def test_a_hundred_at_once_render_once_across_processes(client, served, image):
    address = path(client, image, "width=391,blur=2", "webp")

    async def ask():
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60, limits=limits) as many:
            return await asyncio.gather(*(many.get(address) for _ in range(100)))

    before = made_so_far(client)
    answers = asyncio.run(ask())
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    eventually(lambda: made_so_far(client) > before, what="the figure being given on")
    assert made_so_far(client) == before + 1


def made_so_far(client):
    lines = client.get("/metrics").text.splitlines()
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith("darkroom_results_total{") and '"made"' in line
    )


def test_a_deleted_image_leaves_nothing_behind_and_nothing_is_made_of_it(client, served, image):
    address, other = path(client, image, "width=80"), path(client, image, "width=81")
    assert client.get(address).status_code == 200
    assert client.delete(f"/v1/images/{image['id']}").status_code == 204
    for gone in (address, other):
        answer = client.get(gone)
        assert (answer.status_code, answer.headers["x-default-image"]) == (404, "missing")
    assert results_of(served, image) == []


def test_an_avif_over_the_budget_comes_later(tmp_path):
    with (
        serving(tmp_path, avif_budget_seconds="0", workers="1") as served,
        httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client,
    ):
        image = ready(client, pictures.jpeg(400, 300))
        address = path(client, image, "width=80", "auto")
        first = client.get(address, headers=AVIF)
        assert picture_of(first).format == "WEBP"
        assert first.headers["cache-control"] == "public, max-age=10, s-maxage=10"
        assert first.headers["vary"] == "Accept"
        only = client.get(path(client, image, "width=82", "auto"), headers={"accept": "image/avif"})
        assert picture_of(only).format == "JPEG"

        def is_avif():
            answer = client.get(address, headers=AVIF)
            return answer if answer.headers["content-type"] == "image/avif" else None

        later = eventually(is_avif, what="the AVIF taking its place")
        assert later.headers["cache-control"] == "public, max-age=86400, s-maxage=31536000"
        assert picture_of(client.get(path(client, image, "width=81", "avif"))).format == "AVIF"


# ------------------------------------------------------------------ signatures


def test_the_first_start_makes_a_secret_that_no_other_service_has(server, keyed_server):
    first = []
    for each in (server, keyed_server):
        secrets_ = SqliteSecrets(Layout(each.data).access, utc_now)
        first.append(secrets_.list()[0])
        secrets_.close()
    assert [each.owner for each in first] == ["local", "local"]
    assert len(first[0].secret) == len(first[1].secret) == 32
    assert first[0].secret != first[1].secret
    assert first[0].id != first[1].id


def test_who_has_a_secret_signs_without_the_server(client, image, secret):
    assert picture_of(client.get(own(image, f"width=40,kid={secret.id}", secret))).width == 40
    assert picture_of(client.get(own(image, "width=41", secret))).width == 41, "without a kid all live ones are tried"


def test_several_secrets_live_at_once_until_one_is_retired(client, image, secret):
    new = made_secret(client, "local")
    assert signed(client, image, "width=40")["kid"] == new.id
    old, fresh = own(image, f"width=40,kid={secret.id}", secret), own(image, f"width=40,kid={new.id}", new)
    assert client.get(old).status_code == client.get(fresh).status_code == 200
    assert client.delete(f"/v1/secrets/{new.id}").status_code == 204
    eventually(lambda: client.get(fresh).status_code == 403, what="the retired secret being good no more")
    assert client.get(old).status_code == 200
    assert [each["id"] for each in client.get("/v1/secrets").json()["items"]].count(new.id) == 0


def test_a_secret_signs_its_owners_images_only(client, image):
    stranger = made_secret(client, "stranger")
    refused(client.get(own(image, f"width=40,kid={stranger.id}", stranger)), 403, "bad-signature")
    refused(client.get(own(image, "width=40", stranger)), 403, "bad-signature")


def test_an_address_is_good_until_its_end_and_nobody_keeps_it_longer(client, image, secret):
    answer = client.get(path(client, image, "width=40", expires_in=100))
    kept = answer.headers["cache-control"].replace("=", " ").replace(",", " ").split()
    assert 90 <= int(kept[2]) <= 100
    assert kept[2] == kept[4]
    for exp in (1, int(time.time()) - 1):
        detail = refused(client.get(own(image, f"width=40,exp={exp},kid={secret.id}", secret)), 403, "expired")
        assert "ask for a new one" in detail
    soon = own(image, f"width=40,exp={int(time.time()) + 2},kid={secret.id}", secret)
    assert client.get(soon).status_code == 200
    eventually(lambda: client.get(soon).status_code == 403, what="the end of the address")


def test_the_same_holds_when_the_picture_is_hot_already(client, image, secret):
    right = own(image, f"width=40,kid={secret.id}", secret)
    assert client.get(right).status_code == 200
    for wrong in (
        right.replace("width=40", "width=41"),
        right.replace(".jpg", ".png"),
        right.replace("/s", "/f"),
        right[:-5] + ("A" if right[-5] != "A" else "B") + ".jpg",
        right + "/" + right.rpartition("/")[2],
        right.replace("/t/", "/t/width=40/"),
        right.replace(f"/t/width=40,kid={secret.id}/", "/t/width=40,kid=none/"),
    ):
        refused(client.get(wrong), 403, "bad-signature")


def test_a_signature_for_one_image_is_none_for_another(client, image, secret):
    other = ready(client, pictures.png(50, 50))
    right = own(image, f"width=40,kid={secret.id}", secret)
    refused(client.get(right.replace(image["id"], other["id"])), 403, "bad-signature")


@pytest.mark.parametrize(
    "shape",
    [
        "/i/{id}/t/width=40",
        "/i/{id}/t/width=40.jpg",
        "/i/{id}/t/width=40/u.jpg",
        "/i/{id}/t/width=40/.jpg",
        "/i/{id}/t//u.jpg",
        "/i/{id}/t/",
        "/i/{id}/t/{long}/u.jpg",
        "/i/{id}/t/width=40%2Cheight=3/u.jpg",
        "/i/{id}/t/width=40%00/u.jpg",
        "/i/{id}/t/..%2f..%2flarge.jpg/u.jpg",
        "/i/{id}/t/width=%EF%BC%94/u.jpg",
        "/i/{id}/t/%2577idth=40/u.jpg",
        "/i/{id}%2ft/width=40/u.jpg",
    ],
)
def test_what_is_not_signed_is_refused_and_never_the_default_image(client, served, image, shape):
    refused(client.get(shape.format(id=image["id"], long="width=40," * 4000)), 403, "bad-signature")
    assert results_of(served, image) == []


def test_a_path_of_64_kilobytes_is_refused(served, client, image):
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=10)
    try:
        connection.request("GET", f"/i/{image['id']}/t/{'a' * 65_500}/u.jpg")
        assert connection.getresponse().status in {403, 414, 431}
    except ConnectionError:  # hung up on while it was still sending
        pass
    finally:
        connection.close()
    assert client.get("/healthz").status_code == 200


def test_sizes_that_the_operator_allows_need_no_signature(client, image):
    assert picture_of(client.get(f"/i/{image['id']}/t/width=33/u.jpg")).width == 33
    assert picture_of(client.get(f"/i/{image['id']}/t/width=44,height=44,fit=cover,gravity=north/u.auto")).size == (
        44,
        44,
    )
    for options in (
        "width=34",
        "width=33,blur=1",
        "width=44,height=44,fit=cover,gravity=0.3:0.3",
        "width=44",
        "width=x",
    ):
        refused(client.get(f"/i/{image['id']}/t/{options}/u.jpg"), 403, "bad-signature")


def test_percent_encoding_is_another_spelling_and_no_way_around(client, image, secret):
    right = own(image, f"width=40,height=20,kid={secret.id}", secret)
    assert client.get(right.replace(",", "%2C").replace("=", "%3D")).status_code == 200
    refused(client.get(right.replace(",", "%252C")), 403, "bad-signature")


# ------------------------------------------------------------------ what is signed and still wrong


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("width=0", "width"),
        ("width=8193", "width"),
        ("width=8192,height=8192,dpr=4", "dpr"),
        ("fit=squash", "fit"),
        ("rotate=45", "rotate"),
        ("blur=101", "blur"),
        ("quality=0", "quality"),
        ("colour=red", "colour"),
        ("crop=5000:0:10:10", "crop"),
        ("width=5,width=6", "width"),
    ],
)
def test_a_wrong_option_is_named_by_whoever_is_asked(client, served, image, secret, options, named):
    answer = client.post("/v1/sign", json={"id": image["id"], "options": options})
    if named != "crop":
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
        assert named in answer.json()["detail"]
    detail = refused(client.get(own(image, f"{options},kid={secret.id}", secret)), 422, "invalid-request")
    assert named in detail
    assert results_of(served, image) == []


def test_what_cannot_be_signed_is_refused(client, image):
    for wrong in (
        {"id": image["id"], "options": "width=5", "ext": "bmp"},
        {"id": image["id"], "options": "width=5,kid=abc"},
        {"id": image["id"], "options": "width=5,exp=5"},
        {"id": image["id"], "options": "height=5", "family": True},
        {"id": image["id"], "options": "width=5", "expires_in": 0},
        {"id": image["id"], "options": "width=*", "family": True},
        {"id": image["id"]},
    ):
        assert client.post("/v1/sign", json=wrong).status_code == 422, wrong
    assert client.post("/v1/sign", json={"id": "01k0000000000000000000000a", "options": "width=5"}).status_code == 404


def test_nobody_signs_for_the_images_of_another(keyed_server):
    with httpx.Client(base_url=keyed_server.url, trust_env=False, timeout=30) as client:
        admin = {"authorization": f"Bearer {keyed_server.key}"}
        made = client.post("/v1/keys", json={"owner": "another", "name": "x", "scopes": ["read"]}, headers=admin).json()
        client.headers.update(admin)
        image = ready(client, pictures.jpeg(60, 40))
        stranger = {"authorization": f"Bearer {made['key']}"}
        ask = {"id": image["id"], "options": "width=5"}
        assert client.post("/v1/sign", json=ask, headers=stranger).status_code == 404
        assert client.post("/v1/secrets", json={"owner": "another"}, headers=stranger).status_code == 403
        assert client.get("/v1/secrets", headers=stranger).status_code == 403
        assert httpx.post(f"{keyed_server.url}/v1/sign", json=ask, trust_env=False).status_code == 401


def test_a_well_signed_address_of_no_image_shows_the_default_image(client, secret):
    nobody = {"id": "01k0000000000000000000000a"}
    answer = client.get(own(nobody, f"width=40,kid={secret.id}", secret))
    assert (answer.status_code, answer.headers["x-default-image"]) == (404, "missing")
    refused(client.get(own(nobody, "width=40", secret)), 403, "bad-signature")


def test_only_looking_is_answered(client, image):
    answer = client.post(path(client, image, "width=40"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_family_signed_elsewhere_is_the_same_family(client, image, secret):
    options = f"width=80,kid={secret.id}"
    signature = sign_family(secret.secret, image["id"], options, "png")
    for width in (40, 80):
        assert client.get(path_of(image["id"], f"width={width},kid={secret.id}", signature, "png")).status_code == 200
    refused(client.get(path_of(image["id"], f"width=41,kid={secret.id}", signature, "png")), 403, "bad-signature")


def test_a_secret_of_chance_opens_nothing(client, image, secret):
    guess = SigningSecret(id=secret.id, owner="local", secret=secrets.token_bytes(32), created_at=None)
    refused(client.get(own(image, f"width=40,kid={secret.id}", guess)), 403, "bad-signature")
