"""What a reader is answered: the contract's section Delivery, line by line."""

import json

import pytest

from darkroom import ledger
from darkroom.edge.answers import Lifetimes
from darkroom.edge.delivery import DEFAULT_SECONDS, DeliveryRules
from darkroom.errors import Unavailable
from darkroom.model import Format, State
from darkroom.names import asset_key
from darkroom.transform.recipes import Recipe
from deliveries import AVIF, BROWSER, ID, JPEG, OTHER_ID, PACKAGED, PNG, Edge

MEDIUM = f"/i/{ID}/medium"


@pytest.fixture
def edge(tmp_path):
    edge = Edge(tmp_path)
    edge.shelve("medium", "avif", AVIF)
    edge.shelve("medium", "jpg", JPEG)
    yield edge
    edge.close()


# ------------------------------------------------------------------ hit


@pytest.mark.parametrize("times", [1, 2], ids=["cold", "hot"])
def test_a_hit_is_the_picture_with_everything_a_cache_has_to_know(edge, times):
    for _ in range(times):
        found = edge.get(f"{MEDIUM}.avif")
    assert found.status == 200
    assert found.body == AVIF
    modified = found.headers.pop("last-modified")
    assert modified.endswith(" GMT")
    etag = found.headers.pop("etag")
    assert etag.startswith('"')
    assert etag.endswith('"')
    assert found.headers == {
        "content-type": "image/avif",
        "content-length": str(len(AVIF)),
        "cache-control": "public, max-age=86400, s-maxage=31536000",
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }


def test_the_operator_says_how_long_pictures_are_kept(tmp_path):
    edge = Edge(tmp_path, rules=DeliveryRules(lifetimes=Lifetimes(browser=60, edge=120, miss=5)))
    edge.shelve()
    assert edge.get(f"{MEDIUM}.jpg").headers["cache-control"] == "public, max-age=60, s-maxage=120"
    assert edge.get(f"{MEDIUM}.avif").headers["cache-control"] == "public, max-age=5"
    edge.close()


def test_the_type_is_what_the_bytes_are_whatever_the_extension_says(edge):
    edge.shelve("small", "jpg", PNG)
    assert edge.get(f"/i/{ID}/small.jpg").headers["content-type"] == "image/png"


def test_without_an_extension_the_best_format_is_chosen_and_said_to_vary(edge):
    modern, plain = edge.get(MEDIUM, accept=BROWSER), edge.get(MEDIUM, accept="*/*")
    assert (modern.body, modern.headers["content-type"], modern.headers["vary"]) == (AVIF, "image/avif", "Accept")
    assert (plain.body, plain.headers["content-type"], plain.headers["vary"]) == (JPEG, "image/jpeg", "Accept")
    assert edge.get(MEDIUM).body == JPEG
    assert "vary" not in edge.get(f"{MEDIUM}.avif", accept=BROWSER).headers


def test_one_copy_serves_the_negotiated_and_the_exact_path(edge):
    edge.get(MEDIUM, accept=BROWSER)
    edge.get(f"{MEDIUM}.avif")
    edge.get(MEDIUM, accept="image/avif")
    assert edge.bucket.reads == [asset_key(ID, "medium", "avif")]


def test_an_accept_header_sent_in_two_lines_is_one_list(edge):
    lines = [(b"accept", b"image/avif"), (b"host", b"x"), (b"accept", b"image/jpeg;q=0.5")]
    answer = edge.runner.run(edge.delivery.answer("GET", MEDIUM, lines))
    assert answer.body == AVIF


def test_variants_of_earlier_recipes_are_served_as_long_as_they_are_there(edge):
    edge.shelve("thumbnail", "webp", b"old")
    assert edge.get(f"/i/{ID}/thumbnail.webp").body == b"old"


# ------------------------------------------------------------------ GET and HEAD


@pytest.mark.parametrize("path", [MEDIUM, f"{MEDIUM}.avif", f"{MEDIUM}.png", "/i/nonsense"])
@pytest.mark.parametrize("hot", [False, True])
def test_head_says_what_get_says_without_the_body(edge, path, hot):
    if hot:
        edge.get(path, accept=BROWSER)
    head, get = edge.head(path, accept=BROWSER), edge.get(path, accept=BROWSER)
    assert (head.status, head.headers) == (get.status, get.headers)
    assert head.body == b""
    assert int(get.headers["content-length"]) == len(get.body) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
