"""The bills that are known, by hand and to the cent, and what a wrong number is answered with."""

from __future__ import annotations

import json
import math
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.cost.bill import bill, images_kept
from darkroom.cost.levers import levers
from darkroom.cost.numbers import entries
from darkroom.cost.presets import preset, with_people
from darkroom.cost.prices import load_prices
from darkroom.cost.scenario import Scenario
from darkroom.errors import BadConfiguration, InvalidRequest

if TYPE_CHECKING:
    from pathlib import Path

PRICES = load_prices("ap-southeast-1")


def test_the_article_s_own_reading_comes_within_thirty_cents_of_its_total() -> None:
    total = bill(preset("article"), PRICES, 1).total
    assert abs(total - 23.81) < 0.30


def test_the_article_s_reading_is_itemised_as_worked_out_by_hand() -> None:
    sums = bill(preset("article"), PRICES, 1).by_service()
    by_hand = {
        "API Gateway": 360_000 * 3 * 1.25e-6,
        "Lambda": 360_000 * (0.3 * 0.125 + 2 * 0.3125) * 1.66667e-5 + 720_000 * 2e-7,
        "S3 requests": 4 * 360_000 * 5e-6 + (360_000 + 12_600_000) * 4e-7,
        "S3 storage": 82.8 * 0.025,
        "DynamoDB": 360_000 * 1.4231e-6,
        "CloudFront bytes": 0,
        "CloudFront requests": 2_600_000 * 1.2e-6,
    }
    for service, dollars in by_hand.items():
        assert sums[service] == pytest.approx(dollars), service
    assert sum(sums.values()) == pytest.approx(sum(by_hand.values()))


def by_address(**numbers: float) -> dict[tuple[str, str], tuple[float, float]]:
    """Return quantity and dollars that pictures by their addresses add, by service and item."""
    plain = preset("article-corrected").with_numbers("given", viewer_function=1, lambda_free=0)
    before, after = (bill(each, PRICES, 3).lines for each in (plain, plain.with_numbers("given", **numbers)))
    had = {(line.service, line.item): line for line in before}
    found = {}
    for line in after:
        old = had.get((line.service, line.item))
        change = line.quantity - (old.quantity if old else 0), line.dollars - (old.dollars if old else 0)
        if change[0]:
            found[line.service, line.item] = change
    return found


def test_pictures_by_their_addresses_are_itemised_as_worked_out_by_hand() -> None:
    views = 12_600_000
    made, addressed = 0.01 * views, 0.2 * views
    answered = (addressed * 0.1 - made) * 0.5  # the edge has nine of ten; half of the addresses is negotiated
    seconds = made * 0.4 + answered * 0.1
    found = by_address(
        made_share=0.01,
        addressed_share=0.2,
        negotiated_share=0.5,
        render_seconds=0.4,
        answer_seconds=0.1,
        render_mib=2048,
        render_writes=3,
        render_reads=8,
        answer_reads=3,
        render_gets=2,
        result_bytes=50_000,
        result_days=30,
        store_requests=60,
    )
    by_hand = {
        ("Lambda", "compute"): (seconds * 2, seconds * 2 * 1.66667e-5),
        ("Lambda", "requests"): (made + answered, None),
        ("S3 requests", "results put"): (made, made * 5e-6),
        ("S3 requests", "results got"): (2 * made, 2 * made * 4e-7),
        ("S3 storage", "results"): (made * 50_000 / 2**30, made * 50_000 / 2**30 * 0.025),
        ("S3 storage", "results' tags"): (made, made * 1e-6),
        ("DynamoDB", "results written"): (3 * made, 3 * made * 7.1e-7),
        ("DynamoDB", "results read"): (8 * made + 3 * answered, (8 * made + 3 * answered) * 1.425e-7),
        ("CloudWatch", "logs"): ((made + answered) * 614.4 / 2**30, None),
        ("CloudFront requests", "functions"): (addressed, addressed * 1e-7),
        ("CloudFront requests", "secrets read"): (addressed, addressed * 3e-8),
        ("CloudFront requests", "secrets kept"): (60, 0.06),
    }
    assert found.keys() == by_hand.keys()
    for item, (quantity, dollars) in by_hand.items():
        assert found[item][0] == pytest.approx(quantity), item
        if dollars is not None:
            assert found[item][1] == pytest.approx(dollars), item


