"""A gallery of landscapes, and a browser."""

from collections.abc import Iterator

import pytest

from browser import browser, open_page  # noqa: F401  # fixtures
from darkroom.client import Client, Labels
from landscapes import landscape
from servers import Served, serving

NAMES = ("Dawn", "Fjord", "Ridge", "Valley", "Dunes", "Coast", "Moor", "Heath", "Bay", "Summit")


@pytest.fixture(scope="package")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with ten landscapes."""
    with serving(tmp_path_factory.mktemp("gallery"), workers="1", originals="keep") as served:
        with Client(served.url) as client:
            for number, name in enumerate(NAMES):
                tags = ("hills", "sea" if number % 2 else "land")
                labels = Labels(tags=tags, album="Drawn", title=name)
                image = client.upload(landscape(number), labels, filename=f"{name.lower()}.jpg", wait=60)
                assert image.state == "ready"
        yield served
