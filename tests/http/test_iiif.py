"""IIIF Image API 3.0 over the wire: what the official validator asks for, and what it does not."""

import httpx
import pytest

import pictures
from answers import picture_of, refused_openly
from patience import ready
from servers import serving
from validating import assert_beyond, assert_level_2, drawn


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    settings = {"iiif_owners": "local,museum", "workers": "2", "originals": "keep"}
    with serving(tmp_path_factory.mktemp("iiif"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def client(served):
    with httpx.Client(base_url=served.url, trust_env=False, timeout=30) as opened:
        yield opened


@pytest.fixture(scope="module")
def image(client):
    return ready(client, pictures.jpeg(400, 300))


def results_of(served, image):
    folder = served.data / "assets" / "i" / image["id"] / "t"
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


@pytest.fixture(scope="module")
def squares(client, tmp_path_factory):
    return ready(client, drawn(tmp_path_factory.mktemp("squares")), filename="squares.png")


def test_the_official_validator_passes_every_test_of_level_2(served, squares):
    assert_level_2(served.url, squares["id"])


def test_the_official_validator_finds_more_than_level_2(served, squares):
    assert_beyond(served.url, squares["id"])


# ------------------------------------------------------------------ what is said of an image


def test_the_size_that_is_stated_is_the_one_that_is_kept(tmp_path):
    with (
        serving(tmp_path, iiif_owners="local", workers="1", originals="delete") as served,
        httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client,
    ):
        image = ready(client, pictures.jpeg(2600, 1950))
        said = client.get(f"/iiif/{image['id']}/info.json").json()
        assert (said["width"], said["height"]) == (1920, 1440)
        assert {"width": 1080, "height": 810} in said["sizes"]
        whole = client.get(f"/iiif/{image['id']}/full/max/0/default.jpg")
        assert picture_of(whole).size == (1920, 1440)
        assert "x-not-enlarged" not in whole.headers
        corner = client.get(f"/iiif/{image['id']}/1408,928,512,512/512,512/0/default.jpg")
        assert picture_of(corner).size == (512, 512)
        refused_openly(client.get(f"/iiif/{image['id']}/full/2600,/0/default.jpg"), 400, "invalid-request")


def test_an_image_is_described(client, image, served):
    answer = client.get(f"/iiif/{image['id']}/info.json")
    said = answer.json()
    assert said["id"] == f"{served.url}/iiif/{image['id']}"
    assert (said["width"], said["height"], said["profile"]) == (400, 300, "level2")
    assert said["tiles"] == [{"width": 512, "scaleFactors": [1]}]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["cache-control"] == "public, max-age=60"
    bare = client.get(f"/iiif/{image['id']}")
    assert (bare.status_code, bare.headers["location"]) == (303, f"{said['id']}/info.json")
    head = client.head(f"/iiif/{image['id']}/info.json")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == answer.headers["content-length"]


# ------------------------------------------------------------------ pictures


def test_a_picture_is_the_same_result_as_of_a_signed_address(client, served):
    image = ready(client, pictures.jpeg(401, 300))
    by_iiif = client.get(f"/iiif/{image['id']}/full/200,/0/default.jpg")
    signed = client.post("/v1/sign", json={"id": image["id"], "options": "width=200", "ext": "jpg"}).json()["url"]
    assert client.get(signed).content == by_iiif.content
    assert results_of(served, image) == ["width=200.jpg"]


def test_every_spelling_of_a_picture_is_one_stored_result(client, served):
    image = ready(client, pictures.jpeg(402, 300))
    spellings = ("full/201,", "full/!201,300", "pct:0,0,100,100/201,", "full/pct:50", "0,0,402,300/201,150")
    answers = [client.get(f"/iiif/{image['id']}/{spelling}/0/default.png") for spelling in spellings]
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["link"] for answer in answers}) == 1
    assert f"/iiif/{image['id']}/full/201,150/0/default.png>" in answers[0].headers["link"]
    assert results_of(served, image) == ["width=201.png"]


