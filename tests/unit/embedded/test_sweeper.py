"""The sweep on a schedule: when it comes, what it says, and that nothing ends it but being stopped."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from darkroom import names
from darkroom.embedded.sweeper import FIRST_SECONDS, Sweeper
from darkroom.errors import Unavailable
from darkroom.figures import SWEEP_FINDINGS, SWEEP_SECONDS, SWEEPS
from darkroom.sweep import FEW, Ages, Finding, Kind, Place, Report, Sweep
from darkroom.upkeep import FINDINGS_LOGGED, sweep_once
from rooms import Room

if TYPE_CHECKING:
    from collections.abc import Callable

AGES = Ages(
    patience=timedelta(minutes=1), grace=timedelta(hours=1), failures=timedelta(days=1), tombstones=timedelta(days=2)
)
STRANGER = "01k3v9m0c4qdhsyx7g6e8rb2tz"


class Waiting(threading.Event):
    """An event that is set after so many waits, which take no time."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.waited: list[float] = []
        self._left = waits

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        self._left -= 1
        if self._left < 0:
            self.set()
        return self.is_set()


class Told:
    """A sweep that finds what it is given."""

    def __init__(self, act: Callable[[], object] = lambda: None, findings: int = 0) -> None:
        self.times = 0
        self._act = act
        self._findings = findings

    def run(self, *, tell: Callable[[Finding, bool], None], stopping: Callable[[], bool]) -> Report:
        self.times += 1
        self._act()
        for _ in range(self._findings):
            tell(Finding(kind=Kind.LEFTOVER_FILE, place=Place.FILES, key="incoming/x", bytes=7), True)  # noqa: FBT003
        return Report(whole=not stopping())


@pytest.fixture
def room() -> Room:
    room = Room()
    room.clock.now = datetime.now(UTC)
    return room


def sweeper(room: Room, sweep: object, every: float = 3600.0, chance: float = 0.5) -> Sweeper:
    return Sweeper(sweep, room.figures, every_seconds=every, chance=lambda: chance)  # type: ignore[arg-type] # as one


@pytest.mark.parametrize(
    ("chance", "waited"),
    [(0.0, [0.0, 3240.0, 3240.0]), (0.5, [150.0, 3600.0, 3600.0]), (1.0, [FIRST_SECONDS, 3960.0, 3960.0])],
)
def test_it_comes_soon_after_the_start_and_then_about_every_hour(
    room: Room, chance: float, waited: list[float]
) -> None:
    sweep = Told()
    stopping = Waiting(2)
    sweeper(room, sweep, chance=chance).run(stopping)
    assert stopping.waited == pytest.approx(waited)
    assert sweep.times == 2


def test_a_short_pause_is_kept_from_the_start_on(room: Room) -> None:
    stopping = Waiting(1)
    sweeper(room, Told(), every=10, chance=1.0).run(stopping)
    assert stopping.waited == pytest.approx([10.0, 11.0])


def test_one_line_says_what_was_done(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.ready()
    key = names.asset_key(STRANGER, "small", "jpg")
    room.assets.put(key, b"12345", content_type="image/jpeg")
    room.clock.advance(7200)
    with caplog.at_level(logging.INFO, "darkroom.upkeep"):
        sweep_once(Sweep(room.service, AGES, defaults=dict), room.figures, threading.Event().is_set)
    found, swept = (vars(record) for record in caplog.records)
    assert (found["msg"], found["kind"], found["key"], found["bytes"]) == ("found", "unowned-object", key, 5)
    assert found["mended"] is True
    assert (swept["msg"], swept["outcome"], swept["images"], swept["objects"]) == ("swept", "whole", 1, 4)
    assert swept["unowned_object"] == 1
    assert room.figures.total(SWEEPS, outcome="whole") == 1
    assert room.figures.total(SWEEP_FINDINGS, kind="unowned-object", mended="yes") == 1
    assert len(room.figures.times(SWEEP_SECONDS)) == 1


def test_a_catalog_that_may_have_lost_its_images_is_an_error(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(FEW + 1):
        room.assets.put(names.asset_key(STRANGER, f"n{number}", "jpg"), b"1", content_type="image/jpeg")
    room.clock.advance(7200)
    sweep_once(Sweep(room.service, AGES, defaults=dict), room.figures, threading.Event().is_set)
    assert len(room.objects()) == FEW + 1
    assert room.figures.total(SWEEPS, outcome="withheld") == 1
    assert "catalog may have lost" in caplog.records[-1].message


def test_of_very_many_findings_some_are_written_down_and_all_counted(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "darkroom.upkeep"):
        sweep_once(Told(findings=FINDINGS_LOGGED + 5), room.figures, threading.Event().is_set)
    assert sum(record.message == "found" for record in caplog.records) == FINDINGS_LOGGED
    assert room.figures.total(SWEEP_FINDINGS) == FINDINGS_LOGGED + 5


@pytest.mark.parametrize("error", [Unavailable("the disk is gone"), KeyError("a mistake of ours")])
def test_a_sweep_that_fails_is_not_the_last(room: Room, caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    def fail() -> None:
        raise error

    sweep = Told(fail)
    sweeper(room, sweep).run(Waiting(3))
    assert sweep.times == 3
    assert room.figures.total(SWEEPS, outcome="failed") == 3
    assert [record.message for record in caplog.records] == ["sweep failed"] * 3


def test_a_stop_ends_the_sweep_that_is_under_way(room: Room) -> None:
    stopping = threading.Event()
    for _ in range(3):
        room.open_upload()
    room.clock.advance(86_400)
    stopping.set()
    sweep_once(Sweep(room.service, AGES, defaults=dict), room.figures, stopping.is_set)
    assert len(room.catalog.walk("", 10)) == 3
    assert room.figures.total(SWEEPS, outcome="stopped") == 1
