"""CloudFront's viewer function decides as the Python of one machine does: on the same table, and on whatever else."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import rendering
from darkroom.edge import paths
from darkroom.edge.negotiation import ACCEPT_MAX, Negotiator
from darkroom.model import Format
from darkroom.transform.recipes import DEFAULT_QUALITY, DEFAULT_RECIPES, MOST_RECIPES, Recipe
from in_node import InNode
from truths import CHROME, CURL, ID, MODERN_TO_WHO_NAMES_IT, NO_QUALITIES, NONSENSE, QUALITIES_OBEYED

NOTHING = "/i/-"
THREE = Recipe(
    name="three", width=1, height=1, formats=(Format.AVIF, Format.WEBP, Format.JPEG), quality=DEFAULT_QUALITY
)
ONE = Recipe(name="one", width=1, height=1, formats=(Format.WEBP,), quality=DEFAULT_QUALITY)
RECIPES = {each.name: each for each in (*DEFAULT_RECIPES, THREE, ONE)}


class Viewer(InNode):
    """The function as it is deployed, in Node, without anything that CloudFront has not."""

    def __init__(self, code):
        super().__init__(Path(__file__).with_name("viewer_host.js"), code)

    def __call__(self, uri, accept=None, **header):
        headers = {} if accept is None else {"accept": {"value": accept} | header}
        return self.ask(
            {"version": "1.0", "request": {"method": "GET", "uri": uri, "querystring": {}, "headers": headers}}
        )


@pytest.fixture(scope="module")
def viewer(tmp_path_factory):
    code = tmp_path_factory.mktemp("viewer") / "viewer_request.js"
    code.write_text(rendering.viewer_function(tuple(RECIPES.values())))
    function = Viewer(code)
    yield function
    function.close()


def expected(path, accept):
    """What the Python of one machine makes of a request: the picture's path, or none."""
    found = paths.parse(path)
    if found is None or (found.extension is None and found.variant not in RECIPES):
        return NOTHING
    if found.extension is not None:
        return path
    header = None if accept is None else accept.encode("latin-1")
    return f"{path}.{Negotiator(RECIPES[found.variant].formats).extension(header)}"


@pytest.mark.parametrize(("accept", "wanted"), MODERN_TO_WHO_NAMES_IT + QUALITIES_OBEYED)
def test_the_format_of_the_table_is_in_the_path(viewer, accept, wanted):
    assert viewer(f"/i/{ID}/three", accept)["uri"] == f"/i/{ID}/three.{wanted.extension}"


@pytest.mark.parametrize("quality", NO_QUALITIES)
def test_a_quality_that_is_none_does_not_name_the_format(viewer, quality):
    assert viewer(f"/i/{ID}/three", f"image/avif;q={quality},*/*;q=0.1")["uri"] == f"/i/{ID}/three.jpg"


def test_without_a_header_or_with_an_endless_one_the_last_format_is_given(viewer):
    assert viewer(f"/i/{ID}/medium")["uri"] == f"/i/{ID}/medium.jpg"
    assert viewer(f"/i/{ID}/medium", "image/avif," + "a/b," * ACCEPT_MAX)["uri"] == f"/i/{ID}/medium.jpg"


def test_a_header_sent_several_times_is_one_list(viewer):
    both = [{"value": "text/html"}, {"value": "image/avif"}]
    assert viewer(f"/i/{ID}/medium", "text/html", multiValue=both)["uri"] == f"/i/{ID}/medium.avif"


@pytest.mark.parametrize("path", NONSENSE)
def test_nonsense_under_i_is_one_name_and_anything_else_is_answered_at_once(viewer, path):
    for accept in (None, CHROME, CURL):
        answer = viewer(path, accept)
        if path.startswith("/i/"):
            # A path that is encoded is read as what it means, as one machine does.
            meant = path.replace("%2e", ".")
            assert answer["uri"] == expected(meant, accept)
        else:
            assert answer["statusCode"] == 404
            assert answer["headers"]["cache-control"]["value"] == "public, max-age=10"


@pytest.mark.parametrize("name", ["unknown", "toString", "__proto__", "constructor", "hasownproperty"])
def test_a_variant_that_no_recipe_makes_is_nonsense_without_an_extension(viewer, name):
    assert viewer(f"/i/{ID}/{name}", CHROME)["uri"] == NOTHING


def test_what_is_encoded_without_need_is_the_same_picture_and_the_same_copy(viewer):
    assert viewer(f"/i/{ID}/med%69um%2Eavif")["uri"] == f"/i/{ID}/medium.avif"
    assert viewer(f"/i/{ID}/medium%")["uri"] == NOTHING
    assert viewer(f"/i/{ID}/medium%ff")["uri"] == NOTHING


RANGES = ["image/avif", "image/webp", "image/jpeg", "image/*", "*/*", "text/html", "IMAGE/AVIF", "", " image/webp "]
ELEMENTS = st.builds(
    lambda name, parameters: ";".join([name, *parameters]),
    st.sampled_from(RANGES) | st.text("abc*/ ", max_size=6),
    st.lists(
        st.sampled_from(["q=0", "q=1", "q=0.5", " q = 0.25", "q=.9", "q=1.", "q", "q=", "v=1", "Q=0.1", "q=00001"])
        | st.text("q=.0159 ", max_size=6),
        max_size=2,
    ),
)
ACCEPTS = st.none() | st.lists(ELEMENTS, max_size=6).map(",".join)
NAMES = st.sampled_from(sorted(RECIPES)) | st.text("abt-.0", max_size=8)
PATHS = st.one_of(
    st.builds("/i/{}/{}".format, st.just(ID), NAMES),
    st.builds("/i/{}/{}.{}".format, st.just(ID), NAMES, st.sampled_from(["avif", "jpg", "j", "toolong", "", "A"])),
    st.text("/i-.t" + ID, max_size=110).map("/i/{}".format),
)


@settings(max_examples=500, deadline=None)
@given(path=PATHS, accept=ACCEPTS)
@example(path=f"/i/{ID}/three", accept="image/webp;q=0.5,image/webp;q=0.2,image/avif;q=0.4")
def test_whatever_is_asked_both_say_the_same(viewer, path, accept):
    assert viewer(path, accept)["uri"] == expected(path, accept)


def test_it_keeps_to_what_cloudfront_runs():
    code = rendering.viewer_function(DEFAULT_RECIPES)
    assert len(code.encode()) < rendering.EDGE_FUNCTION_MAX
    without_comments = re.sub(r"(?m)//.*$", "", code)
    missing_there = (
        r"\b(async|await|class|eval|fetch|Function|import|new|process|require|setTimeout)\b|\?\.|\?\?|\.\.\."
    )
    assert re.findall(missing_there, without_comments) == []


def test_the_most_recipes_there_can_be_still_fit():
    many = tuple(
        Recipe(name=f"{number:0>40}", width=1, height=1, formats=THREE.formats, quality=DEFAULT_QUALITY)
        for number in range(MOST_RECIPES)
    )
    assert len(rendering.viewer_function(many).encode()) < rendering.EDGE_FUNCTION_MAX
