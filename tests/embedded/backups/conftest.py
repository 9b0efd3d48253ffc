"""A data folder with a service that is driven by hand, backups of it, and what is restored from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clock import Clock
from darkroom.embedded import backup, wire
from darkroom.embedded.backup import back_up
from darkroom.embedded.layout import Layout
from darkroom.embedded.restore import restore
from homes import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from darkroom.catalog.sqlite import SqliteCatalog
    from darkroom.embedded.snapshot import Manifest


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def run(home: Home, vault: Path) -> Callable[..., Manifest]:
    """Make a backup of the home."""
    clock = Clock()

    def make(**given: object) -> Manifest:
        clock.advance(60)
        return back_up(home.layout, vault, clock=clock, **given)  # type: ignore[arg-type] # the test knows them

    return make


@pytest.fixture
def restored(vault: Path, tmp_path: Path) -> Iterator[Callable[[], Home]]:
    """Restore the latest backup and open it."""
    opened: list[Home] = []

    def make() -> Home:
        folder = tmp_path / f"restored {len(opened)}"
        restore(vault, Layout(folder))
        opened.append(Home(folder))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have something happen once, when the databases have been copied and no object has been."""

    def arrange(act: Callable[[], object]) -> None:
        left = [act]

        def copy_databases(layout: Layout, to: Layout) -> SqliteCatalog:
            catalog = wire.copy_databases(layout, to)
            while left:
                left.pop()()
            return catalog

        monkeypatch.setattr(backup, "copy_databases", copy_databases)

    return arrange
