"""The page on which every option of a transformation is tried, and its signed address taken away.

All of it is the form of a search: what is tried stands in the address, so it can be sent to somebody. The page signs
as ``POST /v1/sign`` does, for whoever may see the image; no secret comes near it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from darkroom import names
from darkroom.errors import InvalidRequest, NotFound, Unavailable
from darkroom.model import State
from darkroom.ondemand import result_name
from darkroom.transform.geometry import needed, steps
from darkroom.transform.options import AUTO, EXTENSIONS, parse
from darkroom.transform.plan import Size
from darkroom.transform.recipes import COMPASS, LONGEST_SIDE, SEEKING, Fit
from darkroom.transform.sources import candidates, in_order, largest_kept
from darkroom.web.gallery import parameters_of
from darkroom.web.one import share
from darkroom.web.views import Snippet, label, markdown, small_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi.responses import Response

    from darkroom.http.signing import Signer
    from darkroom.model import Format, Image
    from darkroom.transform.options import Transformation
    from darkroom.web.pages import Pages

AT_FIRST = {"width": "640", "height": "400", "fit": "cover"}
"""What is shown to who has not chosen yet: something that is cut, so that the focal point shows."""

LIVES = {"3600": "an hour", "86400": "a day", "604800": "a week", "2592000": "30 days"}
"""How long an address may be good, in seconds, unless for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One option as it is asked for. ``among`` are the values there are, or some of them; else it is a number."""

    name: str
    about: str
    among: tuple[str, ...] = ()
    free: bool = False
    """Whether another value than those of ``among`` may be given, too."""
    least: float | None = None
    most: float | None = None
    step: str = "1"
    hint: str = ""


def _number(name: str, about: str, least: float, most: float, step: str = "1") -> Field:
    return Field(name=name, about=about, least=least, most=most, step=step, hint=f"{least:g}–{most:g}")


GROUPS: Mapping[str, tuple[Field, ...]] = {
    "Size": (
        _number("width", "Width", 1, LONGEST_SIDE),
        _number("height", "Height", 1, LONGEST_SIDE),
        Field(name="fit", about="Fit", among=tuple(Fit)),
        _number("dpr", "Pixel ratio", 1, 4, "0.5"),
        Field(name="enlarge", about="May become larger than the picture is", among=("1",)),
        Field(
            name="gravity",
            about="Gravity",
            among=(*COMPASS, *SEEKING),
            free=True,
            hint="what is to stay: a name, or X:Y from 0 to 1",
        ),
    ),
    "Part and turn": (
        Field(name="crop", about="Crop", free=True, hint="X:Y:WIDTH:HEIGHT, pixels of the original"),
        Field(name="rotate", about="Turn clockwise", among=("90", "180", "270")),
        Field(name="flip", about="Mirror", among=("h", "v")),
    ),
    "Look": (
        _number("blur", "Blur", 0.3, 100, "0.1"),
        _number("sharpen", "Sharpen", 0.1, 10, "0.1"),
        Field(name="background", about="Background", free=True, hint="six hexadecimal digits, such as ffffff"),
        Field(name="grayscale", about="Shades of gray", among=("1",)),
        Field(name="bitonal", about="Black and white", among=("1",)),
    ),
    "File": (
        Field(name="ext", about="Format", among=(AUTO, *EXTENSIONS)),
        _number("quality", "Quality", 1, 100),
        Field(name="expires_in", about="Good for", among=tuple(LIVES)),
    ),
}
FIELDS = {field.name: field for fields in GROUPS.values() for field in fields}
NOTHING = ("fit", Fit.INSIDE.value)
"""What is done unless anything is given."""
BESIDE = ("ext", "expires_in")
"""What an address has beside its options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a form asks for. ``path`` is the signed address without its host, ``size`` how large the result will be."""

    path: str
    size: Size
    snippets: tuple[Snippet, ...]
    cut_around: str | None
    """In words, where something is cut off."""
    made_of: Size | None
    """The largest picture kept, where the result would be larger if the original were kept."""
    wanted: Transformation
    ext: str


def playground_routes(pages: Pages, signer: Signer) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)
    service = pages.service

    def answered(request: Request, image_id: str, template: str, *, with_files: bool) -> Response:
        image = service.image(pages.reads(request), image_id)
        if image.state is not State.READY or image.facts is None:
            raise NotFound("there is no picture of this image to transform, or not yet")
        values = dict(parameters_of(request.query_params.multi_items()))
        if not request.query_params:
            values = dict(AT_FIRST)
        found, problem = None, ""
        try:
            values = _pointed(image, values)
            found = trial(image, values, signer, pages.renderer.delivery_url)
        except InvalidRequest as error:
            problem = error.detail
        return pages.page(
            request,
            template,
            422 if problem else 200,
            image=image,
            values=values,
            found=found,
            problem=problem,
            wrong=problem.partition(" ")[0],
            made=_made(pages, image, found) if with_files and found is not None else (),
            groups=GROUPS,
            lives=LIVES,
        )

    @router.get("/images/{image_id}/playground")
    @pages.shown
    def get_playground(request: Request, image_id: str) -> Response:
        return answered(request, image_id, "playground.html", with_files=True)

    @router.get("/images/{image_id}/playground/result")
    @pages.shown
    def get_result(request: Request, image_id: str) -> Response:
        """Return the part of the page that changes, for its script, which loads the picture itself."""
        return answered(request, image_id, "playground_parts.html", with_files=False)

    return router


def trial(image: Image, values: Mapping[str, str], signer: Signer, delivery_url: str) -> Trial:
    """Return what the values of the form ask for. Raises ``InvalidRequest`` naming what is wrong."""
    for name in values:
        if name not in FIELDS:
            msg = f"{name[:60]} is no option; {', '.join(FIELDS)} are"
            raise InvalidRequest(msg)
    given = {name: value for name, value in values.items() if name not in BESIDE and (name, value) != NOTHING}
    for name, value in given.items():
        if "," in value:
            msg = f"{name} has a comma in it, which stands between options"
            raise InvalidRequest(msg)
    ext, life = values.get("ext", AUTO), values.get("expires_in")
    if ext not in FIELDS["ext"].among:
        msg = f"ext must be one of {', '.join(FIELDS['ext'].among)}, not {ext[:40]!r}"
        raise InvalidRequest(msg)
    if life is not None and life not in LIVES:
        msg = f"expires_in must be one of {', '.join(LIVES)}, in seconds, not {life[:40]!r}"
        raise InvalidRequest(msg)
    text = ",".join(f"{name}={value}" for name, value in given.items()) or "=".join(NOTHING)
    wanted = parse(text).transformation
    size = _size_of(image, wanted)
    signing = partial(signer.sign, image, ext=ext, expires_in=None if life is None else int(life))
    path, template = signing(text).path, ""
    widths: Sequence[int] = ()
    if "width" in given and not given.keys() & {"height", "dpr"}:
        template = signing(text, family=True).template or ""
        widths = _widths(image, wanted, signer.widths)
    return Trial(
        path=path,
        size=size,
        snippets=_snippets(
            label(image),
            delivery_url + path,
            _in_css_pixels(size, given.get("dpr", "1")),
            {width: delivery_url + template.replace("{width}", str(width)) for width in widths},
        ),
        cut_around=_cut_around(image, wanted),
        made_of=_limit(image, wanted),
        wanted=wanted,
        ext=ext,
    )


def _widths(image: Image, wanted: Transformation, widths: Sequence[int]) -> tuple[int, ...]:
    """Return the widths in which it can be made, for a ``srcset``; none if that is no choice."""
    most = _size_of(image, replace(wanted, width=LONGEST_SIDE)).width
    possible = tuple(width for width in widths if width <= most)
    return possible if len(possible) > 1 else ()


def _in_css_pixels(size: Size, dpr: str) -> Size:
    return Size(max(1, round(size.width / float(dpr))), max(1, round(size.height / float(dpr))))


def _pointed(image: Image, values: dict[str, str]) -> dict[str, str]:
    """Return the values with a gravity where somebody pointed into the picture. Raises ``InvalidRequest``."""
    across, down = values.pop("at.x", None), values.pop("at.y", None)
    picture = small_one(image)
    if across is None or down is None or picture is None:
        return values
    return values | {"gravity": f"{share(across, picture.width):g}:{share(down, picture.height):g}"}


def _original(image: Image) -> Size:
    assert image.facts is not None
    return Size(image.facts.source.width, image.facts.source.height)


def _size_of(image: Image, wanted: Transformation) -> Size:
    """Return how large the result will be. Raises ``InvalidRequest`` for a crop outside of the picture."""
    original = _original(image)
    chosen = in_order(candidates(image), needed(original, wanted))
    source = chosen[0].size if chosen else original
    return steps(source, original, wanted, image.focus).layout.size


def _limit(image: Image, wanted: Transformation) -> Size | None:
    kept = largest_kept(image)
    return None if kept is None or kept.holds(needed(_original(image), wanted)) else kept


def _cut_around(image: Image, wanted: Transformation) -> str | None:
    if wanted.fit is not Fit.COVER:
        return None
    if wanted.gravity is None and image.focus is not None:
        x, y = image.focus
        return f"the focal point, {_percent(x)} from the left and {_percent(y)} from the top"
    if wanted.gravity in {None, "center"}:
        return "the centre; the image has no focal point" if wanted.gravity is None else "the centre"
    if wanted.gravity in SEEKING:
        return {"attention": "what draws attention", "entropy": "where most is to be seen"}[str(wanted.gravity)]
    if wanted.gravity in COMPASS:
        return f"the {wanted.gravity}"
    x, y = map(float, str(wanted.gravity).split(":"))
    return f"the point {_percent(x)} from the left and {_percent(y)} from the top"


def _percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def _snippets(alt: str, url: str, shown: Size, by_width: Mapping[int, str]) -> tuple[Snippet, ...]:
    srcset = ", ".join(f"{each} {width}w" for width, each in by_width.items())
    more = f' srcset="{srcset}" sizes="100vw"' if srcset else ""
    html = f'<img src="{url}"{more} width="{shown.width}" height="{shown.height}" alt="{escape(alt)}" loading="lazy">'
    return (
        Snippet(name="Address", text=url),
        Snippet(name="Markdown", text=markdown(alt, url)),
        Snippet(name="HTML", text=html),
        *([Snippet(name="srcset", text=srcset)] if srcset else []),
    )


def _made(pages: Pages, image: Image, found: Trial) -> Sequence[tuple[Format, int]]:
    """Return the files that have been made of this, with their bytes: what a page without scripts can tell."""
    service = pages.service
    formats = [EXTENSIONS[found.ext]] if found.ext != AUTO else list(EXTENSIONS.values())
    names_ = {result_name(found.wanted, each): each for each in formats}
    made = []
    try:
        for result in service.results.finished(image.id):
            if result.name in names_:
                stat = service.assets.stat(names.asset_prefix(image.id) + result.name)
                made.append((names_[result.name], stat.bytes))
    except (NotFound, Unavailable):  # it went just now, or nobody can tell: the picture itself says more
        return ()
    return made
