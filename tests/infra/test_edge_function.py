"""Lambda@Edge's answer to what is missing, by the events that CloudFront sends it."""

import base64
import json
import runpy
import zipfile

import pytest

import package
from darkroom.serverless.edge.origin_response import LARGEST_BODY
from darkroom.transform.recipes import DEFAULT_RECIPES
from darkroom.transform.sniff import sniff


@pytest.fixture(scope="module")
def handlers(tmp_path_factory):
    """The function out of its package, alone in a folder."""
    folder = tmp_path_factory.mktemp("edge")
    (folder / "edge.zip").write_bytes(package.zipped(package.edge_contents(DEFAULT_RECIPES, None)))
    with zipfile.ZipFile(folder / "edge.zip") as archive:
        archive.extractall(folder)
    return runpy.run_path(str(folder / "origin_response.py"))


def event(status):
    headers = {
        "content-type": [{"key": "Content-Type", "value": "application/xml"}],
        "etag": [{"key": "ETag", "value": "x"}],
    }
    response = {"status": status, "statusDescription": "said by S3", "headers": headers}
    request = {"method": "GET", "uri": "/i/01k3v9m0c4qdhsyx7g6e8rb2tz/medium.avif", "querystring": "", "headers": {}}
    config = {"distributionId": "E", "eventType": "origin-response", "requestId": "r"}
    return {"Records": [{"cf": {"config": config, "request": request, "response": response}}]}


def header(answer, name):
    ((one,),) = [value for key, value in answer["headers"].items() if key == name.lower()]
    assert one["key"] == name
    return one["value"]


@pytest.mark.parametrize("status", ["403", "404"])
def test_what_is_not_there_is_the_default_image_for_a_short_time_and_says_so(handlers, status):
    answer = handlers["image"](event(status), None)
    assert answer["status"] == "404"
    assert header(answer, "Cache-Control") == "public, max-age=10"
    assert header(answer, "X-Default-Image") == "missing"
    body = base64.b64decode(answer["body"])
    assert sniff(body).content_type == header(answer, "Content-Type") == "image/jpeg"
    assert answer["bodyEncoding"] == "base64"
    assert "etag" not in answer["headers"]


@pytest.mark.parametrize("status", ["403", "404"])
def test_or_where_that_is(handlers, status):
    answer = handlers["redirect"](event(status), None)
    assert answer["status"] == "302"
    assert header(answer, "Location") == "/default/small.jpg"
    assert header(answer, "Cache-Control") == "public, max-age=10"
    assert header(answer, "X-Default-Image") == "missing"


@pytest.mark.parametrize("handler", ["image", "redirect"])
@pytest.mark.parametrize("status", ["200", "206", "304", "416", "500", "502", "503", "504"])
def test_everything_else_is_left_alone_a_bucket_in_trouble_too(handlers, handler, status):
    given = event(status)
    before = json.loads(json.dumps(given))
    assert handlers[handler](given, None) == before["Records"][0]["cf"]["response"]


def test_the_default_image_is_no_larger_than_the_edge_takes(handlers):
    assert len(handlers["image"](event("404"), None)["body"]) < LARGEST_BODY
