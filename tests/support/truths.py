"""What is delivered for which path and Accept header: one table for the Python here and CloudFront's function."""

from darkroom.model import Format

ID = "01k3v9m0c4qdhsyx7g6e8rb2tz"

DEFAULT = (Format.AVIF, Format.JPEG)
THREE = (Format.AVIF, Format.WEBP, Format.JPEG)

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
CHROME_TAB = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
FIREFOX = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
SAFARI_15 = "image/webp,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
CURL = "*/*"

MODERN_TO_WHO_NAMES_IT = [
    (CHROME, Format.AVIF),
    (CHROME_TAB, Format.AVIF),
    (FIREFOX, Format.AVIF),
    (SAFARI_15, Format.WEBP),
    (CURL, Format.JPEG),
    ("image/*", Format.JPEG),
    ("", Format.JPEG),
    ("text/html", Format.JPEG),
    ("image/avif", Format.AVIF),
    ("IMAGE/AVIF", Format.AVIF),
    ("  image/webp  ,  */*  ", Format.WEBP),
]
"""Accept header and which of ``THREE`` is given."""

QUALITIES_OBEYED = [
    ("image/avif;q=0,image/webp", Format.WEBP),
    ("image/avif;q=0.0,*/*", Format.JPEG),
    ("image/avif;q=0.5,image/webp;q=0.9,image/*;q=0.1", Format.WEBP),
    ("image/avif;q=0.5,image/jpeg", Format.JPEG),
    ("image/avif;q=0.5,*/*", Format.JPEG),
    ("image/avif;q=0.5,image/jpeg;q=0.5", Format.AVIF),
    ("image/avif;q=0.5,image/jpeg;q=0.1,*/*", Format.AVIF),
    ("image/avif;v=1;q=0", Format.JPEG),
    ("image/avif; q=0.001", Format.AVIF),
    ("image/avif;q=1.000", Format.AVIF),
    ("image/jpeg;q=0,*/*;q=0", Format.JPEG),
]
"""Likewise."""

NO_QUALITIES = ["", "x", "-1", "1.1", "2", "1e0", "0.12345", "nan", "inf", ".", "\u0661"]
"""What may stand behind ``q=`` and is no quality."""

NONSENSE = [
    "",
    "/",
    "/i",
    "/i/",
    f"/i/{ID}",
    f"/i/{ID}/",
    f"i/{ID}/medium",
    f"/I/{ID}/medium",
    f"//i/{ID}/medium",
    f"/i//{ID}/medium",
    f"/i/{ID}/medium/",
    f"/i/{ID}/medium/more",
    f"/i/{ID.upper()}/medium",
    f"/i/{ID[:-1]}/medium",
    f"/i/{ID}0/medium",
    f"/i/8{ID[1:]}/medium",
    f"/i/{ID[:-1]}u/medium",
    f"/i/{ID}/../medium",
    f"/i/{ID}/..",
    "/i/../secrets/key",
    f"/i/{ID}/medium\x00",
    f"/i/{ID}/medium.avif\x00.jpg",
    f"/i/{ID}/medium%2eavif",
    f"/i/{ID}/%2e%2e",
    f"/i/{ID}\\medium",
    f"/i/{ID}/medium.",
    f"/i/{ID}/.avif",
    f"/i/{ID}/medium.avif.jpg",
    f"/i/{ID}/medium.AVIF",
    f"/i/{ID}/Medium",
    f"/i/{ID}/medium ",
    f"/i/{ID}/mediüm",
    f"/i/{ID}/medium.jpeg2k",
    f"/i/{ID}/{'m' * 41}",
    f"/i/{ID}/{'m' * 10_000}",
    f"/i/{ID}/t",
    f"/i/{ID}/t.avif",
    f"/i/{ID}/t/width=100/sAAAA.avif",
]
"""Paths that name no picture."""
