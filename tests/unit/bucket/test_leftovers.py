"""What dead processes left half-made: found once nobody touches it any more, and nothing else with it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from darkroom.bucket.leftovers import FolderLeftovers

if TYPE_CHECKING:
    from pathlib import Path

PATTERNS = ("uploads/put#*", "incoming/*")


@pytest.fixture
def leftovers(tmp_path: Path) -> FolderLeftovers:
    for name in ("uploads/originals/x", "uploads/put#7", "incoming/body"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    return FolderLeftovers(tmp_path, PATTERNS)


def test_only_what_matches_and_is_old_is_found(leftovers: FolderLeftovers) -> None:
    now = datetime.now(UTC)
    assert list(leftovers.find(now - timedelta(minutes=1))) == []
    found = list(leftovers.find(now + timedelta(minutes=1)))
    assert [(one.key, one.bytes) for one in found] == [("uploads/put#7", 5), ("incoming/body", 5)]


def test_a_file_that_was_given_another_name_just_now_is_young(leftovers: FolderLeftovers, tmp_path: Path) -> None:
    os.utime(tmp_path / "incoming" / "body", (0, 0))
    (tmp_path / "incoming" / "body").rename(tmp_path / "uploads" / "put#8")
    assert list(leftovers.find(datetime.now(UTC) - timedelta(minutes=1))) == []


def test_what_is_removed_is_gone_and_may_be_removed_again(leftovers: FolderLeftovers, tmp_path: Path) -> None:
    for _ in range(2):
        for one in leftovers.find(datetime.now(UTC) + timedelta(minutes=1)):
            leftovers.remove(one.key)
            leftovers.remove(one.key)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["x"]
