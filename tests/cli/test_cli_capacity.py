"""``darkroom capacity`` as a person and a program call it."""

import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from servers import clean_environment


def capacity(*arguments):
    command = [sys.executable, "-m", "darkroom", "capacity", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment(), timeout=120)


def test_a_person_sees_each_scale_what_breaks_first_and_what_moves_it():
    said = capacity("--scale", "1,1000", "--assumptions").stdout
    assert "1,000×: what people notice first: oldest upload in the queue" in said
    assert "1×: what people notice first: nothing" in said
    assert "answered by the edge location" in said
    assert "parameter ApiRate" in said
    assert "Breslau" in said


def test_a_program_gets_it_all_and_the_same_again():
    asked = ("--json", "--scale", "100", "--seed", "4", "--set", "transforms=500", "--set", "views_each=50")
    first, again = capacity(*asked).stdout, capacity(*asked).stdout
    assert first == again
    told = json.loads(first)
    assert told["seed"] == 4
    assert told["assumptions"]["transforms"]["value"] == 500
    assert told["assumptions"]["transforms"]["source"] == "given"
    assert told["assumptions"]["views_each"]["value"] == 50
    (only,) = told["scales"]
    assert only["scale"] == 100
    assert only["edge"]["edge"] + only["edge"]["regional"] + only["edge"]["origin"] == pytest.approx(1)
    assert only["usd"] > 1_000
    assert {"name", "asked", "bound", "ratio", "moves", "source", "unit", "noticed"} <= only["parts"][0].keys()


def test_the_chart_shows_what_is_near_its_bound(tmp_path):
    path = tmp_path / "capacity.svg"
    assert capacity("--scale", "1,100", "--chart", str(path)).returncode == 0
    texts = {text.text for text in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")}
    assert {"edge location", "API calls let through", "total", "edge locations in use"} <= texts


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--scale", "many"], "--scale many"),
        (["--scale", "-1"], "--scale -1"),
        (["--scale", "1e9"], "1,000,000"),
        (["--set", "transforms=0"], "transforms"),
        (["--set", "nothing=1"], "nothing"),
        (["--set", "uploader_share=0"], "without uploads"),
        (["--region", "mars-1"], "mars-1"),
        (["--preset", "none"], "article-corrected"),
    ],
)
def test_what_is_wrong_is_named_in_a_sentence(arguments, names):
    done = capacity(*arguments)
    assert done.returncode == 2
    assert names in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
