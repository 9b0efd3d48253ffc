"""No native library that is shown strangers' bytes is older than the versions in which its known holes are closed."""

from __future__ import annotations

import pytest

from darkroom.transform import libraries
from darkroom.transform.libraries import KNOWN_FIXED, Library

FOUND = libraries.libraries()


@pytest.mark.parametrize("library", FOUND, ids=lambda library: library.name)
def test_its_known_holes_are_closed(library: Library) -> None:
    assert library.version is not None, "nobody can tell which version it is"
    assert library.is_fixed, f"{library.version} is older than {library.at_least}: {library.because}"


def test_every_library_of_the_table_is_looked_at() -> None:
    assert KNOWN_FIXED.keys() <= {library.name for library in FOUND}


def test_what_the_wheel_is_said_to_be_built_of_is_what_it_shows() -> None:
    carrier = libraries._carrier()
    assert carrier is not None
    marks = libraries._marks(carrier)
    assert set(marks) == set(libraries._MARKS)
    for name, version in marks.items():
        assert libraries.numbers(version) >= libraries.numbers(libraries._CARRIED[name])


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.23.4", False), ("1.9.9", False), ("1.23.5", True), ("1.23.10", True), ("2.0", True), (None, None)],
)
def test_versions_are_compared_as_numbers(version: str | None, expected: object) -> None:
    assert Library("libheif", version, "1.23.5", "a hole").is_fixed is expected


def test_a_library_without_known_holes_is_fixed_at_any_version() -> None:
    assert Library("cgif", None, None, "").is_fixed
