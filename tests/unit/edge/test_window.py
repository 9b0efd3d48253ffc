"""What a function answers for an edge: whole, within what it may answer, and by what the edge says was asked for."""

import asyncio
import io
import json

import pytest

from addresses import ID, LIVE, OLDER, own, unsigned
from darkroom.edge.answers import Absence, Answer, refused
from darkroom.edge.window import ASKED, Window

LARGEST = 1000
NOT_KEPT = {"cache-control": "no-store", "access-control-allow-origin": "*"}
JPEG = [(b"content-type", b"image/jpeg"), (b"etag", b'"x"')]


class Answers:
    """Transformations that answer as they are told, and remember what they were asked."""

    def __init__(self):
        self.answer_is = "made", Answer(200, JPEG, body=b"picture", length=7)
        self.asked = None

    async def answer(self, method, path, fields):
        self.asked = method, path, fields
        return self.answer_is


@pytest.fixture
def answers():
    return Answers()


def ask(answers, path=f"/i/{ID}/t/width=64/u.jpg", method="GET", **headers):
    window = Window(answers, lambda: [OLDER, LIVE], widths=(160,), largest=LARGEST)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(window.answer(method, {ASKED: path} | named))


def test_what_the_edge_says_was_asked_for_is_answered_and_nothing_else_of_the_reader_counts(answers):
    shown = ask(answers, "/i/%41b", "HEAD", accept="image/webp", if_none_match='"y"', range="bytes=0-1", host="edge")
    assert answers.asked == ("HEAD", "/i/Ab", {b"accept": b"image/webp", b"if-none-match": b'"y"'})
    assert (shown.status, shown.headers, shown.body) == (
        200,
        {"content-type": "image/jpeg", "etag": '"x"'},
        b"picture",
    )


def test_without_what_was_asked_for_nothing_is(answers):
    window = Window(answers, list, widths=(), largest=LARGEST)
    asyncio.run(window.answer("GET", {}))
    assert answers.asked == ("GET", "", {})


def test_a_body_that_lies_in_a_file_is_read_to_its_end_and_closed(answers):
    file = io.BytesIO(b"x" * LARGEST)
    answers.answer_is = "made", Answer(200, JPEG, length=LARGEST, file=file)
    assert ask(answers).body == b"x" * LARGEST
    assert file.closed


def test_what_is_not_there_is_left_to_the_edge_s_default_image(answers):
    answers.answer_is = Absence.MISSING
    shown = ask(answers)
    assert (shown.status, json.loads(shown.body)["code"]) == (404, "not-found")


def test_what_is_refused_is_refused_in_the_same_words(answers):
    answers.answer_is = "refused", refused("GET", 422, "invalid-request", "width must be")
    shown = ask(answers)
    assert (shown.status, json.loads(shown.body)["detail"]) == (422, "width must be")


def too_long(kind=b"image/jpeg"):
    return "made", Answer(200, [(b"content-type", kind)], length=LARGEST + 1, file=io.BytesIO(b"x" * (LARGEST + 1)))


def test_what_is_too_long_is_where_it_was_asked_for_by_now(answers):
    answers.answer_is = too_long()
    address = own("width=64,KID").replace(",", "%2C")
    shown = ask(answers, address)
    assert (shown.status, shown.headers) == (307, {"location": address} | NOT_KEPT)
    assert answers.answer_is[1].file.closed


@pytest.mark.parametrize("secret", [LIVE, OLDER])
@pytest.mark.parametrize(("options", "family"), [("width=64,KID", False), ("width=64", False), ("width=160,KID", True)])
def test_what_is_too_long_and_negotiated_is_where_the_format_is_signed(answers, secret, options, family):
    answers.answer_is = too_long(b"image/webp")
    shown = ask(answers, own(options, "auto", secret=secret, family=family))
    assert shown.headers["location"] == own(options, "webp", secret=secret)


def test_what_is_too_long_and_negotiated_and_not_signed_is_where_the_format_is_not_either(answers):
    answers.answer_is = too_long(b"image/webp")
    assert ask(answers, unsigned("width=64", "auto")).headers["location"] == unsigned("width=64", "webp")
