"""Many who edit one image at once: whatever keeps it, nothing anybody has said is lost."""

from __future__ import annotations

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from catalogs import KINDS, opened
from darkroom.errors import Unavailable, VersionMoved
from darkroom.model import Edit, Query, State
from darkroom.service import Rules
from libraries import everything, image
from rooms import Room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.service import Service

pytestmark = pytest.mark.usefixtures("catalogs_on_aws")

EDITORS, PROCESSES = 200, 4


@pytest.fixture(params=KINDS)
def services(request: pytest.FixtureRequest) -> Iterator[list[Service]]:
    """Some on one catalog, as in processes of their own: they know of each other by what is stored only."""
    with opened(request.param) as catalog:
        rules = Rules(max_tags=500)
        yield [dataclasses.replace(Room().service, catalog=catalog, rules=rules) for _ in range(PROCESSES)]


def test_two_hundred_editors_at_once_lose_no_tag(services: list[Service]) -> None:
    old = tuple(f"old {number}" for number in range(EDITORS))
    catalog = services[0].catalog
    image_id = catalog.create(image(0, tags=(*old, "kept"), state=State.PROCESSING)).id
    together = threading.Barrier(EDITORS)

    def edit(number: int) -> int:
        change = Edit(add_tags=(f"new {number}", "ALL"), remove_tags=(f"OLD {number}",))
        together.wait()
        while True:
            try:
                return services[number % PROCESSES].edit("local", image_id, change).version
            except Unavailable:  # as the client does
                time.sleep(1)

    with ThreadPoolExecutor(EDITORS) as pool:
        versions = list(pool.map(edit, range(EDITORS)))
    last = services[0].image("local", image_id)
    assert set(last.tags) == {"kept", "ALL", *(f"new {number}" for number in range(EDITORS))}
    assert sorted(versions) == list(range(2, EDITORS + 2)), "each has written once"
    asked = Query(owner="local", states=(), tags=("new 0", f"new {EDITORS - 1}", "kept"))
    assert [one.id for one in everything(catalog, asked)] == [image_id]
    assert everything(catalog, Query(owner="local", states=(), tags=("old 7",))) == []


def test_of_many_who_name_one_version_one_writes_and_the_others_are_told(services: list[Service]) -> None:
    image_id = services[0].catalog.create(image(0)).id
    together = threading.Barrier(20)

    def edit(number: int) -> bool:
        together.wait()
        try:
            services[number % PROCESSES].edit("local", image_id, Edit(title=f"by {number}"), version=1)
        except VersionMoved:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        written = list(pool.map(edit, range(20)))
    assert written.count(True) == 1
    assert services[0].image("local", image_id).title == f"by {written.index(True)}"
