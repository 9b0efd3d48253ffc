"""How a search is read: from a line that a person writes, and from values of programs."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom import names
from darkroom.catalog import questions, terms
from darkroom.catalog.questions import CRITERIA, WrongWord, line_of, read_line
from darkroom.errors import InvalidRequest
from darkroom.model import Format, Order, Orientation, Query, State


def day(year: int, month: int, date: int) -> datetime:
    return datetime(year, month, date, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("", {}),
        ("  \t\u3000\n ", {}),
        ("sunset", {"q": "sunset"}),
        ("sunset  sea", {"q": "sunset sea"}),
        ("tag:cat", {"tag": ["cat"]}),
        ("tag:cat tag:garden", {"tag": ["cat", "garden"]}),
        ("TAG:Cat", {"tag": ["Cat"]}),
        ('tag:"my garden" sea', {"tag": ["my garden"], "q": "sea"}),
        ('tag:"say \\"tag:cat\\" \\\\ twice"', {"tag": ['say "tag:cat" \\ twice']}),
        ('tag:"a\\b"', {"tag": ["a\\b"]}),
        ("tag:a:b:c", {"tag": ["a:b:c"]}),
        ('tag:it"s', {"tag": ['it"s']}),
        ('"tag:cat"', {"q": "tag:cat"}),
        ('"http://example.org/cat" 12:30', {"q": "http://example.org/cat 12:30"}),
        ("tag:猫 tag:e\u0301te\u0301 🌅", {"tag": ["猫", "été"], "q": "🌅"}),
        ("tag:\u202ecat", {"tag": ["cat"]}),
        ("album:Sea camera:eos lens:50mm", {"album": "Sea", "camera": "eos", "lens": "50mm"}),
        ("color:FF8800", {"color": "ff8800"}),
        ("color:#ff8800", {"color": "ff8800"}),
        ("format:jpeg format:png", {"format": [Format.JPEG, Format.PNG]}),
        ("orientation:portrait order:oldest", {"orientation": Orientation.PORTRAIT, "order": Order.OLDEST}),
        ("min_width:3000 max_bytes:0", {"min_width": 3000, "max_bytes": 0}),
        ("after:2026-01-01", {"uploaded_after": day(2026, 1, 1)}),
        ("before:2026-01-01T01:00:00+01:00", {"uploaded_before": day(2026, 1, 1)}),
        ("uploaded_after:2026-01-01t00:00:00z", {"uploaded_after": day(2026, 1, 1)}),
        ("taken_after:2015-04-10", {"taken_after": day(2015, 4, 10)}),
        ("sha256:" + "AB" * 32, {"sha256": "ab" * 32}),
        ("state:failed untagged:1", {"state": ["failed"], "untagged": True}),
        ("-sea -", {"q": "-sea -"}),
    ],
)
def test_a_line_is_read(line: str, asked: dict[str, Any]) -> None:
    assert read_line(line) == asked
    assert read_line(line_of(asked)) == asked


@pytest.mark.parametrize(
    ("line", "word", "says"),
    [
        ("sea min_width:wide tag:cat", "min_width:wide", "whole number"),
        ("min_width:-1", "min_width:-1", "whole number"),
        ("min_width:3e3", "min_width:3e3", "whole number"),
        ("min_width:٣", "min_width:٣", "whole number"),
        ("max_width:2147483648", "max_width:2147483648", "2147483647"),
        ("min_bytes:" + "9" * 30, "min_bytes:" + "9" * 30, "whole number"),
        ("sea colour:red", "colour:red", 'there is no colour.*"quotes"'),
        ("q:sea", "q:sea", "there is no q"),
        ("limit:5", "limit:5", "there is no limit"),
        ("http://example.org", "http://example.org", "there is no http"),
        ("sea tag:", "tag:", "nothing after the colon"),
        ('tag:""', 'tag:""', "nothing after the colon"),
        ("tag: cat", "tag:", "nothing after the colon"),
        ('sea tag:"my garden', 'tag:"my garden', "not closed"),
        ('sea "my garden', '"my garden', "not closed"),
        ('tag:"my"garden sea', 'tag:"my"garden', "ends within a word"),
        ("sea -tag:cat", "-tag:cat", "left out"),
        ("sea -after:2026-01-01", "-after:2026-01-01", "left out"),
        ("after:yesterday", "after:yesterday", "2026-11-23"),
        ("after:2026-13-01", "after:2026-13-01", "2026-11-23"),
        ("after:0001-01-01T00:00:00+14:00", "after:0001-01-01T00:00:00+14:00", "2026-11-23"),
        ("color:red", "color:red", "ff8800"),
        ("orientation:round", "orientation:round", "landscape, portrait, square"),
        ("format:bmp", "format:bmp", "jpeg"),
        ("state:deleted", "state:deleted", "awaiting"),
        ("order:random", "order:random", "newest, oldest"),
        ("untagged:0", "untagged:0", "1"),
        ("sha256:abc", "sha256:abc", "64"),
        ("album:a sea album:b", "album:b", "once"),
        ("after:2026-01-01 uploaded_after:2026-01-01", "uploaded_after:2026-01-01", "once"),
        ("tag:" + "x" * 65, "tag:" + "x" * 65, "at most 64"),
        ("min_width:300 tag:a max_width:200", "max_width:200", "min_width"),
        ("before:2026-01-01 after:2026-01-01", "before:2026-01-01", "between"),
        ("tag:a untagged:1", "untagged:1", "exclude each other"),
        ("日本 tag:猫 min_width:a", "min_width:a", "whole number"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_of_the_word(line: str, word: str, says: str) -> None:
    with pytest.raises(WrongWord, match=says) as wrong:
        read_line(line)
    assert line[wrong.value.begin : wrong.value.end] == word
    assert wrong.value.detail.startswith(word[:59])
    assert wrong.value.code == "invalid-request"


def test_dates_are_of_the_place_of_whoever_asks() -> None:
    east = timezone(timedelta(hours=2))
    asked = read_line("after:2026-01-01 taken_before:2026-01-01T10:00:00", lambda moment: moment.replace(tzinfo=east))
    assert asked == {
        "uploaded_after": datetime(2025, 12, 31, 22, tzinfo=UTC),
        "taken_before": datetime(2026, 1, 1, 8, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    "line",
    [
        "word " * 10_000,
        "tag:x " * 10_000,
        '"' * 100_000,
        "tag:" * 100_000,
        "\\" * 100_000,
        '"' + "\\" * 100_000,
        "a" * 10**7,
        "(a+)+$" * 50_000,
        ":" * 100_000,
        "-" * 100_000,
    ],
)
def test_a_line_of_any_length_is_refused_at_once(line: str) -> None:
    began = time.thread_time()
    with pytest.raises(InvalidRequest, match="at most 4000"):
        read_line(line)
    assert time.thread_time() - began < 1


@pytest.mark.parametrize("unit", ["word ", "tag:x ", '"', "tag:", "\\", ":", "-", "(a+)+$", '"a" ', "猫"])
def test_the_longest_line_there_is_takes_no_time(unit: str) -> None:
    line = (unit * questions.LINE_MAX)[: questions.LINE_MAX]
    began = time.thread_time()
    with suppress(InvalidRequest):
        terms.plan(questions.query("local", read_line(line)))
    assert time.thread_time() - began < 1


@given(st.text(max_size=60))
def test_any_line_is_read_or_refused(line: str) -> None:
    marked = None
    with suppress(WrongWord):
        try:
            questions.query("local", read_line(line))
        except WrongWord as wrong:
            marked = line[wrong.begin : wrong.end]
            raise
    assert marked is None or marked.strip()


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(st.lists(st.text(min_size=1, max_size=20), max_size=5))
def test_any_tag_can_be_asked_for_in_quotes(tags: list[str]) -> None:
    def is_tag(text: str) -> bool:
        try:
            names.clean_tag(text)
        except InvalidRequest:
            return False
        return True

    tags = list(filter(is_tag, tags))
    asked = read_line(" ".join(f"tag:{quoted(tag)}" for tag in tags))
    assert asked.get("tag", []) == [names.clean_tag(tag) for tag in tags]


def test_values_become_a_query() -> None:
    asked = read_line("tag:cat state:failed state:ready order:oldest after:2026-01-01 color:ff0000 sunset")
    assert questions.query("anna", asked, limit=7, cursor="x") == Query(
        owner="anna",
        tags=("cat",),
        states=(State.FAILED, State.READY),
        order=Order.OLDEST,
        uploaded_after=day(2026, 1, 1),
        color="ff0000",
        words="sunset",
        limit=7,
        cursor="x",
    )
    assert questions.query("anna", {}) == Query(owner="anna")


def test_there_is_a_name_for_every_criterion_of_a_query() -> None:
    beside = {"owner", "limit", "cursor"}
    assert {criterion.member for criterion in CRITERIA.values()} | beside == set(Query.__dataclass_fields__)


@pytest.mark.parametrize(
    "asked",
    [
        {"min_width": 2, "max_width": 1},
        {"min_bytes": 2, "max_bytes": 1},
        {"uploaded_after": day(2026, 1, 1), "uploaded_before": day(2026, 1, 1)},
        {"taken_after": day(2026, 1, 2), "taken_before": day(2026, 1, 1)},
        {"untagged": True, "tag": ["cat"]},
    ],
)
def test_what_contradicts_itself_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(asked))):
        questions.query("local", asked)


def test_a_range_of_one_value_is_none_that_contradicts_itself() -> None:
    assert questions.query("local", {"min_width": 2, "max_width": 2}).max_width == 2
