"""CloudFront's functions for transformations decide as the Python of one machine does: on one table, and further."""

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import addresses
import rendering
from addresses import (
    BAD,
    EXPIRED,
    FUTURE,
    NOW,
    OPEN,
    REFUSED,
    RIGHT,
    SECRETS,
    SOURCES,
    TABLE,
    WRONG,
    OneMachine,
    own,
    unsigned,
)
from darkroom.access.published import shown
from darkroom.edge.negotiation import ACCEPT_MAX
from darkroom.http.problems import PROBLEM_TYPE
from darkroom.transform.options import _READERS, NOT_OF_THE_PICTURE
from in_node import InNode
from truths import CHROME, CURL, FIREFOX, ID, MODERN_TO_WHO_NAMES_IT, QUALITIES_OBEYED, SAFARI_15


class EdgeFunction(InNode):
    """A function as it is deployed, in Node, without anything that CloudFront has not."""

    def __init__(self, folder, code):
        file = folder / "function.js"
        file.write_text(code)
        super().__init__(Path(__file__).with_name("edge_host.js"), file)

    def __call__(self, event, now=NOW, unsigned=OPEN):
        return self.ask({"now": now, "secrets": shown(SECRETS, unsigned), "event": event})


@pytest.fixture(scope="module")
def function(tmp_path_factory):
    running = EdgeFunction(tmp_path_factory.mktemp("request"), rendering.transformation_request())
    yield running
    running.close()


@pytest.fixture(scope="module")
def edge(function):
    """Ask the function, and return the outcome in the words of the table."""

    def ask(path, accept=None, now=NOW, sizes=OPEN):
        answer = asked(function, path, accept, now=now, sizes=sizes)
        if "statusCode" in answer:
            assert answer["statusCode"] == 403
            assert answer["headers"]["content-type"]["value"] == PROBLEM_TYPE
            assert answer["headers"]["cache-control"]["value"] == "no-store"
            return json.loads(answer["body"])["code"]
        assert answer["headers"]["x-darkroom-path"] == {"value": path}
        return WRONG if answer["uri"] == path else answer["uri"].removeprefix("/")

    return ask


def asked(function, path, accept=None, now=NOW, sizes=OPEN, **request):
    headers = {} if accept is None else {"accept": {"value": accept}}
    event = {
        "version": "1.0",
        "request": {
            "method": "GET",
            "uri": path,
            "querystring": {"a": {"value": "b"}},
            "headers": headers | {"x-darkroom-path": {"value": "forged"}},
            "cookies": {"session": {"value": "1"}},
        }
        | request,
    }
    return function(event, now, sizes)


@pytest.fixture(params=["edge", "one machine"])
def either(request):
    return request.getfixturevalue("edge") if request.param == "edge" else OneMachine()


@pytest.mark.parametrize("name", TABLE)
def test_the_table(either, name):
    path, outcome = TABLE[name]
    assert either(path) == outcome


@pytest.mark.parametrize("options", RIGHT)
def test_every_order_and_alias_is_one_key(either, options):
    assert either(own(f"{options},KID")) == addresses.key(f"{RIGHT[options]}.jpg")


def test_the_table_has_every_option_there_is():
    there = {part.partition("=")[0] for options in RIGHT for part in options.split(",")}
    assert there | set(NOT_OF_THE_PICTURE) == set(_READERS)


@pytest.mark.parametrize("options", REFUSED)
def test_options_that_are_not_right_are_left_to_who_can_say_why(either, options):
    assert either(own(f"{options},KID")) == WRONG


@pytest.mark.parametrize(
    ("ext", "name"),
    [
        ("png", "width=5,background=ffffff"),
        ("gif", "width=5,background=ffffff"),
        ("avif", "width=5,quality=80,background=ffffff"),
        ("webp", "width=5,background=ffffff"),
    ],
)
def test_what_makes_no_difference_to_a_format_is_not_in_the_key(either, ext, name):
    assert either(own("background=ffffff,quality=80,width=5,KID", ext)) == addresses.key(f"{name}.{ext}")


