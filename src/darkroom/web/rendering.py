"""Templates, and the answers made of them. Everything that is put into one is escaped."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

from darkroom.web import views
from darkroom.web.session import origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

STATIC = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
"""What is served beside the pages, by its ending."""
FOR_GOOD = "public, max-age=31536000, immutable"
"""The lifetime of what has its contents in its address."""


@dataclass(frozen=True, slots=True)
class File:
    """One file beside the pages, and the same compressed.

    Pages are not compressed: text of strangers stands in them beside a token, and how well it compresses would tell of
    the token (BREACH, 2013).
    """

    body: bytes
    packed: bytes
    content_type: str
    etag: str


class Renderer:
    """Makes pages; ``base_url`` is where the API is, ``delivery_url`` where pictures are.

    ``uploads_url`` is where tickets lead to, if that is not the API.
    """

    def __init__(self, base_url: str, delivery_url: str, uploads_url: str | None = None) -> None:
        self.base_url, self.delivery_url = base_url, delivery_url
        # Pictures of this very service come from wherever the page does: it may have several names.
        self.delivery = "" if delivery_url == base_url else delivery_url
        self._policy = _policy(delivery_url, uploads_url)
        self.files = _files()
        self.version = _version(self.files)

    @cached_property
    def _templates(self) -> Environment:
        # With the first page: a function that starts in order to answer a program does without.
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

        from darkroom.cost.numbers import amount  # noqa: PLC0415

        templates = Environment(
            loader=PackageLoader("darkroom.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.filters |= {
            "size": views.size,
            "shape": views.shape,
            "sizes": views.sizes,
            "label": views.label,
            "amount": amount,
            "duration": views.duration,
        }
        templates.globals |= {
            "snippets": lambda image: views.snippets(image, self.delivery_url),
            "small_one": views.small_one,
            "picture": lambda image: views.picture(image, self.delivery),
            "tile_picture": lambda image: views.picture(image, self.delivery, views.enough(image)),
            "base": self.base_url,
            "delivery": self.delivery,
            "delivery_url": self.delivery_url,
            "static": f"/static/{self.version}",
        }
        return templates

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401 # whatever a template shows
        """Return a page."""
        body = self._templates.get_template(template).render(**values)
        return HTMLResponse(body, status, {"cache-control": "no-store", **self.headers})

    @property
    def headers(self) -> dict[str, str]:
        """What goes with every page: no script but ours, no frame around it, nothing told to other sites."""
        return {
            "content-security-policy": self._policy,
            "referrer-policy": "same-origin",
            "x-content-type-options": "nosniff",
            "cross-origin-opener-policy": "same-origin",
        }

    def file(self, name: str, version: str, asked: Mapping[str, str]) -> Response | None:
        """Return a file beside the pages to who has sent the headers ``asked``, ``None`` for one that is not there.

        A page that another release has made asks for its files under another version: it gets ours, but not for good.
        """
        found = self.files.get(name)
        if found is None:
            return None
        lifetime = FOR_GOOD if version == self.version else "no-cache"
        headers = {"cache-control": lifetime, "vary": "accept-encoding", "x-content-type-options": "nosniff"}
        body, etag = found.body, found.etag
        if "gzip" in asked.get("accept-encoding", ""):
            body, etag = found.packed, f'{found.etag[:-1]}-gzip"'
            headers["content-encoding"] = "gzip"
        headers["etag"] = etag
        if asked.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=found.content_type, headers=headers)


def _files() -> dict[str, File]:
    folder = files("darkroom.web").joinpath("static")
    bodies = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    bodies["shapes.css"] = views.shapes_css().encode()
    return {
        name: File(body, gzip.compress(body, mtime=0), STATIC[ending], f'"{hashlib.sha256(body).hexdigest()[:16]}"')
        for name, body in bodies.items()
        if (ending := name.rpartition(".")[2]) in STATIC
    }


def _version(found: dict[str, File]) -> str:
    """Return a name for all the files together: those that name one another change their addresses together."""
    etags = "".join(name + found[name].etag for name in sorted(found))
    return hashlib.sha256(etags.encode()).hexdigest()[:16]


def _policy(delivery_url: str, uploads_url: str | None) -> str:
    pictures = f"'self' {origin_of(delivery_url)}"
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {pictures} data: blob:; "
        f"connect-src {pictures}{f' {uploads_url}' if uploads_url else ''}; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
