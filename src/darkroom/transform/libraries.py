"""The native libraries that are shown strangers' bytes, and from which version on the known holes in them are closed.

To do whenever one of them is updated for its security: raise the version here and in ``pyproject.toml``. A test fails
when an older one is installed, and ``darkroom doctor`` says so where the service runs.
"""

from __future__ import annotations

import mmap
import re
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from darkroom.transform import vips

_VIPS = "CVE-2026-33327, CVE-2026-33328, CVE-2026-35590, CVE-2026-35591 (8.18.3); TIFF and EXIF (8.18.7)"
_HEIF = (
    "CVE-2026-84383 (GHSA-g89c-p67h-r497) and GHSA-2jg2-4ch7-h545, remote code execution by an AVIF or HEIC (1.23.2); "
    "one more that is critical, of nine (1.23.3); three that are high, of six (1.23.4); one, of seven (1.23.5)"
)
_DE265 = (
    "CVE-2026-33164, CVE-2026-33165, CVE-2026-45382, CVE-2026-45383 (1.0.19); GHSA-ccfw-29x7-rrx3, "
    "GHSA-j2qq-x2xq-g9wr (1.1.1); GHSA-xp3h-6f5r-8cxp, GHSA-mm7m-v26f-wf8x (1.1.2)"
)

KNOWN_FIXED = {
    "libvips": ("8.18.7", _VIPS),
    "libheif for AVIF": ("1.23.5", _HEIF),
    "libheif for HEIC": ("1.23.5", _HEIF),
    "libde265": ("1.1.2", _DE265),
    "libaom": ("3.14.0", "CVE-2026-56209"),
    "libwebp": ("1.3.2", "CVE-2023-4863, which was used against people"),
    "libpng": ("1.6.58", "CVE-2026-33416, CVE-2026-33636 (1.6.56), CVE-2026-34757 (1.6.58)"),
    "libtiff": ("4.7.2", "CVE-2026-4775"),
    "libexif": ("0.6.23", "CVE-2020-0198, CVE-2020-0452"),
    "librsvg": ("2.56.3", "CVE-2023-38633; asked for SVG only, where that is switched on"),
    "Pillow": ("12.3.0", "CVE-2026-25990, CVE-2026-42311 and others; it comes with what decodes HEIC, itself idle"),
}
"""By name: the first version without the holes that are known of, and which those were."""

_WHEEL = "pyvips-binary"
_CARRIED = {
    "libheif for AVIF": "1.23.5",
    "libaom": "3.15.1",
    "mozjpeg": "5.0.0",
    "libwebp": "1.6.0",
    "libpng": "1.6.58",
    "libtiff": "4.7.2",
    "libexif": "0.6.26",
    "lcms2": "2.19.1",
    "cgif": "0.5.4",
    "libimagequant": "2.4.1",
    "zlib-ng": "2.3.3",
    "librsvg": "2.62.3",
    "libxml2": "2.15.3",
}
"""What the wheel of libvips 8.18.7 is built of, by its recipe. Later wheels have these or later ones; they cannot be
asked, but for those that leave a mark. librsvg and libxml2 by the recipe of 8.18.3, so these or later ones too."""
_MARKS = {
    "libaom": re.compile(rb"AOMedia Project AV1 Decoder v(\d+\.\d+\.\d+)"),
    "mozjpeg": re.compile(rb"mozjpeg version (\d+\.\d+\.\d+)"),
    "libpng": re.compile(rb"\0(1\.6\.\d+)\0"),
}


class Library(NamedTuple):
    """A library as it is here. ``version`` is ``None`` where nobody can tell."""

    name: str
    version: str | None
    at_least: str | None
    """``None`` where no hole is known that a version has closed."""
    because: str

    @property
    def is_fixed(self) -> bool | None:
        """Whether the known holes are closed; ``None`` where nobody can tell."""
        if self.at_least is None:
            return True
        return None if self.version is None else numbers(self.version) >= numbers(self.at_least)


def numbers(version: str) -> tuple[int, ...]:
    """Return ``1.23.5`` as something to compare."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def libraries() -> tuple[Library, ...]:
    """Return what is known of every library: told by itself, by a mark it leaves, or by the wheel that carries it."""
    told = vips.library_versions()
    versions: dict[str, str | None] = {**dict.fromkeys(_CARRIED), **told, "Pillow": metadata.version("Pillow")}
    carrier = _carrier()
    if carrier is not None:
        if numbers(told["libvips"]) >= numbers(KNOWN_FIXED["libvips"][0]):
            versions |= _CARRIED
        versions |= _marks(carrier)
    names = [*KNOWN_FIXED, *(name for name in versions if name not in KNOWN_FIXED)]
    return tuple(Library(name, versions.get(name), *KNOWN_FIXED.get(name, (None, ""))) for name in names)


def _carrier() -> Path | None:
    """Return the one file in which the wheel brings libvips and all it needs; none where the system's own is used."""
    try:
        files = metadata.files(_WHEEL) or ()
    except metadata.PackageNotFoundError:
        return None
    return next((Path(file.locate()) for file in files if file.name.startswith("libvips")), None)


def _marks(carrier: Path) -> dict[str, str]:
    with carrier.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = {name: mark.findall(content) for name, mark in _MARKS.items()}
    return {name: versions[0].decode() for name, versions in found.items() if versions}
