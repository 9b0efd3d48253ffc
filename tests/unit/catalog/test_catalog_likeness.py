"""Under which values of its bands a picture's like is looked for."""

import dataclasses
import random

import pytest

from darkroom.catalog import perceptual_hash as hashes
from darkroom.catalog import terms
from libraries import image

OWN = f"{0x8000_0001_FFFF_0000 << 192:064x}" + "012" + "fed" + "7a3" + "456"


def test_a_picture_has_a_term_for_each_band():
    assert hashes.terms(OWN) == {"near:08000", "near:10001", "near:2ffff", "near:30000"}


def test_an_image_is_indexed_by_its_bands_unless_the_operator_keeps_no_such_index():
    one = image(1)
    hashed = dataclasses.replace(one, facts=dataclasses.replace(one.facts, perceptual_hash=OWN))
    assert terms.terms(hashed) - terms.terms(one) == hashes.terms(OWN)
    assert terms.terms(hashed, terms.ALL_KINDS - {terms.Kind.LIKENESS}) == terms.terms(one)


def test_its_like_is_looked_for_under_what_its_bands_may_have_been_the_likeliest_first():
    likely, once, both = hashes.probes(OWN)
    assert hashes.terms(OWN) <= set(likely)
    # Bits 0, 1 and 2 from the left of the first band are uncertain: any of them may have turned.
    assert {term for term in likely if term[5] == "0"} == {f"near:0{digit}000" for digit in "02468ace"}
    assert {"near:08001", "near:09000"} <= set(once)
    assert {"near:0a001", "near:06100"} <= set(both)
    assert "near:08003" not in {*likely, *once, *both}, "two bits that are not uncertain"
    assert (len(likely), len(once), len(both)) == (32, 52, 364)
    assert len({*likely, *once, *both}) == 448


def test_the_terms_are_asked_for_in_steps_as_long_as_there_is_work_to_spend():
    asked = []

    def under(terms, amount):
        asked.append((len(terms), amount))
        return [(f"id {len(asked)}", OWN)] * 3

    assert hashes.nearest(OWN, under, work=5) == {"id 1": 0, "id 2": 0}
    assert asked == [(32, 5), (52, 2)]


@pytest.mark.parametrize("turned", range(64))
def test_one_turned_bit_never_hides_a_picture(turned):
    other = f"{int(OWN[:64], 16) ^ 1 << (255 - turned):064x}{OWN[64:]}"
    assert all(hashes.terms(other) & {*likely, *once} for likely, once, _ in [hashes.probes(OWN)])


def test_pictures_that_have_nothing_in_common_hardly_share_a_term():
    chance = random.Random(1)
    others = [f"{chance.getrandbits(255) << 1:064x}{OWN[64:]}" for _ in range(2_000)]
    looked_for = {term for step in hashes.probes(OWN) for term in step}
    assert sum(not hashes.terms(other).isdisjoint(looked_for) for other in others) < 40
