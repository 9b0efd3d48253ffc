"""A data folder as a library that is exported from or imported into, also while it is served."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from darkroom.embedded import maintenance, wire
from darkroom.embedded.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from darkroom.settings import Settings
    from darkroom.transfer import Collection


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Collection, Path]]:
    """Give what exports are made of and imports brought into, and a folder for what is on its way.

    Raises what ``maintenance.service`` raises.
    """
    layout = Layout(settings.data)
    with maintenance.service(settings) as parts:
        yield wire.collection(parts, layout), layout.incoming


def refuse_within(settings: Settings, target: Path) -> None:
    """Raise ``Refused`` for an export that would lie in the data folder itself."""
    Layout(settings.data).refuse_within(target)
