"""What breaks at which scale, by hand, and what moves it."""

from __future__ import annotations

import functools

import pytest

from darkroom.capacity.assumptions import Assumptions
from darkroom.capacity.forecast import forecast
from darkroom.cost.bill import bill
from darkroom.cost.numbers import entries
from darkroom.cost.presets import preset
from darkroom.cost.prices import load_prices
from darkroom.errors import InvalidRequest

PRICES = load_prices("ap-southeast-1")


@functools.cache  # a forecast of a large scale takes a second
def at(scale: float, seed: int = 1, month: int = 12, **numbers: float):
    ours = entries(Assumptions)
    assumed = Assumptions().with_numbers("given", **{key: value for key, value in numbers.items() if key in ours})
    workload = preset("article-corrected").with_numbers(
        "given", **{key: value for key, value in numbers.items() if key not in ours}
    )
    return forecast(workload, assumed, PRICES, scale=scale, month=month, seed=seed)


def part(found, name: str):
    (only,) = (one for one in found.parts if name in one.name)
    return only


def test_the_load_is_that_of_the_article():
    load = at(1).load
    assert load.uploads == pytest.approx(360_000 / 30 / 86_400)
    assert load.views == pytest.approx(12_600_000 / 30 / 86_400)
    assert load.peak_views == pytest.approx(3 * load.views)
    assert load.burst == pytest.approx(10 * load.uploads)


def test_what_is_asked_of_each_part_is_what_is_worked_out_by_hand():
    found = at(1_000)
    uploads, views = 1_000 * 360_000 / 2_592_000, 1_000 * 12_600_000 / 2_592_000
    assert part(found, "API calls let through").ratio == pytest.approx(2 * 10 * uploads / 100)
    assert part(found, "requests of the distribution").ratio == pytest.approx(3 * views / 250_000)
    assert part(found, "bytes of the distribution").ratio == pytest.approx(3 * views * 75 * 1024 * 8 / 150e9)
    assert part(found, "functions that render").ratio == pytest.approx(uploads * 2 / 100)
    assert part(found, "puts of new variants").ratio == pytest.approx(10 * uploads * 3 / 3_500)
    assert part(found, "units of a burst").ratio == pytest.approx(10 * uploads * 2 / 4_000)
    assert part(at(100_000), "units of a burst").ratio == pytest.approx(10 / 6)
    assert part(found, "purged").ratio == pytest.approx(0.01 * uploads / (15 / 60))
    assert part(found, "sweep").ratio == pytest.approx(1_000 * 360_000 * 12 * 3 / 8_700_000)
    assert part(found, "counters").asked == pytest.approx(2 * 10 * uploads, rel=0.15)


def test_pictures_by_their_addresses_take_functions_and_one_key_each_and_nothing_without_them():
    found, without = at(100, made_share=0.02, render_seconds=0.5), at(100)
    made = 3 * 100 * 12_600_000 / 2_592_000 * 0.02
    assert found.making == pytest.approx(made * 0.5)
    assert without.making == 0
    more = part(found, "functions at a time").asked - part(without, "functions at a time").asked
    assert more == pytest.approx(made * 0.5)
    assert part(found, "entered as used").ratio == pytest.approx(made / 1_000)
    assert not [one for one in without.parts if "entered as used" in one.name]


def test_what_breaks_is_listed_with_the_worst_first_and_what_moves_it():
    found = at(1_000)
    ratios = [one.ratio for one in found.parts]
    assert ratios == sorted(ratios, reverse=True)
    assert {one.name for one in found.broken} == {one.name for one in found.parts if one.ratio > 1}
    assert all(one.moves and one.source for one in found.parts)
    assert found.first is not None
    assert found.first.noticed


def test_nothing_that_people_notice_breaks_at_the_article_s_own_scale():
    assert at(1).first is None


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("API calls let through", {"api_rate": 100_000}),
        ("functions that render", {"transforms": 1_000}),
        ("oldest upload", {"transforms": 1_000}),
        ("search entries", {"shards": 16}),
        ("items of images", {"image_keys": 1_024}),
        ("functions at a time", {"account": 10_000}),
        ("puts of new variants", {"puts": 2}),
        ("objects of one sweep", {"kept_months": 1}),
        ("images purged", {"purge_seconds": 10}),
    ],
)
def test_what_is_said_to_move_a_bound_moves_it(name, moved):
    assert part(at(1_000, **moved), name).ratio < 0.7 * part(at(1_000), name).ratio


def test_the_bill_is_that_of_cost_with_the_hit_rate_that_was_simulated():
    found = at(10)
    workload = preset("article-corrected").scaled(10).with_numbers("given", hit_rate=1 - found.edge.origin)
    assert found.bill.total == pytest.approx(bill(workload, PRICES, 12).total)


def test_the_same_seed_gives_the_same():
    assert at.__wrapped__(100, seed=7) == at.__wrapped__(100, seed=7)


@pytest.mark.parametrize("nobody", [{"uploader_share": 0}, {"views_each": 0}, {"daily_users": 0}])
def test_a_workload_of_nobody_is_refused(nobody):
    with pytest.raises(InvalidRequest, match="without uploads or without views"):
        at(1, **nobody)


def test_a_workload_beyond_all_bounds_is_refused_by_name():
    with pytest.raises(InvalidRequest, match="daily_users"):
        at(1e9)


def test_every_number_has_a_source():
    for name, entry in entries(Assumptions).items():
        assert entry.source != "default", name