@pytest.mark.parametrize("path", [MEDIUM, "/i/nonsense"])
def test_pictures_are_only_looked_at(edge, method, path):
    edge.get(path)
    refused = edge.runner.run(edge.ask(path, method))
    assert refused.status == 405
    assert refused.headers["allow"] == "GET, HEAD"
    assert refused.headers["cache-control"] == "no-store"
    assert refused.body == b""


# ------------------------------------------------------------------ conditions


@pytest.mark.parametrize("hot", [False, True])
@pytest.mark.parametrize("condition", ["{}", "W/{}", '"other", {}', 'W/"other" ,  W/{}', "*", '"a,b",{},"c"'])
def test_who_has_the_picture_is_not_sent_it_again(edge, condition, hot):
    etag = edge.head(f"{MEDIUM}.avif").headers["etag"]
    if not hot:
        edge.purges.purge(ID)
    for path in (f"{MEDIUM}.avif", MEDIUM):
        answer = edge.get(path, accept=BROWSER, if_none_match=condition.format(etag))
        assert answer.status == 304
        assert answer.body == b""
        assert answer.headers["etag"] == etag
        assert answer.headers["cache-control"] == "public, max-age=86400, s-maxage=31536000"
        assert "content-length" not in answer.headers
        assert ("vary" in answer.headers) == (path == MEDIUM)


@pytest.mark.parametrize("condition", ['"other"', "", '"', "etag", '"other", W/"another"', '"x",' * 2_000])
def test_who_has_another_picture_is_sent_this_one(edge, condition):
    assert edge.get(f"{MEDIUM}.avif", if_none_match=condition).body == AVIF


def test_the_etag_is_another_for_other_bytes(edge):
    first = edge.get(f"{MEDIUM}.avif").headers["etag"]
    edge.shelve("medium", "avif", AVIF[:-1])
    edge.purges.purge(ID)
    second = edge.get(f"{MEDIUM}.avif", if_none_match=first)
    assert second.status == 200
    assert second.headers["etag"] != first


def test_not_modified_since(edge):
    modified = edge.get(f"{MEDIUM}.avif").headers["last-modified"]
    assert edge.get(f"{MEDIUM}.avif", if_modified_since=modified).status == 304
    assert edge.head(f"{MEDIUM}.avif", if_modified_since="Fri, 01 Jan 2100 00:00:00 GMT").status == 304
    assert edge.get(f"{MEDIUM}.avif", if_modified_since="Fri Jan  1 00:00:00 2100").status == 304
    assert edge.get(f"{MEDIUM}.avif", if_modified_since="Thu, 01 Jan 2004 00:00:00 GMT").status == 200


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Fri, 99 Jan 2100 00:00:00 GMT", "1" * 200, "\xff", "0, 0 0 0 0:0:0 0"]
)
def test_a_date_that_is_none_is_no_condition(edge, date):
    assert edge.get(f"{MEDIUM}.avif", if_modified_since=date).status == 200


def test_an_etag_counts_before_a_date(edge):
    assert (
        edge.get(f"{MEDIUM}.avif", if_none_match='"x"', if_modified_since="Fri, 01 Jan 2100 00:00:00 GMT").status == 200
    )


# ------------------------------------------------------------------ ranges

LENGTH = len(AVIF)


@pytest.mark.parametrize("hot", [False, True])
@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=10-", 10, LENGTH),
        ("bytes=-10", LENGTH - 10, LENGTH),
        (f"bytes=-{LENGTH * 2}", 0, LENGTH),
        (f"bytes=5-{LENGTH * 2}", 5, LENGTH),
        (f"bytes={LENGTH - 1}-{LENGTH - 1}", LENGTH - 1, LENGTH),
        ("BYTES=1-2", 1, 3),
        ("bytes= 1-2 ", 1, 3),
    ],
)
def test_a_part_is_sent_to_who_asks_for_one(edge, text, start, end, hot):
    if hot:
        edge.get(f"{MEDIUM}.avif")
    part = edge.get(f"{MEDIUM}.avif", range=text)
    assert part.status == 206
    assert part.body == AVIF[start:end]
    assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{LENGTH}"
    assert part.headers["content-length"] == str(end - start)
    assert part.headers["content-type"] == "image/avif"
    assert part.headers["etag"] == edge.head(f"{MEDIUM}.avif").headers["etag"]


