"""``darkroom cost`` as a person and a program call it."""

import csv
import io
import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

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
    told = json.loads(cost("--json", "--compare").stdout)
    assert told["usd"] == pytest.approx(36.47, abs=0.005)
    assert sum(line["usd"] for line in told["lines"]) == pytest.approx(told["usd"], abs=1e-4)
    assert told["assumptions"]["kept_months"]["value"] is None
    rows = list(csv.DictReader(io.StringIO(cost("--csv").stdout)))
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


def test_the_chart_is_a_picture_with_every_service_that_costs_anything(tmp_path):
    path = tmp_path / "cost.svg"
    assert cost("--chart", str(path)).returncode == 0
    texts = {text.text for text in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")}
    assert {"total", "S3 storage", "API Gateway", "month", "times as many people"} <= texts


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
    ],
)
def test_what_is_wrong_is_named_in_a_sentence(arguments, names):
    done = cost(*arguments)
    assert done.returncode == 2
    assert names in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
