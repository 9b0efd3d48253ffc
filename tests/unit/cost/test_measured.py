"""What was measured of this service on the bill, and what a running service's own figures make of it."""

from __future__ import annotations

import pytest

from darkroom.cost.bill import bill
from darkroom.cost.eager import CHOICES, grid, with_choice
from darkroom.cost.measured import RUNNING, from_running, measured
from darkroom.cost.numbers import entries
from darkroom.cost.presets import preset
from darkroom.cost.prices import load_prices
from darkroom.cost.scenario import Scenario
from darkroom.errors import InvalidRequest

PRICES = load_prices("ap-southeast-1")
EXPOSITION = """\
# HELP darkroom_transforms_total Originals worked on, by source format and outcome.
# TYPE darkroom_transforms_total counter
darkroom_transforms_total{format="jpeg",outcome="ready"} 90.0
darkroom_transforms_total{format="heic",outcome="ready"} 10.0
darkroom_transforms_total{format="unknown",outcome="unreadable-image"} 5.0
darkroom_variant_bytes_total{format="avif"} 3e+07
darkroom_variant_bytes_total{format="jpeg"} 5e+07
darkroom_transform_seconds_bucket{outcome="ready",le="0.5"} 99.0
darkroom_transform_seconds_sum{outcome="ready"} 40.0
darkroom_received_bytes_total{door="ticket"} 2e+08
darkroom_deliveries_total{outcome="hot",status="200"} 3000.0
darkroom_deliveries_total{outcome="hot",status="304"} 100.0
darkroom_deliveries_total{outcome="cold",status="200"} 400.0
darkroom_deliveries_total{outcome="default",status="404"} 500.0
darkroom_results_total{format="webp",outcome="made"} 60.0
darkroom_results_total{format="avif",outcome="made"} 20.0
darkroom_results_total{format="avif",outcome="failed"} 7.0
darkroom_result_seconds_sum 12.0
darkroom_result_seconds_count 80.0
darkroom_delivered_bytes_total 2.4e+08
darkroom_requests_total{method="GET",route="/v1/images",status="200"} 60.0
darkroom_requests_total{method="DELETE",route="/v1/images/{image_id}",status="204"} 4.0
"""


def test_what_a_service_has_counted_becomes_a_month_like_that():
    found = from_running(preset("darkroom"), EXPOSITION, days=10)
    assert found.uploads == pytest.approx(300)
    assert found.views == pytest.approx(12_000)
    assert found.searches == pytest.approx(180)
    assert found.stored_bytes == 800_000
    assert found.upload_bytes == 2_000_000
    assert found.view_bytes == 60_000
    assert found.transform_seconds == 0.4
    assert found.hit_rate == pytest.approx(3_100 / 3_500)
    assert found.missing_share == pytest.approx(500 / 4_000)
    assert found.deleted_share == 0.04
    assert found.made_share == pytest.approx(80 / 4_000)
    assert found.made == pytest.approx(240)
    assert found.render_seconds == pytest.approx(0.15)
    assert found.source_of("stored_bytes") == RUNNING
    assert found.source_of("writes") == preset("darkroom").source_of("writes")
    assert bill(found, PRICES, 1).total > 0


@pytest.mark.parametrize("text", ["", "<html>", "# nothing yet\n"])
def test_what_shows_no_figures_is_refused(text):
    with pytest.raises(InvalidRequest, match="not the figures of a service"):
        from_running(preset("darkroom"), text, days=1)


def test_a_service_that_has_made_nothing_yet_is_no_ground_to_reckon_from():
    with pytest.raises(InvalidRequest, match="made no image"):
        from_running(preset("darkroom"), "darkroom_delivered_bytes_total 0.0\n", days=1)


@pytest.mark.parametrize("days", [0, -1, float("nan"), 1e9])
def test_days_that_cannot_be_are_refused(days):
    with pytest.raises(InvalidRequest, match="how many days"):
        from_running(preset("darkroom"), EXPOSITION, days=days)


def test_every_measured_number_is_one_of_a_scenario_and_says_where_it_is_from():
    found = measured()
    assert set(found.numbers) <= set(entries(Scenario))
    assert all(found.sources.values())
    scenario = preset("darkroom")
    for name in found.numbers:
        assert scenario.source_of(name) == found.sources[name]


def test_the_workload_is_the_article_s():
    ours, article = preset("darkroom"), preset("article-corrected")
    assert (ours.uploads, ours.views) == (article.uploads, article.views)


def test_sweeps_purges_backups_and_queues_are_on_the_bill_and_grow_with_what_is_kept():
    def sums(month: int) -> dict[str, float]:
        return {f"{line.service}: {line.item}": line.dollars for line in bill(preset("darkroom"), PRICES, month).lines}

    first, twelfth = sums(1), sums(12)
    kept = 360_000 * 11.5 * 0.99
    assert twelfth["S3 requests: sweeps"] == pytest.approx(4.3 * kept * 6 / 1000 * 5e-6, rel=0.01)
    assert twelfth["DynamoDB: sweeps"] == pytest.approx(4.3 * kept * 0.66 * 1.425e-7, rel=0.01)
    assert twelfth["DynamoDB: backups"] > first["DynamoDB: backups"] > 0
    ours = preset("darkroom")
    written = 360_000 * ours.writes + 3_600 * ours.deleted_writes
    assert ours.deleted_writes > 0
    assert first["DynamoDB: writes"] == pytest.approx(written * 7.1e-7)
    assert first["CloudFront requests: purges"] == pytest.approx((3_600 - 1_000) * 0.005)
    assert first["SNS and SQS: queues"] == pytest.approx((1_296_000 + 720_000 - 1e6) * 4e-7)


def test_the_default_choice_is_what_the_preset_has():
    default = next(choice for choice in CHOICES if "default" in choice.about)
    ours = preset("darkroom")
    assert default.stored == pytest.approx(ours.stored_bytes, rel=0.01)
    assert default.viewed == pytest.approx(ours.view_bytes, rel=0.01)
    changed = with_choice(ours, default, 26)
    assert changed.puts == ours.puts
    assert changed.writes == pytest.approx(ours.writes, abs=1)
    assert changed.item_bytes == pytest.approx(ours.item_bytes, rel=0.03)


def test_more_objects_and_more_terms_cost_more():
    cells = {(cell.choice.about, cell.terms): cell for cell in grid(preset("darkroom"), PRICES)}
    assert {len(choice.pictures) for choice in CHOICES} >= {1, 3, 6, 9}
    for choice in CHOICES:
        few, some, many = (cells[choice.about, terms].twelfth for terms in (2, 8, 20))
        assert few < some < many
    three, six, nine = (
        cells[about, 8].twelfth for about in ("3: WebP", "6: AVIF and JPEG, the default", CHOICES[-1].about)
    )
    assert three < six < nine