@pytest.mark.parametrize("text", [f"bytes={LENGTH}-", f"bytes={LENGTH}-{LENGTH + 5}", "bytes=-0"])
def test_a_part_that_is_not_there_is_refused(edge, text):
    refused = edge.get(f"{MEDIUM}.avif", range=text)
    assert refused.status == 416
    assert refused.headers["content-range"] == f"bytes */{LENGTH}"
    assert refused.headers["cache-control"] == "no-store"
    assert refused.body == b""


@pytest.mark.parametrize(
    "text",
    [
        "bytes=0-1,5-6",
        "bytes=5-1",
        "bytes=",
        "bytes",
        "bytes=-",
        "bytes=a-b",
        "bytes=+1-2",
        "bytes=1-x",
        "bytes=x-1",
        "bytes=x-",
        "bytes=--1",
        "bytes=1-2-3",
        "items=0-1",
        "0-1",
        f"bytes={'9' * 5_000}-",
    ],
)
def test_of_a_range_that_is_not_understood_the_whole_is_sent(edge, text):
    whole = edge.get(f"{MEDIUM}.avif", range=text)
    assert whole.status == 200
    assert whole.body == AVIF


def test_a_part_is_only_sent_of_the_picture_that_was_meant(edge):
    headers = edge.head(f"{MEDIUM}.avif").headers
    for same in (headers["etag"], headers["last-modified"]):
        assert edge.get(f"{MEDIUM}.avif", range="bytes=0-9", if_range=same).status == 206
    for other in ('"other"', "W/" + headers["etag"], "Thu, 01 Jan 2004 00:00:00 GMT", "nonsense", '"'):
        assert edge.get(f"{MEDIUM}.avif", range="bytes=0-9", if_range=other).status == 200


def test_head_has_no_parts(edge):
    head = edge.head(f"{MEDIUM}.avif", range="bytes=0-9")
    assert head.status == 200
    assert head.headers["content-length"] == str(LENGTH)


# ------------------------------------------------------------------ miss


def test_of_what_is_not_there_the_default_image_is_shown_and_said_to_be_it(edge):
    edge.shelve_default("small", "avif", b"small default", "image/avif")
    missing = edge.get(f"/i/{ID}/small.avif")
    assert missing.status == 404
    assert missing.body == b"small default"
    assert missing.headers == {
        "content-type": "image/avif",
        "content-length": "13",
        "cache-control": "public, max-age=10",
        "x-default-image": "missing",
        "x-content-type-options": "nosniff",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, "missing"),
        (State.AWAITING, "processing"),
        (State.PROCESSING, "processing"),
        (State.FAILED, "failed"),
        (State.READY, "missing"),
        (State.DELETED, "missing"),
    ],
)
@pytest.mark.parametrize("path", [f"/i/{OTHER_ID}/medium", f"/i/{OTHER_ID}/medium.avif"])
def test_the_default_image_says_why(edge, state, said, path):
    edge.states[OTHER_ID] = state
    missing = edge.get(path)
    assert (missing.status, missing.headers["x-default-image"]) == (404, said)


def test_a_variant_that_will_never_be_is_missing_and_not_being_processed(edge):
    edge.states[ID] = State.PROCESSING
    for path in (f"/i/{ID}/gigantic", f"/i/{ID}/gigantic.avif", f"/i/{ID}/small.gif"):
        assert edge.get(path).headers["x-default-image"] == "missing"


def test_the_default_image_has_the_size_and_format_that_was_asked_for(edge):
    for variant in ("large", "medium", "small"):
        edge.shelve_default(variant, "avif", f"{variant} avif".encode(), "image/avif")
        edge.shelve_default(variant, "jpg", f"{variant} jpg".encode(), "image/jpeg")
    assert edge.get(f"/i/{OTHER_ID}/large.jpg").body == b"large jpg"
    assert edge.get(f"/i/{OTHER_ID}/large.png").body == b"large jpg"
    assert edge.get(f"/i/{OTHER_ID}/large.png", accept=BROWSER).body == b"large jpg"
    negotiated = edge.get(f"/i/{OTHER_ID}/large", accept=BROWSER)
    assert (negotiated.body, negotiated.headers["vary"]) == (b"large avif", "Accept")
    assert edge.get(f"/i/{ID}/gigantic", accept=BROWSER).body == b"small avif"
    assert edge.get("/i/nonsense").body == b"small jpg"


