"""A search as it stands in an address: tidied, in words, and as the line of all that it finds."""

from datetime import UTC, datetime

import pytest

from darkroom.catalog.questions import read_line
from darkroom.errors import InvalidRequest
from darkroom.web.gallery import chips, everything, query_of, tidy

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def words_of(given):
    return [chip.words for chip in chips(given)]


def test_every_criterion_is_said_in_words():
    given = [
        ("q", 'dawn tag:"my cat" before:2026-01-02'),
        ("format", "jpeg"),
        ("min_width", "800"),
        ("max_bytes", "2000000"),
        ("uploaded_after", "2026-01-01"),
        ("taken_before", "2015-04-10T08:30:00Z"),
        ("color", "FF8800"),
        ("state", "failed"),
        ("order", "oldest"),
        ("untagged", "1"),
        ("limit", "10"),
    ]
    assert words_of(given) == [
        "“dawn”",
        "tag my cat",
        "uploaded before 2 January 2026",
        "JPEG",
        "at least 800 px wide",
        "at most 2 MB",
        "uploaded from 1 January 2026",
        "taken before 10 April 2015, 08:30:00 UTC",
        "near #ff8800",
        "failed",
        "oldest first",
        "without tags",
    ]
    assert [chip.color for chip in chips(given) if chip.color] == ["#ff8800"]


def test_each_is_taken_away_alone_also_out_of_the_line():
    given = [("q", 'dawn tag:"my cat"  sea'), ("format", "jpeg"), ("format", "png")]
    assert [chip.without for chip in chips(given)] == [
        "/?q=tag%3A%22my+cat%22++sea&format=jpeg&format=png",
        "/?q=dawn+sea&format=jpeg&format=png",
        "/?q=dawn+tag%3A%22my+cat%22&format=jpeg&format=png",
        "/?q=dawn+tag%3A%22my+cat%22++sea&format=png",
        "/?q=dawn+tag%3A%22my+cat%22++sea&format=jpeg",
    ]
    assert chips([("q", "dawn")])[0].without == "/"


def test_what_is_asked_for_once_is_there_once_and_the_last_counts():
    given = [("tag", "a"), ("color", "111111"), ("tag", "b"), ("tag", "a"), ("color", "222222")]
    assert tidy(given) == [("tag", "a"), ("tag", "b"), ("color", "222222")]


def test_all_that_is_found_now_is_one_line():
    asked = read_line(everything([("q", "dawn tag:a"), ("tag", "b c"), ("min_width", "5"), ("cursor", "x")], NOW))
    assert asked == {
        "q": "dawn",
        "tag": ["a", "b c"],
        "min_width": 5,
        "state": ["ready", "processing", "failed"],
        "uploaded_before": NOW,
    }


@pytest.mark.parametrize(
    ("given", "until"),
    [
        (("uploaded_before", "2026-04-01"), datetime(2026, 4, 1, tzinfo=UTC)),
        (("uploaded_before", "2027-04-01"), NOW),
        (("uploaded_after", "2027-04-01"), None),
    ],
)
def test_nothing_that_comes_later_is_in_it(given, until):
    assert read_line(everything([given], NOW)).get("uploaded_before") == until


def test_a_day_is_its_midnight():
    query = query_of("o", [("uploaded_after", "2026-04-01"), ("taken_after", "2026-04-02T05:00:00Z")])
    assert query.uploaded_after == datetime(2026, 4, 1, tzinfo=UTC)
    assert query.taken_after == datetime(2026, 4, 2, 5, tzinfo=UTC)
    with pytest.raises(InvalidRequest, match="uploaded_after"):
        query_of("o", [("uploaded_after", "soon")])
