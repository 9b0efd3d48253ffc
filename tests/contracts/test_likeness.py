"""What every catalog promises of pictures that are alike."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING

import pytest

from catalogs import KINDS, opened
from darkroom.catalog import perceptual_hash as hashes
from darkroom.catalog import terms
from darkroom.errors import InvalidRequest
from darkroom.model import State
from libraries import image, tombstone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.catalog import Catalog
    from darkroom.model import Image

pytestmark = pytest.mark.usefixtures("catalogs_on_aws")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def catalog(kind: str) -> Iterator[Catalog]:
    with opened(kind) as it:
        yield it


def a_hash(chance: random.Random) -> str:
    """Return the hash of some picture."""
    uncertain = (chance.sample(range(hashes.BAND_BITS), hashes.UNCERTAIN) for _ in range(hashes.BANDS))
    return f"{chance.getrandbits(255) << 1:064x}" + "".join(f"{bit:x}" for band in uncertain for bit in band)


def differing(text: str, waves: int, chance: random.Random, *, first: int = 0) -> str:
    """Return a hash that differs in so many waves, in none before ``first``."""
    value = int(text[:64], 16)
    for wave in chance.sample(range(first, hashes.WAVES), waves):
        value ^= 1 << (hashes.WAVES - wave)
    return f"{value:064x}{text[64:]}"


def pictured(number: int, text: str | None, **members: object) -> Image:
    one = image(number, **members)  # type: ignore[arg-type]  # as many kinds as members
    assert one.facts is not None
    return dataclasses.replace(one, facts=dataclasses.replace(one.facts, perceptual_hash=text))


def found(catalog: Catalog, text: str, owner: str = "local") -> list[str]:
    return [one.id for one in catalog.alike(owner, text)]


def test_near_pictures_are_found_the_nearest_first_and_others_are_not(catalog: Catalog) -> None:
    chance = random.Random(1)
    own = a_hash(chance)
    apart = (hashes.NEAR, 0, 40, hashes.NEAR + 1, 120, 0)
    for number, waves in enumerate(apart):
        catalog.create(pictured(number, differing(own, waves, chance, first=64)))
    catalog.create(pictured(10, None))
    assert found(catalog, own) == [image(number).id for number in (1, 5, 2, 0)]
    assert found(catalog, a_hash(chance)) == []


def test_only_ready_pictures_of_the_owner_are_found_as_they_are_now(catalog: Catalog) -> None:
    chance = random.Random(2)
    own, other = a_hash(chance), a_hash(chance)
    catalog.create(pictured(0, own, owner="anna"))
    for number in (1, 2, 3):
        catalog.create(pictured(number, own))
    catalog.replace(tombstone(pictured(1, own)), version=1)
    catalog.replace(pictured(2, other), version=1)
    catalog.replace(dataclasses.replace(pictured(3, own), state=State.PROCESSING), version=1)
    assert found(catalog, own) == []
    catalog.replace(pictured(3, own), version=2)
    assert found(catalog, own) == [image(3).id]
    assert found(catalog, own, "anna") == [image(0).id]
    assert found(catalog, own, "nobody") == []


def is_looked_for(own: str, other: str) -> bool:
    return any(not hashes.terms(other).isdisjoint(step) for step in hashes.probes(own))


def test_what_is_found_is_what_shares_a_band_or_nearly_does_in_every_catalog() -> None:
    chance = random.Random(3)
    own = a_hash(chance)
    library = [pictured(number, differing(own, chance.randrange(100), chance)) for number in range(60)]
    hashed = [(one, str(one.facts.perceptual_hash)) for one in library if one.facts is not None]
    near = [(hashes.distance(own, text), one.id) for one, text in hashed if is_looked_for(own, text)]
    assert 5 < len(near) < 60
    wanted = [image_id for apart, image_id in sorted(near) if apart <= hashes.NEAR]
    for kind in KINDS:
        with opened(kind) as catalog:
            for one in library:
                catalog.create(one)
            assert found(catalog, own) == wanted, kind


def test_no_more_are_looked_at_than_may_be_and_the_newest_of_the_likeliest_are(kind: str) -> None:
    chance = random.Random(4)
    own = a_hash(chance)
    with opened(kind, work_per_page=5) as catalog:
        for number in range(8):
            catalog.create(pictured(number, differing(own, number, chance, first=64)))
        catalog.create(pictured(9, differing(own, 200 - 64, chance, first=64)))  # shares its bands, and is not near
        assert found(catalog, own) == [image(number).id for number in (4, 5, 6, 7)]


def test_an_index_without_likeness_says_so(kind: str) -> None:
    chance = random.Random(5)
    own = a_hash(chance)
    with opened(kind, kinds=terms.ALL_KINDS - {terms.Kind.LIKENESS}) as catalog:
        catalog.create(pictured(0, own))
        with pytest.raises(InvalidRequest) as refused:
            catalog.alike("local", own)
        assert refused.value.code == "not-searchable"