def test_until_there_are_default_images_the_packaged_one_is_shown(edge):
    shown = edge.get(f"/i/{OTHER_ID}/large")
    assert (shown.body, shown.headers["content-type"]) == (PACKAGED.body, PACKAGED.content_type)
    edge.shelve_default("large", "jpg", b"rendered", "image/jpeg")
    edge.seconds += 60
    assert edge.get(f"/i/{OTHER_ID}/large").body == b"rendered"


@pytest.mark.parametrize(
    "path",
    [
        "/i/",
        "/i//",
        "/i/../../etc/passwd",
        f"/i/{ID}/../medium",
        f"/i/{ID}/medium\x00.jpg",
        f"/i/{ID}/" + "m" * 100_000,
        "/i/\U0001f44d",
    ],
)
def test_nonsense_is_missing_and_asks_no_store(edge, path):
    edge.bucket.reads.clear()
    answer = edge.get(path)
    assert (answer.status, answer.headers["x-default-image"]) == (404, "missing")
    assert all(key.startswith("default/") for key in edge.bucket.reads)


def test_a_damaged_default_image_is_not_shown(edge):
    edge.shelve_default("large", "jpg", b"damaged", "image/jpeg")
    objects = {"default/large.jpg": ledger.checksum(b"whole")}
    said = json.dumps({"made_from": "a picture", "objects": objects}).encode()
    edge.bucket.put("default/ledger.json", said, content_type="application/json")
    assert edge.get(f"/i/{OTHER_ID}/large.jpg").body == PACKAGED.body
    edge.shelve_default("large", "jpg", b"whole", "image/jpeg")
    edge.seconds += DEFAULT_SECONDS
    assert edge.get(f"/i/{OTHER_ID}/large.jpg").body == b"whole"


def test_a_default_image_is_never_a_part_nor_not_modified(edge):
    whole = edge.get(
        "/i/nonsense", range="bytes=0-1", if_none_match="*", if_modified_since="Fri, 01 Jan 2100 00:00:00 GMT"
    )
    assert (whole.status, whole.body) == (404, PACKAGED.body)


def test_the_public_is_not_shown_what_belongs_to_no_image(edge):
    edge.get(f"{MEDIUM}.jpg")
    edge.states[ID] = None
    edge.purges.purge(ID)
    assert edge.get(f"{MEDIUM}.jpg").status == 404


# ------------------------------------------------------------------ the store is in trouble


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_while_the_store_does_not_answer_nobody_is_told_anything_to_keep(edge, method):
    edge.bucket.failure = Unavailable("the disk is on fire", retry_after=7)
    answer = edge.runner.run(edge.ask(f"{MEDIUM}.jpg", method))
    assert answer.status == 503
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["cache-control"] == "no-store"
    assert "x-default-image" not in answer.headers
    edge.bucket.failure = None
    assert edge.get(f"{MEDIUM}.jpg").body == JPEG


def test_what_is_hot_is_served_while_the_store_does_not_answer(edge):
    edge.get(f"{MEDIUM}.jpg")
    edge.bucket.failure = Unavailable("the disk is on fire")
    assert edge.get(f"{MEDIUM}.jpg").body == JPEG


def test_a_catalog_in_trouble_is_no_missing_picture(edge):
    def lookup(image_id):
        raise Unavailable("the database is locked")

    edge.delivery._pictures._lookup = lookup
    assert edge.get(f"/i/{OTHER_ID}/medium.jpg").status == 503


def test_a_recipe_with_one_format_needs_no_negotiation(tmp_path):
    recipe = Recipe(name="only", width=10, height=10, formats=(Format.WEBP,), quality={Format.WEBP: 80})
    edge = Edge(tmp_path, recipes=(recipe,))
    edge.shelve("only", "webp", b"webp")
    assert edge.get(f"/i/{ID}/only", accept="image/jpeg").body == b"webp"
    edge.close()
