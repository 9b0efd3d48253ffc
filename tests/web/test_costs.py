"""The page that estimates the bill: the same figures as the command, in a browser, with and without scripts."""

import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import httpx
import pytest

from browser import until, violations
from darkroom.client import Client
from servers import clean_environment


def told_by_the_command(*arguments):
    command = [sys.executable, "-m", "darkroom", "cost", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment(), timeout=60)
    return json.loads(done.stdout)


def test_whoever_asks_sees_the_bill_of_the_command_and_what_would_change_it(gallery, open_page):
    page = open_page(f"{gallery.url}/", scripts=False)
    page.get_by_role("link", name="Cost").click()
    page.wait_for_url("**/cost")
    assert f"${told_by_the_command()['usd']:,.2f}" in page.locator(".sum").inner_text()
    page.fill("input[name=users]", "80000")
    page.fill("input[name=uploaders]", "10")
    page.fill("input[name=month]", "24")
    page.get_by_role("button", name="Estimate").click()
    page.wait_for_url("**users=80000**")
    told = told_by_the_command("--users", "80000", "--uploaders", "0.1", "--month", "24")
    assert f"${told['usd']:,.2f} in month 24" in page.locator(".sum").inner_text()
    rows = page.get_by_role("region", name="The bill, item by item").locator("tbody tr")
    assert rows.count() == len(told["lines"])
    assert "flat-rate plan" in page.content()
    page.get_by_text("Every number, and where it is from").click()
    assert "bench/dynamodb.py" in page.get_by_role("region", name="Every number and its source").inner_text()


def test_a_browser_shows_the_chart_and_finds_nothing_wrong(gallery, open_page):
    page = open_page(f"{gallery.url}/cost?preset=article-corrected")
    until(page, "document.querySelector('.chart').naturalWidth > 0")
    assert violations(page) == []
    chart = httpx.get(f"{gallery.url}/cost/chart.svg?preset=article-corrected", trust_env=False)
    assert chart.headers["content-type"].startswith("image/svg+xml")
    texts = {text.text for text in ET.fromstring(chart.text).iter("{http://www.w3.org/2000/svg}text")}
    assert {"total", "S3 storage", "times as many people"} <= texts


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("users=-1", "daily_users"),
        ("users=many", "users"),
        ("uploaders=200", "uploader_share"),
        ("month=0", "month"),
        ("month=1.5", "month"),
        ("region=eu-west-1", "ap-southeast-1"),
        ("region=<script>", "no region"),
        ("preset=none", "article-corrected"),
        ("days=0", "how many days"),
        ("veiws=1", "views"),
        ("views=nan", "views"),
    ],
)
def test_what_is_wrong_is_named_above_a_form_that_keeps_what_was_given(gallery, asked, names):
    answer = httpx.get(f"{gallery.url}/cost?{asked}", trust_env=False)
    assert answer.status_code == 422
    refusal = answer.text.partition('role="alert">')[2].partition("</p>")[0]
    assert names in refusal
    assert "<script>" not in answer.text
    assert "$" not in answer.text.partition("<main")[2]


def test_a_form_that_is_refused_is_as_good_as_any_other(gallery, open_page):
    page = open_page(f"{gallery.url}/cost")
    page.complaints.expected.append("422")
    page.fill("input[name=users]", "-5")
    page.get_by_role("button", name="Estimate").click()
    page.get_by_role("alert").wait_for()
    assert page.input_value("input[name=users]") == "-5"
    assert violations(page) == []


def test_what_the_service_has_counted_is_reckoned_with(gallery):
    counted = httpx.get(f"{gallery.url}/metrics", trust_env=False).text
    made = [line for line in counted.splitlines() if line.startswith("darkroom_transforms_total{")]
    ready = sum(float(line.split()[-1]) for line in made if 'outcome="ready"' in line)
    assert ready >= 10
    answer = httpx.get(f"{gallery.url}/cost?days=2", trust_env=False)
    assert answer.status_code == 200
    assert "counted by the running service" in answer.text
    assert f"{ready * 15:,.0f} uploads" in answer.text  # a month has 30 days


def test_only_who_may_know_what_the_service_does_is_told_what_it_has_counted(keyed_server):
    with Client(keyed_server.url, keyed_server.key) as admin:
        reader = admin.add_key("reader", owner="local", scopes=["read"])
    headers = {"Authorization": f"Bearer {reader.key}"}
    with httpx.Client(base_url=keyed_server.url, headers=headers, trust_env=False) as client:
        assert client.get("/cost").status_code == 200
        assert client.get("/cost?days=2").status_code == 403
        assert client.get("/cost/chart.svg?days=2").status_code == 403
    stranger = httpx.get(f"{keyed_server.url}/cost", trust_env=False)
    assert (stranger.status_code, stranger.headers["location"]) == (303, "/signin?next=%2Fcost")