@pytest.mark.parametrize("accept", [None, *(accept for accept, _ in MODERN_TO_WHO_NAMES_IT + QUALITIES_OBEYED)])
def test_auto_is_one_copy_for_each_choice_whatever_the_picture_is(edge, accept):
    path = own("quality=80,width=5,KID", "auto")
    name = edge(path, accept)
    assert name.startswith(addresses.key("width=5,quality=80."))
    choices = name.rpartition(".")[2].split("-")
    for source, choice in zip(SOURCES, choices, strict=True):
        assert OneMachine(source)(path, accept).rpartition(".")[2] == choice


def test_auto_of_an_endless_header_or_one_sent_several_times(function, edge):
    path = own("width=5,KID", "auto")
    assert edge(path, "image/avif," + "a/b," * ACCEPT_MAX).endswith(".jpg-png-gif")
    both = {"accept": {"value": "text/html", "multiValue": [{"value": "text/html"}, {"value": "image/avif"}]}}
    assert asked(function, path, headers=both)["uri"].endswith(".avif-avif-gif")


def test_nothing_that_readers_send_is_in_the_key_or_reaches_an_origin(function):
    answer = asked(function, own("width=5,KID"))
    assert (answer["querystring"], answer["cookies"]) == ({}, {})
    assert answer["headers"].keys() == {"x-darkroom-path"}


def test_only_the_end_goes_on_to_the_answer(function):
    assert asked(function, own(f"width=5,KID,exp={FUTURE}"))["querystring"] == {"exp": {"value": str(FUTURE)}}


PARTS = st.one_of(
    st.sampled_from([*RIGHT, *REFUSED]),
    st.builds("{}={}".format, st.sampled_from(["width", "height"]), st.integers(0, 8200)),
    st.builds(
        "gravity={}:{}".format, st.from_regex(r"\A[01]?\.?[0-9]{0,5}\Z"), st.from_regex(r"\A[01]?(\.[0-9]{0,5})?\Z")
    ),
    st.builds("{}={}".format, st.sampled_from(["blur", "sharpen", "dpr"]), st.decimals(0, 101, places=2)),
    st.builds("dpr={}".format, st.decimals(1, 4, places=2)),
    st.builds("quality={}".format, st.integers(75, 79)),
    st.builds("crop={}:{}:{}:{}".format, *[st.integers(0, 70_000)] * 4),
    st.builds("background={}".format, st.text("0123456789abcdefABCDEFg", min_size=5, max_size=7)),
    st.sampled_from(["fit=cover", "fit=contain", "flip=v", "flip=h", "rotate=90", "rotate=180", "rotate=270"]),
    st.text("abcdefgh=.:,0123456789*%/ \n", max_size=8),
)
OPTIONS = st.lists(PARTS, min_size=1, max_size=6).map(",".join)
EXTENSIONS = st.sampled_from(["jpg", "png", "webp", "avif", "gif"])


@settings(max_examples=400, deadline=None)
@given(options=OPTIONS, ext=EXTENSIONS, encode=st.booleans())
def test_whatever_is_signed_both_ask_for_the_same(edge, options, ext, encode):
    path = own(f"{options},KID", ext)
    path = quote(path) if encode else path.replace("%", "%25").replace("\n", "%0A").replace(" ", "%20")
    assert edge(path) == OneMachine()(path)


@settings(max_examples=400, deadline=None)
@given(options=OPTIONS, ext=EXTENSIONS, size=st.sampled_from(["width=64", "height=33", "width=120,height=90", ""]))
def test_whatever_is_not_signed_both_refuse_or_ask_for_the_same(edge, options, ext, size):
    path = unsigned(f"{size},{options}".strip(",") or "fit=cover", ext)
    path = path.replace("%", "%25").replace("\n", "%0A").replace(" ", "%20")
    assert edge(path) == OneMachine()(path)