def test_results_that_go_after_some_days_stop_costing_more_and_others_do_not() -> None:
    kept = {
        days: [
            next(line.quantity for line in bill(scenario, PRICES, month).lines if line.item == "results")
            for month in (1, 2, 12)
        ]
        for days in (30, 0)
        for scenario in [preset("darkroom").with_numbers("given", made_share=0.01, result_days=days)]
    }
    first, second, twelfth = kept[30]
    assert second == twelfth == pytest.approx(2 * first)
    first, second, twelfth = kept[0]
    assert (second, twelfth) == (pytest.approx(3 * first), pytest.approx(23 * first))


@pytest.mark.parametrize("name", ["article", "article-corrected", "darkroom"])
def test_no_preset_has_pictures_by_their_addresses_unless_somebody_says_so(name: str) -> None:
    scenario = preset(name)
    assert (scenario.made, scenario.addressed, scenario.answered) == (0, 0, 0)
    assert not [line for line in bill(scenario, PRICES, 1).lines if "results" in line.item or "secrets" in line.item]


@pytest.mark.parametrize(
    ("views", "factor", "month", "total"),
    [
        (15, 1, 1, 14.75),
        (15, 1, 12, 36.47),
        (15, 1, 36, 83.85),
        (15, 10, 12, 1_471),
        (15, 100, 12, 14_278),
        (15, 1_000, 12, 131_216),
        (50, 1, 1, 290.94),
        (50, 1, 12, 312.65),
        (50, 1_000, 36, 364_415),
    ],
)
def test_the_article_as_it_would_be_billed(views: float, factor: float, month: int, total: float) -> None:
    scenario = preset("article-corrected").with_numbers("given", views_each=views).scaled(factor)
    assert bill(scenario, PRICES, month).total == pytest.approx(total, abs=0.005 if total < 1_000 else 0.5)


@pytest.mark.parametrize(
    ("lever", "factor", "saving"),
    [
        ("variants in R2 behind another CDN", 10, 1_103),
        ("the CDN's flat-rate plan Pro", 1, -9.72),
        ("the CDN's flat-rate plan Business", 10, 932),
        ("the CDN's flat-rate plan Premium-2", 100, 8_394),
        ("pictures 30 % smaller for 1.5 times the processing", 1, 6.81),
        ("clients keep what they have: 30 % fewer views", 100, 3_064),
        ("functions on arm64", 10, 6.62),
        ("an error page of the CDN instead of Lambda@Edge", 1, 0.91),
    ],
)
def test_levers_save_what_they_were_worked_out_to_save(lever: str, factor: float, saving: float) -> None:
    found = {each.about: each for each in levers(preset("article-corrected").scaled(factor), PRICES, 12)}
    assert found[lever].saving == pytest.approx(saving, abs=0.006 if abs(saving) < 100 else 0.6)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_more_of_anything_never_costs_less(one: float, other: float) -> None:
    for price in PRICES.prices.values():
        (_, less), (_, more) = (price.dollars(quantity) for quantity in sorted((one, other)))
        assert 0 <= less <= more + 1e-9, price.key


def test_images_that_are_removed_after_a_while_stop_costing_more() -> None:
    kept = preset("article-corrected").with_numbers("given", kept_months=3)
    assert images_kept(kept, 2) < images_kept(kept, 3) == images_kept(kept, 36)
    assert bill(kept, PRICES, 4).total == bill(kept, PRICES, 36).total


def test_originals_cost_what_the_api_meters_and_what_is_stored_of_them() -> None:
    def lines(scenario: Scenario) -> dict[tuple[str, str], float]:
        return {(line.service, line.item): line.dollars for line in bill(scenario, PRICES, 1).lines}

    larger = {"upload_bytes": 10 * 2**20}
    through_the_api = lines(with_people(preset("article"), "given", larger))
    assert through_the_api["API Gateway", "uploads"] == pytest.approx(360_000 * 20 * 1.25e-6)
    ours = with_people(preset("darkroom"), "given", larger)
    assert lines(ours) == lines(preset("darkroom"))
    kept = lines(ours.with_numbers("given", originals_kept=1))
    images = 360_000 * 0.99 / 2
    assert kept.pop(("S3 storage", "originals")) == pytest.approx(images * 10 / 1024 * 0.025)
    assert kept == lines(ours)


