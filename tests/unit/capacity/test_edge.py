"""What the caches answer, against a cache that is really run, and where the answer is known without one."""

from __future__ import annotations

import math
import random
from collections import OrderedDict

import pytest

from darkroom.capacity.assumptions import Assumptions
from darkroom.capacity.edge import POPULAR, look, sample
from darkroom.capacity.popular import Readers

ONE_PICTURE = {"small_share": 1, "modern_share": 1}
NEVER_FORGETS = {"edge_hours": 8_760, "regional_hours": 8_760, "edge_gib": 1e9, "regional_gib": 1e9}
GIB = 2**30


def assumed(**numbers: float) -> Assumptions:
    return Assumptions().with_numbers("given", **numbers)


def looked(given, *, views=35, images=100_000, locations=3, size=1.0, seed=1, popular=POPULAR):
    asked = sample(given, views=views, images=images, locations=locations, seed=seed, popular=popular)
    rate = images / given.life_days / 24
    return look(asked, given, images_an_hour=rate, sizes=[size] * 6, locations=locations)


def really_run(given: Assumptions, *, views: float, images_an_hour: float, room: int, seed: int) -> float:
    """Run an LRU cache of ``room`` pictures over everything, view by view, and return its share of hits."""
    chance = random.Random(seed)
    life, new = given.life_days * 24, given.new_hours
    horizon = 4 * life
    asked = []
    images = round(horizon * images_an_hour)
    for image in range(images):  # in the order of their popularity
        uploaded = chance.uniform(0, horizon)
        below, above = ((rank / images) ** (1 - given.zipf) for rank in (image, image + 1))
        mean = views * images * (above - below)
        left = chance.expovariate(1)
        while left < mean:
            asked.append((uploaded + new * ((1 + life / new) ** chance.random() - 1), image))
            left += chance.expovariate(1)
    cache: OrderedDict[int, None] = OrderedDict()
    hits = total = 0
    for moment, image in sorted(asked):
        counts = 2 * life < moment < horizon  # as many come as go, and the cache is full
        total += counts
        if image in cache:
            hits += counts
            cache.move_to_end(image)
        else:
            cache[image] = None
            if len(cache) > room:
                cache.popitem(last=False)
    return hits / total


@pytest.mark.parametrize(("zipf", "room"), [(0.0, 60), (0.6, 60), (0.6, 400), (0.8, 1_000)])
def test_the_share_of_hits_is_that_of_an_lru_cache_that_is_run_view_by_view(zipf, room):
    given = assumed(**ONE_PICTURE, zipf=zipf, life_days=10, edge_hours=8_760, edge_gib=room * 1e6 / GIB)
    run = really_run(given, views=12, images_an_hour=10, room=room, seed=4)
    simulated = looked(given, views=12, images=10 * 240, locations=1, size=1e6)
    assert simulated.edge == pytest.approx(run, abs=0.03)


@pytest.mark.parametrize("views", [0.5, 3, 35])
def test_a_cache_that_forgets_nothing_misses_each_picture_once(views):
    given = assumed(**ONE_PICTURE, **NEVER_FORGETS, zipf=0)
    found = looked(given, views=views, locations=1)
    assert found.origin == pytest.approx((1 - math.exp(-views)) / views, rel=0.05)
    assert found.regional == 0


def test_with_as_many_readers_everywhere_each_location_misses_once():
    given = assumed(**ONE_PICTURE, **NEVER_FORGETS, zipf=0, skew=0, home_share=0)
    found = looked(given, views=30, locations=10)
    assert 1 - found.edge == pytest.approx(10 * (1 - math.exp(-30 / 10)) / 30, rel=0.05)
    assert found.origin == pytest.approx(1 / 30, rel=0.05)


def test_a_cache_that_keeps_nothing_answers_nothing():
    found = looked(assumed(edge_hours=0, regional_hours=0))
    assert found.origin == pytest.approx(1, abs=1e-6)


def test_every_view_is_answered_by_one_of_the_three():
    for locations in (1, 7, 100):
        found = looked(Assumptions(), locations=locations)
        assert found.edge + found.regional + found.origin == pytest.approx(1)
        assert min(found.edge, found.regional, found.origin) >= 0
        assert found.young <= found.origin


def test_more_locations_answer_less_each_and_more_room_more():
    edges = [looked(Assumptions(), locations=number).edge for number in (1, 10, 100)]
    assert edges == sorted(edges, reverse=True)
    rooms = [looked(assumed(edge_gib=room), size=1e6).edge for room in (0.001, 0.1, 10)]
    assert rooms == sorted(rooms)
    assert rooms[0] < rooms[-1]


def test_the_sample_has_the_views_of_the_catalogue_and_as_many_images():
    for images in (2_000, 1e6, 1e12):
        asked = sample(Assumptions(), views=35, images=images, locations=3, seed=2)
        assert sum(one.images for one in asked) == pytest.approx(images)
        assert sum(one.images * one.views for one in asked) == pytest.approx(35 * images, rel=0.03)


def test_popular_images_have_the_share_of_the_views_that_zipf_gives_them():
    asked = sample(Assumptions(), views=35, images=1e6, locations=3, seed=2)
    ranked = sorted(asked, key=lambda one: -one.views)
    of_all = counted = 0.0
    for one in ranked:
        if counted < 1e5:
            counted += one.images
            of_all += one.images * one.views
    assert of_all / 35e6 == pytest.approx(0.1**0.2, abs=0.02)


def test_the_same_seed_gives_the_same_and_another_nearly_the_same():
    assert looked(Assumptions(), seed=5) == looked(Assumptions(), seed=5)
    one, other = (looked(Assumptions(), seed=seed) for seed in (5, 6))
    assert one != other
    assert one.origin == pytest.approx(other.origin, abs=0.02)


@pytest.mark.parametrize(("locations", "room"), [(1, 500), (8, 500), (8, 0.002), (30, 0.001)])
def test_chances_that_are_worked_out_are_those_of_views_that_are_drawn(locations, room):
    given = assumed(edge_gib=room, regional_gib=5 * room, life_days=60)
    drawn, worked_out = (
        looked(given, views=40, images=1_000, locations=locations, size=1e4, popular=popular) for popular in (1e9, 30)
    )
    assert worked_out.edge == pytest.approx(drawn.edge, abs=0.03)
    assert worked_out.origin == pytest.approx(drawn.origin, abs=0.03)
    assert worked_out.edge_hours == pytest.approx(drawn.edge_hours, rel=0.1)


def test_shares_of_places_and_pictures_are_shares():
    for given in (Assumptions(), assumed(small_share=0.9, medium_share=0.9)):
        readers = Readers.of(given, 50)
        assert sum(readers.places) == pytest.approx(1)
        assert sum(readers.pictures) == pytest.approx(1)
        assert sum(readers.at(place, 7) for place in range(50)) == pytest.approx(1)
        assert readers.before(readers.age(0.3)) == pytest.approx(0.3)
        assert readers.before(24 * given.life_days) == pytest.approx(1)
