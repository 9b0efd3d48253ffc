"""``darkroom cost`` as a person and a program call it."""

import csv
import io
import json
import subprocess
import sys
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest

import pictures
from patience import eventually
from servers import clean_environment


def cost(*arguments):
    command = [sys.executable, "-m", "darkroom", "cost", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment(), timeout=60)


def test_a_person_sees_the_lines_their_sum_and_the_months():
    said = cost("--preset", "article-corrected", "--compare", "--assumptions").stdout
    assert "prices of 2026-10-01" in said
    assert "36.47" in said
    assert "14.75" in said
    assert "flat-rate plan" in said
    assert "hit_rate" in said


def test_a_program_gets_the_same_as_json_and_csv():
    told = json.loads(cost("--preset", "article-corrected", "--json", "--compare").stdout)
    assert told["usd"] == pytest.approx(36.47, abs=0.005)
    assert sum(line["usd"] for line in told["lines"]) == pytest.approx(told["usd"], abs=1e-4)
    assert told["assumptions"]["kept_months"]["value"] is None
    rows = list(csv.DictReader(io.StringIO(cost("--preset", "article-corrected", "--csv").stdout)))
    twelfth = sum(float(row["usd"]) for row in rows if row["month"] == "12")
    assert twelfth == pytest.approx(told["usd"], abs=1e-4)


def test_what_is_given_counts_and_is_said_to_be_given():
    told = json.loads(cost("--json", "--users", "80000", "--set", "hit_rate=0.5").stdout)
    assert told["assumptions"]["daily_users"] == {
        "value": 80_000,
        "unit": "people a day",
        "about": "people who use the application on a day",
        "source": "given",
    }
    assert told["assumptions"]["hit_rate"]["source"] == "given"
    assert told["usd"] > 100


def test_more_formats_and_terms_are_reckoned_for_people_and_programs():
    said = cost("--eager").stdout
    assert "6: AVIF and JPEG, the default" in said
    assert "20 TERMS, MONTH 1 / 12" in said
    told = json.loads(cost("--eager", "--json").stdout)["eager"]
    assert {(cell["objects"], cell["terms"]) for cell in told} >= {(1, 2), (3, 8), (6, 20), (9, 8)}
    assert all(cell["usd_month_12"] > cell["usd_month_1"] for cell in told)


def test_a_running_service_s_own_figures_are_reckoned_with(server):
    body = pictures.jpeg(300, 200)
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        made = client.post("/v1/images", content=body, headers={"content-type": "image/jpeg", "prefer": "wait=20"})
        assert made.status_code == 201
        assert client.get(urlsplit(made.json()["variants"][0]["url"]).path).status_code == 200

    def counted():
        told = cost("--measured", "--days", "0.5", "--server", server.url, "--json")
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)["assumptions"]

    found = eventually(lambda: (it := counted()) and it["views_each"]["value"] and it, what="the view in the figures")
    assert found["uploads_each"]["source"] == "counted by the running service"
    assert found["uploads_each"]["value"] >= 2
    assert 0 < found["stored_bytes"]["value"] < 1e6
    assert found["writes"]["source"].startswith("bench/dynamodb.py")


def test_the_chart_is_a_picture_with_every_service_that_costs_anything(tmp_path):
    path = tmp_path / "cost.svg"
    assert cost("--chart", str(path)).returncode == 0
    texts = {text.text for text in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")}
    assert {"total", "S3 storage", "API Gateway", "month", "times as many people"} <= texts


def test_very_many_people_have_a_chart_too(tmp_path):
    path = tmp_path / "cost.svg"
    done = cost("--users", "1e10", "--chart", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "times as many people" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--users", "-1"], "daily_users"),
        (["--uploaders", "2"], "uploader_share"),
        (["--set", "nothing"], "NAME=NUMBER"),
        (["--set", "nothing=1"], "nothing"),
        (["--region", "eu-west-1"], "ap-southeast-1"),
        (["--prices", "/nowhere/prices.json"], "/nowhere/prices.json"),
        (["--preset", "none"], "article-corrected"),
        (["--month", "0"], "month"),
        (["--measured"], "--days"),
        (["--days", "3"], "--measured"),
        (["--csv", "--json"], "--csv"),
        (["--csv", "--compare"], "--csv"),
        (["--chart", "cost.png"], ".svg"),
    ],
)
def test_what_is_wrong_is_named_in_a_sentence(arguments, names):
    done = cost(*arguments)
    assert done.returncode == 2
    assert names in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