def test_a_picture_is_kept_by_browsers_and_not_long_by_an_edge_that_cannot_be_told(client, image):
    address = f"/iiif/{image['id']}/full/100,/0/default.jpg"
    answer = client.get(address)
    assert answer.headers["cache-control"] == "public, max-age=86400, s-maxage=60"
    again = client.get(address, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    part = client.get(address, headers={"range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, answer.content[:10])


def test_bitonal_is_black_and_white_and_nothing_in_between(client, image):
    found = picture_of(client.get(f"/iiif/{image['id']}/full/max/0/bitonal.png")).convert("L")
    assert {value for _, value in found.getcolors()} == {0, 255}


def test_what_is_wrong_is_400_and_what_is_not_there_404(client, image, served):
    before = results_of(served, image)
    for wrong in (
        "full/max/0/default",
        "full/max/45/default.jpg",
        "full/^800,/0/default.jpg",
        "5000,0,5,5/max/0/default.jpg",
        "full/max/0/default.jpg/more",
        "..%2f..%2flarge.jpg/max/0/default.jpg",
        "full/%EF%BC%94,/0/default.jpg",
        "full/10%252C/0/default.jpg",
        "full/" + "1" * 80 + ",/0/default.jpg",
    ):
        refused_openly(client.get(f"/iiif/{image['id']}/{wrong}"), 400, "invalid-request")
    for missing in ("nobody", "01k0000000000000000000000a", image["id"].upper(), "", f"{image['id']}%00"):
        refused_openly(client.get(f"/iiif/{missing}/full/max/0/default.jpg"), 404, "not-found")
    refused_openly(client.get(f"/iiif/{image['id']}/{'a' * 9_000}"), 404, "not-found")
    assert client.post(f"/iiif/{image['id']}/info.json").status_code == 405
    assert results_of(served, image) == before


def test_a_deleted_image_is_gone_here_too(client, served):
    image = ready(client, pictures.jpeg(403, 300))
    address = f"/iiif/{image['id']}/full/100,/0/default.jpg"
    assert client.get(address).status_code == 200
    assert client.delete(f"/v1/images/{image['id']}").status_code == 204
    for path in (address, f"/iiif/{image['id']}/info.json", f"/iiif/{image['id']}/full/101,/0/default.jpg"):
        refused_openly(client.get(path), 404, "not-found")
    assert results_of(served, image) == []


# ------------------------------------------------------------------ for whom, and how often


def test_it_is_off_unless_it_is_switched_on(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        image = ready(client, pictures.jpeg(404, 300))
        for path in ("info.json", "full/max/0/default.jpg"):
            assert client.get(f"/iiif/{image['id']}/{path}").status_code == 404


def test_it_is_switched_on_for_each_owner(tmp_path):
    with (
        serving(tmp_path, keys=True, iiif_owners="museum", workers="1", originals="keep") as served,
        httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client,
    ):
        admin = {"authorization": f"Bearer {served.key}"}
        asked = {"owner": "museum", "name": "x", "scopes": ["read", "write"]}
        museum = client.post("/v1/keys", json=asked, headers=admin).json()["key"]
        shown = {}
        for owner, key in (("local", served.key), ("museum", museum)):
            client.headers["authorization"] = f"Bearer {key}"
            shown[owner] = ready(client, pictures.jpeg(405, 300))["id"]
        del client.headers["authorization"]
        assert client.get(f"/iiif/{shown['museum']}/full/50,/0/default.jpg").status_code == 200
        for path in ("info.json", "full/50,/0/default.jpg", ""):
            refused_openly(client.get(f"/iiif/{shown['local']}/{path}".rstrip("/")), 404, "not-found")


def test_what_has_to_be_made_has_a_rate_of_its_own_and_what_is_there_has_none(tmp_path):
    settings = {"iiif_owners": "local", "iiif_rate": "0.001", "iiif_burst": "2", "workers": "2"}
    with (
        serving(tmp_path, **settings) as served,
        httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client,
    ):
        image = ready(client, pictures.jpeg(406, 300))
        address = f"/iiif/{image['id']}/full/{{}},/0/default.jpg"
        assert [client.get(address.format(width)).status_code for width in (10, 11, 12)] == [200, 200, 429]
        again = client.get(address.format(12))
        assert "too many new pictures" in refused_openly(again, 429, "rate-limited")
        assert int(again.headers["retry-after"]) > 0
        assert {client.get(address.format(width)).status_code for width in (10, 11) * 20} == {200}
        signed = client.post("/v1/sign", json={"id": image["id"], "options": "width=12", "ext": "jpg"}).json()["url"]
        assert client.get(signed).status_code == 200, "who may sign is not held up by who may not"
        assert client.get(address.format(12)).status_code == 200
