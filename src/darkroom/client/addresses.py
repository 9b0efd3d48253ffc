"""Addresses of transformations, signed: by the server, or by whoever has a signing secret.

An option is given by its name: ``width=640, fit="cover"``. Three ways to use them: one address, a ``srcset``, and a
whole ``<picture>``.
"""

from __future__ import annotations

import base64
import binascii
import time
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Protocol

from darkroom.edge import signatures
from darkroom.transform.options import AUTO, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom.client.answers import Image

DEFAULT_WIDTHS = (320, 640, 960, 1280, 1920)
SOURCES = ("avif", "webp", "jpg")
"""What a ``<picture>`` offers, the most modern first; the last one is for everybody."""


class Signer(Protocol):
    """Signs one address."""

    def sign(self, image_id: str, options: str, ext: str, *, expires_in: int | None = None) -> str:
        """Return the whole address of exactly these options. Raises ``ApiError`` or ``InvalidRequest``."""
        ...


@dataclass(frozen=True, slots=True)
class SecretSigner:
    """Signs without asking the server, with the text ``ID.SECRET`` of a signing secret.

    ``delivery_url`` is where ``/i/`` lies. Raises ``ValueError`` for what is no secret's text.
    """

    text: str
    delivery_url: str

    def __post_init__(self) -> None:
        """Check the text."""
        self._parts()

    def sign(self, image_id: str, options: str, ext: str, *, expires_in: int | None = None) -> str:
        """As the protocol says; ``expires_in`` is in seconds."""
        kid, secret = self._parts()
        exp = [] if expires_in is None else [f"exp={int(time.time()) + expires_in}"]
        whole = ",".join([options, f"kid={kid}", *exp])
        parse(whole)
        path = signatures.path_of(image_id, whole, signatures.sign(secret, image_id, whole, ext), ext)
        return self.delivery_url.rstrip("/") + path

    def _parts(self) -> tuple[str, bytes]:
        kid, _, secret = self.text.partition(".")
        try:
            decoded = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
        except binascii.Error:
            decoded = b""
        if not kid or len(decoded) < signatures.SIGNATURE_BYTES:
            msg = "a signing secret is written ID.SECRET, as it was shown when it was made"
            raise ValueError(msg)
        return kid, decoded


def options_of(**options: object) -> str:
    """Return options as they stand in an address; ``True`` is 1, what is ``None`` or ``False`` is left out.

    Raises ``InvalidRequest`` naming the one that is wrong.
    """
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    text = ",".join(f"{name}={1 if value is True else value}" for name, value in given.items()) or "fit=inside"
    parse(text)
    return text


def srcset(
    signer: Signer,
    image_id: str,
    *,
    widths: Sequence[int] = DEFAULT_WIDTHS,
    ext: str = AUTO,
    expires_in: int | None = None,
    **options: object,
) -> str:
    """Return the value of a ``srcset``: one address for each of ``widths``.

    With both ``width`` and ``height`` among the options these give the shape, and each address its own height.
    """
    width, height = options.pop("width", None), options.pop("height", None)
    shape = int(str(height)) / int(str(width)) if width is not None and height is not None else None
    addresses = []
    for each in widths:
        tall = height if shape is None else max(1, round(each * shape))
        text = options_of(width=each, height=tall, **options)
        addresses.append(f"{signer.sign(image_id, text, ext, expires_in=expires_in)} {each}w")
    return ", ".join(addresses)


def picture(
    signer: Signer,
    image: Image,
    *,
    alt: str,
    sizes: str = "100vw",
    widths: Sequence[int] = DEFAULT_WIDTHS,
    expires_in: int | None = None,
    **options: object,
) -> str:
    """Return a ``<picture>`` of a ready image: AVIF, WebP and JPEG, with size, and its main colour until it is there.

    The thumbhash is in ``data-thumbhash``, for a page that draws it.
    """
    width, height = _shape(image, options)
    sources = [
        f'<source type="image/{ext}" sizes="{escape(sizes)}"'
        f' srcset="{escape(srcset(signer, image.id, widths=widths, ext=ext, expires_in=expires_in, **options))}">'
        for ext in SOURCES[:-1]
    ]
    last = srcset(signer, image.id, widths=widths, ext=SOURCES[-1], expires_in=expires_in, **options)
    first = last.split(" ", 1)[0]
    shown = {
        "src": first,
        "srcset": last,
        "sizes": sizes,
        "width": str(width),
        "height": str(height),
        "alt": alt,
        "loading": "lazy",
        "decoding": "async",
        "style": f"background-color: {image.color}" if image.color else None,
        "data-thumbhash": image.placeholder,
    }
    attributes = " ".join(f'{name}="{escape(value)}"' for name, value in shown.items() if value is not None)
    return f"<picture>{''.join(sources)}<img {attributes}></picture>"


def _shape(image: Image, options: dict[str, object]) -> tuple[int, int]:
    """Return the width and height of what is shown, as far as they are known: a page keeps that shape free."""
    if options.get("width") is not None and options.get("height") is not None:
        return int(str(options["width"])), int(str(options["height"]))
    if image.source is None:
        msg = "the image is not ready yet, so nobody knows its size"
        raise ValueError(msg)
    wide, high = image.source.width, image.source.height
    if options.get("crop") is not None:
        _, _, wide, high = map(int, str(options["crop"]).split(":"))
    return (high, wide) if str(options.get("rotate", "")) in {"90", "270"} else (wide, high)