def test_levers_leave_originals_where_they_are() -> None:
    def saving(scenario: Scenario) -> float:
        return next(each.saving for each in levers(scenario, PRICES, 12) if "R2" in each.about)

    ours = preset("darkroom")
    assert saving(ours.with_numbers("given", originals_kept=1)) == pytest.approx(saving(ours))


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, -math.inf, 1e300])
@pytest.mark.parametrize("name", sorted(set(entries(Scenario)) - {"kept_months"}))
def test_an_absurd_number_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(InvalidRequest, match=name):
        Scenario().with_numbers("given", **{name: value})


def test_a_number_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidRequest, match=r"(?s)veiws_each.*views_each"):
        Scenario().with_numbers("given", veiws_each=1)


@pytest.mark.parametrize("month", [0, -1, 1201])
def test_no_month_is_refused(month: int) -> None:
    with pytest.raises(InvalidRequest, match="month"):
        bill(Scenario(), PRICES, month)


def test_a_region_without_prices_is_answered_with_the_nearest_that_has_some(tmp_path: Path) -> None:
    told = _packaged()
    told["regions"]["eu-central-1"] = told["regions"]["ap-southeast-1"]
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(told))
    with pytest.raises(BadConfiguration, match="nearest region with prices is eu-central-1"):
        load_prices("eu-west-3", path)
    with pytest.raises(BadConfiguration, match="no region this knows"):
        load_prices("atlantis-1", path)


def test_a_price_that_is_missing_is_named_and_never_nothing(tmp_path: Path) -> None:
    for key in PRICES.prices:
        told = _packaged()
        del told["regions"]["ap-southeast-1"]["prices"][key]
        path = tmp_path / "prices.json"
        path.write_text(json.dumps(told))
        prices = load_prices("ap-southeast-1", path)
        with pytest.raises(BadConfiguration, match=key.replace(".", r"\.")):
            prices[key].dollars(1)


@pytest.mark.parametrize(
    "damage",
    [
        {"usd": -1},
        {"usd": "dear"},
        {"tiers": [[10, 1]]},
        {"tiers": [[0, 1], [None, 1]]},
        {"tiers": []},
        {"free": -1},
        {"usd": True},
        {"unit": None, "usd": None},
    ],
)
def test_a_damaged_price_file_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    told = _packaged()
    told["regions"]["ap-southeast-1"]["prices"]["s3.put"].update(damage)
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(told))
    with pytest.raises(BadConfiguration, match="damaged"):
        load_prices("ap-southeast-1", path)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"regions": [1]}, "regions must be a JSON object"),
        ({"regions": {"ap-southeast-1": None}}, "ap-southeast-1 must be a JSON object"),
        ({"regions": {"ap-southeast-1": {"prices": {"s3.put": None}}}}, "s3.put must be a JSON object"),
        ({"regions": {"ap-southeast-1": {"prices": {}, "plans": [{"name": "Pro"}]}}}, "'usd' is missing"),
    ],
)
def test_a_price_file_of_another_shape_is_refused(tmp_path: Path, damage: dict[str, object], says: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(_packaged() | damage))
    with pytest.raises(BadConfiguration, match=says):
        load_prices("ap-southeast-1", path)


def test_a_price_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text("[" * 100_000)
    with pytest.raises(BadConfiguration, match="no price file"):
        load_prices("ap-southeast-1", path)


@pytest.mark.parametrize("usd", [-5, "200", True, None])
def test_a_plan_s_price_is_a_number_that_is_not_negative(tmp_path: Path, usd: object) -> None:
    told: dict[str, Any] = _packaged()
    told["regions"]["ap-southeast-1"]["plans"][1]["usd"] = usd
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(told))
    with pytest.raises(BadConfiguration, match="usd of the plan Pro must be a number that is not negative"):
        load_prices("ap-southeast-1", path)


def test_every_price_says_where_it_is_from() -> None:
    for price in PRICES.prices.values():
        assert price.source
        assert price.confidence in {"high", "medium", "low"}


def _packaged() -> dict[str, dict[str, dict[str, dict[str, dict[str, object]]]]]:
    text = (resources.files("darkroom.cost") / "prices.json").read_text("utf-8")
    return json.loads(text)  # type: ignore[no-any-return]  # as the file is
