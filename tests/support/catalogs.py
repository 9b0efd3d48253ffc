"""Every kind of catalog, new and empty: what the contract suites of the catalog are run on."""

from __future__ import annotations

import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from darkroom.catalog import WORK_PER_PAGE, terms
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.catalog.memory import MemoryCatalog
from darkroom.catalog.sqlite import SqliteCatalog
from tables import tables_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.catalog import Catalog
    from emulator import Emulator
    from tables import Tables

KINDS = ("memory", "sqlite", "dynamodb")
EMBEDDED = ("memory", "sqlite")


@pytest.fixture(scope="module")
def catalogs_on_aws(emulator: Emulator) -> Iterator[None]:
    """Have tables to open catalogs on, wherever a test does so: for ``pytest.mark.usefixtures``."""
    with tables_in(emulator) as TABLES[0]:
        yield


TABLES: list[Tables | None] = [None]


@contextmanager
def opened(
    kind: str, *, work_per_page: int = WORK_PER_PAGE, kinds: frozenset[terms.Kind] = terms.ALL_KINDS
) -> Iterator[Catalog]:
    """Give a new, empty catalog; what it keeps is gone at the end."""
    if kind == "memory":
        yield MemoryCatalog(work_per_page=work_per_page, kinds=kinds)
        return
    if kind == "dynamodb":
        tables = TABLES[0]
        assert tables is not None
        name = tables.make()
        try:
            with closing(DynamoCatalog(tables.client, name, work_per_page=work_per_page, kinds=kinds)) as on_table:
                yield on_table
        finally:
            tables.drop(name)
        return
    with tempfile.TemporaryDirectory() as folder:
        durable = SqliteCatalog(Path(folder) / "catalog.sqlite", work_per_page=work_per_page, kinds=kinds)
        yield durable
        durable.close()
