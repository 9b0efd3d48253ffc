"""The ledger: which objects an image has, and what their bytes are."""

import base64
import dataclasses
import hashlib
import tempfile

from darkroom import ledger
from darkroom.model import Format, Shelved
from darkroom.transform.recipes import DEFAULT_RECIPES, Recipe
from libraries import image

BODY = b"a picture " * 100_000


def test_a_checksum_is_the_beginning_of_a_sha_256_in_22_letters_that_urls_take() -> None:
    written = ledger.checksum(BODY)
    assert len(written) == 22
    assert base64.urlsafe_b64decode(f"{written}==") == hashlib.sha256(BODY).digest()[:16]


def test_a_file_has_the_checksum_of_its_bytes_from_where_it_stands() -> None:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(b"head" + BODY)
        file.seek(4)
        assert ledger.checksum_of(file) == ledger.checksum(BODY)


def test_every_slot_of_every_recipe_has_a_name() -> None:
    card = Recipe(name="card", width=10, height=10, formats=(Format.WEBP, Format.PNG), quality={})
    assert ledger.slots((*DEFAULT_RECIPES[:1], card)) == ("large.avif", "large.jpg", "card.webp", "card.png")


def test_a_promise_names_what_was_there_and_what_will_be_once_and_vouches_for_nothing() -> None:
    before = (Shelved(name="large.jpg", checksum="old"), Shelved(name="t/width=7.jpg", checksum="older"))
    assert ledger.promise(before, ("small.jpg", "large.jpg")) == (
        Shelved(name="large.jpg"),
        Shelved(name="t/width=7.jpg"),
        Shelved(name="small.jpg"),
    )


def test_keys_lie_under_the_image_and_are_vouched_for_one_by_one() -> None:
    one = image(1)
    one = dataclasses.replace(one, objects=(Shelved(name="large.jpg", checksum="sum"), Shelved(name="small.jpg")))
    large, small = ledger.keys(one)
    assert (large, small) == (f"i/{one.id}/large.jpg", f"i/{one.id}/small.jpg")
    assert ledger.expected(one, large) == "sum"
    assert ledger.expected(one, small) is None
    assert ledger.expected(one, f"i/{one.id}/unknown.jpg") is None