@pytest.mark.parametrize("name", [name for name, (path, _) in TABLE.items() if "/u." in path])
def test_where_the_operator_allows_no_size_nothing_is_made_without_a_signature(edge, name):
    path, _ = TABLE[name]
    assert edge(path, sizes=frozenset()) == BAD
    assert OneMachine(unsigned=frozenset())(path) == BAD


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_made_of_an_address_both_say_the_same(edge, data):
    path = list(data.draw(st.sampled_from([path for path, _ in TABLE.values() if len(path) < 1000])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(path) - 1))
        path[at : at + data.draw(st.integers(0, 3))] = data.draw(st.text("/.,=%0123stfuwidthkexp-_", max_size=3))
    changed = re.sub(r"%(?![0-9a-fA-F]{2})", "%25", "".join(path))
    if changed.startswith(f"/i/{ID}/t/"):
        assert edge(changed) == OneMachine()(changed)


def test_the_end_is_looked_at_when_it_comes(edge):
    path = own(f"width=5,KID,exp={FUTURE}")
    assert edge(path, now=FUTURE - 1) == addresses.key("width=5.jpg")
    assert edge(path, now=FUTURE) == EXPIRED
    assert edge(path.replace("width=5", "width=6"), now=FUTURE) == BAD


@pytest.mark.parametrize("accept", [CHROME, FIREFOX, SAFARI_15, CURL])
def test_browsers_share_copies(edge, accept):
    choices = {CHROME: "avif-avif-webp", FIREFOX: "avif-avif-webp", SAFARI_15: "webp-webp-webp", CURL: "jpg-png-gif"}
    assert edge(own("width=5,KID", "auto"), accept).rpartition(".")[2] == choices[accept]


# ------------------------------------------------------------------ what is seen of the answer


@pytest.fixture(scope="module")
def response(tmp_path_factory):
    running = EdgeFunction(tmp_path_factory.mktemp("response"), rendering.transformation_response())

    def ask(querystring=None, **headers):
        named = {name.replace("_", "-"): {"value": value} for name, value in headers.items()}
        event = {
            "request": {"method": "GET", "uri": "/", "querystring": querystring or {}, "headers": {}},
            "response": {"statusCode": 200, "headers": named},
        }
        return {name: each["value"] for name, each in running(event)["headers"].items()}

    yield ask
    running.close()


KEPT = "public, max-age=86400, s-maxage=31536000"


def test_nobody_keeps_an_answer_beyond_the_end_of_its_address(response):
    assert response(cache_control=KEPT) == {"cache-control": KEPT}
    end = {"exp": {"value": str(NOW + 90_000)}}
    assert response(end, cache_control=KEPT)["cache-control"] == "public, max-age=86400, s-maxage=90000"
    end = {"exp": {"value": str(NOW + 7)}}
    assert response(end, cache_control=KEPT)["cache-control"] == "public, max-age=7, s-maxage=7"
    assert response(end, cache_control="public, max-age=3")["cache-control"] == "public, max-age=3"
    assert response(end, cache_control="no-store")["cache-control"] == "no-store"
    end = {"exp": {"value": str(NOW - 7)}}
    assert response(end, cache_control=KEPT)["cache-control"] == "public, max-age=0, s-maxage=0"


def test_what_the_bucket_knows_of_a_picture_has_the_name_it_has_everywhere(response):
    assert response(x_amz_meta_not_enlarged="1920x480") == {"x-not-enlarged": "1920x480"}


# ------------------------------------------------------------------ where they run


def test_they_keep_to_what_cloudfront_runs():
    for code in (rendering.transformation_request(), rendering.transformation_response()):
        assert len(code.encode()) < rendering.EDGE_FUNCTION_MAX
        missing_there = r"\b(class|eval|fetch|Function|new|process|require|setTimeout)\b|\?\.|\?\?|\.\.\.|async \(|`"
        assert re.findall(missing_there, re.sub(r"'[^']*'", "''", code)) == []
